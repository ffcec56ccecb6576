"""The trainer of every iterated method."""
