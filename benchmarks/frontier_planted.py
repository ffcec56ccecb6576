"""Does the frontier find planted laws? Coverage of its intervals on generated data.

python benchmarks/frontier_planted.py --draws 300 --out benchmarks/results/frontier_planted

Each draw makes runs of a scaled-up family whose error follows E + A·N^(−α), and of a model driven
by knowledge whose error is that of a chosen size, with noise as ours: queries that are hard for
everybody, queries that a run happens to get, seeds that are better or worse. The same functions as
``parsimony frontier`` then fit, invert and judge.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parsimony.frontier.curves import curve_of
from parsimony.frontier.draws import Draws
from parsimony.frontier.equivalent import equivalent_scale
from parsimony.frontier.groups import Group


@dataclass(frozen=True)
class Plan:
    """What is planted; ``equivalent`` is in units of the largest trained size."""

    name: str = "knowledge wins"
    floor: float = 0.15
    alpha: float = 0.35
    first: float = 0.5  # A·N^(−α) at the smallest size
    sizes: int = 10
    seeds: int = 3
    queries: int = 2000
    equivalent: float = 2.0
    own: float = 0.02  # what the knowledge-driven model has, in the same units
    hard: float = 0.35
    odd: float = 0.25
    of_seed: float = 0.004
    smallest: float = 1e3

    @property
    def amounts(self) -> np.ndarray:
        """Each size is twice the one before it."""
        return self.smallest * 2.0 ** np.arange(self.sizes)

    @property
    def scale(self) -> float:
        """A."""
        return self.first * self.smallest**self.alpha

    def law(self, amounts: np.ndarray | float) -> np.ndarray:
        """The planted error."""
        return self.floor + self.scale * np.asarray(amounts) ** -self.alpha


PLANS = (
    Plan(),
    Plan("scaling up wins", equivalent=0.3, own=3.0),
    Plan("no floor", floor=0.0, alpha=0.2, equivalent=2.0),
)


def planted(plan: Plan, seed: int, draws: int = 1000) -> dict[str, object]:
    """Generate one data set, analyse it, and say what covers what."""
    random = np.random.default_rng([seed, plan.sizes])
    largest = float(plan.amounts[-1])
    truth = [*plan.law(plan.amounts), float(plan.law(plan.equivalent * largest))]
    hard = random.normal(0.0, plan.hard, plan.queries)
    values, groups = [], []
    for i, error in enumerate(truth):
        rows = tuple(range(i * plan.seeds, (i + 1) * plan.seeds))
        for _ in rows:
            values.append(
                error + hard + random.normal(0.0, plan.odd, plan.queries)
                + random.normal(0.0, plan.of_seed)
            )  # fmt: skip
        amount = float(plan.amounts[i]) if i < plan.sizes else plan.own * largest
        valid = tuple(error + random.normal(0.0, plan.of_seed, plan.seeds))
        groups.append(Group(str(i), amount, valid, rows))
    resampled = Draws(np.array([v.mean() for v in values]), values, draws=draws, seed=seed)
    curve = curve_of("planted", "scaled", groups[:-1], resampled)
    model = resampled.means([groups[-1].rows])[:, 0]
    found = equivalent_scale(curve, model, groups[-1].amount)
    assert curve.laws is not None
    assert found is not None
    follows = not curve.summary["lawless"]
    further = 4 * largest
    band = curve.band(np.array([further]))[:, 0]
    needed = plan.equivalent * largest
    low = found.at_least if found.low is None else found.low
    high = np.inf if found.high is None else found.high

    def inside(name: str, value: float) -> bool:
        lower, upper = curve.summary[name]["interval"]
        return bool(lower <= value <= upper)

    return {
        "alpha": inside("alpha", plan.alpha),
        "E": inside("E", plan.floor),
        "follows a law": follows,
        "error at 4 times the largest": bool(band[0] <= plan.law(further) <= band[2])
        if follows and curve.reach > 1
        else None,  # nothing is said
        "equivalent scale": low is not None and bool(low <= needed <= high),
        "two-sided": found.high is not None,
        "held out": float(np.mean([each["inside"] for each in curve.summary["held_out"]])),
        "law is a power": curve.summary["law"] == "power",
        "nothing called over-fitted": all(point.role == "law" for point in curve.points),
        "verdict": found.verdict,
    }


def summary(plan: Plan, n: int, seed: int = 0, resamples: int = 500) -> dict[str, object]:
    """Repeat, and return the fraction of draws in which each is so."""
    rows = [planted(plan, seed + k, resamples) for k in range(n)]
    told = [row.pop("verdict") for row in rows]

    def fraction(key: str) -> float:
        return float(np.mean([row[key] for row in rows if row[key] is not None]))

    return {
        "planted": vars(plan), "draws": n, "resamples": resamples,
        "fraction": {key: fraction(key) for key in rows[0]},
        "verdict": {word: told.count(word) / n for word in ("more", "less", "open")},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--resamples", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plan", choices=[plan.name for plan in PLANS], action="append")
    parser.add_argument("--out", type=Path, help="a file for each plan: OUT-PLAN.json")
    asked = parser.parse_args()
    for plan in PLANS:
        if asked.plan and plan.name not in asked.plan:
            continue
        begin = time.process_time()
        found = {
            "command": shlex.join(["python", *sys.argv]),
            **summary(plan, asked.draws, asked.seed, asked.resamples),
            "cpu_seconds": time.process_time() - begin,
        }
        text = json.dumps(found, indent=1)
        print(text, flush=True)
        if asked.out:
            name = f"{asked.out.name}-{plan.name.replace(' ', '-')}.json"
            asked.out.with_name(name).write_text(text + "\n")


if __name__ == "__main__":
    main()
