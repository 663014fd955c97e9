"""Datasets and their snapshots, tables and what is expected of them.

Knows where data lies, which versions of it were taken, and whether a table keeps its promises.
Never knows who trains on it.
"""
