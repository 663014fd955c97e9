"""Kinds of models, one file each: how to write one down and how to read it back."""
