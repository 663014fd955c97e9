"""Feature views, and the join that puts their values beside rows as they were known at the time.

Knows what a feature is made from and how old it may be. Never knows which model uses it.
"""
