"""What fits a budget, by what runs were measured to cost.

First the families of the main comparison, at six sizes where they can, with one seed and without
tuning; then seeds, then trials of tuning, the same for all; then the other families; then more
sizes. Each family may use an even part of the time that is left, and what it does not need goes to
those after it; as the sides take turns, neither is starved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from parsimony.frontier.costs import Costs, seconds_of
from parsimony.frontier.families import Family

__all__ = ["Affordable", "Bounds", "affordable"]


@dataclass(frozen=True)
class Bounds:
    """Between what a plan may choose; least and most are the same where the user gave them.

    Attributes
    ----------
    seeds, trials
        Least and most.
    sizes
        Of a family the fewest, and enough, which are planned before seeds; more come last.
    required
        Whether no family may be left out, because the user named them.
    """

    seeds: tuple[int, int]
    trials: tuple[int, int]
    sizes: tuple[int, int]
    required: bool = False


@dataclass(frozen=True)
class Affordable:
    """Families with the sizes, seeds and trials that are run."""

    families: tuple[Family, ...]
    seeds: int
    trials: int


def affordable(
    families: Sequence[Family], costs: Costs, seconds: float, shares: Sequence[float],
    bounds: Bounds,
) -> Affordable:  # fmt: skip
    """Choose what fits.

    Parameters
    ----------
    families
        In the order in which they are thought of, with all sizes that may be; those whose costs
        are not known are left out, unless a side had none or they are required.
    seconds
        Of all runs, one after the other.
    """
    seeds, trials = bounds.seeds[0], bounds.trials[0]
    chosen: dict[str, Family] = {}

    def cost(some: Sequence[Family], n: int, m: int) -> float:
        known = [family for family in some if family.name in costs]
        return seconds_of(known, costs, seeds=n, trials=m, shares=shares) or 0.0

    def fits(some: dict[str, Family], n: int, m: int) -> bool:
        known = all(name in costs for name in some)
        return known and cost(list(some.values()), n, m) <= seconds

    def admit(some: Sequence[Family]) -> None:
        left = seconds - cost(list(chosen.values()), seeds, trials)
        for k, family in enumerate(some):
            able = _ever_smaller(family, bounds.sizes) if family.name in costs else []
            part = left / (len(some) - k)
            kept = next((each for each in able if cost([each], seeds, trials) <= part), None)
            if kept is not None:
                chosen[family.name] = kept
                left -= cost([kept], seeds, trials)

    admit([family for family in families if family.main or bounds.required])
    for family in families:
        if bounds.required or all(family.side != each.side for each in chosen.values()):
            chosen.setdefault(family.name, _ever_smaller(family, bounds.sizes)[-1])
    while seeds < bounds.seeds[1] and fits(chosen, seeds + 1, trials):
        seeds += 1
    more_trials = max(trials + 1, 2)  # the first is that of the defaults: one alone tunes nothing
    while more_trials <= bounds.trials[1] and fits(chosen, seeds, more_trials):
        trials, more_trials = more_trials, more_trials + 1
    admit([family for family in families if family.name not in chosen])
    for family in families:
        more = chosen | {family.name: family}
        if family.name in chosen and fits(more, seeds, trials):
            chosen = more
    return Affordable(tuple(chosen[f.name] for f in families if f.name in chosen), seeds, trials)


def _ever_smaller(family: Family, sizes: tuple[int, int]) -> list[Family]:
    """The family without its largest size, the two largest, … down to the fewest."""
    fewest, enough = min(sizes[0], len(family.sizes)), sizes[1]
    return [
        replace(family, sizes=family.sizes[:n]).thinned(enough)
        for n in range(len(family.sizes), fewest - 1, -1)
    ]
