"""Loss and optimiser of embedding models."""
