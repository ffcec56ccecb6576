"""What a frontier will run: all of it, or what was measured to fit its budget."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from parsimony.base import Task
from parsimony.errors import (
    EmptySplit,
    InvalidParameter,
    UnknownParameter,
    UsageError,
    suggest,
)
from parsimony.frontier.affordable import Affordable, Bounds, affordable
from parsimony.frontier.costs import Costs, costs_of, seconds_of
from parsimony.frontier.curves import FEWEST
from parsimony.frontier.families import Family, families
from parsimony.frontier.opening import opened
from parsimony.frontier.protocol import (
    HEADLINE_SHARE,
    PROTOCOL,
    SHARES,
    Protocol,
    described,
    read_protocol,
)
from parsimony.frontier.request import FrontierRequest
from parsimony.frontier.row import Subject
from parsimony.frontier.runs import in_turn
from parsimony.problems import kind_of, problem
from parsimony.run.deadline import Deadline
from parsimony.run.duration import spell_duration

__all__ = ["Plan", "planned", "reserve"]

#: seconds of the budget that analysis and page are kept, and the part of it at most
_RESERVE, _SHARE = 40.0, 0.2
#: of the budget, what measuring the costs of runs may take; seconds of it without a budget
_PROBES, _PROBING = 0.1, 120.0
#: of the time that is left, what is planned: costs are measured in a few steps
_PLANNED = 0.85
_SIZES, _SIZES_OF_LABELS, _SEEDS, _TRIALS = 8, 2, 3, 4
#: sizes of a family that are planned before seeds
_ENOUGH = 6

#: data that have both splits, by the problem
_WITH_BOTH = {
    "link": "give data with both",
    "ddi": "give data with both",
    "molecules": "a folder with the table and task_splits.json, which names test_tasks, has both",
    "coldstart": "more users with several ratings are needed",
}


def reserve(budget: Deadline) -> float:
    """Seconds of a budget that are kept for analysis and page."""
    return min(_RESERVE, _SHARE * budget.seconds)


@dataclass(frozen=True)
class Plan:
    """What will be run.

    Attributes
    ----------
    n_runs, n_trainings
        Runs, and trainings with those of the tuning.
    costs
        Seconds of a run of each size, where they were measured.
    seconds
        Of all runs, as measured, on all processors of the engine; None: not known.
    left_out
        A note on what takes no part, as it cannot answer on these data or for the sake of the
        budget; "" where nothing is left out.
    """

    protocol: Protocol
    families: tuple[Family, ...]
    n_runs: int
    n_trainings: int
    seconds: float | None = None
    left_out: str = ""

    def lines(self, budget: Deadline) -> list[str]:
        """Say it."""
        found = [
            f"{words}: "
            + ", ".join(self._of(family) for family in self.families if family.side == side)
            for side, words in (("knowledge", "driven by knowledge"), ("scaled", "scaled up"))
        ]
        protocol = self.protocol
        shares = ", ".join(f"{share:.0%}" for share in protocol.shares)
        found.append(
            f"{self.n_runs} runs ({self.n_trainings} trainings with those of the tuning): "
            f"{_counted(len(protocol.seeds), 'seed')}, {_counted(protocol.trials, 'trial')} of "
            f"tuning a size, {shares} of the labels"
        )
        found += [self.left_out] * bool(self.left_out)
        if self.seconds is not None:
            found.append(
                f"estimated time: {spell_duration(self.seconds)}, less where trainings stop early"
                + f"; the budget has {spell_duration(budget.left())} left" * budget.limited
            )
        if budget.limited and (self.seconds is None or self.seconds > budget.left()):
            found.append(
                "what does not fit is listed as not run; the first seed goes first, from small to "
                "large"
            )
        return found

    def _of(self, family: Family) -> str:
        """A family, how many sizes it has, and what a run takes."""
        took = self.protocol.expected.get(family.name, {})
        seconds = [took[size.label] for size in family.sizes if size.label in took]
        about = ""
        if seconds:
            low, high = spell_duration(min(seconds)), spell_duration(max(seconds))
            about = f", {low} a run" if low == high else f", {low} to {high} a run"
        return f"{family.name} ({_counted(len(family.sizes), 'size')}{about})"


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


def planned(request: FrontierRequest, *, estimate: bool = False) -> Plan:
    """Read the data, measure what runs cost, and say what a request would run; nothing is written.

    Parameters
    ----------
    estimate
        Whether to measure costs where there is no budget to be kept, too.

    Raises
    ------
    InvalidParameter
        A setting that is no option of the task.
    UnknownParameter
        A family that there is not.
    UsageError
        One side alone, or data that nobody can tell the kind of.
    EmptySplit
        Nothing to select or measure on.
    CorruptRun
        The protocol of a frontier that is gone on with is damaged.
    """
    kind = request.task or kind_of(request.data, None, request.columns) or "link"
    options = problem(kind).part("task").Options
    if unknown := [name for name in request.options if not options.has(name)]:
        raise InvalidParameter(
            f"a frontier chooses the parameters: {', '.join(unknown)} cannot be set",
            remedy="leave it out: each family is tuned for itself",
        )
    subject = Subject(
        request.data, kind, dict(request.options), request.mirror, request.columns, request.seed,
        request.thinned,
    )  # fmt: skip
    task = opened(subject)
    for split in ("valid", "test"):
        if not task.count(split):
            raise EmptySplit(
                f"the {split} split is empty",
                remedy=f"a frontier selects on valid and measures on test: {_WITH_BOTH[kind]}",
            )
    along_labels = request.axis == "labels"
    shares = sorted(set(request.shares or (SHARES if along_labels else (1.0,))))
    whole, unable = _able(_all_of(kind, request), task)
    costs: Costs = {}
    if request.resume and (request.out / PROTOCOL).exists():  # another budget is no other plan
        before = read_protocol(request.out)
        chosen = _as_before(whole, request, before)
        expected = before.expected
    else:
        ordered = sorted(in_turn(whole), key=lambda family: not family.main)
        if request.budget.limited or estimate:
            costs = costs_of(ordered, subject, _probing(request.budget))
        chosen = _chosen(ordered, whole, costs, request, shares)
        expected = {
            family.name: {s.label: round(costs[family.name][s.label].run, 3) for s in family.sizes}
            for family in chosen.families
            if family.name in costs
        }
    protocol = Protocol(
        data=request.data,
        data_hash=task.data.content_hash,  # type: ignore[attr-defined]
        task=subject,
        axis=request.axis,
        families=described(chosen.families),
        seeds=[request.seed + k for k in range(chosen.seeds)],
        shares=shares,
        trials=chosen.trials,
        headline_share=min(shares, key=lambda s: abs(math.log(s / HEADLINE_SHARE)))
        if along_labels
        else shares[-1],
        budgets=[request.budget.seconds] if request.budget.limited else [],
        expected=expected,
    )
    n_sizes = sum(len(family.sizes) for family in chosen.families) * len(shares)
    seconds = seconds_of(
        chosen.families, costs, seeds=chosen.seeds, trials=chosen.trials, shares=shares
    )
    return Plan(
        protocol, chosen.families, n_sizes * chosen.seeds,
        n_sizes * (chosen.seeds + chosen.trials),
        None if seconds is None else seconds / request.engine.slots,
        "; ".join(filter(None, (unable, _left_out(whole, chosen)))),
    )  # fmt: skip


def _probing(budget: Deadline) -> Deadline:
    """Until when costs may be measured."""
    return Deadline(_PROBES * budget.seconds if budget.limited else _PROBING)


def _chosen(
    ordered: Sequence[Family], whole: Sequence[Family], costs: Costs, request: FrontierRequest,
    shares: Sequence[float],
) -> Affordable:  # fmt: skip
    """All that was asked for, or of what was left open what fits the budget."""
    seeds, trials = request.seeds or _SEEDS, _TRIALS if request.trials is None else request.trials
    if not request.budget.limited:
        return Affordable(tuple(whole), seeds, trials)
    fewest, enough = (1, _SIZES_OF_LABELS) if request.axis == "labels" else (FEWEST, _ENOUGH)
    left = request.budget.left() - reserve(request.budget)
    found = affordable(
        ordered, costs, _PLANNED * max(left, 0.0) * request.engine.slots, shares,
        Bounds(
            (request.seeds or 1, seeds), (request.trials or 0, trials),
            (fewest, enough) if request.sizes is None else (request.sizes, request.sizes),
            required=request.names is not None,
        ),
    )  # fmt: skip
    kept = {family.name: family for family in found.families}
    return replace(found, families=tuple(kept[f.name] for f in whole if f.name in kept))


def _as_before(whole: tuple[Family, ...], request: FrontierRequest, before: Protocol) -> Affordable:
    """Of what the user left open, what the protocol has."""
    labels = {f["name"]: [size["label"] for size in f["sizes"]] for f in before.families}
    every = {family.name: family for family in families(before.task.kind)}
    return Affordable(
        tuple(
            every[family.name].only(labels[family.name]) if request.sizes is None else family
            for family in whole
            if family.name in labels
        ),
        request.seeds or len(before.seeds),
        before.trials if request.trials is None else request.trials,
    )


def _able(whole: tuple[Family, ...], task: Task) -> tuple[tuple[Family, ...], str]:
    """Those that can answer on these data, and a note on the others; both sides stay."""
    if not getattr(task, "inductive", False):
        return whole, ""
    able = tuple(family for family in whole if family.unseen)
    absent = ", ".join(family.name for family in whole if not family.unseen)
    why = f"no vectors for the entities of the test graph: {absent}" if absent else ""
    _require_both(able, "RED-GNN, message passing, …", why)
    return able, why


def _require_both(families: Sequence[Family], known: str, why: str = "") -> None:
    if {family.side for family in families} != {"knowledge", "scaled"}:
        raise UsageError(
            "a frontier compares two sides, and one of them is left out" + f" ({why})" * bool(why),
            remedy=f"name at least one family of each: {known}",
        )


def _left_out(whole: Sequence[Family], chosen: Affordable) -> str:
    """Say what takes no part for the sake of the budget."""
    kept = {family.name: family for family in chosen.families}
    absent = [family.name for family in whole if family.name not in kept]
    smaller = [
        f"{family.name} beyond {kept[family.name].sizes[-1].label}"
        for family in whole
        if family.name in kept and family.sizes[-1].about > kept[family.name].sizes[-1].about
    ]
    parts = ["families " + ", ".join(absent)] * bool(absent) + smaller
    if not parts:
        return ""
    return (
        f"left out for the budget: {'; '.join(parts)}; planned with "
        f"{_counted(chosen.seeds, 'seed')} and {_counted(chosen.trials, 'trial')} of tuning; a "
        "larger budget, in another --out, has more"
    )


def _all_of(kind: str, request: FrontierRequest) -> tuple[Family, ...]:
    """The families asked for; along the labels without their smallest and largest sizes."""
    along_labels = request.axis == "labels"
    sizes = request.sizes or (_SIZES_OF_LABELS if along_labels else _SIZES)
    found = families(kind, sizes=sizes + 2 if along_labels else sizes)
    known = [family.name for family in found]
    for name in request.names or ():
        if name not in known:
            raise UnknownParameter(
                f"unknown family {name!r}",
                remedy=suggest(name, known) or f"families: {', '.join(known)}",
            )
    found = tuple(f for f in found if request.names is None or f.name in request.names)
    _require_both(found, ", ".join(known))
    if along_labels:
        found = tuple(
            replace(f, sizes=f.sizes[1:-1] or f.sizes) if len(f.sizes) > sizes else f for f in found
        )
    return found
