"""How good predictions are, against the truth: metrics with their uncertainty, by slice, and one model against another.

This room knows arrays of truth and prediction, and what predictions are made of: what each column contributes to them. It
never loads a model, reads a file or decides anything: what a score means for a version is asked by the gates, and what it
means in production by the monitors.
"""
