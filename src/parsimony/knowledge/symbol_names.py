"""The named symbols: textbook models and published search results.

Rows are head chunks, columns tail chunks, entries signed relation chunks, counted from 1.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["NAMED_CELLS", "SIZE", "Cells"]

#: number of chunks of an entity or relation, K in the papers
SIZE = 4

Cells = tuple[tuple[int, ...], ...]


def _from_blocks(blocks: Iterable[tuple[int, int, int]]) -> Cells:
    """Return the cells for (head chunk, signed relation chunk, tail chunk), counted from 1."""
    rows = [[0] * SIZE for _ in range(SIZE)]
    for head, relation, tail in blocks:
        rows[head - 1][tail - 1] = relation
    return tuple(map(tuple, rows))


def _searched(tails: tuple[int, ...], *groups: tuple[int, int, int, int]) -> Cells:
    """Return the cells for AutoSF's notation (its file of searched structures).

    Parameters
    ----------
    tails
        Tail chunk of the blocks (h1, r1) … (h4, r4), counted from 0.
    *groups
        Further blocks: relation chunk, head chunk, tail chunk, sign.
    """
    first = [(i + 1, i + 1, tail + 1) for i, tail in enumerate(tails)]
    more = [(h + 1, sign * (r + 1), t + 1) for r, h, t, sign in groups]
    return _from_blocks(first + more)


#: name → cells. A structure found for a dataset is named after the search and the dataset.
NAMED_CELLS: dict[str, Cells] = {
    # Yang et al., 2015
    "DistMult": _from_blocks([(1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4)]),
    # Trouillon et al., 2016: real parts in chunks 1 and 2, imaginary parts in 3 and 4
    "ComplEx": ((1, 0, 3, 0), (0, 2, 0, 4), (-3, 0, 1, 0), (0, -4, 0, 2)),
    # Kazemi and Poole, 2018: the head half in chunks 1 and 2, the tail half in 3 and 4
    "SimplE": _from_blocks([(1, 1, 3), (2, 2, 4), (3, 3, 1), (4, 4, 2)]),
    # Liu et al., 2017: half DistMult, half ComplEx
    "Analogy": ((1, 0, 0, 0), (0, 2, 0, 0), (0, 0, 3, 4), (0, 0, -4, 3)),
    # Hitchcock, 1927: an entity has independent vectors as head and as tail. The rank is 2 here,
    # since half of every vector is unused on either side.
    "CP": _from_blocks([(1, 1, 3), (2, 2, 4)]),
    # Zhang et al., 2019: the Hamilton product, its relations not normalised
    "QuatE": ((1, 2, 3, 4), (-2, 1, -4, 3), (-3, 4, 1, -2), (-4, -3, 2, 1)),
    # AutoSF (Zhang et al., ICDE 2020) and its OGB branch
    "AutoSF-WN18": _searched(
        (3, 2, 1, 0), (3, 3, 2, -1), (0, 2, 3, -1), (1, 0, 1, 1), (2, 1, 0, 1), (2, 2, 0, -1),
        (1, 0, 2, -1),
    ),
    "AutoSF-FB15k": _searched((3, 2, 1, 0), (1, 0, 1, 1), (2, 1, 0, 1)),
    "AutoSF-WN18RR": _searched(
        (1, 0, 2, 3), (3, 1, 1, 1), (3, 0, 0, 1), (0, 3, 2, -1), (1, 2, 3, -1), (1, 3, 1, -1),
        (0, 1, 3, -1),
    ),
    "AutoSF-FB15k-237": _searched((2, 1, 3, 0)),
    "AutoSF-YAGO3-10": _searched((0, 1, 2, 3), (1, 3, 1, -1), (2, 1, 3, -1)),
    "AutoSF-biokg": _from_blocks([(1, 1, 1), (1, 1, 2), (2, 2, 2), (3, 3, 3), (4, 4, 4)]),
    "AutoSF-wikikg2": _from_blocks(
        [(1, 1, 1), (2, 2, 2), (3, 1, 3), (4, -2, 2), (2, 2, 3), (3, 3, 4), (4, 4, 3)]
    ),
    # AutoBLM (Zhang et al., TPAMI 2022) in KGBench
    "AutoBLM-biokg": ((1, 0, 0, 0), (0, 2, 0, 0), (0, 0, 0, 3), (0, 0, 4, 0)),
    "AutoBLM-wikikg2": ((1, 0, 0, 0), (0, 2, 0, -2), (0, 0, 1, 4), (0, 3, 3, 0)),
}  # fmt: skip
