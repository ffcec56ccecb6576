"""From a name, a folder or a file to the task that a method learns."""

from __future__ import annotations

import os
from typing import Any

from parsimony.datasets import LinkData, load
from parsimony.datasets.background import load_background
from parsimony.datasets.ddi_data import DDIData
from parsimony.datasets.ddi_folder import load_ddi
from parsimony.errors import InvalidParameter
from parsimony.tasks.ddi import DDIOptions, DDITask
from parsimony.tasks.link import LinkTask

__all__ = ["open_task", "task_options"]


def task_options(kind: str) -> tuple[str, ...]:
    """Names of the task's own settings, which ``--set`` mixes with the method's parameters."""
    return tuple(DDIOptions.model_fields) if kind == "ddi" else ()


def open_task(
    kind: str,
    data: str | os.PathLike[str] | LinkData | DDIData,
    settings: dict[str, Any],
    *,
    mirror: str | None = None,
    columns: tuple[str, str, str] | None = None,
    seed: int = 0,
) -> LinkTask | DDITask:
    """Load the data and make the task.

    Parameters
    ----------
    kind
        "link" or "ddi".
    data
        A registered name, a dataset folder, a file, or loaded data.
    settings
        Of the task, and of the method where the task follows it (``protocol``).

    Raises
    ------
    InvalidParameter
        Data of another kind, or a setting outside its limits.
    DataError
        The data are wrong.
    """
    if kind == "link":
        if isinstance(data, DDIData):
            raise InvalidParameter("these data are drug pairs", remedy="use a method of task ddi")
        loaded = (
            data
            if isinstance(data, LinkData)
            else load(data, mirror=mirror, columns=columns, seed=seed)
        )
        return LinkTask(loaded, str(settings.get("protocol", "redgnn")))
    if isinstance(data, LinkData):
        raise InvalidParameter("these data are a graph", remedy="use a method of task link")
    options = DDIOptions.of(settings)
    pairs = data
    if not isinstance(pairs, DDIData):
        pairs = load_ddi(pairs, split=options.split, mirror=mirror)
    graph = options.graph or pairs.graph
    return DDITask(pairs, options, load_background(pairs, graph, mirror=mirror))
