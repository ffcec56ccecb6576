"""Methods that classify pairs of drugs without walking a graph: the baselines of EmerGNN."""
