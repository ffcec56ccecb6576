"""Few labels, few parameters: models that adapt to a new task from a handful of examples."""
