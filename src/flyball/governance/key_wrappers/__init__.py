"""What encrypts the keys that secrets are encrypted with: one file each."""
