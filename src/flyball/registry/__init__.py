"""Models and their versions: what each was made from, how good it is, which one is champion, and what the gates say.

This room keeps facts about packages that others made, and judges them. It never loads a model and never serves one.
"""
