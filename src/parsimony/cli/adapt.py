"""``parsimony adapt``: adapt a fitted run to a new task from a few labelled examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.options import (
    Address,
    Engine,
    Json,
    Quiet,
    Run,
    Seed,
    Top,
    Workers,
    check_output,
    is_spread,
    open_run,
    spread,
)
from parsimony.cli.partial import Unknown
from parsimony.cli.table_files import check_table, rows_bytes
from parsimony.cli.tables import table
from parsimony.errors import UnknownParameter, UsageError

NOTE = "For research: probabilities from a handful of molecules are for ranking, not for decisions."


def command(
    run: Run,
    support: Annotated[
        Path,
        typer.Option(
            "--support",
            metavar="FILE.csv",
            help="Labelled molecules (smiles, label) or a user's ratings (item, rating); or a "
            "folder of such files, one a task.",
        ),
    ],
    predict: Annotated[
        Path,
        typer.Option(
            "--predict",
            metavar="FILE.csv",
            help="Molecules to predict (smiles) or items (item); or a folder, by the same names.",
        ),
    ],
    prevalence: Annotated[
        float | None,
        typer.Option(
            "--prevalence",
            metavar="P",
            help="Expected fraction of actives among them [default: that of the training tasks].",
        ),
    ] = None,
    bad_smiles: Annotated[
        str,
        typer.Option(
            "--bad-smiles",
            metavar="refuse|skip",
            help="What to do with molecules whose SMILES cannot be parsed.",
        ),
    ] = "refuse",
    top: Top = 3,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="All predictions, as .parquet, .csv or .tsv."),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Predictions and reasons as a page."),
    ] = None,
    engine: Engine = "local",
    address: Address = None,
    workers: Workers = 1,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Adapt to labelled molecules or a new user's ratings, or to many such tasks."""
    output = Output(as_json, quiet)
    check_output(html)
    check_table(out)
    if bad_smiles not in ("refuse", "skip"):
        raise UnknownParameter(
            f"--bad-smiles is refuse or skip. Got {bad_smiles!r}", remedy="--bad-smiles skip"
        )
    estimator = open_run(run)
    if estimator.kind not in _ADAPT:
        open_run(run, "molecules")  # raises, and names the right verb
    asked = _NewTask(support, predict, prevalence, bad_smiles, top, out, html)
    if support.is_dir() and predict.is_dir():
        if out is None or html is not None:
            raise UsageError(
                "folders of tasks need --out, without --html",
                remedy="parsimony adapt RUN --support FOLDER --predict FOLDER --out FILE.parquet",
            )
        with spread(engine, address, workers, out) as where:
            _adapt_many(output, estimator, run, asked, out, where, quiet)
        return
    if is_spread(engine, address, workers):
        raise UsageError(
            "--engine, --address and --workers are for folders of tasks", remedy="leave them out"
        )
    _ADAPT[estimator.kind](output, estimator, asked)


def _adapt_many(
    output: Output, estimator: Any, run: Path, wanted: _NewTask, out: Path, engine: Any, quiet: bool
) -> None:
    """Adapt to every task of two folders, each for itself, into one table."""
    from parsimony.cli.adapting import adapt_all, tasks_of

    files = tasks_of(wanted.support, wanted.predict)
    unknown, options, notes = Unknown(), dict[str, Any](), list[str]()
    rows_of = _ROWS[estimator.kind]
    if estimator.kind == "molecules":
        options = {"prevalence": wanted.prevalence, "top": wanted.top}
        schema = _molecule_schema()
        tasks = {name: _read_molecules(wanted, *pair) for name, pair in files.items()}
        notes = [f"{name}: {n}" for name, read in tasks.items() for one in read for n in one.notes]
    else:
        schema = _rating_schema()
        tasks = {
            name: _read_user(estimator, wanted, unknown, *pair) for name, pair in files.items()
        }
    done = adapt_all(
        estimator, run, tasks, out,
        rows_of=rows_of, schema=schema, options=options,
        files=[path for pair in files.values() for path in pair], engine=engine, quiet=quiet,
    )  # fmt: skip
    done["notes"] = [*notes, *done["notes"]]
    unknown.tell(done, "items")
    output.result(
        done,
        f"{done['tasks']:,} tasks, {done['predictions']:,} predictions in {done['out']} "
        f"({done['resumed']:,} tasks before)",
        *done["notes"],
        *[NOTE] * (estimator.kind == "molecules"),
    )
    unknown.exit()


