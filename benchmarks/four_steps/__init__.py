"""Four steps from a file to a score, in plain Python and as a pipeline: how much more there is to write."""
