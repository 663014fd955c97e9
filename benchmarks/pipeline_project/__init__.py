"""A small project."""
