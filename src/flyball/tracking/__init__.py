"""Runs: what was tried, with which params, how it went, and what it left behind.

This room keeps facts about work that others do. It never starts work and never keeps bytes: artifacts are digests.
"""
