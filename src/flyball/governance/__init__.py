"""Proof of what was done: from a prediction back to everything it came from.

This room reads what the others keep; it changes nothing.
"""
