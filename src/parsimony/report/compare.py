"""Runs side by side: paired differences, strata, cost and description length."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from parsimony.base import Estimator
from parsimony.errors import InvalidParameter, UsageError
from parsimony.methods import load_run
from parsimony.pages.comparison_charts import letter, size_chart
from parsimony.pages.templating import environment
from parsimony.problems import problem
from parsimony.report.compared import Compared, Value
from parsimony.report.strata import mark, strata_charts
from parsimony.run.description import size_text
from parsimony.run.folder import RunFolder
from parsimony.version import __version__

__all__ = ["compare_runs", "comparison_page"]

_COST = ("parameters", "labels", "flops", "wall_seconds", "cpu_seconds", "peak_memory_bytes")
_NAMES = {
    "mrr": "MRR", "hits@1": "Hits@1", "hits@3": "Hits@3", "hits@10": "Hits@10",
    "macro_f1": "macro-F1", "macro_f1_true_labels": "macro-F1, true types", "kappa": "Cohen's κ",
    "pr_auc": "PR-AUC", "roc_auc": "ROC-AUC", "mse": "MSE", "mae": "MAE", "ndcg@3": "nDCG@3",
    "ndcg@5": "nDCG@5",
}  # fmt: skip


def compare_runs(
    paths: Sequence[Path | str], *, split: str = "test", seed: int = 0, quiet: bool = True
) -> dict[str, Any]:
    """Measure runs on the same questions and compare them pair by pair.

    Parameters
    ----------
    paths
        Two finished runs or more, of the same data.
    split
        "valid" or "test".
    seed
        Of the bootstrap.
    quiet
        Show no progress.

    Returns
    -------
    dict
        ``kind, data[name hash], split, unit, n, headline``; ``runs``: for each its ``letter, run,
        method, description_bytes``, what ledger.json holds of its cost, and ``values``, measure →
        ``value`` and 95 % ``interval``; ``differences``: for each two runs ``better`` and
        ``worse``, letters by the headline, and ``gain``, measure → how much better the one is,
        with its paired interval; ``best``, ``simplest`` (the smallest description, then the least
        computation, among the runs whose difference to the best does not exclude zero), ``says``
        (the same as a sentence); ``strata`` and ``relations``, where the problem has them;
        ``notes``.

    Raises
    ------
    InvalidParameter
        Another split.
    UsageError
        Fewer than two runs, or runs of different problems, data or questions.
    EmptySplit
        The split has nothing to measure.
    MissingRun, CorruptRun, RunVersionError
        Not a run folder, a damaged one, or one of another version.
    """
    if split not in ("valid", "test"):
        raise InvalidParameter(
            f"split must be 'valid' or 'test'. Got {split!r}", remedy="--split test"
        )
    runs = [RunFolder.open(path) for path in paths]
    _require_comparable(runs)
    kind = str(runs[0].config["task"])
    estimators = [load_run(run.path) for run in runs]
    found: Compared = (
        problem(kind).part("report").compared(estimators, split, seed=seed, quiet=quiet)
    )
    rows = [_row(i, run, estimators[i], found) for i, run in enumerate(runs)]
    pairs: dict[tuple[int, int], Mapping[str, Value]] = {}
    for i, j in itertools.combinations(range(len(runs)), 2):
        pairs[i, j] = found.gain(i, j)
        pairs[j, i] = {name: _turned(gap) for name, gap in pairs[i, j].items()}
    best = 0
    for i in range(1, len(runs)):
        if pairs[i, best][found.headline]["value"] > 0:
            best = i
    simplest = min(
        (i for i in range(len(runs)) if i == best or not _above(pairs[best, i][found.headline])),
        key=lambda i: (rows[i]["description_bytes"], rows[i].get("cpu_seconds") or 0.0, i),
    )
    ordered = [
        (i, j) if pairs[i, j][found.headline]["value"] >= 0 else (j, i)
        for i, j in itertools.combinations(range(len(runs)), 2)
    ]
    return {
        "kind": kind,
        "data": {key: runs[0].config["data"][key] for key in ("name", "hash")},
        "split": split,
        "unit": found.unit,
        "n": found.n,
        "headline": found.headline,
        "runs": rows,
        "differences": [
            {"better": letter(i), "worse": letter(j), "gain": dict(pairs[i, j])} for i, j in ordered
        ],
        "best": letter(best),
        "simplest": letter(simplest),
        "says": _says(rows, best, simplest, pairs, found.headline),
        "strata": dict(found.strata),
        "relations": list(found.relations),
        "notes": _notes(found, estimators, split),
    }


def _require_comparable(runs: Sequence[RunFolder]) -> None:
    """Refuse runs that cannot be asked the same questions, by their config.toml alone."""
    if len(runs) < 2:
        raise UsageError("one run has nothing to be compared with", remedy="name two runs or more")
    for run in runs:
        run.require_config()
    first = runs[0]
    folder, name = (
        shlex.quote(text) for text in (str(first.path.parent), first.config["data"]["name"])
    )
    for run in runs[1:]:
        for key, what in (("task", "problems"), ("data", "data")):
            own, other = run.config[key], first.config[key]
            if own == other or (key == "data" and own["hash"] == other["hash"]):
                continue
            said = [c if key == "task" else f"{c['name']} ({c['hash'][:8]})" for c in (other, own)]
            raise UsageError(
                f"the runs are of different {what}: {first.path} of {said[0]}, {run.path} of "
                f"{said[1]}",
                remedy=f"compare runs of the same data: parsimony runs {folder} --data {name}",
            )


def _row(i: int, run: RunFolder, estimator: Estimator[Any, Any], found: Compared) -> dict[str, Any]:
    ledger = run.read_json("ledger.json") or {}
    return {
        "letter": letter(i),
        "run": str(run.path),
        "method": estimator.method,
        "description_bytes": estimator.description_bytes(),
        **{key: ledger.get(key) for key in _COST},
        "values": dict(found.values[i]),
    }


def _turned(gain: Value) -> Value:
    """How much better the other one is."""
    between = gain["interval"]
    return {
        "value": -gain["value"], "interval": between and [-between[1], -between[0]],
    }  # fmt: skip


def _above(gain: Value) -> bool:
    """Whether an interval shows a difference above zero."""
    return gain["interval"] is not None and gain["interval"][0] > 0


def _says(
    rows: Sequence[Mapping[str, Any]], best: int, simplest: int,
    pairs: Mapping[tuple[int, int], Mapping[str, Value]], headline: str,
) -> str:  # fmt: skip
    """Say in a sentence which run is best, and which is the simplest that is not worse."""
    name, first, second = _NAMES.get(headline, headline), rows[best], rows[simplest]

    def called(row: Mapping[str, Any]) -> str:
        size = size_text(row["description_bytes"])
        return f"{row['letter']} ({row['method']}, {size})"

    if best != simplest:
        gap = pairs[best, simplest][headline]
        return (
            f"{called(second)} is the simplest that is not worse: {called(first)} has the best "
            f"{name}, but the difference, {_difference(gap)}, does not exclude zero."
        )
    smaller = [i for i, r in enumerate(rows) if r["description_bytes"] < first["description_bytes"]]
    if not smaller:
        return f"{called(first)} has the best {name}, and no run a smaller description."
    near = min(smaller, key=lambda i: pairs[best, i][headline]["value"])
    return (
        f"{called(first)} has the best {name}; the nearest smaller run, {called(rows[near])}, is "
        f"worse by {_difference(pairs[best, near][headline])}."
    )


def _difference(gap: Value) -> str:
    low, high = gap["interval"] or (gap["value"], gap["value"])
    return f"{gap['value']:.4f} (95 %: {low:.4f} to {high:.4f})"


def _notes(found: Compared, estimators: Sequence[Estimator[Any, Any]], split: str) -> list[str]:
    """What is to be known: of the data once, of every method; how the runs may be chosen."""
    notes = [*found.notes]
    for i, each in enumerate(estimators):
        notes += [f"{letter(i)}: {note}" for note in getattr(each, "notes_", ())]
    if split == "test":
        notes.append("to choose a run, compare on validation (--split valid): test is to report")
    return list(dict.fromkeys(notes))


# ---- the page --------------------------------------------------------------------------------


def comparison_page(found: Mapping[str, Any]) -> str:
    """Return the page of what :func:`compare_runs` returned, one self-contained HTML text."""
    from markupsafe import Markup

    name = _NAMES.get(found["headline"], found["headline"])
    headline, runs = found["headline"], found["runs"]
    points = [(row["description_bytes"], mark(row["letter"], row["values"].get(headline)))
              for row in runs]  # fmt: skip
    title = f"{name} against description length"
    chart = size_chart(points, title=title, up=f"{name}, {found['split']}")
    measures = list(runs[0]["values"])
    return (
        environment()
        .get_template("compare.html.j2")
        .render(
            title=f"{len(runs)} runs on {found['data']['name']}",
            found=found,
            runs=runs,
            name=name,
            names={key: _NAMES.get(key, key.replace("_", " ")) for key in measures},
            size_chart=(title, Markup(chart)),
            strata=strata_charts([row["letter"] for row in runs], found["strata"], name),
            relations=found["relations"],
            notes=list(found["notes"]),
            size_text=size_text,
            version=__version__,
        )
    )  # fmt: skip
