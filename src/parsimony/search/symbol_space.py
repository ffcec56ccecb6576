"""The space of bilinear scoring functions: every signed 4×4 block structure (AutoBLM)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations, product
from typing import Literal

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidParameter
from parsimony.knowledge.symbol import SIZE, Symbol
from parsimony.knowledge.symbol_canonical import canonical, canonical_keys, from_keys
from parsimony.knowledge.symbol_patterns import degenerate, srf, symmetric_rank

__all__ = ["BilinearSpace"]

Cells = npt.NDArray[np.int8]

_CELLS = SIZE * SIZE
_LISTED = 7  # blocks at most in an enumeration
_GROWTH = 2  # blocks that one step of the greedy search adds
_COMPARED = ("DistMult", "ComplEx", "SimplE", "Analogy", "QuatE")


@dataclass(frozen=True)
class BilinearSpace:
    """Symbols; see :class:`parsimony.search.space.Space`.

    Parameters
    ----------
    symmetric
        Which relations are known to be symmetric. "some": the symbols that give a symmetric
        relation all components of the entities. "all": those that are symmetric for every r; a
        relation chunk that makes the others lopsided would have no use.
    """

    name = "bilinear"
    max_size = 6
    symmetric: Literal["none", "some", "all"] = "none"

    def start(self) -> list[Symbol]:
        """Return the 5 structures of 4 blocks, and the named ones: 8 in all, or what is valid."""
        simplest = list(self.enumerate(SIZE))
        keys = {symbol.key for symbol in simplest}
        return simplest + [s for s in self.named().values() if s.key not in keys]

    def named(self) -> Mapping[str, Symbol]:
        """Return DistMult, ComplEx, SimplE, Analogy and QuatE, as far as they are valid."""
        found = {name: Symbol.named()[name] for name in _COMPARED}
        valid = self.valid(list(found.values()))
        return {name: found[name] for name, good in zip(found, valid, strict=True) if good}

    def sample(self, random: np.random.Generator) -> Symbol:
        """Draw the number of blocks, then cells, relation chunks and signs."""
        flat = np.zeros(_CELLS, dtype=np.int8)
        n_blocks = int(random.integers(SIZE, _CELLS + 1))
        flat[random.permutation(_CELLS)[:n_blocks]] = _labels(n_blocks, random)
        return self._symbol(flat)

    def grow(self, structure: Symbol, random: np.random.Generator) -> Symbol:
        """Add two random blocks where there are none; the last one alone if so.

        Where all relations are symmetric the two mirror each other.
        """
        flat = structure.matrix().ravel()
        free = random.permutation(np.flatnonzero(flat == 0))
        if self.symmetric == "all":
            above = free[free // SIZE < free % SIZE]
            chosen = above[:1] if len(above) else free[:1]
        else:
            chosen = free[:_GROWTH]
        flat[chosen] = _labels(len(chosen), random)
        return self._symbol(flat)

    def mutate(self, structure: Symbol, random: np.random.Generator) -> Symbol:
        """Redraw each cell with probability 2/16, one at least (AutoBLM+)."""
        flat = structure.matrix().ravel()
        marked = random.random(_CELLS) < 2 / _CELLS
        marked[random.integers(_CELLS)] |= not marked.any()
        flat[marked] = random.integers(-SIZE, SIZE + 1, int(marked.sum()))
        return self._symbol(flat)

    def crossover(self, first: Symbol, second: Symbol, random: np.random.Generator) -> Symbol:
        """Take each cell from either parent."""
        mine = random.random((SIZE, SIZE)) < 0.5
        return self._symbol(np.where(mine, first.matrix(), second.matrix()))

    def size(self, structure: Symbol) -> int:
        """Return the number of blocks."""
        return structure.n_blocks

    def enumerate(self, max_size: int) -> Iterator[Symbol]:
        """Yield every orbit that wastes nothing: by number of blocks, then by canonical form."""
        if max_size > _LISTED:
            raise InvalidParameter(
                f"structures of {max_size} blocks are too many to be listed",
                remedy=f"--set max_size={_LISTED} or less",
            )
        for n_blocks in range(SIZE, max_size + 1):
            listed = [_symbol(rows) for rows in enumerated(n_blocks)]
            yield from (s for s, good in zip(listed, self.valid(listed), strict=True) if good)

    def keys(self, structures: Sequence[Symbol]) -> list[str]:
        """Return the canonical forms, one line each."""
        if not structures:
            return []
        return [str(_symbol(rows)) for rows in canonical(_cells(structures))]

    def valid(self, structures: Sequence[Symbol]) -> npt.NDArray[np.bool_]:
        """Whether all numbers have an effect: generic rank 4, every relation chunk used.

        And whether it suits the relations that are known to be symmetric.
        """
        if not structures:
            return np.empty(0, np.bool_)
        cells = _cells(structures)
        good: npt.NDArray[np.bool_] = ~degenerate(cells)
        if self.symmetric == "some":
            good[good] = symmetric_rank(cells[good]) == SIZE
        elif self.symmetric == "all":
            good &= (cells == cells.swapaxes(1, 2)).all((1, 2))
        return good

    def features(self, structures: Sequence[Symbol]) -> npt.NDArray[np.float64]:
        """AutoBLM's symmetry features, and counts: of blocks, by place, relation and mirror."""
        cells = _cells(structures)
        return np.concatenate([srf(cells), _counts(cells)], axis=1).astype(np.float64)

    def text(self, structure: Symbol) -> str:
        """Print the rows in one line."""
        return str(structure)

    def parse(self, text: str) -> Symbol:
        """Read a name, rows or infix."""
        return Symbol.parse(text)

    def _symbol(self, cells: Cells) -> Symbol:
        """A structure that was drawn; where all relations are symmetric, mirrored."""
        rows = cells.reshape(SIZE, SIZE)
        return _symbol(np.triu(rows) + np.triu(rows, 1).T if self.symmetric == "all" else rows)


