"""Templates and charts shared by all pages."""
