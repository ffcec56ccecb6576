"""Ranking within a time: all queries where it suffices, else a random sample of them."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from parsimony.link.task import QuerySet, runs_of
from parsimony.metrics import Ranks
from parsimony.run.deadline import Deadline
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng

__all__ = ["rank_within", "sample_note"]

#: queries that are ranked whatever the time, and how many of them do not tell the speed
FIRST, WARM = 32, 4


def rank_within(
    rank: Callable[[QuerySet, Progress], Ranks],
    queries: QuerySet,
    progress: Progress,
    deadline: Deadline | None = None,
    seed: int = 0,
) -> tuple[Ranks, QuerySet]:
    """Rank as many queries as the time allows; which these are is drawn with ``seed``.

    A part of the queries says how fast they are. Where all others fit, they are ranked at once;
    else more and more of them, until no further part fits.

    Returns
    -------
    ranks, queries
        Of the queries that were ranked, in their order.
    """
    if deadline is None or not deadline.limited or len(queries) <= FIRST:
        return rank(queries, progress), queries
    order = rng(seed, "sample of queries").permutation(len(queries))
    done: list[Ranks] = []
    at, size = 0, WARM
    while size:
        begin = time.perf_counter()
        done.append(rank(queries.take(order[at : at + size]), progress))
        speed = size / max(time.perf_counter() - begin, 1e-9)
        at += size
        rest = len(queries) - at
        if at < FIRST:  # the first of all compile, and fill caches: they say nothing
            size = min(FIRST - at, rest)
            continue
        fits = int(speed * deadline.left())
        size = rest if rest <= 0.8 * fits else max(fits // 2, FIRST) if fits >= FIRST else 0
    rows = order[:at]
    _, answers = runs_of(queries.answer_ptr, rows)
    back, ranks = np.argsort(answers), Ranks.join(done)
    in_order = Ranks(
        ranks.greater[back], ranks.equal[back], ranks.relation[back], ranks.direction[back]
    )
    return in_order, queries if at == len(queries) else queries.take(np.sort(rows))


def sample_note(split: str, ranked: int, of: int, seconds: float, seed: int = 0) -> list[str]:
    """Say that a sample was ranked, and why; nothing where it was all.

    Parameters
    ----------
    ranked, of
        Answers of the sample, and of the split.
    seconds
        What ranking the sample took.
    """
    if ranked == of:
        return []
    return [
        f"ranked {ranked:,} of {of:,} {split} queries, drawn with seed {seed}, because the time "
        f"budget ended there: all take about {seconds * of / max(ranked, 1):,.0f} s "
        "(parsimony evaluate ranks all)"
    ]
