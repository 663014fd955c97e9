"""Numbers about the quality of predictions, one file each."""
