"""Protocols of others that the server speaks, so that existing code works unchanged."""
