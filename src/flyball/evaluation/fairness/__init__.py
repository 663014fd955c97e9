"""One file for each measure of fairness."""