@dataclass(frozen=True)
class _NewTask:
    """The command-line options that describe the new task."""

    support: Path
    predict: Path
    prevalence: float | None
    bad_smiles: str
    top: int
    out: Path | None
    html: Path | None


def _adapt_molecules(output: Output, estimator: Any, wanted: _NewTask) -> None:
    """Read both tables (smiles and label; smiles), predict, print and write."""
    out, html = wanted.out, wanted.html
    labelled, asked = _read_molecules(wanted, wanted.support, wanted.predict)
    result = _predicted(
        estimator, labelled, asked,
        prevalence=wanted.prevalence, top=wanted.top, atoms=html is not None,
    )  # fmt: skip
    result["notes"] = [*labelled.notes, *asked.notes, *result["notes"]]
    files: dict[Path, bytes | str] = {}
    if out is not None:
        files[out] = _table(result["predictions"], out)
    if html is not None:
        from parsimony.report.molecules import molecules_page

        files[html] = molecules_page(
            result, labelled.ids, labelled.smiles, labelled.labels, _about(estimator)
        )
    output.files(files)
    output.result(result, *_readable(result, labelled, estimator))


def _read_molecules(wanted: _NewTask, support: Path, predict: Path) -> tuple[Any, Any]:
    from parsimony.molecules.user_tables import read_queries, read_support

    bad: Literal["skip", "refuse"] = "skip" if wanted.bad_smiles == "skip" else "refuse"
    return read_support(support, bad), read_queries(predict, bad)


def _predicted(estimator: Any, labelled: Any, asked: Any, **options: Any) -> dict[str, Any]:
    """Adapt to labelled molecules; predictions and their reasons have the ids of the tables."""
    result: dict[str, Any] = estimator.adapt(
        labelled.smiles, labelled.labels, asked.smiles, **options
    )
    for name, prediction in zip(asked.ids, result["predictions"], strict=True):
        for reason in prediction["reasons"]:
            reason["id"] = labelled.ids[reason.pop("support")]
        prediction["id"] = name
    result["predictions"] = [{"id": p.pop("id"), **p} for p in result["predictions"]]
    return result


def _molecule_rows(
    estimator: Any, labelled: Any, asked: Any, **options: Any
) -> tuple[list[tuple[Any, ...]], list[str]]:
    found = _predicted(estimator, labelled, asked, **options)
    return _rows_of(found["predictions"]), found["notes"]


def _about(estimator: Any) -> dict[str, str]:
    """Return the description of the model on a page."""
    data = estimator.task_.data
    return {
        "method": estimator.method,
        "data": data.name,
        "learned": f"was trained on {len(data.train_tasks):,} tasks of {data.name} and"
        if estimator.parameters_count_
        else "uses no other task: it",
    }


def _readable(result: dict[str, Any], labelled: Any, estimator: Any) -> list[Any]:
    def reason(found: dict[str, Any]) -> str:
        label = "active" if found["label"] else "inactive"
        weight = "" if found["weight"] is None else f", weight {found['weight']:.2f}"
        return f"{found['id']} {label}, similarity {found['similarity']:.2f}{weight}"

    rows = []
    for p in sorted(result["predictions"], key=lambda p: -p["probability"]):
        measured = " (measured)" if p["known"] is not None else ""
        rows.append([f"{p['id']}{measured}", p["probability"], p["smiles"],
                     "\n".join(reason(r) for r in p["reasons"])])  # fmt: skip
    active = sum(labelled.labels)
    return [
        f"{estimator.method}: adapted to {active} active and {len(labelled.labels) - active} "
        f"inactive molecules, {result['adapted_parameters']:,} numbers, {result['seconds']:.2f} s",
        table(["molecule", "probability", "smiles", "supports"], rows),
        *result["notes"],
        calibration_sentence(result),
        NOTE,
    ]


