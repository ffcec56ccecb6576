"""The relation patterns a structure can express, and whether some parameters have no effect.

For one coordinate of the chunks the score is hᵀ G(r) t with the 4×4 matrix G(r)_ij =
sgn(A_ij) r_|A_ij|. Everything here is a property of this matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from parsimony.knowledge.symbol_names import SIZE

__all__ = [
    "N_FEATURES",
    "Patterns",
    "degenerate",
    "generic_rank",
    "patterns",
    "srf",
    "symmetric_projection",
    "symmetric_rank",
]

_CELLS = SIZE * SIZE
_CHUNK = 2048
_DRAWS = 3


def _assignments() -> npt.NDArray[np.int8]:
    """Return values of (r1 … r4), one for each class with the same symmetry of G, (116, 4).

    AutoBLM assigns all of {−4 … 4}⁴. Whether G(r) = ±G(r)ᵀ depends only on which chunks are zero
    and which are equal up to sign, so absolute values are numbered in order of first appearance,
    there with positive sign.
    """
    kept = []
    for values in product(range(-SIZE, SIZE + 1), repeat=SIZE):
        seen = list(dict.fromkeys(abs(v) for v in values if v))
        first = {abs(v): v for v in reversed(values) if v}
        if seen == list(range(1, len(seen) + 1)) and all(v > 0 for v in first.values()):
            kept.append(values)
    return np.array(kept, dtype=np.int8)


_VALUES = _assignments()
# Case of an assignment: number of zeros, number of distinct non-zero absolute values.
_KINDS = [(int((v == 0).sum()), len({abs(int(x)) for x in v} - {0})) for v in _VALUES]
_CASES = sorted(set(_KINDS))
_CASE_MEMBERS = [[n for n, own in enumerate(_KINDS) if own == case] for case in _CASES]

#: bits of :func:`srf`
N_FEATURES = 2 * len(_CASES)


def _matrices(cells: npt.NDArray[np.int8], values: npt.NDArray[np.integer]) -> npt.NDArray[np.int8]:
    """Return G for every structure (n, 4, 4) and assignment (m, 4): (n, m, 4, 4)."""
    table = np.concatenate([np.zeros((len(values), 1), values.dtype), values], axis=1).T
    return np.moveaxis(table[np.abs(cells)], -1, 1) * np.sign(cells)[:, None]


def _bits(cells: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return whether G is symmetric, and skew-symmetric, per structure and assignment, (n, 116)."""
    rows = np.asarray(cells, dtype=np.int8).reshape(-1, SIZE, SIZE)
    symmetric = np.empty((len(rows), len(_VALUES)), dtype=np.bool_)
    skew = np.empty_like(symmetric)
    for i in range(0, len(rows), _CHUNK):
        g = _matrices(rows[i : i + _CHUNK], _VALUES)
        t = g.swapaxes(2, 3)
        symmetric[i : i + _CHUNK] = (g == t).all(axis=(2, 3))
        skew[i : i + _CHUNK] = (g == -t).all(axis=(2, 3))
    return symmetric, skew


