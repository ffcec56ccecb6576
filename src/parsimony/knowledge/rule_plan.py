"""What is mined within a budget: how long the bodies of each relation, and in which order.

Where no length is asked for, each relation gets the longest that its own facts allow within a
budget, so that a hub costs the relations through it their long rules and no other relation. Four
steps are taken where the graph is sparse: where so many steps seldom lead from one end of a fact to
the other by chance.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from parsimony.graph.distinct import distinct_keys
from parsimony.knowledge.rule_bodies import LONGEST, Bodies, path_digits, places
from parsimony.knowledge.rule_paths import Facts, n_walks
from parsimony.knowledge.rule_walks import WalkIndex

__all__ = ["USUAL", "MiningPlan", "affordable_lengths", "steps_within"]

USUAL = 3  # atoms of a body at most, but on a sparse graph
BUDGET = 2e9  # edges traversed and paths found; up to about a minute on one core
# Where the longest rules of all relations cost more than that, those of most may still cost so much
# together: a hub makes few relations expensive, and they alone do without.
LONG = BUDGET / 8
PER_SECOND = 1e8  # steps of mining, roughly, on one core: how far a time budget reaches

Longs = npt.NDArray[np.int64]


def steps_within(seconds: float) -> float:
    """Return how many steps a time, if any, lets mining take; never fewer than it has without."""
    return max(BUDGET, PER_SECOND * seconds) if np.isfinite(seconds) else BUDGET


def affordable_lengths(index: WalkIndex, budget: float, long: float) -> Longs:
    """Return the longest body, 1 to 4, that can be mined for each relation.

    Parameters
    ----------
    budget : float
        Steps for all relations and bodies together: 3 for all where that suffices, and 4 where the
        graph is sparse, too.
    long : float
        Steps for rules of length 3 of more than half of the relations where it does not, those with
        the least to do first.

    Returns
    -------
    int64 array, shape (n_relations,)
    """
    n = index.n_relations
    node = np.repeat(np.arange(index.n_entities), np.diff(index.indptr))
    if not len(node):
        return np.full(n, USUAL)
    degree, of = np.diff(index.indptr), index.relation % n
    joined = len(distinct_keys(node * index.n_entities + index.neighbour))
    parallel = 4 * len(node) / joined  # edges that join a pair, and some more
    lengths = np.ones(n, np.int64)
    for longest, limit in ((2, budget), (3, long)):
        part, whole = n_walks(index, longest - 1), n_walks(index, longest)
        listed = np.minimum(part[node], part[index.neighbour])
        # Of the walks from x, a fraction degree(y) / edges is expected to end in y.
        joining = whole[node] * degree[index.neighbour] / len(node)
        if longest == USUAL and (listed + joining).sum() + whole.sum() <= budget:
            return np.full(n, LONGEST if _is_sparse(index, budget) else USUAL)
        cost = np.bincount(of, listed + np.minimum(joining, parallel * listed), minlength=n)
        order = np.argsort(cost, kind="stable")
        within = np.zeros(n, bool)
        within[order] = np.cumsum(cost[order]) <= limit
        if longest == USUAL and 2 * within.sum() <= n:
            break  # no matter of a hub: the whole graph is dense
        lengths[within & (lengths == longest - 1)] = longest
    return lengths


def _is_sparse(index: WalkIndex, budget: float) -> bool:
    """Whether four steps join the ends of most facts by chance less than once.

    Of the walks from x, a fraction degree(y) / edges is expected to end in y.
    """
    if places(index.n_relations) < LONGEST:
        return False
    node = np.repeat(np.arange(index.n_entities), np.diff(index.indptr))
    listed = np.minimum(*(n_walks(index, LONGEST - 1)[of] for of in (node, index.neighbour)))
    joining = n_walks(index, LONGEST)[node] * np.diff(index.indptr)[index.neighbour] / len(node)
    return bool(listed.sum() <= budget and np.median(joining) < 1)


class MiningPlan:
    """What is mined, and in which order; how much of it is left to the caller.

    Where all is affordable, or asked for, the bodies are counted whatever it takes, but for those
    of four atoms that nobody asked for.
    """

    def __init__(
        self, index: WalkIndex, max_length: int | None, min_support: int,
        budget: float | None = None,
    ) -> None:  # fmt: skip
        budget = BUDGET if budget is None else budget
        self.n = index.n_relations
        self.long = LONG if budget <= BUDGET else LONG * budget / BUDGET
        self.lengths = np.full(self.n, max_length or 0)
        if max_length is None:
            self.lengths = affordable_lengths(index, budget, self.long)
        self.sparse = max_length is None and bool((self.lengths == LONGEST).all())
        whole = max_length is not None or bool((self.lengths == USUAL).all())
        self.first = USUAL if self.sparse else USUAL - 1
        self.short_first = not whole and not self.sparse
        self.facts = Facts(index, min_support)
        self.bodies = Bodies(index, np.inf if whole else budget)

    def keys(self, timed: bool) -> list[tuple[int, int]]:
        """Relations and lengths whose paths are asked for, in the order of asking."""
        every = [(r, int(self.lengths[r])) for r in range(self.n)]
        early = [(r, min(longest, 2)) for r, longest in every] if self.short_first else []
        if timed:
            early += [(r, min(longest, self.first)) for r, longest in every]
        return [*dict.fromkeys([*early, *every])]

    def count_short(self, bodies: Bodies) -> None:
        """Count bodies of two atoms before any long one, and leave these a part of the budget.

        Those of all relations at once, so that none spends what others need: first those of one
        atom, which together have a step for each edge, then those that promise most.
        """
        if self.short_first:
            short = [
                self.facts.ahead(r, min(longest, 2), keep=longest <= 2)
                for r, longest in enumerate(self.lengths.tolist())
            ]
            codes, support = (np.concatenate(each) for each in zip(*short, strict=True))
            bodies(codes[(path_digits(codes, self.n) > 0).sum(axis=1) == 1], share=np.inf)
            bodies(codes, support)
            bodies.left = min(bodies.left, self.long)

    def count(self, bodies: Bodies, codes: Longs, support: Longs, left: int) -> Longs:
        """Count the bodies of a relation after which so many are still to come."""
        if self.sparse:
            bodies(codes[codes % (2 * self.n + 1) == 0], share=np.inf)
        return bodies(codes, support, 1 / left if (self.lengths >= USUAL).any() else 1.0)
