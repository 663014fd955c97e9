"""Logs what training libraries do, without a line in the user's code.

One module a library; none of them imports its library before the user does. Where a run comes from and where models are kept
is handed in from above.
"""
