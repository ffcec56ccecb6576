r"""Canonical forms: one structure for each orbit of equivalent ones.

These operations leave the set of score functions of a structure A unchanged, because the
embeddings can be transformed accordingly:

- permuting entity chunks: rows and columns of A together (24),
- flipping the sign of an entity chunk: its row and its column (2⁴; −1 on all has no effect),
- permuting relation chunks: renaming |A| (24), and flipping their signs (2⁴).

The canonical form is the smallest string of 16 cells in the orbit. For a fixed map of the entities,
numbering relations in order of first appearance, there with positive sign, gives the smallest
string; so 24 · 8 = 192 strings are compared instead of 24 · 16 · 24 · 16 = 147,456.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import numpy.typing as npt

from parsimony.knowledge.symbol_names import SIZE

__all__ = ["Equivalence", "canonical", "canonical_keys", "equivalence"]

Array = npt.NDArray[np.int8]

_CELLS = SIZE * SIZE
_BASE = 2 * SIZE + 1  # 0, 1, −1, 2, −2, …: the order of the digits
_CHUNK = 1024  # structures processed at a time, with 192 strings each

_PERMUTATIONS = np.array(list(permutations(range(SIZE))), dtype=np.int64)
_SIGNS = np.array([(1, *rest) for rest in product((1, -1), repeat=SIZE - 1)], dtype=np.int8)
_MAPS = [(p, s) for p in range(len(_PERMUTATIONS)) for s in range(len(_SIGNS))]
# Cell (i, j) of string m comes from cell _GATHER[m, 4 i + j], times _FLIP[m, 4 i + j].
_GATHER = np.array([
    (SIZE * _PERMUTATIONS[p][:, None] + _PERMUTATIONS[p][None, :]).ravel() for p, _ in _MAPS
])  # fmt: skip
_FLIP = np.array([np.outer(_SIGNS[s], _SIGNS[s]).ravel() for _, s in _MAPS], dtype=np.int8)


@dataclass(frozen=True)
class Equivalence:
    """A map of embeddings under which one structure gives the scores of another.

    ``f_B(e', r') = f_A(e, r)`` with ``e'[i] = entity_sign[i] · e[entity[i]]`` and
    ``r'[k] = relation_sign[k] · r[relation[k]]``, chunk by chunk, counted from 0.
    """

    entity: tuple[int, ...]
    entity_sign: tuple[int, ...]
    relation: tuple[int, ...]
    relation_sign: tuple[int, ...]

    def entities(self, vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Map entity vectors (n, d), d divisible by 4."""
        return _mapped(vectors, self.entity, self.entity_sign)

    def relations(self, vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Map relation vectors (n, d), d divisible by 4."""
        return _mapped(vectors, self.relation, self.relation_sign)


def _mapped(
    vectors: npt.NDArray[np.floating], order: tuple[int, ...], sign: tuple[int, ...]
) -> npt.NDArray[np.floating]:
    chunks = vectors.reshape(len(vectors), SIZE, -1)
    signs = np.array(sign, dtype=vectors.dtype)[:, None]
    mapped: npt.NDArray[np.floating] = (chunks[:, list(order)] * signs).reshape(vectors.shape)
    return mapped


def canonical(cells: npt.ArrayLike) -> Array:
    """Return the canonical forms, (n, 4, 4) signed relation-chunk numbers.

    Parameters
    ----------
    cells : array_like of int, (n, 4, 4)
    """
    return from_keys(canonical_keys(cells))


def canonical_keys(cells: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return one number per orbit: the canonical form read as 16 digits in base 9.

    Parameters
    ----------
    cells : array_like of int, (n, 4, 4)
    """
    flat = np.asarray(cells, dtype=np.int8).reshape(-1, _CELLS)
    parts = [_strings(flat[i : i + _CHUNK]).min(axis=1) for i in range(0, len(flat), _CHUNK)]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _strings(flat: Array) -> npt.NDArray[np.int64]:
    """The 192 strings of each structure as numbers, (n, 192)."""
    moved = (flat[:, _GATHER] * _FLIP).reshape(-1, _CELLS)
    rows = np.arange(len(moved))
    # name[x, k]: the new signed name of relation k in string x, 0 while it has not appeared.
    name = np.zeros((len(moved), SIZE + 1), dtype=np.int8)
    used = np.zeros(len(moved), dtype=np.int8)
    key = np.zeros(len(moved), dtype=np.int64)
    for cell in moved.T:
        relation, sign = np.abs(cell), np.sign(cell)
        known = name[rows, relation]
        fresh = (known == 0) & (cell != 0)
        used += fresh
        known = np.where(fresh, used * sign, known)
        name[rows, relation] = known
        value = known * sign
        key *= _BASE
        key += 2 * np.abs(value) - (value > 0)
    return key.reshape(len(flat), len(_MAPS))


def from_keys(keys: npt.NDArray[np.int64]) -> Array:
    """Return the structures (n, 4, 4) encoded by the keys."""
    powers = np.array([_BASE ** (_CELLS - 1 - i) for i in range(_CELLS)], dtype=np.int64)
    digits = keys[:, None] // powers % _BASE
    sign = np.where(digits % 2, 1, -1)
    return ((digits + 1) // 2 * sign).astype(np.int8).reshape(-1, SIZE, SIZE)


def equivalence(first: npt.ArrayLike, second: npt.ArrayLike) -> Equivalence | None:
    """Return the map from embeddings of the first structure to those of the second.

    None if the two are in different orbits.

    Parameters
    ----------
    first, second : array_like of int, (4, 4)
    """
    flat = [np.asarray(x, dtype=np.int8).reshape(1, _CELLS) for x in (first, second)]
    strings = [_strings(x)[0] for x in flat]
    key = int(strings[0].min())
    if key != strings[1].min():
        return None
    # Compose the map of the first to the canonical form with the inverse of the second's.
    to, back = (_to_canonical(x[0], int(s.argmin())) for x, s in zip(flat, strings, strict=True))
    return _composed(to, _inverted(back))


def _to_canonical(flat: Array, number: int) -> Equivalence:
    permutation, sign = _MAPS[number]
    moved = flat[_GATHER[number]] * _FLIP[number]
    order, signs = [], []
    for value in moved[moved != 0].tolist():
        if abs(value) - 1 not in order:
            order.append(abs(value) - 1)
            signs.append(1 if value > 0 else -1)
    idle = [k for k in range(SIZE) if k not in order]
    return Equivalence(
        tuple(_PERMUTATIONS[permutation].tolist()),
        tuple(_SIGNS[sign].tolist()),
        (*order, *idle),
        (*signs, *[1] * len(idle)),
    )


def _inverted(map_: Equivalence) -> Equivalence:
    parts: list[tuple[int, ...]] = []
    for order, sign in (
        (map_.entity, map_.entity_sign),
        (map_.relation, map_.relation_sign),
    ):
        back = [order.index(i) for i in range(SIZE)]
        parts += [tuple(back), tuple(sign[i] for i in back)]
    return Equivalence(*parts)


def _composed(first: Equivalence, second: Equivalence) -> Equivalence:
    """Return the map that applies ``first`` and then ``second``."""
    parts: list[tuple[int, ...]] = []
    for order, sign, order2, sign2 in (
        (first.entity, first.entity_sign, second.entity, second.entity_sign),
        (first.relation, first.relation_sign, second.relation, second.relation_sign),
    ):
        parts.append(tuple(order[i] for i in order2))
        parts.append(tuple(s * sign[i] for i, s in zip(order2, sign2, strict=True)))
    return Equivalence(*parts)
