"""How a page shows a modulation formula, a comparison of several, and the ranking of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parsimony.knowledge.formula import Formula
from parsimony.pages.charts import line_chart
from parsimony.pages.svg_of_formula import formula_svg
from parsimony.report.search import Structures

__all__ = ["FORMULAS", "formula_view", "ranking_view"]

#: operator → its expression, and its effect on a layer's state.
_MEANING = {
    "max": ("max(h, a)", "raises values below the user's a to a: a floor"),
    "min": ("min(h, b)", "cuts values above the user's b: a ceiling"),
    "*": ("h * c", "scales by the user's c, which is never negative: 0 switches a unit off"),
    "+": ("h + d", "shifts by the user's d"),
}
_POSITIONS = ("the input", "layer 1", "layer 2", "layer 3")
_MEASURES = {"mse": "MSE", "ndcg@5": "nDCG@5"}


def formula_view(text: str) -> dict[str, Any]:
    """Return a formula as picture, text and words.

    Parameters
    ----------
    text
        Expressions or a name.
    """
    from markupsafe import Markup

    formula = Formula.parse(text)
    operators = []
    for operator, (expression, meaning) in _MEANING.items():
        at = [name for name, o in zip(_POSITIONS, formula.positions, strict=True) if operator in o]
        operators.append((expression, meaning, ", ".join(at)))
    return {
        "name": formula.name,
        "picture": Markup(formula_svg(formula)),
        "line": str(formula),
        "rows": formula.text(),
        "latex": formula.latex(),
        "size": formula.n_operators,
        "operators": operators,
    }


def ranking_view(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the ranking of all formulas from search.json, with a chart."""
    if not found:
        return None
    from markupsafe import Markup

    points = [(float(row["operators"]), row["best"]) for row in found["by_operators"]]
    best = max(points, key=lambda point: point[1])[0]
    title = "Best skill on shared weights by number of operators"
    chart = Markup(line_chart(points, title=title, across="operators", up="best skill", best=best))
    return {**found, "named": found.get("named", []), "chart": chart}


def _split(row: Mapping[str, Any]) -> str:
    return "test" if "test" in row else "valid"


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    split = _split(row)
    skill = {"valid skill": {"value": row["skill"], "interval": None}} if "skill" in row else {}
    return skill | {
        f"{split} {name}": {
            "value": row[split]["metrics"][key], "interval": row[split]["interval"][key],
        }
        for key, name in _MEASURES.items()
        if split in row and key in row[split]["metrics"]
    }  # fmt: skip


def _gaps(row: Mapping[str, Any]) -> dict[str, Any]:
    split = _split(row)
    gaps = row.get("difference", {}).get(split, {})
    return {
        f"best minus this, {split} {name}": {
            "value": gaps[key]["mean"], "interval": gaps[key]["interval"],
        }
        for key, name in _MEASURES.items()
        if key in gaps
    }  # fmt: skip


FORMULAS = Structures(
    noun="formula",
    figure="skill",
    size="operators",
    parse=Formula.parse,
    size_of=lambda formula: formula.n_operators,
    picture=formula_svg,
    values=_values,
    gaps=_gaps,
)
