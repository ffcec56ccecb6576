"""What a frontier found, as JSON, as a table, as figures and as a page."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from parsimony.decoding.strict_json import json_text
from parsimony.frontier.analysis import Analysis, Best, analyse
from parsimony.frontier.figures import frontier_figure
from parsimony.frontier.look import WHITE
from parsimony.frontier.page import frontier_page
from parsimony.frontier.row import Row
from parsimony.frontier.runs import Runs
from parsimony.frontier.stratum_figure import stratum_error, stratum_names
from parsimony.frontier.words import crossing_words, verdict

__all__ = ["CSV", "FIGURE", "JSON", "PAGE", "Found", "frontier_files", "gathered"]

JSON, CSV, PAGE, FIGURE = "frontier.json", "frontier.csv", "frontier.html", "frontier"
_COLUMNS = (
    "family", "side", "size", "method", "seed", "labels_share", "labels", "status", "metric",
    "value", "value_valid", "error_loss", "parameters", "parameters_without_tables", "flops",
    "processor_seconds", "seconds", "trials", "bits_int8", "bits_float16", "graph_bits", "settings",
    "why",
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What was found.

    Attributes
    ----------
    told
        The content of frontier.json.
    analyses
        Of each way of counting, that of the headline first.
    rows
        All of them.
    """

    told: dict[str, Any]
    analyses: list[Analysis]
    rows: list[Row]


def gathered(runs: Runs, n_planned: int, command: str) -> Found:
    """Analyse what has been run.

    Parameters
    ----------
    n_planned
        How many runs the protocol asks for.
    command
        That repeats it.
    """
    protocol, results = runs.protocol, runs.results
    rows = [row for row, _ in results]
    how: dict[str, Any] = {"headline_share": protocol.headline_share}
    analyses = analyse(results, protocol.axis, **how)
    of_loss = analyse(results, protocol.axis, loss=True, **how)
    metric = rows[0].metric if rows else "score"
    side, sentence = verdict(analyses[0], metric) if analyses else (
        "open", "Nothing can be said: no run was finished."
    )  # fmt: skip
    done = [row for row in rows if row.status == "done"]
    counts = {
        "planned": n_planned, "done": len(done),
        "failed": sum(row.status == "failed" for row in rows),
        "out of time": sum(row.status == "out of time" for row in rows),
        "not run": n_planned - len(rows),
    }  # fmt: skip
    notes = [note for analysis in analyses[:1] for note in analysis.notes]
    if counts["not run"] or counts["out of time"]:
        notes.append(
            f"not finished: {counts['not run']} of {n_planned} runs were not made and "
            f"{counts['out of time']} had too little time; go on with --resume and more budget"
        )
    if counts["failed"]:
        notes.append(f"{counts['failed']} runs failed; the table says why")
    if protocol.trials < 2 and rows:  # the first trial is that of the defaults
        notes.append("no size was tuned: every method ran with its defaults")
    told: dict[str, Any] = {
        "data": {"name": protocol.data, "hash": protocol.data_hash},
        "task": protocol.task.kind, "axis": protocol.axis, "metric": metric,
        "verdict": side, "sentence": sentence, "finished": len(done) == n_planned,
        "runs": counts,
        "measures": [_told(each) for each in analyses],
        "loss": [_told(each) for each in of_loss[:1]],
        "strata": _strata(analyses), "folder": str(runs.folder),
        "page": str(runs.folder / PAGE),
        "figure": str(runs.folder / f"{FIGURE}.png") if analyses else None,
        "protocol": protocol.hash, "command": command, "seconds": runs.spent, "notes": notes,
        "rows": [asdict(row) for row in rows],
    }  # fmt: skip
    return Found(told, analyses, rows)


def _told(found: Analysis) -> dict[str, Any]:
    """An analysis as JSON."""
    measure = found.measure
    return {
        "measure": measure.key, "words": measure.words,
        "curves": [
            {
                "family": curve.family, "side": curve.side,
                "points": [point.as_dict() for point in curve.points], **curve.summary,
                "notes": curve.notes,
            }
            for curve in found.curves.values()
        ],
        "knowledge": _best(found.knowledge), "scaled": _best(found.scaled),
        "gain": None if found.gain is None
        else {"value": found.gain[0], "interval": list(found.gain[1:])},
        "equivalent": [
            {
                "model": _best(each.model), "family": each.curve.family,
                **each.scale.as_dict(), "says": crossing_words(each, measure.unit),
            }
            for each in found.crossings
        ],
        "notes": found.notes,
    }  # fmt: skip


def _best(best: Best | None) -> dict[str, Any] | None:
    if best is None:
        return None
    return {
        "family": best.family, "size": best.group.label, "amount": best.group.amount,
        "error": best.error, "interval": list(best.interval),
    }  # fmt: skip


def _strata(analyses: Sequence[Analysis]) -> list[dict[str, Any]]:
    """Errors of the two compared models on each part of the test queries."""
    if not analyses:
        return []
    first, found = analyses[0], []
    for name, n in stratum_names(first.rows).items():
        here: dict[str, Any] = {"name": name, "n": n}
        for best in (first.knowledge, first.scaled):
            error = None if best is None else stratum_error(first, best.group, name)
            if best is not None and error is not None:
                here[best.side] = error
        found.append(here)
    return found


def frontier_files(folder: Path, found: Found, runs: Runs) -> dict[Path, bytes | str]:
    """Return every file of a result with its content."""
    files: dict[Path, bytes | str] = {
        folder / JSON: json_text(found.told, indent=1) + "\n",
        folder / CSV: _csv(found.rows),
    }
    if found.analyses:
        first, metric = found.analyses[0], found.told["metric"]
        for form in ("svg", "png"):
            files[folder / f"{FIGURE}.{form}"] = frontier_figure(first, metric, WHITE, form)
    page = frontier_page(found.told, found.analyses, found.rows, runs.protocol)
    files[folder / PAGE] = page.encode("utf-8", errors="replace")
    return files


def _csv(rows: Sequence[Row]) -> str:
    """All runs as a table."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        held = asdict(row) | {"settings": json_text(row.settings)}
        writer.writerow(["" if held[name] is None else held[name] for name in _COLUMNS])
    return text.getvalue()
