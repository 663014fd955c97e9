"""Exchange with other systems: what they hold is copied in, what we hold is copied out. It never runs by itself."""
