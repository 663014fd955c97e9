"""Documents that auditors ask for, filled from facts, each statement with its source."""
