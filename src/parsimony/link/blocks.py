"""Queries in blocks whose scores of all entities fit in memory, however many entities there are."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["blocks"]

#: scores of a block at most (128 MiB of float32, of which several copies are held at a time)
_CELLS = 1 << 25


def blocks(n_queries: int, n_entities: int, most: int = 64) -> Iterator[slice]:
    """Cut queries into slices of at most ``most``, fewer where entities are very many."""
    step = max(1, min(most, _CELLS // max(n_entities, 1)))
    for at in range(0, n_queries, step):
        yield slice(at, min(at + step, n_queries))
