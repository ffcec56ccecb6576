"""Independent, reproducible random streams."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from parsimony.decoding.strict_json import json_text
from parsimony.errors import InvalidParameter

__all__ = ["rng", "seed_of"]


def rng(seed: int, *stream: int | str) -> np.random.Generator:
    """Return the generator of a named stream; equal seed and names give equal numbers anywhere.

    The whole name is hashed, because NumPy's seeding by a list pads with zeros: ``[7]`` and
    ``[7, 0]`` would be the same stream.

    Parameters
    ----------
    seed
        The seed of the run.
    *stream
        The purpose of the numbers, such as ``"epoch", 12``.
    """
    name = json_text([int(seed), *(p if isinstance(p, str) else int(p) for p in stream)])
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()))


def seed_of(settings: Mapping[str, Any], default: int = 0) -> int:
    """Return the seed that settings name.

    Raises
    ------
    InvalidParameter
        It is no whole number from 0 to 2⁶³ − 1.
    """
    seed = settings.get("seed", default)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise InvalidParameter(f"seed is {seed!r}", remedy="give a whole number from 0 on")
    return seed
