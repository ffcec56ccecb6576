"""Choosing sizes so that a fit stays within a memory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from parsimony.errors import InvalidParameter

if TYPE_CHECKING:
    from parsimony.base.estimator import Estimator

__all__ = ["FIXED", "fit_into", "parse_memory"]

#: bytes of libraries and compiled kernels that are loaded while a fit goes on
FIXED = 0.05e9
_UNITS = {"": 1e0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}


def parse_memory(text: str) -> int:
    """Return the bytes in "4G", "500M" or "2.5 GB"; units are powers of ten.

    Raises
    ------
    InvalidParameter
        Not an amount of memory, or none.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)b?", text.strip().lower())
    total = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if not 1 <= total < 1e18:
        raise InvalidParameter(f"not an amount of memory: {text!r}", remedy="write 4G or 500M")
    return int(total)


def fit_into(estimator: Estimator[Any, Any], task: Any, memory: int, **prepared: Any) -> list[str]:
    """Halve the sizes of a prepared estimator until its formula fits; returns notes.

    Parameters
    ----------
    memory
        Bytes of resident memory that the process may take.
    **prepared
        What ``prepare`` was given.

    Raises
    ------
    InvalidParameter
        Even the smallest sizes take more.
    """
    changed: dict[str, int] = {}
    while (parts := estimator.memory_parts()) is not None and total(parts) > memory:
        name = max((name for name in parts if name), key=lambda name: parts[name], default="")
        size = estimator.halved(name) if name else 0
        if size < 1:
            raise InvalidParameter(
                f"{estimator.method} takes about {total(parts) / 1e9:.2g} GB on these data, more "
                f"than the {memory / 1e9:.2g} GB allowed",
                remedy="allow more by --memory, or choose a smaller model, such as --set dim=8",
            )
        changed[name] = size
        estimator.set_params(**{name: size})
        estimator.prepare(task, **prepared)
    if parts is None:
        return [f"warning: how much memory {estimator.method} takes is not known before"]
    if not changed:
        return []
    made = ", ".join(f"{name}={size:,}" for name, size in changed.items())
    return [
        f"to stay within {memory / 1e9:.2g} GB: {made}; about {total(parts) / 1e9:.2g} GB are taken"
    ]


def total(parts: dict[str, float]) -> float:
    """Bytes at the peak: what is fixed, and the largest of the others, which take turns."""
    return parts.get("", 0.0) + max((size for name, size in parts.items() if name), default=0.0)
