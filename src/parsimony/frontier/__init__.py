"""Frontiers of accuracy against size: two families on the same data, their laws and their page."""
