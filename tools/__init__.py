"""Programs that serve the making of Flyball: its lock files, its test servers, its import rules."""
