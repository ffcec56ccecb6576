"""The report of a cold-start run: its formula, what it is held against, how it was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parsimony.pages.templating import amount, environment
from parsimony.report.formula import FORMULAS, formula_view, ranking_view
from parsimony.report.rows import BILL, flat_rows, learning_charts, named_rows
from parsimony.report.run_info import RunInfo
from parsimony.report.search import comparison_view, search_view

__all__ = ["ratings_page"]

_DATA = {
    "name": ("name", str),
    "n_items": ("items", amount),
    "train": ("training users", amount),
    "valid": ("validation users", amount),
    "test": ("test users", amount),
    "source": ("source", str),
    "hash": ("content hash (SHA-256)", str),
}
_MEASURES = {"mse": "MSE", "mae": "MAE", "ndcg@3": "nDCG@3", "ndcg@5": "nDCG@5"}
_BILL = {**BILL, "labels": ("ratings seen", amount)}


def ratings_page(info: RunInfo) -> str:
    """Return the page that :func:`parsimony.report.run_report` writes for task "coldstart"."""
    from parsimony.version import __version__

    data, metrics = info.get("data") or {}, info.get("metrics") or {}
    config, found = info.get("config") or {}, info.get("search")
    split = "test" if "test" in metrics else next(iter(metrics), "")
    method = info.get("method") or str(config.get("method", ""))
    search = search_view(found, info.get("trials") or (), FORMULAS) if found else {}
    best = search["best"] if found else method
    rows = list(found["comparison"]) if found else [_own(info, method)]
    name = data.get("name", "")
    return (
        environment()
        .get_template("ratings.html.j2")
        .render(
            title=info.get("title")
            or (f"The formula that fits {name}" if found else f"{method} on {name}"),
            notes=list(info.get("notes") or ()),
            split=split,
            result=metrics.get(split) or {},
            measures=_MEASURES,
            formula=formula_view(info["formula"]) if info.get("formula") else {},
            search=search,
            ranking=ranking_view(found.get("ranking")) if found else None,
            compared=comparison_view([*rows, *(info.get("baselines") or ())], best, FORMULAS),
            curves=learning_charts(
                info.get("history") or [], info.get("best_epoch"), "valid_skill",
                "Validation skill",
            ),
            table=list(_table(metrics)),
            bill=named_rows(_bill(info.get("ledger") or {}), _BILL),
            config=list(flat_rows(config)),
            data=named_rows({k: v for k, v in data.items() if k != "notes"}, _DATA),
            data_notes=list(data.get("notes") or ()),
            version=info.get("version") or __version__,
        )
    )  # fmt: skip


def _own(info: RunInfo, method: str) -> dict[str, Any]:
    """The run itself as a row of the comparison."""
    ledger, formula = info.get("ledger") or {}, info.get("formula")
    return {
        "name": method,
        **({"formula": formula} if formula else {}),
        "parameters": ledger.get("parameters"),
        "epochs": len(info.get("history") or ()),
        "seconds": ledger.get("wall_seconds"),
        **(info.get("metrics") or {}),
    }


def _bill(ledger: Mapping[str, Any]) -> dict[str, Any]:
    """Operations are not counted here."""
    return {name: value for name, value in ledger.items() if name != "flops" or value}


def _table(metrics: Mapping[str, Mapping[str, Any]]) -> Any:
    """New users of every split, and once the known ones."""
    for split in ("test", "valid"):
        if split in metrics:
            yield {"name": f"new users, {split}", **metrics[split]}
    known = next((found["warm"] for found in metrics.values() if "warm" in found), None)
    if known is not None:
        yield {"name": "known users, held out", **known}
