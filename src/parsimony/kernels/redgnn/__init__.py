"""Relational digraphs: frontier, layer, sampling and loss."""
