"""How a tuning spends its time: what one training costs, and what the trials get of it.

A share of the budget is kept for two trainings to the end, with the settings found and with the
defaults, and for their ranking. A trial gets a part of such a training, its epochs and its time
alike: the larger part, the more trials fit anyway. As learning rates fall with the progress of a
trial, it is a small training, not the beginning of a large one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from parsimony.search.settings import Rung

__all__ = ["FINAL", "KEEP", "PART", "Plan", "planned"]

#: of the budget, what each of the two last trainings can have at most
FINAL = 0.2
#: of the time of the trials, what the shortest ones get before the best are trained longer
LOWEST = 0.6
#: one in so many is trained longer
KEEP = 3
#: trials of a rung, above which longer ones are better than more
ENOUGH = 20
#: rankings of validation and epochs that the shortest trial has time for, at least
LOOKS, EPOCHS = 3, 2
#: of the entities, what the cheap stage on a part of a graph sees; of labels, how many it needs
PART, PART_LABELS = 0.25, 20_000
#: of the time of the trials, what that stage gets
PART_SHARE = 0.25
#: a training of the probe, as a part of one to the end
PROBED = 1 / 27


@dataclass(frozen=True)
class Plan:
    """What the probe found, and what follows from it; ``search/plan.json`` keeps it.

    Attributes
    ----------
    epochs
        Of a training to the end; None for methods without epochs.
    full, look
        Seconds of such a training as expected, and of a ranking of validation; None without a
        budget of time, where nothing is probed.
    cap
        Seconds that it may take; None: as many as its epochs need.
    fractions
        Of such a training, that the trials of each rung get.
    part
        Of the entities, for a first stage on a part of the graph; None: there is no such stage.
    before
        Seconds until the first trial: to read the data, and to probe.
    """

    epochs: int | None
    full: float | None
    look: float
    cap: float | None
    fractions: list[float]
    part: float | None = None
    before: float = 0.0

    @property
    def rungs(self) -> list[Rung]:
        """From the shortest trial to the longest."""
        return list(dict.fromkeys(self._rung(fraction) for fraction in self.fractions))

    @property
    def part_rung(self) -> Rung:
        """Of the stage on a part of the graph, whose epochs are shorter."""
        rung = self._rung(self.fractions[0])
        seconds = None if rung.seconds is None else rung.seconds / KEEP
        return Rung(1, rung.epochs, self.part or 1.0, seconds)

    def _rung(self, fraction: float) -> Rung:
        epochs = 1 if self.epochs is None else max(1, math.ceil(fraction * self.epochs))
        return Rung(1, epochs, 1.0, None if self.cap is None else fraction * self.cap)

    def expected(self, rung: Rung) -> float:
        """Seconds of a trial; 0 where nothing was probed."""
        if self.full is None or rung.seconds is None or self.cap is None:
            return 0.0
        part = rung.epochs / self.epochs if self.epochs else rung.seconds / self.cap
        return max(min(rung.seconds, part * self.full * rung.entities), self.look)

    def reserve(self, budget: float) -> float:
        """Seconds of the budget for comparing what the last two trainings give, on two splits."""
        return min(6 * self.look + 0.02 * budget + 1.0, budget / 4)

    def trials_until(self, budget: float) -> float:
        """Seconds after which the last trial ends: then come the trainings to the end."""
        final = FINAL * budget if self.full is None else min(FINAL * budget, 2 * self.full)
        return max(budget - 2 * final - self.reserve(budget), budget / 4)

    def final(self, budget: float, spent: float) -> float:
        """Seconds of each of the two last trainings, after so much was spent."""
        return max((budget - spent - self.reserve(budget)) / 2, 1.0)

    def told(self, budget: float, slots: int) -> str:
        """Say how many trials fit, and how long each is."""
        if self.full is None or self.cap is None:
            return ""
        time, rows = self.trials_until(budget), []
        stages = list(zip(self.rungs, [LOWEST, 1 - LOWEST], strict=False))
        if len(stages) == 1:
            stages = [(stages[0][0], 1.0)]
        if self.part is not None:
            rows.append((self.part_rung, PART_SHARE * time))
            time *= 1 - PART_SHARE
        rows += [(rung, share * time) for rung, share in stages]
        parts = []
        for rung, seconds in rows:
            n = max(1, int(slots * seconds / max(self.expected(rung), 1e-3)))
            of = f" on {rung.entities:.0%} of the entities" * (rung.entities < 1)
            epochs = f" ({rung.epochs} epochs)" * (self.epochs is not None)
            parts.append(f"{min(n, 999)} of up to {_short(self.expected(rung))}{epochs}{of}")
        final = min(self.final(budget, self.trials_until(budget)), max(self.full, 1.0))
        return (
            f"a training to the end takes about {_short(self.full)} and may take "
            f"{_short(self.cap)}; trials that fit: about {', then '.join(parts)}; then two "
            f"trainings of about {_short(final)}"
        )


def planned(
    epochs: int | None, full: float | None, look: float, *, budget: float | None, slots: int,
    parts: bool, part: float | None,
) -> Plan:  # fmt: skip
    """Choose the rungs.

    Parameters
    ----------
    epochs, full, look
        See :class:`Plan`.
    budget
        Wall seconds in all.
    slots
        Trials that run at a time.
    parts
        Whether a short training says something of one to the end.
    part
        Of the entities, that can stand for all; None: there is no such part.
    """
    if budget is None or full is None:
        fractions = [1.0] if epochs is None else [1 / 9, 1 / 3]
        return Plan(epochs, None, look, None, fractions, part)
    plan = Plan(epochs, full, look, FINAL * budget, [1.0])
    n = slots * plan.trials_until(budget) / max(min(full, FINAL * budget), 1e-3)
    if n >= ENOUGH or not parts:
        return plan
    least = max(LOOKS * look, EPOCHS * full / epochs if epochs else 0.0)
    if FINAL * budget / 9 < least:
        return Plan(epochs, full, look, plan.cap, [1 / 3], part)
    if n * KEEP >= ENOUGH:
        return Plan(epochs, full, look, plan.cap, [1 / 3, 1.0])
    return Plan(epochs, full, look, plan.cap, [1 / 9, 1 / 3], part)


def _short(seconds: float) -> str:
    """Print seconds as people say them."""
    if seconds >= 120:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
