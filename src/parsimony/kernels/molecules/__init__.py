"""Sums over bonds, and features of pairs of molecules."""
