"""What this machine has, and how it is shared out among all that runs on it."""
