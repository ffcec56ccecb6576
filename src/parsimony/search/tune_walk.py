"""The way of a tuning through its trials: the lowest rung, and the best of it on higher ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median_low

from parsimony.base import Tuned
from parsimony.search.measuring import Measuring
from parsimony.search.method_trial import SettingsText, settings_of
from parsimony.search.settings import Budget, Rung
from parsimony.search.tpe import Settings, propose
from parsimony.search.trial import Proposal, Trial
from parsimony.search.trials import TrialStore
from parsimony.search.tune_plan import KEEP, LOWEST, Plan

__all__ = ["TuneWalk", "ranked_on"]

#: proposals in a row that are known already, after which a small space is exhausted
_KNOWN = 20


class TuneWalk:
    """The way of a tuning through its trials; those of the store are told, and not run again.

    Parameters
    ----------
    ranges
        Of what is tuned.
    plan, limits
        What a training costs, and what may be spent.
    slots
        Trials at a time.
    seed
        Of the sampler.
    measuring, store
        Where trials are run, and kept.
    """

    def __init__(
        self,
        ranges: Mapping[str, Tuned],
        plan: Plan,
        limits: Budget,
        *,
        slots: int,
        seed: int,
        measuring: Measuring[Settings],
        store: TrialStore,
    ) -> None:
        self._ranges, self._plan, self._limits = ranges, plan, limits
        self._slots, self._seed, self._measuring = slots, seed, measuring
        self._stored = list(store)
        self.settings: dict[str, Settings] = {}
        self._durations: dict[Rung, list[float]] = {}

    def explore(
        self, rung: Rung, first: Sequence[Settings], stage: str, share: float,
        most: int | None = None,
    ) -> bool:  # fmt: skip
        """Measure on a rung until a share of the budget is spent; whether there was anything new.

        ``first`` go first, then what the store holds, then proposals; at most ``most`` new ones.
        """
        measuring, slots = self._measuring, self._slots
        waiting = self._waiting(rung, first, stage)
        new = known = 0
        while known < _KNOWN and (most is None or new < most) and self._room(rung, share):
            batch = [pair for _, pair in zip(range(slots), waiting, strict=False)]
            if not batch:
                asked = propose(
                    self._ranges, self._told(rung), slots, seed=self._seed,
                    drawn=known, startup=self._startup(rung),
                )  # fmt: skip
                alone = {SettingsText.text(settings): settings for settings in asked}
                batch = [(settings, "sampler") for settings in alone.values()]
            before = len(measuring.trials)
            trials = self._measure(batch, rung, stage)
            if any(trial is None for trial in trials):
                break
            got = len(measuring.trials) - before
            new, known = new + got, 0 if got else known + len(batch)
        return new > 0

    def climb(
        self, below: Rung, rung: Rung, stage: str, *, share: float, most: int | None = None
    ) -> None:
        """Train the best of a rung longer, as many as fit and at least one."""
        ranked = ranked_on(self._measuring.trials, below)
        for trial in ranked[: most or max(2, len(ranked) // KEEP)]:
            if not self._room(rung, share):
                break
            self._measure([(self.settings[trial.canonical], "climb")], rung, stage)

    def _waiting(
        self, rung: Rung, first: Sequence[Settings], stage: str
    ) -> Iterator[tuple[Settings, str]]:
        """What goes before the first proposal."""
        for place, settings in enumerate(first):
            yield settings, "part" if place else "default"
        ran = {trial.canonical for trial in self._measuring.trials if trial.rung == rung}
        for trial in self._stored:
            if (trial.stage, trial.rung) == (stage, rung) and trial.canonical not in ran:
                yield settings_of(trial), trial.origin

    def _measure(
        self, batch: Sequence[tuple[Settings, str]], rung: Rung, stage: str
    ) -> list[Trial | None]:
        proposals = []
        for settings, origin in batch:
            key = SettingsText.text(settings)
            self.settings[key] = settings
            proposals.append(Proposal(settings, key, origin))
        trials = self._measuring.measure(proposals, rung, stage=stage)
        self._durations.setdefault(rung, []).extend(t.seconds for t in trials if t is not None)
        return trials

    def _told(self, rung: Rung) -> list[tuple[Settings, float]]:
        """What the sampler learns from: a training that diverged is as bad as the worst."""
        trials = [trial for trial in self._measuring.trials if trial.rung == rung]
        worst = min((trial.valid for trial in trials if trial.error is None), default=0.0)
        return [(self.settings[t.canonical], t.valid if t.error is None else worst) for t in trials]

    def _startup(self, rung: Rung) -> int:
        """How many are drawn at random before anything is learned: a third, 4 to 10."""
        if self._limits.seconds is None:
            fit_in = (self._limits.trials or 30) * LOWEST
        else:
            each = max(self._plan.expected(rung), 1e-3)
            fit_in = self._slots * LOWEST * self._plan.trials_until(self._limits.seconds) / each
        return int(min(max(fit_in // 3, 4), 10))

    def _room(self, rung: Rung, share: float) -> bool:
        """Whether another trial of a rung ends within a share of the budget."""
        started, spent = self._measuring.spent
        limits, budget = self._limits, self._limits.seconds
        if not started:
            return True
        if limits.trials is not None and started >= math.ceil(share * limits.trials):
            return False
        if budget is None:
            return True
        seen = self._durations.get(rung, [])[-5:]
        # The median: kernels that a trial is the first to need are compiled once.
        each = median_low(seen) if seen else self._plan.expected(rung)
        until = self._plan.trials_until(budget)
        before = self._plan.before
        return spent + each <= share * (until - before)


def ranked_on(trials: Sequence[Trial], rung: Rung) -> list[Trial]:
    """The trials of a rung that could be trained, best first; ties by their settings."""
    sound = [trial for trial in trials if trial.rung == rung and trial.error is None]
    return sorted(sound, key=lambda trial: (-trial.valid, trial.canonical))
