"""Channels that carry alerts to people: one file each, named as the channel."""
