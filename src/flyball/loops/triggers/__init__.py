"""One file for each thing that may start a training."""
