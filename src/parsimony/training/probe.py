"""A few steps and queries before a training: how long it takes, and how much memory.

The learner is left as it was, and all randomness of a training comes from its seed and epoch, so
that the numbers are those of a training without a probe.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from parsimony.run.cost import peak_memory
from parsimony.run.seeds import rng

if TYPE_CHECKING:
    from parsimony.training.learner import Learner, Schedule

__all__ = ["Probe", "probe"]

#: a probe takes two steps at least, and goes on for so many seconds or steps
SECONDS, STEPS = 1.0, 50


@dataclass(frozen=True)
class Probe:
    """What was measured.

    Attributes
    ----------
    epoch_seconds
        Of the steps of one epoch.
    query_seconds
        Of a validation query; 0 where the learner cannot ask some of them alone.
    queries
        Validation queries.
    peak_memory
        Bytes, so far.
    looked
        Seconds of a whole look, where that was measured.
    """

    epoch_seconds: float
    query_seconds: float
    queries: int
    peak_memory: int
    looked: float = 0.0

    @property
    def look_seconds(self) -> float:
        """Seconds of a look at all validation queries; 0 where they are not known."""
        return self.queries * self.query_seconds or self.looked


def probe(
    learner: Learner, schedule: Schedule, seconds: float = SECONDS, *, look: bool = False
) -> Probe:
    """Take a few steps, ask a few validation queries, and put everything back.

    Parameters
    ----------
    learner
        Its kernels are compiled (:meth:`Learner.warm_up`).
    seconds
        After which no further step is taken.
    look
        Whether to look at the whole of validation where a part cannot be asked.
    """
    with _as_it_was(learner):
        epoch = _epoch_seconds(learner, schedule, seconds)
        query = _query_seconds(learner, schedule.seed)
        looked = _seconds(learner.validate) if look and not learner.n_queries else 0.0
    return Probe(epoch, query, learner.n_queries, peak_memory(), looked)


def _epoch_seconds(learner: Learner, schedule: Schedule, seconds: float) -> float:
    begin = time.perf_counter()
    n, steps = learner.epoch(min(schedule.stride, schedule.epochs), rng(schedule.seed, "probe"))
    drawing, took, items = time.perf_counter() - begin, list[float](), list[int]()
    while len(took) < 2 or (sum(took) < seconds and len(took) < STEPS):
        begin = time.perf_counter()
        step = next(steps, None)
        if step is None:
            break
        took.append(time.perf_counter() - begin)
        items.append(step.items)
    if not took:
        return drawing
    # The first step of a process is slower: it compiles, it makes the buffers.
    first = 1 if len(took) > 1 else 0
    return drawing + n * sum(took[first:]) / max(sum(items[first:]), 1)


def _query_seconds(learner: Learner, seed: int) -> float:
    n = learner.n_queries
    if not n:
        return 0.0
    order = rng(seed, "probe of validation").permutation(n)
    size = min(n, learner.queries_at_once)
    try:
        learner.ask(np.sort(order[: min(size, 8)]))
        learner.validate()  # compiles
        learner.ask(np.sort(order[:size]))
        return _seconds(learner.validate) / size
    finally:
        learner.ask(None)


def _seconds(function: Callable[[], object]) -> float:
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


@contextmanager
def _as_it_was(learner: Learner) -> Iterator[None]:
    """Give a learner its tensors back, and its optimiser, count and progress."""
    flops, progress = learner.flops, learner.progress
    learner.progress = 0.0
    try:
        with learner.unchanged():
            yield
    finally:
        learner.flops, learner.progress = flops, progress
