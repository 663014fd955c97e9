"""One file for each way to make numbers of a column: one row, one vector."""
