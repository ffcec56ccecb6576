"""Which rules lead to which candidates of a query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.kernels.numerics import kernel
from parsimony.knowledge.rule_walks import PathTrie, WalkIndex, build_trie, expand
from parsimony.link.rules.constants import BranchRules

__all__ = ["Bodies", "firings"]

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Path = tuple[int, ...]


class Bodies(NamedTuple):
    """Rules for one query relation: path rules as a trie, then rules about an entity.

    ``rule`` holds which of the path rules ends at each node, or -1.
    """

    trie: PathTrie
    rule: Ints
    n_paths: int
    about: BranchRules

    @classmethod
    def of(
        cls, paths: Sequence[Path], about: BranchRules, index: WalkIndex, *, backwards: bool
    ) -> Bodies:
        """Merge distinct paths; ``backwards`` walks them from Y, as a query for heads does."""
        if backwards:
            paths = [tuple(map(index.inverse, reversed(path))) for path in paths]
        trie, node_of = build_trie(paths)
        rule = np.full(len(trie.step), -1, np.int32)
        rule[node_of] = np.arange(len(paths))
        return cls(trie, rule, len(paths), about)


@kernel
def _collect(  # type: ignore[no-untyped-def]
    indptr, relation, neighbour, step, depth, end, rule, x, column, levels, stamp, mark, rows, rules
):
    """Collect the candidates that each path reaches from x.

    IN  the WalkIndex; a trie with rule (n_nodes,); column (n_entities,): of each candidate, else -1
        levels (depth + 1, n_entities), stamp, mark (1,): scratch
    OUT rows, rules: as far as they fit; returns how many there are
    """
    sizes = np.zeros(levels.shape[0], np.int64)
    sizes[0] = 1
    levels[0, 0] = x
    n = 0
    i = 0
    while i < len(step):
        d = depth[i]
        mark[0] += 1
        sizes[d] = expand(
            indptr, relation, neighbour,
            levels[d - 1], sizes[d - 1], step[i], stamp, mark[0], levels[d],
        )  # fmt: skip
        if sizes[d] == 0:
            i = end[i]
            continue
        if rule[i] >= 0:
            for j in range(sizes[d]):
                at = column[levels[d, j]]
                if at >= 0:
                    if n < len(rows):
                        rows[n] = at
                        rules[n] = rule[i]
                    n += 1
        i += 1
    return n


def firings(
    index: WalkIndex, bodies: Bodies, relation: int, entities: Sequence[int],
    candidates: Sequence[Ints],
) -> tuple[Longs, Ints]:  # fmt: skip
    """Return (row, rule) of every rule that leads to a candidate of a query.

    Parameters
    ----------
    relation
        Of all queries; r + R asks for heads.
    entities, candidates
        Of each query: the entity asked about, and the candidates, whose rows follow one another.
    """
    n = index.n_entities
    levels = np.empty((int(bodies.trie.depth.max(initial=0)) + 1, n), np.int32)
    stamp, mark, column = np.zeros(n, np.int64), np.zeros(1, np.int64), np.full(n, -1, np.int32)
    rows, rules = np.empty(1 << 16, np.int32), np.empty(1 << 16, np.int32)
    found: list[tuple[Longs, Ints]] = [(np.empty(0, np.int64), np.empty(0, np.int32))]
    first = 0
    for x, of in zip(entities, candidates, strict=True):
        column[of] = np.arange(len(of), dtype=np.int32)
        while True:
            size = _collect(
                *index[:3], *bodies.trie, bodies.rule, x, column, levels, stamp, mark, rows, rules
            )
            if size <= len(rows):
                break
            rows, rules = np.empty(2 * size, np.int32), np.empty(2 * size, np.int32)
        found.append((rows[:size].astype(np.int64) + first, rules[:size].copy()))
        reached, by = bodies.about.fired(x, relation)
        at = column[reached]
        known = at >= 0
        found.append((at[known].astype(np.int64) + first, (by[known] + bodies.n_paths)))
        column[of] = -1
        first += len(of)
    return np.concatenate([r for r, _ in found]), np.concatenate([k for _, k in found])
