"""Proof of what was done: from a prediction back to everything it came from; and what must be forgotten, in all rooms.

This room reads what the others keep. It changes nothing but to forget a person.
"""
