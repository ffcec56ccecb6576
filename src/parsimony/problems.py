"""The register of problems: what each needs, by name, and the way from DATA to a task.

Every verb and page asks here what belongs to a kind of problem; nothing else compares kinds.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from parsimony.base import Data, Task
from parsimony.datasets import registry
from parsimony.errors import InvalidParameter, UnknownParameter, suggest
from parsimony.methods import resolve

__all__ = ["PROBLEMS", "Problem", "kind_of", "load", "method_for", "open_task", "problem"]


@dataclass(frozen=True)
class Problem:
    """A kind of problem: where its parts are, as ``module:name``; imported when first needed.

    Attributes
    ----------
    noun
        What its data are called.
    data, load
        Class of its data, and the function that reads them.
    task
        Class of its task.
    recognise
        Function of DATA that says whether they are of this kind.
    default
        The method where none is named.
    report
        Module that gathers (``run_info``) and draws (``page``) a run.
    verbs
        The command lines that ask a run, in words.
    audit
        Module that describes data (``audit``) and shows that (``render``); "" where there is none.
    """

    kind: str
    noun: str
    data: str
    load: str
    task: str
    recognise: str
    default: str
    report: str
    verbs: str
    audit: str = ""

    def part(self, name: str) -> Any:
        """Import a part."""
        module, _, attribute = getattr(self, name).partition(":")
        found = import_module(module)
        return getattr(found, attribute) if attribute else found


PROBLEMS = {
    problem.kind: problem
    for problem in (
        Problem(
            "ddi", "drug pairs", "parsimony.ddi.data:DDIData", "parsimony.ddi.folder:load_ddi",
            "parsimony.ddi.task:DDITask", "parsimony.ddi.folder:is_ddi", "neighbours",
            "parsimony.report.ddi",
            "parsimony ddi predict, ddi screen and explain", "parsimony.ddi.audit",
        ),
        Problem(
            "coldstart", "ratings", "parsimony.ratings.data:RatingData",
            "parsimony.ratings.table:load_ratings", "parsimony.ratings.task:ColdStartTask",
            "parsimony.ratings.table:is_ratings", "coldnas", "parsimony.report.ratings",
            "parsimony adapt and evaluate",
        ),
        Problem(
            "molecules", "molecules", "parsimony.molecules.data:MoleculeData",
            "parsimony.molecules.table:load_molecules", "parsimony.molecules.task:MoleculeTask",
            "parsimony.molecules.table:is_molecules", "fingerprint-ridge",
            "parsimony.report.molecules",
            "parsimony adapt",
        ),
        Problem(
            "link", "a graph", "parsimony.link.data:LinkData", "parsimony.link.loading:load",
            "parsimony.link.task:LinkTask", "parsimony.link.loading:is_graph", "redgnn",
            "parsimony.report.link",
            "parsimony predict, explain, rules and report", "parsimony.link.audit",
        ),
    )
}  # fmt: skip


def problem(kind: str) -> Problem:
    """Return a kind of problem.

    Raises
    ------
    UnknownParameter
        No such kind; names the nearest.
    """
    if kind not in PROBLEMS:
        raise UnknownParameter(
            f"unknown task {kind!r}",
            remedy=suggest(kind, PROBLEMS) or f"tasks of this version: {', '.join(PROBLEMS)}",
        )
    return PROBLEMS[kind]


def kind_of(data: str | os.PathLike[str] | Data) -> str | None:
    """The kind of problem that data are made for; None where they do not say."""
    if not isinstance(data, str | os.PathLike):
        loaded = (p.kind for p in PROBLEMS.values() if isinstance(data, p.part("data")))
        return next(loaded, None)
    text = os.fspath(data)
    if text in registry.names():
        kind = registry.entry(text).kind
        return kind if kind in PROBLEMS else None
    return next((p.kind for p in PROBLEMS.values() if p.part("recognise")(text)), None)


def method_for(data: str, method: str | None = None, kind: str | None = None) -> str:
    """The method asked for, or the default of the problem; the data tell which problem it is.

    Raises
    ------
    UnknownParameter
        No such kind or method.
    InvalidParameter
        A method of another kind.
    """
    own = None if method is None else resolve(method).kind
    kind = kind or kind_of(data) or own or "link"
    default = problem(kind).default
    if own not in (None, kind):
        raise InvalidParameter(
            f"method {method!r} is for task {own}, not {kind}", remedy=f"--method {default}"
        )
    return method or default


def load(name_or_path: str | os.PathLike[str], **options: Any) -> Data:
    """Load data of any kind: a registered name, a folder or a file.

    Parameters
    ----------
    **options
        Of the kind's own loader: :func:`parsimony.link.loading.load`,
        :func:`parsimony.ddi.folder.load_ddi`, :func:`parsimony.molecules.table.load_molecules`,
        :func:`parsimony.ratings.table.load_ratings`.

    Raises
    ------
    UnknownDataset
        Neither a name nor a path; the closest name is suggested.
    DataError
        The data are wrong; ``where`` names file and line.
    """
    found = problem(kind_of(name_or_path) or "link")
    loader = found.part("load")
    known = inspect.signature(loader).parameters
    for name in options:
        if name not in known:
            raise InvalidParameter(
                f"{found.noun} are not loaded with {name!r}",
                remedy=suggest(name, known) or f"options: {', '.join(list(known)[1:])}",
            )
    data: Data = loader(name_or_path, **options)
    return data


def open_task(
    kind: str,
    data: str | os.PathLike[str] | Data,
    settings: Mapping[str, Any] | None = None,
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
    if not isinstance(data, str | os.PathLike):
        own = kind_of(data)
        if own != kind:
            noun = PROBLEMS[own].noun if own in PROBLEMS else repr(data)
            raise InvalidParameter(
                f"these data are {noun}", remedy=f"use a method of task {own or kind}"
            )
    cls: type[Task] = problem(kind).part("task")
    return cls.open(data, settings or {}, mirror=mirror, columns=columns, seed=seed)
