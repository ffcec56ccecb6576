"""Embeddings: vectors of entities and relations, scored by a symbol or by a distance."""
