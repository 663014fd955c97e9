"""The terminal's face: arguments in, tables or JSON out, exit codes.

This room knows how people and scripts speak; what the words mean is known by the rooms below.
"""
