"""How many pairs the bodies of rules connect, counted exactly within a budget of steps.

Three things keep hubs affordable. Entities with the same neighbours along a step are twins, which
reach the same from there on: of each class one is followed, and counts for all. A body connects as
many pairs as its reverse, so the direction with fewer walks is followed. And the walks are counted
before they are followed: bodies beyond the budget are not counted at all, and said to be so. As a
body connects no more pairs than it has walks, those with the most support for their walks come
first: they make the surest rules.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from parsimony.graph.distinct import distinct_keys
from parsimony.kernels.numerics import kernel
from parsimony.knowledge.rule_walks import PathTrie, WalkIndex, expand, first_at_least

__all__ = ["LONGEST", "Bodies", "path_digits", "places"]

Longs = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int32]
LONGEST = 4  # steps of a path that has a code
UNCOUNTED = -1
_FEW = 1e7  # walks that are followed without asking whether the reverse has fewer


class _Starts(NamedTuple):
    """One entity of every class of twins: of step s those from ``ptr[s]`` to ``ptr[s + 1]``."""

    ptr: Longs
    node: Ints
    members: Longs


def places(n_relations: int) -> int:
    """Return the most steps that the code of a path has room for."""
    return LONGEST if (2 * n_relations + 1) ** LONGEST < 1 << 62 else LONGEST - 1


def path_digits(codes: Longs, n_relations: int) -> Longs:
    """Return the digits of path codes, (n, places): step + 1, and 0 behind the last."""
    return codes[:, None] // _units(n_relations) % (2 * n_relations + 1)


def _units(n_relations: int) -> Longs:
    """Return what the digits of a code count for, (places,)."""
    base = np.int64(2 * n_relations + 1)
    return base ** np.arange(places(n_relations) - 1, -1, -1)


def _twins(index: WalkIndex) -> _Starts:
    """Group the entities that have a step by their neighbours along it."""
    n_steps, size = 2 * index.n_relations, len(index.neighbour)
    node = np.repeat(np.arange(index.n_entities, dtype=np.int32), np.diff(index.indptr))
    if not size:
        none = np.zeros(0, np.int64)
        return _Starts(np.zeros(n_steps + 1, np.int64), none.astype(np.int32), none)
    # A row holds the neighbours of one entity along one step, in ascending order.
    first = np.flatnonzero(
        np.r_[True, (node[1:] != node[:-1]) | (index.relation[1:] != index.relation[:-1])]
    )
    length, step = np.diff(np.r_[first, size]), index.relation[first]
    mixed = np.random.default_rng(0).integers(1 << 62, size=index.n_entities, dtype=np.int64)
    key = np.add.reduceat(mixed[index.neighbour], first)  # wraps around
    order = np.argsort(key)
    small = step[order].astype(np.uint16 if n_steps < 1 << 16 else np.int64)  # sorts by its digits
    order = order[np.argsort(small, kind="stable")]
    first, length, step, key = first[order], length[order], step[order], key[order]
    new = np.ones(len(order), bool)
    new[1:] = (step[1:] != step[:-1]) | (length[1:] != length[:-1]) | (key[1:] != key[:-1])
    # Equal keys are compared neighbour by neighbour: a class is never wrong.
    alike = np.flatnonzero(~new)
    of = np.repeat(np.arange(len(alike)), length[alike])
    within = np.arange(len(of)) - np.repeat(np.cumsum(length[alike]) - length[alike], length[alike])
    here = index.neighbour[np.repeat(first[alike], length[alike]) + within]
    before = index.neighbour[np.repeat(first[alike - 1], length[alike]) + within]
    new[alike[np.bincount(of, here != before, minlength=len(alike)) > 0]] = True
    chosen = np.flatnonzero(new)
    ptr = np.zeros(n_steps + 1, np.int64)
    np.cumsum(np.bincount(step[chosen], minlength=n_steps), out=ptr[1:])
    return _Starts(ptr, node[first[chosen]], np.diff(np.r_[chosen, len(new)]))


@kernel
def _walks(  # type: ignore[no-untyped-def]
    edge_ptr, source, target, start_ptr, start, indptr, relation, neighbour, step, depth, end, walks
):
    """Count the walks from one entity of every class of twins, along every path of a trie.

    IN  edges of step s from edge_ptr[s] to edge_ptr[s + 1]: source, target; the starts; the
        WalkIndex; the trie
    OUT walks (n_nodes,)
    """
    n = len(indptr) - 1
    after = np.zeros((LONGEST, n))  # walks that end in each entity after so many steps
    i = 0
    while i < len(step):
        s = step[i]
        after[1] = 0
        for k in range(start_ptr[s], start_ptr[s + 1]):
            x = start[k]
            at = first_at_least(relation, neighbour, indptr[x], indptr[x + 1], s, 0)
            while at < indptr[x + 1] and relation[at] == s:
                after[1, neighbour[at]] += 1
                walks[i] += 1
                at += 1
        for j in range(i + 1, end[i]):
            d, goes_on = depth[j], end[j] > j + 1
            if goes_on:
                after[d] = 0
            for e in range(edge_ptr[step[j]], edge_ptr[step[j] + 1]):
                walks[j] += after[d - 1, source[e]]
                if goes_on:
                    after[d, target[e]] += after[d - 1, source[e]]
        i = end[i]


@kernel
def _pairs(  # type: ignore[no-untyped-def]
    start_ptr, start, members, indptr, relation, neighbour, step, depth, end, part, parts, pairs
):
    """Count the pairs of every path of a trie, from one of so many equal parts of the starts.

    IN  the starts; the WalkIndex; the trie; part, of parts
    OUT pairs (n_nodes,)
    """
    n = len(indptr) - 1
    levels = np.empty((LONGEST + 1, n), np.int32)
    sizes = np.zeros(LONGEST + 1, np.int64)
    stamp = np.zeros(n, np.int64)
    mark = np.int64(0)
    root = 0
    sizes[0] = 1
    while root < len(step):
        begin = start_ptr[step[root]]
        size = start_ptr[step[root] + 1] - begin
        for k in range(begin + size * part // parts, begin + size * (part + 1) // parts):
            levels[0, 0] = start[k]
            i = root
            while i < end[root]:
                d = depth[i]
                mark += 1
                sizes[d] = expand(
                    indptr, relation, neighbour,
                    levels[d - 1], sizes[d - 1], step[i], stamp, mark, levels[d],
                )  # fmt: skip
                if sizes[d] == 0:
                    i = end[i]
                    continue
                pairs[i] += members[k] * sizes[d]
                i += 1
        root = end[root]


class Bodies:
    """The number of pairs that each path connects, counted on first use.

    Paths are codes of :mod:`parsimony.knowledge.rule_mining`.

    Attributes
    ----------
    left
        Steps that may still be taken.
    known_walks, known_pairs
        What was counted ahead: codes, ascending, and how many.
    """

    def __init__(self, index: WalkIndex, budget: float = np.inf) -> None:
        self.index, self.left = index, budget
        self._units = _units(index.n_relations)
        self.codes, self.counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._starts = _twins(index)
        order = np.argsort(index.relation, kind="stable")
        node = np.repeat(np.arange(index.n_entities, dtype=np.int32), np.diff(index.indptr))
        ptr = np.zeros(2 * index.n_relations + 1, np.int64)
        np.cumsum(np.bincount(index.relation, minlength=2 * index.n_relations), out=ptr[1:])
        self._edges = ptr, node[order], index.neighbour[order]
        none = np.zeros(0, np.int64)
        self.known_walks: tuple[Longs, npt.NDArray[np.float64]] = none, np.zeros(0)
        self.known_pairs: tuple[Longs, Longs] = none, none
        self._wanted: list[Longs] | None = None

    def planning(self) -> Self:
        """The same, which only notes what it is asked to count (:attr:`wanted`)."""
        other = copy.copy(self)
        other._wanted = []
        return other

    @property
    def wanted(self) -> Longs:
        """What is to be counted, in the direction that is followed; ascending."""
        return distinct_keys(np.concatenate([np.zeros(0, np.int64), *(self._wanted or ())]))

    @property
    def budgeted(self) -> bool:
        """Whether walks are counted, to stay within a budget."""
        return bool(np.isfinite(self.left))

    def __call__(self, codes: Longs, support: Longs | None = None, share: float = 1.0) -> Longs:
        """Return the pairs of paths, :data:`UNCOUNTED` where they are beyond the budget.

        Parameters
        ----------
        support
            Of each path: how many facts of a head it connects; alike by default.
        share
            Of what is left of the budget may be spent, all that it takes if infinite.
        """
        other = ~_among(codes, self.codes)[1]
        new, most = _best_of(codes[other], None if support is None else support[other])
        if len(new):
            counts = self._count(new, most, share)
            at = np.searchsorted(self.codes, new)
            self.codes = np.insert(self.codes, at, new)
            self.counts = np.insert(self.counts, at, counts)
        found: Longs = self.counts[np.searchsorted(self.codes, codes)]
        return found

    @property
    def n_uncounted(self) -> int:
        """How many paths were asked for and not counted."""
        return int((self.counts == UNCOUNTED).sum())

    def _count(self, codes: Longs, support: Longs, share: float) -> Longs:
        directed, fits = codes, np.ones(len(codes), bool)
        if np.isfinite(share * self.left):
            allowed = share * self.left
            walks = self._walks_of(codes)
            if walks.sum() > _FEW:
                reverse = self.reversed(codes)
                back = self._walks_of(reverse)
                directed = np.where(back < walks, reverse, codes)
                walks = np.minimum(walks, back)
            order = np.argsort(walks / np.maximum(support, 1), kind="stable")
            fits = _fitting(walks, order, allowed)
            self.left -= walks[fits].sum()
        counts = np.full(len(codes), UNCOUNTED, np.int64)
        if fits.any():
            counts[fits] = self._pairs_of(directed[fits])
        return counts

    def _walks_of(self, codes: Longs) -> npt.NDArray[np.float64]:
        found: npt.NDArray[np.float64] = _known(codes, *self.known_walks, self.count_walks)
        return found

    def _pairs_of(self, codes: Longs) -> Longs:
        if self._wanted is not None:
            self._wanted.append(codes)
            return np.zeros(len(codes), np.int64)
        return _known(codes, *self.known_pairs, self.count_pairs)

    def count_pairs(self, codes: Longs, part: int = 0, parts: int = 1) -> Longs:
        """Count the pairs of paths, from one of so many parts of the entities they start at."""
        trie, nodes = self._trie(codes)
        pairs = np.zeros(len(nodes), np.int64)
        _pairs(*self._starts, *self.index[:3], *trie, part, parts, pairs)
        return pairs[np.searchsorted(nodes, codes)]

    def cost(self, codes: Longs) -> tuple[Longs, npt.NDArray[np.float64]]:
        """Edges gone over to count the walks of paths, and how many walks are to be expected."""
        n_edges = np.r_[0, np.diff(self._edges[0])]
        fan = np.r_[1.0, n_edges[1:] / max(self.index.n_entities, 1)]
        digits = path_digits(codes, self.index.n_relations)
        edges: Longs = n_edges[digits].sum(axis=1)
        return edges, n_edges[digits[:, 0]] * fan[digits[:, 1:]].prod(axis=1)

    def count_walks(self, codes: Longs) -> npt.NDArray[np.float64]:
        """Count the steps that following paths takes."""
        trie, nodes = self._trie(codes)
        walks = np.zeros(len(nodes))
        _walks(*self._edges, *self._starts[:2], *self.index[:3], *trie, walks)
        # Every step goes over what its prefix reaches, too.
        unit = self._units[np.maximum(trie.depth - 2, 0)]
        total = walks + np.where(
            trie.depth > 1, walks[np.searchsorted(nodes, nodes // unit * unit)], 0
        )
        found: npt.NDArray[np.float64] = total[np.searchsorted(nodes, codes)]
        return found

    def reversed(self, codes: Longs) -> Longs:
        """Return the codes of the same paths in the opposite direction."""
        n = self.index.n_relations
        digits = path_digits(codes, n)
        back = np.where(digits > 0, (digits - 1 + n) % (2 * n) + 1, 0)
        length = np.count_nonzero(digits, axis=1)
        place = length[:, None] - 1 - np.arange(len(self._units))
        turned = np.where(place >= 0, np.take_along_axis(back, np.maximum(place, 0), axis=1), 0)
        codes = turned @ self._units
        return codes

    def _trie(self, codes: Longs) -> tuple[PathTrie, Longs]:
        """Return the trie of paths, and the codes of its nodes in its order."""
        nodes = distinct_keys(np.concatenate([codes // unit * unit for unit in self._units]))
        digits = path_digits(nodes, self.index.n_relations)
        depth = np.count_nonzero(digits, axis=1)
        step = digits[np.arange(len(nodes)), depth - 1] - 1
        end = np.searchsorted(nodes, nodes + self._units[depth - 1])
        return PathTrie(*(a.astype(np.int32) for a in (step, depth, end))), nodes


@kernel
def _fitting(walks, order, allowed):  # type: ignore[no-untyped-def]
    """Which paths fit, taken in an order; what is too much for the rest leaves it to those after.

    IN  walks, order (n,); allowed: walks of all
    OUT fits (n,) bool
    """
    fits = np.zeros(len(walks), np.bool_)
    for i in order:
        if walks[i] <= allowed:
            fits[i] = True
            allowed -= walks[i]
    return fits


def _best_of(codes: Longs, support: Longs | None) -> tuple[Longs, Longs]:
    """Distinct codes, ascending, and the largest support of each."""
    if support is None:
        distinct = distinct_keys(codes)
        return distinct, np.ones(len(distinct), np.int64)
    order = np.lexsort((support, codes))
    codes, support = codes[order], support[order]
    last = np.r_[codes[1:] != codes[:-1], [True] * bool(len(codes))].astype(bool)
    return codes[last], support[last]


def _known(
    codes: Longs, keys: Longs, values: npt.NDArray[Any], count: Callable[[Longs], npt.NDArray[Any]]
) -> npt.NDArray[Any]:
    """Look up what was counted ahead, and count the rest."""
    at, there = _among(codes, keys)
    if not there.any():
        return count(codes)
    found = np.empty(len(codes), values.dtype)
    found[there] = values[at[there]]
    if not there.all():
        found[~there] = count(codes[~there])
    return found


def _among(codes: Longs, keys: Longs) -> tuple[Longs, npt.NDArray[np.bool_]]:
    """Where codes stand among ascending ones, and which are there."""
    at = np.searchsorted(keys, codes)
    there = at < len(keys)
    there[there] = keys[at[there]] == codes[there]
    return at, there
