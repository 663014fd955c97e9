"""Kinds of policies: one file each."""
