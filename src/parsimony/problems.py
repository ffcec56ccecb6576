"""From a name, a folder or a file to the task that a method learns."""

from __future__ import annotations

import os
from typing import Any

from parsimony.datasets import load
from parsimony.ddi.background import load_background
from parsimony.ddi.data import DDIData
from parsimony.ddi.folder import load_ddi
from parsimony.ddi.task import DDIOptions, DDITask
from parsimony.errors import InvalidParameter
from parsimony.link.data import LinkData
from parsimony.link.task import LinkTask
from parsimony.molecules.data import MoleculeData
from parsimony.molecules.table import load_molecules
from parsimony.molecules.task import MoleculeOptions, MoleculeTask
from parsimony.ratings.data import RatingData
from parsimony.ratings.table import load_ratings
from parsimony.ratings.task import ColdStartOptions, ColdStartTask

__all__ = ["Loaded", "Task", "open_task", "task_options"]

Loaded = LinkData | DDIData | MoleculeData | RatingData
Task = LinkTask | DDITask | MoleculeTask | ColdStartTask
_OPTIONS: dict[str, type[DDIOptions | MoleculeOptions | ColdStartOptions]] = {
    "ddi": DDIOptions, "molecules": MoleculeOptions, "coldstart": ColdStartOptions,
}  # fmt: skip
_NOUNS: dict[type, tuple[str, str]] = {
    LinkData: ("link", "a graph"),
    DDIData: ("ddi", "drug pairs"),
    MoleculeData: ("molecules", "molecules"),
    RatingData: ("coldstart", "ratings"),
}


def task_options(kind: str) -> tuple[str, ...]:
    """Names of the task's own settings, which ``--set`` mixes with the method's parameters."""
    return tuple(_OPTIONS[kind].model_fields) if kind in _OPTIONS else ()


def open_task(
    kind: str,
    data: str | os.PathLike[str] | Loaded,
    settings: dict[str, Any],
    *,
    mirror: str | None = None,
    columns: tuple[str, str, str] | None = None,
    seed: int = 0,
) -> Task:
    """Load the data and make the task.

    Parameters
    ----------
    kind
        "link", "ddi", "molecules" or "coldstart".
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
    own, noun = _NOUNS.get(type(data), (kind, ""))
    if own != kind:
        raise InvalidParameter(f"these data are {noun}", remedy=f"use a method of task {own}")
    if kind == "link":
        if not isinstance(data, LinkData):
            data = load(_path(data), mirror=mirror, columns=columns, seed=seed)
        return LinkTask(data, str(settings.get("protocol", "redgnn")))
    if kind == "molecules":
        wanted = MoleculeOptions.of(settings)
        if not isinstance(data, MoleculeData):
            data = load_molecules(_path(data), bad_smiles=wanted.bad_smiles, mirror=mirror)
        return MoleculeTask(data, wanted)
    if kind == "coldstart":
        asked = ColdStartOptions.of(settings)
        if not isinstance(data, RatingData):
            data = load_ratings(
                _path(data), columns=columns, support=asked.support, others=asked.others,
                mirror=mirror, seed=seed,
            )  # fmt: skip
        return ColdStartTask(data, asked)
    options = DDIOptions.of(settings)
    if not isinstance(data, DDIData):
        data = load_ddi(_path(data), split=options.split, mirror=mirror)
    graph = options.graph or data.graph
    return DDITask(data, options, load_background(data, graph, mirror=mirror))


def _path(data: str | os.PathLike[str] | Loaded) -> str | os.PathLike[str]:
    """What is left where loaded data have been told apart."""
    if isinstance(data, Loaded):
        raise InvalidParameter(f"data of another task: {data!r}")
    return data