def calibration_sentence(result: dict[str, Any]) -> str:
    """Return how the probabilities were calibrated, as a sentence."""
    share = f"assuming that {result['prevalence']:.1%} of them are active (--prevalence)"
    learned = result["calibration"]
    if learned is None:
        return f"Probabilities are uncalibrated; {share}."
    return (
        f"Probabilities: calibrated on {learned['n_episodes']} episodes of each of "
        f"{learned['n_tasks']} validation tasks, {share}."
    )


def _table(predictions: list[dict[str, Any]], path: Path) -> bytes:
    """One row per molecule."""
    return rows_bytes(path, _molecule_schema(), _rows_of(predictions))


def _molecule_schema() -> dict[str, Any]:
    import polars as pl

    return {
        "id": pl.String, "smiles": pl.String, "probability": pl.Float64, "score": pl.Float64,
        "measured": pl.Int8, "supports": pl.String,
    }  # fmt: skip


def _rows_of(predictions: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (
            p["id"], p["smiles"], p["probability"], p["score"], p["known"],
            "; ".join(f"{r['id']} ({'active' if r['label'] else 'inactive'})"
                      for r in p["reasons"]),
        )
        for p in predictions
    ]  # fmt: skip


def _adapt_ratings(output: Output, estimator: Any, wanted: _NewTask) -> None:
    """Read both tables (item and rating; item), predict, print and write.

    Raises
    ------
    UsageError
        An option that applies only to molecules.
    DataError
        A missing column, a rating that is not a number, or no item that is in the data; of several
        the others are answered.
    """
    unknown = Unknown()
    given, asked = _read_user(estimator, wanted, unknown, wanted.support, wanted.predict)
    result = estimator.adapt(given, asked)
    unknown.tell(result, "items")
    predicted, top = result["predictions"], wanted.top
    if wanted.out is not None:
        schema = _rating_schema()
        rows = [[p[name] for name in schema] for p in predicted]
        output.files({wanted.out: rows_bytes(wanted.out, schema, rows)})
    rows = [[p["item"], p["rating"], "" if p["known"] is None else p["known"]] for p in predicted]
    more = len(rows) - top
    output.result(
        result,
        f"{estimator.method}: adapted to {len(given)} ratings, {result['seconds']:.2f} s",
        table(["item", "rating", "rated by the user"], rows[:top]),
        *([f"… and {more:,} more (all with --json or --out)"] if more > 0 else []),
        *result["notes"],
    )
    unknown.exit()


def _read_user(
    estimator: Any, wanted: _NewTask, unknown: Unknown, support: Path, predict: Path
) -> tuple[dict[str, float], list[str]]:
    """The ratings of a user and the items asked about, those that are known.

    Raises
    ------
    UsageError, DataError
        See :func:`_adapt_ratings`.
    """
    from parsimony.errors import UnknownEntity
    from parsimony.ratings.table import read_items, read_ratings

    if wanted.html is not None or wanted.prevalence is not None or wanted.bad_smiles != "refuse":
        raise UsageError(
            "--html, --prevalence and --bad-smiles are for molecules; this run predicts ratings"
        )
    _, items, ratings = read_ratings(support, ("item", "rating"), empty=True)
    asked, known = read_items(predict), dict.fromkeys(estimator.task_.data.items)
    for path, names in ((support, items), (predict, asked)):
        for name in names:
            if name not in known:
                unknown.add(UnknownEntity, name, known, str(path))
    given = {i: r for i, r in zip(items, ratings, strict=True) if i in known}
    asked = [name for name in asked if name in known]
    unknown.require(asked)
    return given, asked


def _rating_schema() -> dict[str, Any]:
    import polars as pl

    return {"item": pl.String, "rating": pl.Float64, "known": pl.Float64}


def _rating_rows(
    estimator: Any, given: dict[str, float], asked: list[str]
) -> tuple[list[tuple[Any, ...]], list[str]]:
    found = estimator.adapt(given, asked)
    return [(p["item"], p["rating"], p["known"]) for p in found["predictions"]], found["notes"]


_ADAPT: dict[str, Callable[[Output, Any, _NewTask], None]] = {
    "molecules": _adapt_molecules,
    "coldstart": _adapt_ratings,
}
_ROWS: dict[str, Callable[..., tuple[list[tuple[Any, ...]], list[str]]]] = {
    "molecules": _molecule_rows,
    "coldstart": _rating_rows,
}
