"""Studies: which params make a pipeline best, found by trying them.

Knows how a pipeline is run and what its runs measured. Never knows which loop uses what was found.
"""
