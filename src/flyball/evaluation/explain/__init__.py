"""How the prediction of a row is shared out over the columns it was made from: one explainer a file, found by its name."""
