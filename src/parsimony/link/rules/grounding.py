"""Why rules give an answer: the rules that lead to it, and the facts that their bodies walk."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from parsimony.knowledge.rule_walks import WalkIndex, is_own
from parsimony.knowledge.rules import Rule
from parsimony.link.rules.scoring import RuleScorer

__all__ = ["Grounding", "groundings"]


class Grounding(NamedTuple):
    """A rule that supports an answer, and walks of its body that do.

    ``walks`` holds edges (head, relation, tail, inverse): a fact in its stored order, and whether
    it is walked from tail to head. They lead from the head of the explained fact to its tail; those
    of a rule about an entity begin at the other entity of the fact, and end where the body does.
    """

    rule: Rule
    confidence: float
    walks: tuple[tuple[tuple[int, int, int, bool], ...], ...]


def groundings(
    scorer: RuleScorer, head: int, relation: int, tail: int, *,
    n_rules: int = 5, n_walks: int = 1, backwards: bool = False,
    leading: Collection[int] | None = None,
) -> list[Grounding]:  # fmt: skip
    """Say why: the most confident rules that lead from head to tail, with their walks.

    Walks that use the fact (head, relation, tail) itself are left out, and so are rules that
    do not count: those not used, and those in a cluster of which a better one leads there.

    Parameters
    ----------
    head, relation, tail : int
        ``relation`` below n_relations.
    n_rules, n_walks : int
        Most rules, and most walks of each.
    backwards : bool
        Whether the head is the answer, so that the rules are combined as for heads.
    leading
        The rules of the relation that lead there without the fact, where this is known.
    """
    asked = relation + scorer.index.n_relations * backwards
    plan, rules = scorer.plan_used(asked), scorer.rules_of(relation)
    paths, about = scorer.paths_of(relation), scorer.about_of(relation)
    confidence = scorer.confidences(asked)
    leads = scorer.leading(head, relation, tail) if leading is None else {*leading}.__contains__
    shown: set[int] = set()
    found: list[Grounding] = []
    for i in scorer.best_first(asked):
        if len(found) == n_rules:
            break
        if int(plan.cluster[i]) in shown or not leads(i):
            continue
        if i < len(paths):
            walks = _walks(scorer.index, paths[i], head, relation, tail, n_walks)
        else:
            walks = scorer.about.walks(about[i - len(paths)], relation, head, tail, n_walks)
        shown.add(int(plan.cluster[i]))
        found.append(Grounding(rules[i], confidence[i], tuple(walks)))
    return found


def _walks(
    index: WalkIndex, path: tuple[int, ...], x: int, r: int, y: int, n_walks: int
) -> list[tuple[tuple[int, int, int, bool], ...]]:
    """List walks along a path from x to y, without the fact (x, r, y)."""
    n = index.n_relations
    # Entities from which the rest of the path reaches y prune the search.
    reach, ends = [np.zeros(index.n_entities, bool) for _ in path], np.array([y], np.int32)
    reach[-1][y] = True
    for d in range(len(path) - 2, -1, -1):
        ends = index.level(ends, index.inverse(path[d + 1]))
        reach[d][ends] = True
    found: list[tuple[tuple[int, int, int, bool], ...]] = []

    def walk(u: int, d: int, edges: tuple[tuple[int, int, int, bool], ...]) -> None:
        if d == len(path):
            found.append(edges)
            return
        after = index.neighbours(u, path[d])
        for v in after[reach[d][after]].tolist():
            if len(found) >= n_walks:
                return
            if not is_own(u, path[d], v, x, r, y, n):
                inverse = path[d] >= n
                fact = (v, path[d] - n, u, True) if inverse else (u, path[d], v, False)
                walk(v, d + 1, (*edges, fact))

    walk(x, 0, ())
    return found
