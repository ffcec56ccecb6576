"""What a frontier is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parsimony.frontier.axes import Axis
from parsimony.frontier.row import Row
from parsimony.run.deadline import Deadline
from parsimony.run.engine import Engine, LocalEngine

__all__ = ["FrontierRequest"]


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
        out, they follow from the budget and from what runs were measured to take.
    shares
        Of the training labels; those of the labels axis by default, else all labels.
    thinned
        Whether the walked graph loses the facts that the labels lose.
    budget
        Wall seconds of everything, earlier parts included, from when ``began`` was made; without
        a limit, as many as it takes.
    on_row
        Called with every row, how many runs are still to come, and about how many seconds they
        take; None where that is not known.
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
    budget: Deadline = field(default_factory=Deadline)
    engine: Engine = field(default_factory=LocalEngine)
    resume: bool = False
    mirror: str | None = None
    columns: tuple[str, str, str] | None = None
    seed: int = 0
    command: str = ""
    on_row: Callable[[Row, int, float | None], None] | None = None
