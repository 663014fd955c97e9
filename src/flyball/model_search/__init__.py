"""AutoML: which kind of model, with which settings, learns a column of a table best in a given time.

Knows how candidates are prepared, tried and put together, and writes the best one down as a project that a person reads and
owns. Never knows which loop uses it.
"""
