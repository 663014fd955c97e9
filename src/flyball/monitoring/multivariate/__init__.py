"""One file for each way to compare rows as wholes."""
