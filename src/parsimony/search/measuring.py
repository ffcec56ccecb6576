"""Measure proposals: look them up in the store, or run them on the engine within the budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from parsimony.errors import InvalidMeasure, TrainingDiverged
from parsimony.metrics.guard import checked
from parsimony.run.engine import Engine
from parsimony.search.settings import Budget, Rung
from parsimony.search.space import Printing
from parsimony.search.trial import Evaluate, Measured, Proposal, Trial, TrialResult
from parsimony.search.trials import TrialStore

__all__ = ["Measuring", "guarded"]

S = TypeVar("S")


class Measuring(Generic[S]):
    """What a search has spent and measured so far.

    Parameters
    ----------
    space, evaluate, store, engine, budget
        Of the search.
    seed
        Of every trial: trials of one rung begin with the same random numbers, which makes
        structures more comparable than independent ones would.
    on_trial
        Called with every trial, measured or remembered.
    """

    def __init__(
        self,
        space: Printing[S],
        evaluate: Evaluate[S],
        store: TrialStore,
        engine: Engine,
        budget: Budget,
        seed: int,
        on_trial: Callable[[Trial], None] | None = None,
    ) -> None:
        self.space, self.evaluate, self.store, self.engine = space, evaluate, store, engine
        self.budget, self.seed, self.on_trial = budget, seed, on_trial
        self.trials: list[Trial] = []
        self._started: set[tuple[str, int, Rung]] = set()
        self._ended: set[tuple[str, int, Rung]] = set()
        self._epochs, self._at = 0, 0.0
        # Wall time goes on where the last part of this search ended.
        self._begin = time.perf_counter() - max((trial.at for trial in store), default=0.0)

    @property
    def spent(self) -> tuple[int, float]:
        """How many trials have started, and the wall seconds when the last one ended."""
        return len(self._started), self._at

    def left(self, fraction: float = 1.0) -> bool:
        """Whether another trial may start, of a fraction of the budget.

        Trials and epochs count when they start, so that an engine with many processors spends no
        more of them; time is that of the last trial's end as the store has it. A resumed search
        then decides as it did before.
        """
        return self.budget.left(len(self._started), self._at, self._epochs, fraction)

    def measure(
        self,
        proposals: Sequence[Proposal[S]],
        rung: Rung,
        *,
        stage: str = "search",
        fraction: float = 1.0,
        repeat: int = 0,
    ) -> list[Trial | None]:
        """Return the trials in the order of the proposals; None where the budget ended before.

        ``repeat`` counts the seeds of one structure from the search's own.
        """
        seed = self.seed + repeat
        trials: dict[int, Trial] = {}
        known = [self.store.find(proposal.key, seed, rung) for proposal in proposals]
        asked = [i for i, trial in enumerate(known) if trial is None]
        following = iter(range(len(proposals)))

        def replay(i: int, trial: Trial) -> None:
            if self._start(proposals[i], rung, seed, fraction):
                trials[i] = trial
                self._end(trial)

        def begin() -> bool:
            """Go on to the next that must be run, past those that the store knows.

            In order, so that a resumed search charges its budget as the first one did.
            """
            for i in following:
                trial = known[i]
                if trial is None:
                    return self._start(proposals[i], rung, seed, fraction)
                replay(i, trial)
            return False

        how: dict[str, float] = {"seed": seed, "epochs": rung.epochs, "dim": rung.dim}
        if rung.entities < 1:
            how["entities"] = rung.entities
        if rung.seconds is not None:
            how["seconds"] = rung.seconds
        jobs = [{"structure": proposals[i].structure, **how} for i in asked]
        if jobs:
            results = self.engine.run(partial(guarded, self.evaluate), jobs, begin)
            for n, result in results:
                trial = self._trial(proposals[asked[n]], rung, seed, stage, *result)
                self.store.append(trial)
                trials[asked[n]] = trial
                self._end(trial)
        for i in following:  # what is known after the last that was run
            if (trial_before := known[i]) is not None:
                replay(i, trial_before)
        return [trials.get(i) for i in range(len(proposals))]

    def _start(self, proposal: Proposal[S], rung: Rung, seed: int, fraction: float) -> bool:
        """Charge a trial to the budget, once; whether it may start."""
        identity = (proposal.key, seed, rung)
        if identity in self._started:
            return True
        if not self.left(fraction):
            return False
        self._started.add(identity)
        self._epochs += rung.epochs
        return True

    def _trial(
        self,
        proposal: Proposal[S],
        rung: Rung,
        seed: int,
        stage: str,
        found: Measured,
        error: str | None,
    ) -> Trial:
        return Trial(
            structure=self.space.text(proposal.structure),
            canonical=proposal.key,
            seed=seed,
            epochs=rung.epochs,
            dim=rung.dim,
            valid=float(found.valid_mrr),
            seconds=float(found.seconds),
            parameters=int(found.parameters),
            ran=int(found.epochs),
            stage=stage,
            origin=proposal.origin,
            predicted=proposal.predicted,
            at=time.perf_counter() - self._begin,
            error=error,
            entities=rung.entities,
            limit=rung.seconds,
            flops=float(getattr(found, "flops", 0.0)),
            cpu_seconds=float(getattr(found, "cpu_seconds", 0.0)),
        )

    def _end(self, trial: Trial) -> None:
        if trial.identity in self._ended:
            return
        self._ended.add(trial.identity)
        self.trials.append(trial)
        self._at = max(self._at, trial.at)
        if self.on_trial is not None:
            self.on_trial(trial)


def guarded(evaluate: Evaluate[Any], structure: Any, **how: Any) -> tuple[Measured, str | None]:
    """Evaluate; a training that diverges is a bad structure, not the end of the search.

    So is one whose figure is no finite number.
    """
    begin = time.perf_counter()
    try:
        found = evaluate(structure, **how)
        checked({"the validation figure": found.valid_mrr})
        return found, None
    except (TrainingDiverged, InvalidMeasure) as error:
        return TrialResult(0.0, time.perf_counter() - begin, 0, 0), error.message
