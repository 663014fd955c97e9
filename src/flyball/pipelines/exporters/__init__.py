"""Pipelines in the languages of other schedulers, one file each. Every step they run is a call of `flyball run-step`."""
