"""EmerGNN's flow between two drugs, and the walks it consists of."""