def srf(cells: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Return the symmetry-related features of AutoBLM (TPAMI 2022, section 4.2), (n, 22).

    For each of 11 cases (number of zero chunks, number of distinct absolute values), one bit says
    whether some such r makes G(r) symmetric, and one whether some r makes it skew-symmetric.

    Parameters
    ----------
    cells : array_like of int, (n, 4, 4)
    """
    return np.concatenate(
        [
            np.stack([bits[:, members].any(axis=1) for members in _CASE_MEMBERS], axis=1)
            for bits in _bits(cells)
        ],
        axis=1,
    )


def generic_rank(cells: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the rank of G(r) for almost all r, (n,).

    With a rank below 4, some entity parameters have no effect. The rank is the same for all r
    outside a set of measure zero, so the largest of a few random draws is taken.

    Parameters
    ----------
    cells : array_like of int, (n, 4, 4)
    """
    rows = np.asarray(cells, dtype=np.int8).reshape(-1, SIZE, SIZE)
    draws = np.random.default_rng(0).uniform(1.0, 2.0, (_DRAWS, SIZE))
    table = np.concatenate([np.zeros((_DRAWS, 1)), draws], axis=1)
    g = table[:, np.abs(rows)] * np.sign(rows)
    ranks: npt.NDArray[np.int64] = np.linalg.matrix_rank(g, tol=1e-9).max(axis=0)
    return ranks


def symmetric_projection(cells: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the projections of (r1 … r4) onto all with G(r) = G(r)ᵀ, (n, 4, 4).

    Symmetry is a linear condition, sgn(A_ij) r_|A_ij| = sgn(A_ji) r_|A_ji| for every i < j: some
    chunks are tied, up to sign, others are 0.

    Parameters
    ----------
    cells : array_like of int, (n, 4, 4)
    """
    rows = np.asarray(cells, dtype=np.int8).reshape(-1, SIZE, SIZE)
    i, j = np.triu_indices(SIZE, 1)
    chunk = np.concatenate([np.zeros((1, SIZE)), np.eye(SIZE)])
    here, there = (
        chunk[np.abs(side)] * np.sign(side)[..., None] for side in (rows[:, i, j], rows[:, j, i])
    )
    found: npt.NDArray[np.float64] = np.eye(SIZE) - np.linalg.pinv(here - there) @ (here - there)
    return found.round(12)


def symmetric_rank(cells: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the rank of G(r) for almost all r with G(r) = G(r)ᵀ, (n,).

    With a rank below 4, a symmetric relation cannot use all components of the entities.

    Parameters
    ----------
    cells : array_like of int, (n, 4, 4)
    """
    rows = np.asarray(cells, dtype=np.int8).reshape(-1, SIZE, SIZE)
    draws = np.random.default_rng(2).standard_normal((_DRAWS, SIZE))
    values = np.zeros((len(rows), _DRAWS, 1 + SIZE))
    values[..., 1:] = draws @ symmetric_projection(rows)
    each = np.arange(len(rows))[:, None, None, None], np.arange(_DRAWS)[:, None, None]
    g = values[(*each, np.abs(rows)[:, None])] * np.sign(rows)[:, None]
    ranks: npt.NDArray[np.int64] = np.linalg.matrix_rank(g, tol=1e-9).max(axis=1)
    return ranks


def degenerate(cells: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Return whether G(r) is singular for all r, or a relation chunk is unused, (n,).

    An empty row or column is a case of the former. AutoBLM+ tests the determinant of the labels
    instead, which wrongly accepts some structures and rejects others.

    Parameters
    ----------
    cells : array_like of int, (n, 4, 4)
    """
    rows = np.abs(np.asarray(cells, dtype=np.int8).reshape(-1, _CELLS))
    used = (rows[:, :, None] == np.arange(1, SIZE + 1)).any(axis=1).all(axis=1)
    bad: npt.NDArray[np.bool_] = ~used | (generic_rank(cells) < SIZE)
    return bad


@dataclass(frozen=True)
class Patterns:
    """Relation patterns of one structure.

    Parameters
    ----------
    symmetric, skew_symmetric : int
        Largest rank of G(r) over all r with G(r) = G(r)ᵀ, or −G(r)ᵀ: 0 if only r = 0 qualifies,
        4 if such a relation can use all components of the entities.
    inverse : bool
        Every relation has an inverse: for each r there is an r' with G(r') = G(r)ᵀ.
    general : bool
        For almost all r, G(r) is neither symmetric nor skew-symmetric.
    """

    symmetric: int
    skew_symmetric: int
    inverse: bool
    general: bool

    def words(self) -> list[str]:
        """Return the expressible patterns, ``["symmetric", "inverse", …]``, with ranks below 4."""
        named = []
        for word, rank in (("symmetric", self.symmetric), ("skew-symmetric", self.skew_symmetric)):
            if rank:
                named.append(word if rank == SIZE else f"{word} (rank {rank})")
        if self.inverse:
            named.append("inverse")
        if self.general:
            named.append("general")
        return named


def patterns(cells: npt.ArrayLike) -> Patterns:
    """Return the relation patterns that a structure (4, 4) can express."""
    rows = np.asarray(cells, dtype=np.int8).reshape(1, SIZE, SIZE)
    symmetric, skew = (bits[0] for bits in _bits(rows))
    whole = (_VALUES != 0).all(axis=1) & (np.abs(_VALUES).max(axis=1) == SIZE)
    return Patterns(
        symmetric=_best_rank(rows, symmetric),
        skew_symmetric=_best_rank(rows, skew),
        inverse=_has_inverse(rows[0]),
        general=not (symmetric | skew)[whole].any(),
    )


def _best_rank(rows: npt.NDArray[np.int8], bits: npt.NDArray[np.bool_]) -> int:
    """Return the largest rank of G over the marked assignments, with random values."""
    marked = _VALUES[bits]
    drawn = np.concatenate([[0.0], np.random.default_rng(1).uniform(1.0, 2.0, SIZE)])
    values = drawn[np.abs(marked)] * np.sign(marked)
    return int(np.linalg.matrix_rank(_matrices(rows, values)[0], tol=1e-9).max())


def _has_inverse(rows: npt.NDArray[np.int8]) -> bool:
    """Return whether the cell equations r'_|A_ij| = ±r_|A_ji| of G(r') = G(r)ᵀ are consistent."""
    asked: dict[int, int] = {}
    for i, j in product(range(SIZE), repeat=2):
        here, there = int(rows[i, j]), int(rows[j, i])
        if not here and not there:
            continue
        if not here or not there:
            return False
        wanted = there if here > 0 else -there
        if asked.setdefault(abs(here), wanted) != wanted:
            return False
    return True
