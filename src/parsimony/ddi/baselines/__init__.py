"""Methods for drug pairs that walk no graph: the baselines of EmerGNN."""
