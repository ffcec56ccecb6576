"""The page of a loop: what each round learned, what that brought, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parsimony.pages.search_charts import interval_chart
from parsimony.pages.templating import environment
from parsimony.version import __version__

__all__ = ["loop_page"]

#: entries of a kind that the page lists
SHOWN = 25


def loop_page(found: Mapping[str, Any]) -> str:
    """Return the page of what ``parsimony loop --json`` prints.

    Parameters
    ----------
    found
        Content of loop.json.
    """
    from markupsafe import Markup

    rounds = [
        {**row, "words": _round_words(row, found["method"]), "parts": _parts(row)}
        for row in found["rounds"]
    ]
    first, best = rounds[0], f"round {found['best']}"
    marks = [(f"{found['method']} alone", first["alone"], *first["alone_interval"])]
    marks += [(f"round {row['round']}", row["mrr"], *row["interval"]) for row in rounds]
    title = "MRR on the measuring half of validation, with 95 % intervals"
    template = environment().get_template("loop.html.j2")
    return template.render(
        version=__version__, found=found, rounds=rounds, title=title,
        chart=Markup(interval_chart(marks, title=title, across="MRR", best=best)),
    )  # fmt: skip


def _round_words(row: Mapping[str, Any], method: str) -> str:
    """Say what one round did."""
    start = f"{row['rules']:,} rules and {row['axioms']:,} axioms"
    if row["trained"]:
        epochs = f"{row['epochs']:,} epoch{'s' * (row['epochs'] != 1)}"
        did = f"{method} was trained for {epochs} with {start}"
    else:
        did = (
            f"The same facts follow from {start} as before, so that {method} was not trained "
            "again; what its rules are worth was learned anew"
        )
    uses = ", ".join(row["uses"]) or "nothing"
    out = "it was not distilled"
    if row["distilled"] is not None:
        book = row["distilled"]["fidelity"]
        out = (
            f"it became {book['rules']:,} weighted rules that give its best answer on "
            f"{book['top1']:.1%}"
        )
    return (
        f"{did} (used as {uses}); {out}. {row['n_new']:,} entries were new, "
        f"{row['n_dropped']:,} were dropped, {row['kept']:,} are kept."
    )


def _parts(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The lists of entries of one round, with how many there are."""
    mined = [each for each in row["mined"] if each["origin"] != "stated"]
    stated = [each for each in row["mined"] if each["origin"] == "stated"]
    n_mined = row["entries"] - row["n_dropped"]
    lists = [
        ("Stated", "What you stated; it is kept in any case.", stated, len(stated)),
        ("Mined and kept", "With their evidence on training facts, those that found most held-out "
         "facts first.", mined, max(n_mined, len(mined))),
        ("New: distilled from the model", "Rules that the book did not have.", row["new"],
         row["n_new"]),
        ("Dropped", "They found less than half of the held-out facts that their evidence promised, "
         "which chance alone explains in less than 1 of 100 cases.", row["dropped"],
         row["n_dropped"]),
    ]  # fmt: skip
    return [
        {"title": title, "about": about, "rows": rows[:SHOWN], "n": n}
        for title, about, rows, n in lists
        if rows
    ]
