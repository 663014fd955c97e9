"""Feature values that are read at once, by key: stores, what is written into them, and readers.

Knows the last row of each thing, or the rows of its windows. Never knows where rows came from.
"""
