"""Molecules as SMILES, fingerprints, graphs and descriptors."""
