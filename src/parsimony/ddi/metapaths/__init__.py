"""Metapath regression: walks between two drugs, counted by their types."""
