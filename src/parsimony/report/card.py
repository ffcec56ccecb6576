"""The model card of a run: what it is for, from what it was learned, how well, and where not.

After Mitchell et al., "Model Cards for Model Reporting" (2019): the same sections, in Markdown,
from the run folder alone.
"""

from __future__ import annotations

import html
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from parsimony.base import Estimator
from parsimony.methods import load_run
from parsimony.pages.templating import amount
from parsimony.problems import problem
from parsimony.report.rows import COST, named_rows
from parsimony.run.description import description_bytes, size_text
from parsimony.run.folder import RunFolder
from parsimony.run.restoring import restoring
from parsimony.version import __version__
from parsimony.visible import visible

__all__ = ["run_card"]

_SPLITS = {"valid": "validation", "test": "test"}


def run_card(path: Path | str, *, estimator: Estimator[Any, Any] | None = None) -> str:
    """Return the model card of a run as Markdown.

    Nothing is measured anew: the figures are those of ``metrics.json``, so that the card says what
    ``fit`` said. No clock time is in it but under "Cost".

    Parameters
    ----------
    path
        A finished run.
    estimator
        The run's estimator, if it has been loaded already.

    Raises
    ------
    MissingRun, CorruptRun, RunVersionError
        Not a run folder, a damaged one, or one of another version.
    """
    run = RunFolder.open(path)
    if estimator is None:
        estimator = load_run(path)
    with restoring(run.path, parameters=False):
        return "\n".join(_lines(run, estimator)).rstrip() + "\n"


def _lines(run: RunFolder, estimator: Estimator[Any, Any]) -> Iterator[str]:
    config, kind = run.config, problem(estimator.kind)
    data, metrics = config["data"], run.read_json("metrics.json") or {}
    words = kind.part("report")
    yield from (f"# Model card: {_text(estimator.method)} on {_text(data['name'])}", "")
    yield from ("## Model", "")
    yield from _table(("", ""), [
        ("method", estimator.method + (f" ({estimator.paper})" if estimator.paper else "")),
        ("problem", f"{kind.noun} ({estimator.kind})"),
        ("trained numbers", amount(estimator.parameters_count_)),
        ("description length", size_text(description_bytes(run))),
        ("written by", f"Parsimony; this card by {__version__}"),
    ])  # fmt: skip
    yield from ("## Use", "", f"For: {words.USE}", "")
    yield from (*(f"- {line}" for line in words.NOT_FOR), "")
    yield from ("## Data", "")
    yield from _table(("", ""), [
        ("name", data["name"]), ("source", data["source"]), ("content hash (SHA-256)", data["hash"])
    ])  # fmt: skip
    if notes := estimator.task_.notes:
        yield from (*(f"- {_text(note)}" for note in notes), "")
    yield from ("## Training", "")
    values = {**config.get("options", {}), **config.get("parameters", {})}
    yield from _table(("parameter", "value"), values.items())
    summary = run.read_json("summary.json") or {}
    if estimator.method and summary.get("epochs"):
        chosen = ", chosen on validation" * bool(metrics.get("valid"))
        yield from (f"{summary['epochs']} epochs; number {summary.get('best_epoch')} answers"
                    f"{chosen}.", "")  # fmt: skip
    yield from ("## Measured", "")
    yield from _measured(metrics)
    measured = metrics.get("test") or metrics.get("valid") or {}
    if groups := list(_groups(measured.get("strata") or {}, estimator.headline)):
        yield from (f"### By group: {_text(estimator.headline)}", "")
        yield from _table(("group", "questions", "value"), groups)
    if rows := _relations(measured):
        yield from ("### The five worst relations", "")
        yield from _table(("relation", "questions", "MRR"), rows)
    yield from ("## Cost", "")
    yield from _table(("", ""), named_rows(run.read_json("ledger.json") or {}, COST))
    if said := [*(run.read_json("notes.json") or []), *summary.get("notes", [])]:
        yield from ("## Notes", "", *(f"- {_text(note)}" for note in dict.fromkeys(said)), "")
    yield from ("## To use it", "", "```", f"parsimony report {_shown(run.path)}", "```", "")
    yield "or `parsimony.load_run` in Python. Loading executes no code."


def _measured(metrics: Mapping[str, Any]) -> Iterator[str]:
    rows = []
    for split, words in _SPLITS.items():
        found = metrics.get(split) or {}
        intervals = found.get("interval") or {}
        for name, value in (found.get("metrics") or {}).items():
            low, high = intervals.get(name) or (None, None)
            between = "" if low is None else f"{low:.3f} to {high:.3f}"
            rows.append((words, name, _number(value), between))
    yield from _table(("split", "measure", "value", "95 % interval"), rows)
    tested = bool(metrics.get("test"))
    found = metrics.get("test" if tested else "valid") or {}
    where = "the test" if tested else "validation"
    n = found.get("n_queries", found.get("users"))
    policy = f"; ranks: {found['policy']}" if found.get("policy") else ""
    if n is not None:
        yield from (f"{amount(n)} questions of {where}{policy}. Intervals hold the "
                    "choice of the questions, not that of the seed.", "")  # fmt: skip


def _groups(strata: Mapping[str, Any], headline: str) -> Iterator[tuple[str, str, str]]:
    """Rows of the subgroups: kinds of them with a list each, or one dict a group."""
    for name, found in strata.items():
        if isinstance(found, Mapping) and headline in found:
            yield name, amount(found.get("n", 0)), _number(found[headline])
        elif isinstance(found, Sequence) and not isinstance(found, str):
            for row in found:
                n = row.get("n_queries", row.get("n", 0))
                yield (
                    f"{name.replace('_', ' ')}: {row['stratum']}",
                    amount(n),
                    _number(row.get(headline)),
                )


def _relations(measured: Mapping[str, Any], n: int = 5) -> list[tuple[str, str, str]]:
    rows = [row for row in measured.get("per_relation") or [] if row.get("mrr") is not None]
    worst = sorted(rows, key=lambda row: (row["mrr"], row["relation"]))[:n]
    return [(row["relation"], amount(row["n_queries"]), _number(row["mrr"])) for row in worst]


def _shown(path: Path) -> str:
    """The folder's name as a word of a command, on one line."""
    return shlex.quote(visible(path.name or path.resolve().name, one_line=True))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    lines = [f"| {' | '.join(_text(cell) for cell in row)} |" for row in rows]
    if lines:
        yield from (f"| {' | '.join(head)} |", "|" + "---|" * len(head), *lines, "")


def _text(value: Any) -> str:
    """A name of anyone as text: no markup, no further cell, no further line."""
    text = html.escape(visible(str(value)), quote=False).replace("\n", " ")
    return "".join(f"\\{c}" if c in "\\`*[]|" else c for c in text)
