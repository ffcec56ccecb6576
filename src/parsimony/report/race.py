"""How the page of a run that won a race shows the race: accuracy against description length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parsimony.pages.comparison_charts import Mark, letter, size_chart
from parsimony.run.description import size_text

__all__ = ["race_view"]


def race_view(found: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the template needs; nothing where there was no race.

    Parameters
    ----------
    found
        Content of race.json.
    """
    from markupsafe import Markup

    if not found:
        return {}
    rows: list[dict[str, Any]] = []
    points: list[tuple[int, Mark | None]] = []
    for row in found["rows"]:
        measured = "valid" in row
        mark = None
        if measured:
            low, high = row["interval"]
            mark = Mark(letter(len(points)), row["valid"], low, high)
            points.append((int(row["description_bytes"]), mark))
        rows.append(
            {
                **row,
                "letter": mark.letter if mark else "",
                "size": size_text(row["description_bytes"]) if measured else "",
                "chosen": row["verdict"] == "chosen",
            }
        )
    measure = str(found["measure"]).upper() if found["measure"] == "mrr" else found["measure"]
    title = f"{measure} on validation against description length"
    return {
        "sentence": found["sentence"],
        "rows": rows,
        "measure": measure,
        "title": title,
        "chart": Markup(size_chart(points, title=title, up=f"{measure}, validation")),
        "seconds": found["seconds"],
        "budget": found["budget"],
        "compared": found["compared"],
    }
