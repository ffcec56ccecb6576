"""Independent, reproducible streams of randomness."""

from __future__ import annotations

import hashlib
import json

import numpy as np


def rng(seed: int, *stream: int | str) -> np.random.Generator:
    """Return the generator of a named stream: same seed and names, same numbers anywhere.

    The whole name is hashed. NumPy's own seeding by a list pads with zeros, so that ``[7]`` and
    ``[7, 0]`` would be one stream.

    Parameters
    ----------
    seed
        Of the run.
    *stream
        What the numbers are for, such as ``"epoch", 12``.
    """
    name = json.dumps([int(seed), *(p if isinstance(p, str) else int(p) for p in stream)])
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()))
