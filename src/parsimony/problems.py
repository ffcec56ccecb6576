"""The register of problems: what each needs, by name, and the way from DATA to a task.

Every verb and page asks here what belongs to a kind of problem; nothing else compares kinds.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from parsimony.base import Data, Task
from parsimony.datasets import registry
from parsimony.decoding.look import SUFFIXES, Look, Reading
from parsimony.errors import (
    EncodingError,
    FormatError,
    InvalidParameter,
    UnknownParameter,
    UsageError,
    suggest,
)
from parsimony.methods import resolve
from parsimony.run.folder import CONFIG, read_config

__all__ = ["PROBLEMS", "Problem", "can_read", "kind_of", "load", "method_for", "open_task",
           "problem", "require_kind"]  # fmt: skip


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
        Function of DATA that says whether a name or the layout of a folder is of this kind.
    reading
        Function of a :class:`~parsimony.decoding.look.Look` at a table that says how it is read.
    default
        The method that a remedy names.
    race
        Methods that ``--method auto`` compares, those without epochs first, from small to large.
    blend
        The method that mixes two others; "" where there is none.
    guided
        The method that puts a knowledge book around another; "" where there is none.
    report
        Module that gathers (``run_info``) and draws (``page``) a run, and says what it is for
        (``USE``) and not for (``NOT_FOR``).
    verbs
        The command lines that ask a run, in words.
    web
        Class that answers about a run over HTTP and to assistants.
    audit
        Module that describes data (``audit``) and shows that (``render``); "" where there is none.
    """

    kind: str
    noun: str
    data: str
    load: str
    task: str
    recognise: str
    reading: str
    default: str
    report: str
    verbs: str
    race: tuple[str, ...]
    web: str
    blend: str = ""
    guided: str = ""
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
            "parsimony.ddi.task:DDITask", "parsimony.ddi.folder:is_ddi",
            "parsimony.ddi.folder:reading", "neighbours", "parsimony.report.ddi",
            "parsimony ddi predict, ddi screen and explain",
            ("prior", "neighbours", "walks", "mlp", "emergnn"), "parsimony.web.pairs:Pairs",
            audit="parsimony.ddi.audit",
        ),
        Problem(
            "coldstart", "ratings", "parsimony.ratings.data:RatingData",
            "parsimony.ratings.table:load_ratings", "parsimony.ratings.task:ColdStartTask",
            "parsimony.ratings.table:is_ratings", "parsimony.ratings.columns:reading", "coldnas",
            "parsimony.report.ratings",
            "parsimony adapt and evaluate",
            ("means", "popularity", "ridge-head", "evidence", "film", "coldnas"),
            "parsimony.web.new_tasks:Users",
        ),
        Problem(
            "molecules", "molecules", "parsimony.molecules.data:MoleculeData",
            "parsimony.molecules.table:load_molecules", "parsimony.molecules.task:MoleculeTask",
            "parsimony.molecules.table:is_molecules", "parsimony.molecules.table:reading",
            "fingerprint-ridge", "parsimony.report.molecules",
            "parsimony adapt",
            # The methods on the encoder are left out: it is pre-trained first, for minutes.
            ("tanimoto", "fingerprint-ridge", "fingerprint-lr", "multitask"),
            "parsimony.web.new_tasks:Assays",
        ),
        Problem(
            "link", "facts", "parsimony.link.data:LinkData", "parsimony.link.loading:load",
            "parsimony.link.task:LinkTask", "parsimony.link.loading:is_graph",
            "parsimony.graph.formats:reading", "redgnn", "parsimony.report.link",
            "parsimony predict, explain, rules and report",
            ("degree", "rules", "complex", "redgnn", "adaprop"), "parsimony.web.links:Links",
            "blend", "guided", "parsimony.link.audit",
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


def kind_of(
    data: str | os.PathLike[str] | Data,
    wanted: str | None = None,
    columns: Sequence[str] | None = None,
) -> str | None:
    """The kind of problem that data are of; None where nothing says so.

    A registered name, the layout of a folder or the words of a table's header decide. A table
    without such words, decoded (so that no mark, quote, separator or format matters), is of the
    kind that can read it.

    Parameters
    ----------
    data
        A name, a path or loaded data.
    wanted
        The kind that was asked for, by a verb or a method: it decides where several can read a
        table and none is named by its header.
    columns
        Three columns that were named: facts, or ratings where the third holds numbers.

    Raises
    ------
    UsageError
        Several kinds can read the table; names a command for each.
    DataError
        The table cannot be decoded.
    """
    if not isinstance(data, str | os.PathLike):
        loaded = (p.kind for p in PROBLEMS.values() if isinstance(data, p.part("data")))
        return next(loaded, None)
    text = os.fspath(data)
    if text in registry.names():
        kind = registry.entry(text).kind
        return kind if kind in PROBLEMS else None
    path = Path(os.path.expanduser(text))
    if (run := _config_of_run(path)) is not None:
        return str(run["task"])
    known = next((p.kind for p in PROBLEMS.values() if p.part("recognise")(text)), None)
    if path.is_file() and known is None:
        return _kind_of_table(path, text, wanted, columns)
    if known == "link" and path.is_dir():
        # A folder of train, valid and test can hold the splits of another kind.
        tables = [path / f"train{suffix}" for suffix in SUFFIXES]
        train = next((table for table in tables if table.is_file()), None)
        other = None if train is None else _kind_of_table(train, text, "link")
        if train is not None and other not in (None, "link"):
            raise UsageError(
                f"{train.name} is of {problem(str(other)).noun}, which do not come as a folder of "
                "splits",
                remedy="give one file with all rows, or --task link to read facts",
                where=text,
            )
    return known


def _config_of_run(path: Path) -> dict[str, Any] | None:
    """The configuration of a run folder; None where it is none, or of a problem not known here."""
    if not (path / "data").is_dir() or not (path / CONFIG).is_file():
        return None
    config = read_config(path)
    return config if config.get("task") in PROBLEMS and "method" in config else None


def _kind_of_table(
    path: Path, text: str, wanted: str | None, columns: Sequence[str] | None = None
) -> str | None:
    """The kind that a table's header names, or that alone can read it."""
    look = Look.at(path)
    readings: dict[str, Reading] = {}
    for each in PROBLEMS.values():
        # A row that cannot be decoded is reported by the loader, which knows what it should hold.
        with contextlib.suppress(FormatError, EncodingError):
            if (found := each.part("reading")(look)) is not None:
                readings[each.kind] = found
    if columns is not None and not any(how.named for how in readings.values()):
        look = look.knowing(columns)
        places = [look.find(name) for name in columns]
        if None not in places:
            given = Reading(tuple(place for place in places if place is not None), False)
            readings = {"link": given}
            if look.holds_numbers(given.columns[-1]):
                readings["coldstart"] = given
    fitting = {kind: how for kind, how in readings.items() if how.named} or readings
    if wanted in fitting:
        return wanted
    if len(fitting) > 1:
        ways = " or as ".join(
            f"{problem(kind).noun} ({look.names(how.columns)})" for kind, how in fitting.items()
        )
        raise UsageError(
            f"this table can be read as {ways}",
            remedy=" or ".join(
                f"parsimony fit {shlex.quote(text)} --task {kind}" for kind in fitting
            ),
            where=text,
        )
    return next(iter(fitting), None)


def can_read(
    kind: str, data: str | os.PathLike[str] | Data, columns: Sequence[str] | None = None
) -> bool:
    """Whether ``--task KIND`` can be advised: by the register, the layout or the table's columns.

    What the rows hold is not looked at.
    """
    if not isinstance(data, str | os.PathLike):
        return False
    text, found = os.fspath(data), problem(kind)
    path = Path(os.path.expanduser(text))
    if text in registry.names() or not path.is_file():
        splits = kind != "link" or text in registry.names() or all(
            any((path / f"{split}{suffix}").is_file() for suffix in SUFFIXES)
            for split in ("train", "valid", "test")
        )  # fmt: skip
        return splits and bool(found.part("recognise")(text))
    if kind == "ddi":
        return False  # drug pairs come as a folder
    if columns is not None or found.part("recognise")(text):
        return True
    with contextlib.suppress(FormatError, EncodingError):
        return found.part("reading")(Look.at(path)) is not None
    return False


def require_kind(
    kind: str, data: str | os.PathLike[str] | Data, verb: str, task: str | None = None
) -> None:
    """Refuse data that are of another kind than a verb reads.

    Parameters
    ----------
    kind
        What the verb reads.
    data
        As of :func:`kind_of`.
    verb
        Its name, for the message.
    task
        The kind that the user names; the data are not looked at then.

    Raises
    ------
    UnknownParameter
        No such kind.
    UsageError
        They are of another kind.
    """
    if task is None and data in registry.names():
        return  # the loader refuses another kind by its entry
    found = kind_of(data, kind) if task is None else problem(task).kind
    if found not in (None, kind):
        noun, own = problem(kind).noun, problem(str(found)).noun
        remedy = f"for {own} use {problem(str(found)).verbs}"
        if can_read(kind, data):
            as_asked = f"--task {kind} reads them as {noun}; {remedy}"
            remedy = as_asked if task is None else f"leave it out, or --task {kind}"
        raise UsageError(
            f"{'these data are' if task is None else '--task is of'} {own}; parsimony {verb} reads "
            f"{noun}",
            remedy=remedy,
            where=str(data),
        )


def method_for(
    data: str | Data,
    method: str | None = None,
    kind: str | None = None,
    columns: Sequence[str] | None = None,
) -> str:
    """The method asked for, or the default of the problem; the data tell which problem it is.

    ``columns`` are those of :func:`kind_of`.

    Raises
    ------
    UnknownParameter
        No such kind or method.
    InvalidParameter
        A method of another kind.
    UsageError
        Nobody says which kind, and the data can be read as several.
    """
    own = None if method is None else resolve(method).kind
    kind = kind or kind_of(data, own, columns) or own or "link"
    default = problem(kind).default
    if own not in (None, kind):
        raise InvalidParameter(
            f"method {method!r} is for task {own}, and these data are {problem(kind).noun}",
            remedy=f"--method {default}"
            + f", or --task {own} to read them as {problem(str(own)).noun}"
            * can_read(str(own), data, columns),
        )
    return method or default


def load(name_or_path: str | os.PathLike[str], *, task: str | None = None, **options: Any) -> Data:
    """Load data of any kind: a registered name, a folder or a file.

    Parameters
    ----------
    task
        The kind of problem, where the data do not say it or are to be read as another kind.
    **options
        Of the kind's own loader: :func:`parsimony.link.loading.load`,
        :func:`parsimony.ddi.folder.load_ddi`, :func:`parsimony.molecules.table.load_molecules`,
        :func:`parsimony.ratings.table.load_ratings`.

    Raises
    ------
    UnknownDataset
        Neither a name nor a path; the closest name is suggested.
    UsageError
        Several kinds can read a table, and ``task`` does not say which.
    DataError
        The data are wrong; ``where`` names file and line.
    """
    kind = task or kind_of(name_or_path, columns=options.get("columns"))
    found = problem(kind or "link")
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
        A registered name, a dataset folder, a file, a run folder, whose own data and split are
        taken, or loaded data.
    settings
        Of the task, and of the method where the task follows it (``protocol``).

    Raises
    ------
    InvalidParameter
        Data of another kind, a setting outside its limits, or columns for data that name their own.
    DataError
        The data are wrong.
    """
    if isinstance(data, str | os.PathLike) and os.fspath(data) not in registry.names():
        path = Path(os.path.expanduser(os.fspath(data)))
        if (run := _config_of_run(path)) is not None:
            data = problem(run["task"]).part("task").load(path / "data", run).data
    if not isinstance(data, str | os.PathLike):
        own = kind_of(data)
        if own != kind:
            noun = PROBLEMS[own].noun if own in PROBLEMS else repr(data)
            raise InvalidParameter(
                f"these data are {noun}",
                remedy=f"use a method of task {own}"
                if own
                else "give a name, a path, or what parsimony.load returns",
            )
    if (
        columns is not None
        and "columns" not in inspect.signature(problem(kind).part("load")).parameters
    ):
        raise InvalidParameter(
            f"--columns does not apply to {problem(kind).noun}: their files name their columns",
            remedy="leave it out",
        )
    cls: type[Task] = problem(kind).part("task")
    return cls.open(data, settings or {}, mirror=mirror, columns=columns, seed=seed)
