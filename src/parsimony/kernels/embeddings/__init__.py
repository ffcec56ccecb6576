"""Loss and optimiser of embeddings."""
