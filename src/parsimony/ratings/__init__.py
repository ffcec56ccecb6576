"""Ratings of new users: data, task and methods."""
