"""Expectations on a table, one file each."""
