"""The HTTP face of a workspace: routes made from the rooms' verbs, bytes by digest, live events, the page.

This room turns requests into calls and nouns into answers; it never decides anything and never loads a model.
"""
