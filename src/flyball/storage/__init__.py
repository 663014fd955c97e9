"""Where everything rests: rows in a database, bytes in an object store, facts in the event log.

This room knows how to keep and find; it never knows what the rows and bytes mean.
"""
