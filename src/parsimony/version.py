"""The version, on the ground floor: pages and runs name it, and the package itself reads it."""

__version__ = "0.1.0"
