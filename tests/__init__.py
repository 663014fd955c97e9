"""The tests of Flyball."""
