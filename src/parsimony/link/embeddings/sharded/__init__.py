"""Embeddings whose table of entities is cut over several processes, none of which holds it all."""
