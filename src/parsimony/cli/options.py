"""The options that verbs share, and how their values are parsed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from parsimony.cli.completion import complete_data, complete_setting, complete_task
from parsimony.errors import InvalidParameter, MissingRun, NotAFile, UsageError, suggest
from parsimony.methods import OURS
from parsimony.stopping import NOTHING_LOST, interruptible

#: seconds that what a book is worth to a model without one is learned in, before it answers
_WEIGHING = 60.0

__all__ = [
    "Address",
    "Columns",
    "Data",
    "Engine",
    "Head",
    "Json",
    "Knowledge",
    "Mirror",
    "Quiet",
    "Relation",
    "Resume",
    "Run",
    "Seed",
    "Settings",
    "Split",
    "Tail",
    "Task",
    "Top",
    "Workers",
    "check_output",
    "is_spread",
    "open_run",
    "parse_columns",
    "parse_settings",
    "require_there",
    "spread",
    "with_book",
]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress and no notes.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Random seed.")]

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A registered name, a dataset folder, a graph store or a file.",
        autocompletion=complete_data,
    ),
]
Task = Annotated[
    str | None,
    typer.Option(
        "--task",
        metavar="|".join(OURS),
        help="What the data are of [default: told by the data].",
        autocompletion=complete_task,
    ),
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="The --out folder of parsimony fit.")]
Mirror = Annotated[
    str | None, typer.Option("--mirror", metavar="URL|FOLDER", help="Where to look for datasets.")
]
Columns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="H,R,T",
        help="Columns by name or number (from 1): head, relation, tail; or user, item, rating.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="A parameter of the method (see parsimony methods NAME); repeatable.",
        autocompletion=complete_setting,
    ),
]
Engine = Annotated[
    str,
    typer.Option("--engine", metavar="local|ray", help="Where trials, or shards, are computed."),
]
Address = Annotated[
    str | None, typer.Option("--address", metavar="HOST:PORT", help="Address of a Ray cluster.")
]
Workers = Annotated[
    int, typer.Option("--workers", min=1, max=64, metavar="N", help="Processes here.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue where RUN stopped.")]
Knowledge = Annotated[
    Path | None,
    typer.Option(
        "--knowledge",
        metavar="BOOK",
        help="A book or a file of rules that bears on the answers, in place of the run's own.",
    ),
]
Split = Annotated[str, typer.Option("--split", metavar="valid|test", help="Which split.")]
Head = Annotated[str | None, typer.Option("--head", metavar="H", help="Ask (H, R, ?).")]
Tail = Annotated[str | None, typer.Option("--tail", metavar="T", help="Ask (?, R, T).")]
Relation = Annotated[str | None, typer.Option("--relation", metavar="R", help="The relation.")]
Top = Annotated[int, typer.Option("--top", min=1, help="How many to show.")]


def parse_settings(settings: list[str] | None) -> dict[str, Any]:
    """Parse ``key=value`` pairs; a value that is not TOML is taken as text.

    Raises
    ------
    InvalidParameter
        No equals sign, no key before it, or a value beyond the limits of
        :func:`parsimony.decoding.parse_toml`.
    """
    values: dict[str, Any] = {}
    for setting in settings or ():
        key, equals, text = setting.partition("=")
        key = key.strip()
        if not equals or not key:
            raise InvalidParameter(
                f"--set takes KEY=VALUE. Got {setting!r}", remedy="for example --set dim=32"
            )
        values[key] = _value(key, text.strip())
    return values


def _value(key: str, text: str) -> Any:
    from parsimony.decoding import parse_toml

    try:
        parsed = parse_toml(f"value = {text}", error=InvalidParameter)
    except InvalidParameter as error:
        if isinstance(error.__context__, tomllib.TOMLDecodeError):
            return text  # no TOML, so it is text
        raise InvalidParameter(
            f"--set {key}: {error.message.removeprefix('not TOML: ')}",
            remedy=f"give a shorter value; parsimony methods NAME says what {key} takes",
        ) from None
    value = parsed.get("value")
    # A line break would smuggle in a second key; no parameter is a date.
    plain = len(parsed) == 1 and isinstance(value, (bool, int, float, str, list))
    return value if plain else text


def parse_columns(columns: str | None) -> tuple[str, str, str] | None:
    """Read three column names or numbers, of head, relation, tail or of user, item, rating.

    Raises
    ------
    InvalidParameter
        Not three names.
    """
    if columns is None:
        return None
    names = [name.strip() for name in columns.split(",")]
    if len(names) != 3 or not all(names):
        raise InvalidParameter(
            f"--columns takes three names. Got {columns!r}",
            remedy="for example --columns subject,predicate,object",
        )
    return names[0], names[1], names[2]


def check_output(path: Path | None) -> None:
    """Refuse to write a file where a folder is, before the work starts.

    Raises
    ------
    NotAFile
    """
    if path is not None and path.is_dir():
        raise NotAFile(
            "a folder exists where the file should be written",
            remedy="name a file inside it",
            where=str(path),
        )


@contextmanager
def spread(engine: str, address: str | None, workers: int, out: Path | None) -> Iterator[Any]:
    """Hold the engine that computes the shards of a file, and say how to go on after a stop.

    Raises
    ------
    UnknownParameter, InvalidParameter, MissingExtra
        See :func:`parsimony.run.engine.resolve_engine`.
    """
    from parsimony.run.engine import resolve_engine

    kept = NOTHING_LOST if out is None else "the same command continues where this one stopped"
    where = resolve_engine(engine, address=address, processes=workers)
    with closing(where), interruptible(kept):
        yield where


def is_spread(engine: str, address: str | None, workers: int) -> bool:
    """Whether other processes were asked for."""
    return engine != "local" or address is not None or workers != 1


def require_there(path: Path) -> None:
    """Refuse the path of a run where nothing is.

    Raises
    ------
    MissingRun
        There is no such folder; a similar one is suggested.
    """
    if not path.exists():
        parent = path.parent
        siblings = [p.name for p in parent.iterdir() if p.is_dir()] if parent.is_dir() else []
        hint = suggest(path.name, siblings)
        raise MissingRun(
            "no such run folder",
            remedy=hint or "create one with: parsimony fit DATA --out RUN",
            where=str(path),
        )


def with_book(estimator: Any, path: Path | None, settings: list[str] | None = None) -> Any:
    """Put the book of a file around a fitted model; rules are replaced by those of the book.

    Raises
    ------
    UsageError
        A model of another problem, or settings without a book.
    """
    from parsimony.problems import problem

    given = parse_settings(settings)
    if path is None:
        if given:
            raise UsageError("--set is of the book here", remedy="add --knowledge BOOK")
        return estimator
    if unknown := sorted({*given} - {"knowledge_as", "sure"}):
        raise InvalidParameter(
            f"a fitted model takes no {unknown[0]}", remedy="for example --set knowledge_as=prior"
        )
    name = problem(estimator.kind).guided
    if not name:
        raise UsageError(
            f"no book bears on a run for task {estimator.kind}", remedy="leave --knowledge out"
        )
    from parsimony.knowledge.sources import read_knowledge
    from parsimony.methods import resolve

    notes: list[str] = []
    book = read_knowledge(path, estimator.task_.train_graph, notes=notes)
    if type(estimator).takes_knowledge and estimator.method != name:
        settled = estimator.resolved_.model_dump()
        return type(estimator)(**settled).fit(estimator.task_, knowledge=book)
    from parsimony.run.deadline import Deadline

    around: Any = resolve(name)
    found = around.around(estimator, book, deadline=Deadline(_WEIGHING), **given)
    found.notes_ += notes
    return found


def open_run(path: Path, kind: str | None = None) -> Any:
    """Read a fitted estimator from a run folder.

    Parameters
    ----------
    path
        The folder.
    kind
        The problem that the run must be for; any by default.

    Raises
    ------
    MissingRun
        There is no such folder; a similar one is suggested.
    UsageError
        The run is for another problem.
    """
    from parsimony.methods import load_run
    from parsimony.problems import problem

    require_there(path)
    estimator = load_run(path)
    if kind not in (None, estimator.kind):
        raise UsageError(
            f"this run is for task {estimator.kind} (method {estimator.method}), not {kind}",
            remedy=f"use {problem(estimator.kind).verbs}",
            where=str(path),
        )
    return estimator
