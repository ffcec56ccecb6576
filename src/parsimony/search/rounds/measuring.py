"""What a round brought, measured on the half of validation that decided nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.knowledge import Rule
from parsimony.link.estimator import LinkEstimator
from parsimony.link.rules.constants import known_here
from parsimony.link.rules.scoring import RuleScorer
from parsimony.link.sampled_ranking import rank_within
from parsimony.link.task import QuerySet
from parsimony.link.weighing import counted
from parsimony.metrics.bootstrap import resampled_means
from parsimony.run.deadline import Deadline
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng

__all__ = ["fitting", "of_model", "of_rules", "sampled"]

Draws = npt.NDArray[np.float64]
_BLOCK = 64
SMOOTHING = 5.0  # wrong pairs added to each rule


def fitting(
    model: LinkEstimator[Any], queries: QuerySet, deadline: Deadline, *, seed: int, quiet: bool
) -> int:
    """How many queries a model ranks until a deadline, so that all rounds rank the same."""
    with Progress(len(queries), "measuring", quiet=quiet) as progress:
        return len(rank_within(model._rank, queries, progress, deadline, seed)[1])


def sampled(queries: QuerySet, n: int, *, seed: int) -> QuerySet:
    """So many of them, drawn by the seed."""
    if n >= len(queries):
        return queries
    return queries.take(np.sort(rng(seed, "sample of queries").permutation(len(queries))[:n]))


def of_model(model: LinkEstimator[Any], queries: QuerySet, *, seed: int, quiet: bool) -> Draws:
    """MRR of a model, then on resamples that all models share, (1 + draws,)."""
    with Progress(len(queries), "measuring", quiet=quiet) as progress:
        return resampled_means(1.0 / model._rank(queries, progress).ranks(), seed)


def of_rules(
    rules: Sequence[Rule], queries: QuerySet, deadline: Deadline, *, seed: int
) -> tuple[float, int]:
    """MRR of rules alone, combined by noisy-or, and on how many answers it was measured."""
    scorer = RuleScorer(known_here(rules, queries.graph), queries.graph, smoothing=SMOOTHING)
    order = rng(seed, "rules alone").permutation(len(queries))
    reciprocal = list[npt.NDArray[np.float64]]()
    for at in range(0, len(queries), _BLOCK):
        if reciprocal and deadline.passed():
            break
        part = queries.take(order[at : at + _BLOCK])
        greater, equal = counted(scorer.score(part.head, part.relation), part, 0)
        reciprocal.append(1 / (1 + greater + equal / 2))
    found = np.concatenate(reciprocal)
    return float(found.mean()), len(found)
