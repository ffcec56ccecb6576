"""Independent, reproducible streams of randomness."""

from __future__ import annotations

import hashlib

import numpy as np


def rng(seed: int, *stream: int | str) -> np.random.Generator:
    """Return the generator of a named stream: same seed and names, same numbers anywhere."""
    words = [
        part if isinstance(part, int) else int.from_bytes(hashlib.sha256(part.encode()).digest()[:8])
        for part in stream
    ]
    return np.random.default_rng([seed, *words])
