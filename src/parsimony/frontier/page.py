"""The page of a frontier: one self-contained HTML text."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from parsimony.frontier.analysis import Analysis
from parsimony.frontier.figures import frontier_figure
from parsimony.frontier.look import LOOKS
from parsimony.frontier.protocol import Protocol
from parsimony.frontier.row import Row
from parsimony.frontier.stratum_figure import stratum_figure
from parsimony.frontier.words import METRICS, amount_text, named, scale_text
from parsimony.pages.templating import environment
from parsimony.version import __version__

__all__ = ["frontier_page"]


def frontier_page(
    told: Mapping[str, Any], analyses: Sequence[Analysis], rows: Sequence[Row], protocol: Protocol
) -> str:
    """Draw the page.

    Parameters
    ----------
    told
        Content of frontier.json.
    analyses
        Of every way of counting, that of the headline first.
    """
    metric = told["metric"]
    name = METRICS.get(metric, metric.replace("_", " "))
    pictures: dict[str, str] = {}
    strata: dict[str, str] = {}
    if analyses:
        for key, look in LOOKS.items():
            pictures[key] = _source(frontier_figure(analyses[0], metric, look))
            drawn = stratum_figure(analyses[0], look)
            strata |= {} if drawn is None else {key: _source(drawn)}
    return (
        environment()
        .get_template("frontier.html.j2")
        .render(
            told=told, name=name, pictures=pictures, strata=strata, rows=rows,
            word={"knowledge": "Knowledge wins", "scaled": "Scaling up wins"}.get(
                told["verdict"], told["sentence"].partition(":")[0]
            ),
            tables=[_table(each) for each in analyses],
            protocol=protocol.text, amount_text=amount_text, version=__version__,
        )
    )  # fmt: skip


def _source(image: bytes) -> str:
    """An SVG as the address of an image, which the page's policy lets stand."""
    return f"data:image/svg+xml;base64,{base64.b64encode(image).decode()}"


def _table(found: Analysis) -> dict[str, Any]:
    """The laws and equivalent scales of a way of counting, in words."""
    unit = found.measure.unit
    laws = [
        {"family": curve.family, "side": curve.side, "summary": curve.summary}
        for curve in found.curves.values()
        if curve.summary
    ]
    crossings = [
        {
            "model": named(each.model),
            "side": each.model.side, "own": amount_text(each.model.group.amount),
            "error": each.model.error, "family": each.curve.family,
            "needs": scale_text(each.scale, unit), "extrapolated": each.scale.extrapolated,
            "verdict": each.scale.verdict,
        }
        for each in found.crossings
    ]  # fmt: skip
    held = [
        {"family": curve.family, **each}
        for curve in found.curves.values()
        for each in curve.summary.get("held_out", ())
    ]
    return {
        "words": found.measure.words, "unit": unit, "laws": laws, "crossings": crossings,
        "held": held, "notes": found.notes,
    }  # fmt: skip
