"""What rules lead to in one query where some facts are deleted: many deletions in one walk.

Of up to :data:`MOST` deletions every entry of the walk index keeps, as bits, those that it is
missing in, and everything reached keeps those in which it is reached. The bodies are walked once
for all of them, and nothing is copied but what a rule leads to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.graph.distinct import distinct_keys
from parsimony.kernels.numerics import kernel
from parsimony.knowledge.rule_branches import find_branch
from parsimony.knowledge.rule_walks import WalkIndex, first_at_least
from parsimony.link.question import Question
from parsimony.link.rules.combining import Firings, Plan
from parsimony.link.rules.scoring import RuleScorer
from parsimony.run.steps import step_done

__all__ = ["MOST", "Deletions", "Followed", "scores_without"]

MOST = 62  # bits of an int64 but the sign
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Fact = tuple[int, int, int]
Facts = Iterable[Fact]


@kernel
def _follow(  # type: ignore[no-untyped-def]
    indptr, relation, neighbour, step, depth, end, ends, deepest, x, every, gone, walked,
):  # fmt: skip
    """Find what path rules reach from x, and in which deletions.

    IN  the WalkIndex; a trie with ends (n_nodes,): the rule at each node, or -1
        every: the deletions, as bits; gone (n_entries,): those that an entry is missing in
    OUT walked (n_entries,) = 1 for entries that are walked
        returned: Firings and the deletions of each entity
    """
    n_entities = len(indptr) - 1
    levels = np.empty((deepest + 1, n_entities), np.int32)
    masks = np.empty((deepest + 1, n_entities), np.int64)
    stamp, place = np.zeros(n_entities, np.int64), np.empty(n_entities, np.int32)
    sizes = np.zeros(deepest + 1, np.int64)
    rule, ptr = np.empty(len(step), np.int32), np.zeros(len(step) + 1, np.int64)
    out, mask = np.empty(1024, np.int32), np.empty(1024, np.int64)
    n, k, i = 0, 0, 0
    sizes[0], levels[0, 0], masks[0, 0] = 1, x, every
    while i < len(step):
        d = depth[i]
        size = 0
        for j in range(sizes[d - 1]):
            u, of = levels[d - 1, j], masks[d - 1, j]
            last = indptr[u + 1]
            at = first_at_least(relation, neighbour, indptr[u], last, step[i], 0)
            while at < last and relation[at] == step[i]:
                left = of & ~gone[at]
                if left != 0:
                    walked[at] = 1
                    v = neighbour[at]
                    if stamp[v] != i + 1:
                        stamp[v], place[v] = i + 1, size
                        levels[d, size], masks[d, size] = v, left
                        size += 1
                    else:
                        masks[d, place[v]] |= left
                at += 1
        sizes[d] = size
        if size == 0:
            i = end[i]
            continue
        if ends[i] >= 0:
            if n + size > len(out):
                room = max(n + size, 2 * len(out))
                wider, longer = np.empty(room, np.int32), np.empty(room, np.int64)
                wider[:n], longer[:n] = out[:n], mask[:n]
                out, mask = wider, longer
            out[n : n + size], mask[n : n + size] = levels[d, :size], masks[d, :size]
            n += size
            rule[k] = ends[i]
            k += 1
            ptr[k] = n
        i += 1
    return rule[:k], ptr[: k + 1], out[:n], mask[:n]


@kernel
def _follow_about(  # type: ignore[no-untyped-def]
    indptr, relation, neighbour, n_relations, step, constant, path, end,
    rule, entity, asked, query_step, every, gone, walked,
):  # fmt: skip
    """Find in which deletions rules about an entity lead to what they lead to in the whole graph.

    IN  the WalkIndex; Branches; rule, entity (n,): what the rules lead to; asked, query_step: by
        (asked, query_step, ?); every, gone: see ``_follow``
    OUT walked (n_entries,) = 1 for entries of the first chain; returned: deletions (n,)
    """
    found = np.zeros(len(rule), np.int64)
    at = np.empty(path.shape[1], np.int64)
    for j in range(len(rule)):
        i = rule[j]
        x = asked if step[i] == query_step and constant[i] == entity[j] else entity[j]
        length = 0
        while length < path.shape[1] and path[i, length] >= 0:
            length += 1
        open_ = every
        while open_ != 0:
            bit = open_ & -open_
            if find_branch(
                indptr, relation, neighbour, path[i, :length], x, constant[i], end[i],
                gone, bit, at,
            ):  # fmt: skip
                by = open_
                for d in range(length):
                    by &= ~gone[at[d]]
                    walked[at[d]] = 1
                found[j] |= by
                open_ &= ~by
            else:
                open_ &= ~bit
    return found


@kernel
def _tied(rule, ptr, entity, weight, answer, kept, best):  # type: ignore[no-untyped-def]
    """Keep of what fired the entities whose best rule weighs as the answer's, and one below them.

    IN  rule, ptr, entity: Firings; weight (n_rules,): 0 where a rule is not used
        best: scratch, zeros
    OUT kept (n,): bool, what fired
    """
    for s in range(len(rule)):
        w = weight[rule[s]]
        for at in range(ptr[s], ptr[s + 1]):
            if kept[at]:
                best[entity[at]] = max(best[entity[at]], w)
    top, below, after = best[answer], 0.0, -1
    for v in range(len(best)):
        if below < best[v] < top:
            below, after = best[v], v
    for at in range(len(entity)):
        kept[at] = kept[at] and (best[entity[at]] == top or entity[at] == after)


class Followed(NamedTuple):
    """Firings, and of every entity the deletions, as bits, in which the rule leads to it."""

    firings: Firings
    mask: Longs

    def under(self, deletion: int) -> Firings:
        """What rules lead to in one deletion."""
        return self._only((self.mask >> deletion & 1).astype(bool))

    def deciding(self, deletion: int, answer: int, plan: Plan) -> Firings:
        """As much of it as gives an answer its score.

        Where ties are broken these are all entities whose best rule is as good as the answer's, and
        one of those that come next.
        """
        there = (self.mask >> deletion & 1).astype(bool)
        if not plan.lexicographic:
            return self._only(there & (self.firings.entity == answer))
        weight = np.zeros(len(plan.weight))
        weight[plan.order] = plan.weight[plan.order]
        best = np.zeros(1 + max(answer, self.firings.entity.max(initial=0)))
        _tied(*self.firings, weight, answer, there, best)
        return self._only(there)

    def _only(self, kept: npt.NDArray[np.bool_]) -> Firings:
        rule, ptr, entity = self.firings
        ends = np.concatenate([[0], np.cumsum(kept)])[ptr]
        fired = ends[1:] > ends[:-1]
        first = np.concatenate([ends[:1], ends[1:][fired]])
        return Firings(rule[fired], first, entity[kept])

    def rules_to(self, deletion: int, answer: int) -> Ints:
        """The rules that lead to an answer in a deletion."""
        rule, ptr, entity = self.firings
        led = np.flatnonzero((self.mask >> deletion & 1).astype(bool) & (entity == answer))
        return rule[np.searchsorted(ptr, led, "right") - 1]


class Deletions:
    """Facts deleted from those that a scorer walks, in up to :data:`MOST` ways.

    Parameters
    ----------
    index
        The facts walked.
    always
        Facts missing in all of them.
    """

    def __init__(self, index: WalkIndex, always: Facts = ()) -> None:
        self.index, self.n = index, 0
        # Zeros that nothing touches take no memory.
        self._gone = np.zeros(max(len(index.neighbour), 1), np.int64)
        self._always = tuple(always)
        self._mark(self._always, -1)

    def add(self, facts: Facts) -> int:
        """Delete facts (head, relation, tail) in one more way, which is numbered."""
        assert self.n < MOST
        self._mark(facts, 1 << self.n)
        self.n += 1
        return self.n - 1

    def _mark(self, facts: Facts, bits: int) -> None:
        relation, neighbour = self.index.relation, self.index.neighbour
        for h, r, t in facts:
            for u, step, v in ((h, r, t), (t, r + self.index.n_relations, h)):
                low, last = self.index.indptr[u], self.index.indptr[u + 1]
                at = first_at_least(relation, neighbour, low, last, step, v)
                if at < last and relation[at] == step and neighbour[at] == v:
                    self._gone[at] |= bits

    def follow(self, scorer: RuleScorer, entity: int, query: int) -> tuple[Followed, Longs]:
        """Ask (entity, query, ?) in all deletions.

        Returns
        -------
        Followed
        array
            The facts that were walked, as (head · R + relation) · E + tail, ascending.
        """
        every = (1 << self.n) - 1
        walked = np.zeros(len(self._gone), np.uint8)
        body = scorer.body(query)
        rule, ptr, reached, mask = _follow(
            *self.index[:3], *body.trie, body.rule, body.deepest, entity, every,
            self._gone, walked,
        )  # fmt: skip
        concluded, by = scorer.about.fired(entity, query)
        if len(by):
            of = _follow_about(
                *self.index, *scorer.about.arrays, by, concluded, entity, query, every,
                self._gone, walked,
            )  # fmt: skip
            first = np.concatenate([[0], np.flatnonzero(np.diff(by)) + 1])
            ends = np.concatenate([first[1:], [len(by)]])
            rule = np.concatenate([rule, scorer.about_place[by[first]]])
            ptr = np.concatenate([ptr, ptr[-1] + ends])
            reached, mask = np.concatenate([reached, concluded]), np.concatenate([mask, of])
        return Followed(Firings(rule, ptr, reached), mask), self._facts(walked)

    def _facts(self, walked: npt.NDArray[np.uint8]) -> Longs:
        at, n = np.flatnonzero(walked), self.index.n_relations
        u = np.searchsorted(self.index.indptr, at, "right") - 1
        step, v = self.index.relation[at].astype(np.int64), self.index.neighbour[at]
        back = step >= n
        head, tail = np.where(back, v, u), np.where(back, u, v)
        return distinct_keys((head * n + step % n) * self.index.n_entities + tail)

    def fact(self, number: int) -> Fact:
        """The fact of a number that :meth:`follow` gives."""
        pair, tail = divmod(number, self.index.n_entities)
        return (*divmod(pair, self.index.n_relations), tail)


def scores_without(
    scorer: RuleScorer, question: Question, always: Facts, deleted: Sequence[Sequence[Fact]]
) -> list[np.float32]:
    """The score of an answer where some facts are deleted, for each of several choices of them.

    ``always`` are deleted in all.
    """
    scores: list[np.float32] = []
    plan = scorer.plan_used(question.relation)
    for at in range(0, len(deleted), MOST):
        step_done()
        deletions = Deletions(scorer.index, always)
        ways = [deletions.add(facts) for facts in deleted[at : at + MOST]]
        followed, _ = deletions.follow(scorer, question.entity, question.relation)
        for way in ways:
            step_done()
            fired = followed.deciding(way, question.answer, plan)
            nodes, found = scorer.combined(fired, question.relation)
            place = np.flatnonzero(nodes == question.answer)
            scores.append(found[place[0]] if len(place) else np.float32(0))
    return scores
