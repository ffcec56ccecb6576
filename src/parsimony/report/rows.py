"""What the pages of all runs share: the cost, rows of names and values, learning curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from parsimony.pages.charts import line_chart, series
from parsimony.pages.templating import amount, duration, memory

__all__ = ["COST", "flat_rows", "learning_charts", "named_rows"]

COST = {
    "parameters": ("trained parameters", amount),
    "labels": ("labelled facts seen", amount),
    "flops": ("floating-point operations", amount),
    "cpu_seconds": ("CPU time", duration),
    "wall_seconds": ("wall time", duration),
    "peak_memory_bytes": ("peak memory", memory),
    "hardware": ("hardware", str),
}


def learning_charts(
    history: Any, best: int | None, measure: str, title_of_measure: str
) -> list[tuple[str, str]]:
    """Draw one chart per series in the history: a validation metric, the loss."""
    from markupsafe import Markup

    curves: list[tuple[str, str]] = []
    # What has no loss is not learned in epochs: its rows are settings that were tried.
    across = "epoch" if series(history, "loss") else "setting tried"
    for key, title in ((measure, title_of_measure), ("loss", "Training loss")):
        points = series(history, key)
        if not points:
            continue
        if key == measure and best is None:
            best = int(max(points, key=lambda point: point[1])[0])
        svg = line_chart(
            points,
            title=f"{title} by {across}",
            across=across,
            up=title,
            best=best if key == measure else None,
        )
        curves.append((title, Markup(svg)))
    return curves


def named_rows(values: Mapping[str, Any], names: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (label, text) in the order of the names; keys without a name follow unchanged."""
    known = [
        (label, show(values[key]))
        for key, (label, show) in names.items()
        if values.get(key) is not None
    ]
    return known + [
        (key.replace("_", " "), str(value)) for key, value in values.items() if key not in names
    ]


def flat_rows(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield dotted keys and their values."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat_rows(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)
