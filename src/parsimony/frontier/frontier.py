"""``parsimony frontier``: run both families at all sizes, and write what came of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from parsimony.errors import (
    EmptySplit,
    InvalidParameter,
    UnknownParameter,
    UsageError,
    suggest,
)
from parsimony.frontier.axes import Axis
from parsimony.frontier.families import QUICK, Family, families
from parsimony.frontier.protocol import (
    HEADLINE_SHARE,
    PROTOCOL,
    SHARES,
    Protocol,
    agreed,
    described,
    read_protocol,
)
from parsimony.frontier.result import frontier_files, gathered
from parsimony.frontier.row import Row, Subject
from parsimony.frontier.runs import Runs
from parsimony.problems import kind_of, open_task, problem
from parsimony.run.engine import Engine, LocalEngine
from parsimony.run.lock import write_outputs

__all__ = ["FrontierRequest", "Plan", "planned", "run_frontier"]

#: seconds of the budget that analysis and page are kept, and the part of it at most
_RESERVE, _SHARE = 40.0, 0.2
#: seconds of a budget below which the families and sizes of QUICK, one seed and no tuning are
#: chosen where they are not given
_SHORT = 20 * 60.0
_SIZES, _SIZES_OF_LABELS, _SEEDS, _TRIALS = 8, 2, 3, 4


@dataclass(frozen=True)
class FrontierRequest:
    """One frontier: on what, along which axis, for how long, and where to.

    Attributes
    ----------
    data, task, options, mirror, columns, seed
        As :func:`parsimony.problems.open_task` takes them; ``task`` names the kind of problem where
        the data do not.
    axis
        What size is measured by.
    names
        Families that take part; all by default.
    sizes, seeds, trials
        Of each family at most, of each size, and of the tuning of each size. Where they are left
        out, they follow from the budget.
    shares
        Of the training labels; those of the labels axis by default, else all labels.
    thinned
        Whether the walked graph loses the facts that the labels lose.
    budget
        Wall seconds of everything, earlier parts included; None: as many as it takes.
    on_row
        Called with every row, and how many runs are still to come.
    """

    data: str
    out: Path
    axis: Axis = "parameters"
    task: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    names: Sequence[str] | None = None
    sizes: int | None = None
    seeds: int | None = None
    trials: int | None = None
    shares: Sequence[float] | None = None
    thinned: bool = False
    budget: float | None = None
    engine: Engine | None = None
    resume: bool = False
    mirror: str | None = None
    columns: tuple[str, str, str] | None = None
    seed: int = 0
    command: str = ""
    on_row: Callable[[Row, int], None] | None = None


@dataclass(frozen=True)
class Plan:
    """What will be run.

    Attributes
    ----------
    n_runs, n_trainings
        Runs, and trainings with those of the tuning.
    left_out
        A note on what takes no part for the sake of the budget; "" where nothing is left out.
    """

    protocol: Protocol
    families: tuple[Family, ...]
    n_runs: int
    n_trainings: int
    left_out: str = ""

    def lines(self, budget: float | None) -> list[str]:
        """Say it."""
        from parsimony.run.duration import spell_duration

        sides = {
            side: [family for family in self.families if family.side == side]
            for side in ("knowledge", "scaled")
        }
        found = [
            f"{name}: "
            + ", ".join(f"{family.name} ({len(family.sizes)} sizes)" for family in sides[side])
            for side, name in (("knowledge", "driven by knowledge"), ("scaled", "scaled up"))
        ]
        protocol = self.protocol
        shares = ", ".join(f"{share:.0%}" for share in protocol.shares)
        found.append(
            f"{self.n_runs} runs ({self.n_trainings} trainings with those of the tuning): "
            f"{len(protocol.seeds)} seeds, {protocol.trials} trials of tuning a size, {shares} of "
            "the labels"
        )
        if self.left_out:
            found.append(self.left_out)
        if budget is not None and self.n_runs:
            each = spell_duration(budget / self.n_runs)
            found.append(
                f"the budget of {spell_duration(budget)} is {each} a run on average; what does "
                "not fit is listed as not run, the first seed goes first, from small to large"
            )
        return found


def planned(request: FrontierRequest) -> Plan:
    """Read the data and say what a request would run; nothing is written.

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
    task = open_task(
        kind, request.data, request.options, mirror=request.mirror, columns=request.columns,
        seed=request.seed,
    )  # fmt: skip
    for split in ("valid", "test"):
        if not task.count(split):
            raise EmptySplit(
                f"the {split} split is empty",
                remedy="a frontier selects on valid and measures on test: give data with both",
            )
    short = request.budget is not None and request.budget < _SHORT
    along_labels = request.axis == "labels"
    sizes = request.sizes or (_SIZES_OF_LABELS if along_labels else _SIZES)
    seeds, trials = (1, 0) if short else (_SEEDS, _TRIALS)
    before = None
    if request.resume and (request.out / PROTOCOL).exists():  # another budget is no other plan
        before = read_protocol(request.out)
        seeds, trials = len(before.seeds), before.trials
    whole = _chosen(kind, request.names, sizes, along_labels)
    chosen = whole
    if before is not None:
        chosen = _as_before(kind, whole, request, before)
    elif short:
        chosen = _quick(kind, whole, request, sizes, along_labels)
    seeds = request.seeds or seeds
    trials = trials if request.trials is None else request.trials
    shares = sorted(set(request.shares or (SHARES if along_labels else (1.0,))))
    protocol = Protocol(
        data=request.data,
        data_hash=task.data.content_hash,  # type: ignore[attr-defined]
        task=subject,
        axis=request.axis,
        families=described(chosen),
        seeds=[request.seed + k for k in range(seeds)],
        shares=shares,
        trials=trials,
        headline_share=min(shares, key=lambda s: abs(math.log(s / HEADLINE_SHARE)))
        if along_labels
        else shares[-1],
        budgets=[] if request.budget is None else [request.budget],
    )
    n_sizes = sum(len(family.sizes) for family in chosen) * len(shares)
    return Plan(
        protocol, chosen, n_sizes * seeds, n_sizes * (seeds + trials),
        _left_out(whole, chosen, seeds=seeds, trials=trials),
    )  # fmt: skip


