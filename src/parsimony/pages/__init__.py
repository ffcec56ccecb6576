"""Templates and charts that every page is made of."""
