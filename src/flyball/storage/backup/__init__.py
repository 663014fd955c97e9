"""Copies of a workspace that it can be made again from: all rows as they stood at one moment, and all bytes they name.

This package knows how to copy, check and bring back; it never knows what the rows and bytes mean.
"""
