"""Molecules as text, fingerprints, graphs and descriptors."""
