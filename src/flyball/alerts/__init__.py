"""Alerts: findings that someone should know of, one per cause, and the channels that carry them to people.

This room keeps alerts and sends them. It never finds anything by itself and never acts on what was found.
"""
