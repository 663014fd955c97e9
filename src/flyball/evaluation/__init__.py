"""How good predictions are, against the truth: metrics with their uncertainty, by slice, and one model against another.

This room knows arrays of truth and prediction. It never loads a model, reads a table or decides anything: what a
score means for a version is asked by the gates, and what it means in production by the monitors.
"""