def _symbol(cells: Cells) -> Symbol:
    return Symbol(tuple(map(tuple, cells.reshape(SIZE, SIZE).tolist())))


def _cells(structures: Sequence[Symbol]) -> Cells:
    return np.array([symbol.cells for symbol in structures], dtype=np.int8)


def _labels(n: int, random: np.random.Generator) -> Cells:
    """Relation chunks with signs, never 0."""
    signs = random.choice(np.array([-1, 1], np.int8), n)
    labels: Cells = (random.integers(1, SIZE + 1, n) * signs).astype(np.int8)
    return labels


def _counts(cells: Cells) -> npt.NDArray[np.int64]:
    """Counts that do not change within an orbit, (n, 19)."""
    mirror = cells.swapaxes(1, 2)
    off = ~np.eye(SIZE, dtype=np.bool_)
    filled = cells != 0
    both = filled & (mirror != 0) & off
    same = np.abs(cells) == np.abs(mirror)
    per_relation = np.stack([(np.abs(cells) == k).sum((1, 2)) for k in range(1, SIZE + 1)], axis=1)
    on_diagonal = np.stack(
        [(np.abs(np.diagonal(cells, axis1=1, axis2=2)) == k).sum(1) for k in range(1, SIZE + 1)],
        axis=1,
    )
    columns = [
        filled.sum((1, 2)),
        (filled & ~off).sum((1, 2)),
        (both & same & (cells == mirror)).sum((1, 2)) // 2,
        (both & same & (cells == -mirror)).sum((1, 2)) // 2,
        (both & ~same).sum((1, 2)) // 2,
        (filled & ~(mirror != 0)).sum((1, 2)),
        (on_diagonal > 0).sum(1),
    ]
    sorted_counts = [per_relation, filled.sum(1), filled.sum(2)]
    return np.concatenate(
        [np.stack(columns, axis=1), *[np.sort(part, axis=1) for part in sorted_counts]], axis=1
    )


# ---- enumeration -----------------------------------------------------------------------------


def enumerated(n_blocks: int) -> Cells:
    """Return the canonical form of every orbit with so many blocks that wastes nothing.

    Which cells are filled is taken once for the 24 entity permutations; relation chunks are named
    in the order in which they appear, the first time positive. What is left to compare are the
    canonical forms.
    """
    found = np.empty(0, np.int64)
    labels = _labellings(n_blocks)
    if len(labels):
        for pattern in _patterns(n_blocks):
            rows = np.zeros((len(labels), _CELLS), np.int8)
            rows[:, pattern] = labels
            cells = rows.reshape(-1, SIZE, SIZE)
            found = np.union1d(found, canonical_keys(cells[~degenerate(cells)]))
    return from_keys(found)


def _patterns(n_blocks: int) -> list[list[int]]:
    """Filled cells, no row and no column empty, the first of its 24 images."""
    images = [
        [SIZE * order[i] + order[j] for i, j in product(range(SIZE), repeat=2)]
        for order in permutations(range(SIZE))
    ]
    kept = []
    for filled in combinations(range(_CELLS), n_blocks):
        if len({c // SIZE for c in filled}) < SIZE or len({c % SIZE for c in filled}) < SIZE:
            continue
        if all(list(filled) <= sorted(image[c] for c in filled) for image in images):
            kept.append(list(filled))
    return kept


def _labellings(n_blocks: int) -> Cells:
    """Signed relation chunks of the blocks in order: all four used, renamed as they appear."""
    rows: list[list[int]] = [[]]
    for place in range(n_blocks):
        after = n_blocks - place - 1
        grown = []
        for row in rows:
            used = max((abs(value) for value in row), default=0)
            again = [sign * k for k in range(1, used + 1) for sign in (1, -1)]
            new = [used + 1] if used < SIZE else []
            for value in again + new:
                if SIZE - max(used, abs(value)) <= after:  # the rest can still appear
                    grown.append([*row, value])
        rows = grown
    return np.array(rows, dtype=np.int8).reshape(-1, n_blocks)
