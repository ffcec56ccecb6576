"""Methods that learn over tasks to adapt to a support."""
