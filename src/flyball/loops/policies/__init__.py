"""Policies: one file each, named as the policy. What is to be done about a cause."""
