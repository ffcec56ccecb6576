"""The molecular encoder and its self-supervised training."""
