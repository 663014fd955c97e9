"""Flyball."""
