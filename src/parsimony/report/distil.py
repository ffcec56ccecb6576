"""The page of a distilled book: fidelity over the number of rules, and the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parsimony.pages.charts import line_chart
from parsimony.pages.templating import environment
from parsimony.version import __version__

__all__ = ["distil_page", "sentence"]

_MEASURES = {
    "top1": "Top-1 agreement",
    "correlation": "Rank correlation",
    "explained": "Share explained",
    "mrr": "MRR of the book",
}


def sentence(found: Mapping[str, Any]) -> str:
    """Say in one sentence what a book keeps of its model.

    Parameters
    ----------
    found
        What ``parsimony distil --json`` prints.
    """
    book = found["fidelity"]
    return (
        f"{book['rules']:,} rules give the best answer of {found['method']} on "
        f"{book['top1']:.1%} of {found['held_out']:,} validation questions, lead to it on "
        f"{book['explained']:.1%}, and reach MRR {book['mrr']:.4f} where the model reaches "
        f"{found['model_mrr']:.4f}."
    )


def distil_page(found: Mapping[str, Any]) -> str:
    """Return the page of what ``parsimony distil --json`` prints."""
    from markupsafe import Markup

    curve, chosen = found["curve"], found["fidelity"]["rules"]
    charts = []
    for key, title in _MEASURES.items():
        points = [(float(point["rules"]), float(point[key])) for point in curve]
        svg = line_chart(
            points, title=f"{title} by rules", across="rules", up=title, best=float(chosen)
        )
        charts.append((title, Markup(svg)))
    template = environment().get_template("distil.html.j2")
    return template.render(
        version=__version__, found=found, charts=charts, chosen=chosen, measures=_MEASURES
    )
