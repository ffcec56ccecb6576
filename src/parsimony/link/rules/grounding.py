"""Why rules give an answer: the rules that lead to it, and the facts that their bodies walk."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from parsimony.knowledge.rule_walks import WalkIndex, has_other_walk, is_own
from parsimony.knowledge.rules import Rule
from parsimony.link.rules.scoring import RuleScorer

__all__ = ["Grounding", "groundings", "walked_facts"]


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
    """
    asked = relation + scorer.index.n_relations * backwards
    plan, rules = scorer.plan_used(asked), scorer.rules_of(relation)
    paths = scorer.paths_of(relation)
    smoothing = scorer.combination(asked).smoothing
    confidence = [scorer.confidence(rule, smoothing) for rule in rules]
    entities, by = scorer.about.fired(head, relation)
    about = {int(scorer.about_place[i]): i for i in by[entities == tail].tolist()}
    shown: set[int] = set()
    found: list[Grounding] = []
    for i in sorted(
        plan.order.tolist(),
        key=lambda i: (-confidence[i], len(rules[i].body), i >= len(paths), paths[i : i + 1]),
    ):
        if len(found) == n_rules:
            break
        if int(plan.cluster[i]) in shown:
            continue
        if i in about:
            walks = scorer.about.walks(about[i], relation, head, tail, n_walks)
        elif i < len(paths) and has_other_walk(
            *scorer.index, np.array(paths[i], np.int32), head, relation, tail
        ):
            walks = _walks(scorer.index, paths[i], head, relation, tail, n_walks)
        else:
            continue
        shown.add(int(plan.cluster[i]))
        found.append(Grounding(rules[i], confidence[i], tuple(walks)))
    return found


def walked_facts(scorer: RuleScorer, head: int, relation: int) -> set[tuple[int, int, int]]:
    """Return all facts that some rule walks in answering (head, relation, ?)."""
    body = scorer.body(relation)
    n = scorer.index.n_relations
    facts: set[tuple[int, int, int]] = set()
    levels: list[set[int]] = [{head}]
    for step, depth in zip(body.trie.step, body.trie.depth, strict=True):
        del levels[depth:]
        levels.append(set())
        for u in levels[depth - 1]:
            for v in scorer.index.neighbours(u, step).tolist():
                levels[depth].add(v)
                facts.add((v, int(step) - n, u) if step >= n else (u, int(step), v))
    for v, i in zip(*(a.tolist() for a in scorer.about.fired(head, relation)), strict=True):
        for walk in scorer.about.walks(i, relation, head, v):
            facts |= {edge[:3] for edge in walk}
    return facts


def _walks(
    index: WalkIndex, path: tuple[int, ...], x: int, r: int, y: int, n_walks: int
) -> list[tuple[tuple[int, int, int, bool], ...]]:
    """List walks along a path from x to y, without the fact (x, r, y)."""
    n = index.n_relations
    # Sets of entities from which the rest of the path reaches y prune the search.
    reach = [{y}]
    for step in reversed(path[1:]):
        back = index.inverse(step)
        reach.append({v for u in reach[-1] for v in index.neighbours(u, back).tolist()})
    reach.reverse()
    found: list[tuple[tuple[int, int, int, bool], ...]] = []

    def walk(u: int, d: int, edges: tuple[tuple[int, int, int, bool], ...]) -> None:
        if d == len(path):
            found.append(edges)
            return
        for v in index.neighbours(u, path[d]).tolist():
            if len(found) >= n_walks:
                return
            if v in reach[d] and not is_own(u, path[d], v, x, r, y, n):
                inverse = path[d] >= n
                fact = (v, path[d] - n, u, True) if inverse else (u, path[d], v, False)
                walk(v, d + 1, (*edges, fact))

    walk(x, 0, ())
    return found
