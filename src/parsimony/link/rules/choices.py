"""The ways to combine rules that validation chooses among."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from parsimony.knowledge.rules import Rule
from parsimony.link.rules.clustering import COMPARED
from parsimony.link.rules.combining import AGGREGATIONS, Aggregation, Combination, Plan
from parsimony.link.rules.parameters import RuleReasonerParameters
from parsimony.link.rules.scoring import RuleScorer
from parsimony.run.deadline import Deadline

__all__ = ["comparable", "plans_of", "way", "ways_to_combine"]

SMOOTHINGS = (1.0, 5.0, 20.0)
THRESHOLDS = (0.2, 0.5, 0.8)  # overlaps of rules from which they are one cluster
CLUSTERING = 0.5  # of the time left for the clusters of rules
#: rules per relation, and atoms of a body, at most; None: all that were mined
LIMITS = ((100, None), (None, None), (None, 2))


def ways_to_combine(
    given: RuleReasonerParameters, rules: Sequence[Rule], *, whole_book: bool
) -> list[Combination]:
    """List the ways to combine that the parameters leave open, the first where none is tried.

    Those with rules about an entity come last: they must be better, not only as good.
    """
    thresholds = THRESHOLDS if given.threshold is None else (given.threshold,)
    ways: list[tuple[Aggregation, float]] = [
        (aggregation, threshold)
        for aggregation in AGGREGATIONS
        if given.aggregation in (None, aggregation)
        for threshold in (thresholds if aggregation == "clusters" else (0.0,))
    ]
    limits: list[tuple[int | None, int | None]] = [(given.max_rules, None)]
    if not whole_book and given.max_rules is None:
        limits = [*LIMITS[: 2 if given.max_length else None]]
    named = any(rule.names_entity for rule in rules)
    constants = (False, True) if given.constants is None and not whole_book else (True,)
    return [
        Combination(aggregation, smoothing, threshold, max_rules, about, max_atoms=max_atoms)
        for about in (constants if named else (True,))
        for aggregation, threshold in ways
        for smoothing in (SMOOTHINGS if given.smoothing is None else (given.smoothing,))
        for max_rules, max_atoms in limits
    ]


def comparable(scorer: RuleScorer, n_relations: int, deadline: Deadline) -> list[int]:
    """Return the relations whose clusters take half of the time left, those with few rules first.

    Those of the relation with the most rules are measured; the work grows with the square of their
    number, up to those that are all compared.
    """
    sizes = np.array([len(scorer.rules_of(r)) for r in range(n_relations)], float)
    left, order = deadline.left(), np.argsort(sizes, kind="stable")
    if not np.isfinite(left) or not sizes.any():
        return [int(r) for r in order]
    few, many = int(np.where(sizes > 0, sizes, np.inf).argmin()), int(sizes.argmax())
    scorer.labels(few)  # compiles, which is not to be counted
    before = deadline.spent()
    scorer.labels(many)
    taken = max(deadline.spent() - before, 0.0)
    work = sizes * np.minimum(sizes, COMPARED)
    cost = taken * work[order] / work[many]
    return [int(r) for r in order[np.cumsum(cost) <= CLUSTERING * left]]


def plans_of(scorer: RuleScorer, relation: int, choices: Sequence[Combination]) -> list[Plan]:
    """Return the plans of a query relation; those that come to the same are the same object."""
    rules = scorer.rules_of(relation)
    about = sum(rule.names_entity for rule in rules)
    most, longest = max(about, len(rules) - about), max((len(r.body) for r in rules), default=0)
    made, found = {}, []
    for choice in choices:
        limit = choice.max_rules if (choice.max_rules or most) < most else None
        atoms = choice.max_atoms if (choice.max_atoms or longest) < longest else None
        same = choice._replace(
            max_rules=limit, constants=choice.constants or not about, max_atoms=atoms
        )
        if choice.threshold and relation % scorer.index.n_relations in scorer.apart:
            same = same._replace(aggregation="noisy-or", threshold=0.0)
        if same not in made:
            made[same] = scorer.plan(relation, same)
        found.append(made[same])
    return found


def way(combination: Combination) -> str:
    """Say how rules are combined."""
    if combination.aggregation == "clusters":
        return f"clusters from overlap {combination.threshold:g}"
    return combination.aggregation
