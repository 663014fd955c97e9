"""Distances between two samples of one column, one file each."""