def _quick(
    kind: str, whole: tuple[Family, ...], request: FrontierRequest, sizes: int, along_labels: bool
) -> tuple[Family, ...]:
    """Of the families and sizes that the user did not name, those that a short budget is for."""
    kept = QUICK[kind]
    all_sizes = {family.name: family for family in families(kind)}
    found = []
    for family in whole:
        if request.names is None and family.name not in kept:
            continue
        if request.sizes is None:
            small = all_sizes[family.name].sizes[: kept.get(family.name, min(kept.values()) + 3)]
            family = replace(family, sizes=small[len(small) // 2 :][:1] if along_labels else small)
        found.append(family)
    return tuple(found)


def _as_before(
    kind: str, whole: tuple[Family, ...], request: FrontierRequest, before: Protocol
) -> tuple[Family, ...]:
    """Of the families and sizes that the user did not name, those of the protocol."""
    labels = {f["name"]: [size["label"] for size in f["sizes"]] for f in before.families}
    found = families(kind) if request.sizes is None else whole
    return tuple(
        family.only(labels[family.name]) if request.sizes is None else family
        for family in found
        if family.name in labels and family.name in {each.name for each in whole}
    )


def _left_out(whole: Sequence[Family], chosen: Sequence[Family], *, seeds: int, trials: int) -> str:
    """Say what takes no part for the sake of the budget."""
    kept = {family.name: family for family in chosen}
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
        f"left out for the budget: {'; '.join(parts)}; {seeds} seed{'s' * (seeds != 1)}, {trials} "
        f"trials of tuning; a budget from {_SHORT / 60:.0f} min on, in another --out, has them all"
    )


def _chosen(
    kind: str, names: Sequence[str] | None, sizes: int, along_labels: bool
) -> tuple[Family, ...]:
    """The families asked for; along the labels without their smallest and largest sizes."""
    found = families(kind, sizes=sizes + 2 if along_labels else sizes)
    known = [family.name for family in found]
    for name in names or ():
        if name not in known:
            raise UnknownParameter(
                f"unknown family {name!r}",
                remedy=suggest(name, known) or f"families: {', '.join(known)}",
            )
    found = tuple(family for family in found if names is None or family.name in names)
    if {family.side for family in found} != {"knowledge", "scaled"}:
        raise UsageError(
            "a frontier compares two sides, and one of them is left out",
            remedy=f"name at least one family of each: {', '.join(known)}",
        )
    if along_labels:
        found = tuple(
            replace(f, sizes=f.sizes[1:-1] or f.sizes) if len(f.sizes) > sizes else f for f in found
        )
    return found


def run_frontier(request: FrontierRequest, plan: Plan | None = None) -> dict[str, Any]:
    """Run what is not there yet, analyse all, and write protocol, figures, tables and page.

    Returns
    -------
    dict
        What ``frontier.json`` holds.

    Raises
    ------
    RunExists, LedgerMismatch
        The folder belongs to something else, or to another protocol.
    CorruptRun
        A file of it is damaged.
    """
    plan = plan or planned(request)
    folder = Path(request.out)
    protocol = agreed(plan.protocol, folder) if request.resume else plan.protocol
    with Runs(
        folder, protocol, plan.families, resume=request.resume, on_row=request.on_row
    ) as runs:
        reserve = min(_RESERVE, _SHARE * (request.budget or math.inf))
        runs.make(request.engine or LocalEngine(), request.budget, reserve=reserve)
        found = gathered(runs, plan.n_runs, request.command)
        found.told["notes"] += [plan.left_out] * bool(plan.left_out)
        write_outputs(frontier_files(folder, found, runs))
    return found.told
