"""Who holds which rows of the entities' table, and who trains which facts when.

The idea is PyTorch-BigGraph's (Lerer et al., SysML 2019), without its lock server: entities are cut
into parts and facts into a grid of buckets, (part of the head) × (part of the tail), and buckets
that are trained at the same time share no part. With 2 W parts for W processes a tournament's
schedule says in advance who trains what: every two parts meet once in 2 W − 1 rounds, and in each
round every process has two parts to itself.

Parts are drawn anew for every epoch, so that in the course of them every entity is compared with
every other. Rows stay with their owners, W ranges of them: a process borrows the rows of its two
parts for a round.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.run.seeds import rng

IntArray = npt.NDArray[np.integer[Any]]

__all__ = ["bounds", "draw_parts", "rounds_of_facts", "schedule"]


def bounds(n: int, size: int) -> list[int]:
    """Where the rows of each of ``size`` owners begin, and n."""
    return [n * k // size for k in range(size + 1)]


def schedule(size: int) -> npt.NDArray[np.int16]:
    """Who holds which part when, (2 size − 1 rounds, 2 size parts).

    The circle method: one part stays in its place, the others move on by one each round.
    """
    n = 2 * size - 1
    holder = np.zeros((n, n + 1), np.int16)
    for r in range(n):
        for i in range(1, size):
            holder[r, (r + i) % n] = holder[r, (r - i) % n] = i
    return holder


def draw_parts(n: int, size: int, seed: int) -> npt.NDArray[np.int16]:
    """The part of every entity in an epoch, (n,): 2 size parts of about the same size."""
    return (rng(seed, "parts").permutation(n) % (2 * size)).astype(np.int16)


def rounds_of_facts(
    facts: IntArray, part: npt.NDArray[np.int16], holder: npt.NDArray[np.int16], seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The facts of an epoch by round, then by process.

    Facts whose ends are in one part could be trained in every round: each is, in one that is drawn.

    Returns
    -------
    order, ptr
        Facts ``order[ptr[r * size + k]:ptr[r * size + k + 1]]`` are trained in round r by k.
    """
    rounds, parts = holder.shape
    meet = np.full((parts, parts), -1, np.int16)
    for r in range(rounds):
        meet[holder[r][:, None] == holder[r]] = r
    head, tail = part[facts[:, 0]], part[facts[:, 2]]
    when = meet[head, tail].astype(np.int64)
    same = np.flatnonzero(head == tail)
    when[same] = rng(seed, "rounds").integers(0, rounds, len(same))
    key = when * (parts // 2) + holder[when, head]
    order = np.argsort(key, kind="stable")
    count = np.bincount(key, minlength=rounds * parts // 2)
    return order, np.concatenate([[0], np.cumsum(count)])
