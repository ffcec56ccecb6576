"""Sums over bonds and pairs of molecules."""
