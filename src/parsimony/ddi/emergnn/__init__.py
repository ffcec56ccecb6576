"""EmerGNN: the interaction of two drugs from the paths between them."""
