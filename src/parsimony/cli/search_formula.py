"""What ``parsimony search --space modulation`` prints."""

from __future__ import annotations

import shlex
from typing import Any

from parsimony.cli.tables import table

__all__ = ["readable"]


def readable(summary: dict[str, Any]) -> list[Any]:
    """Return the found formula, the finalists, the ranking and the cost."""
    from parsimony.knowledge.formula import Formula

    best = summary["best"]
    named = f" ({best['name']})" if best["name"] else ""
    rows = []
    for row in summary["comparison"]:
        test = row.get("test", {"metrics": {}, "interval": {}})
        gap = row.get("difference", {}).get("test", {})
        rows.append([
            row["name"], row["operators"], row["skill"], *(_of(test, m) for m in ("mse", "ndcg@5")),
            *(_gap(gap.get(m)) for m in ("mse", "ndcg@5")),
        ])  # fmt: skip
    parts = [
        f"best formula{named}, {best['operators']} operators:",
        Formula.parse(best["formula"]).text(),
        "",
        table(
            ["finalist", "operators", "valid skill", "test mse", "test ndcg@5",
             "best better by, mse", "ndcg@5"],
            rows,
        ),
    ]  # fmt: skip
    if ranking := summary["ranking"]:
        rows = [
            [r["operators"], r["best"], r["mean"], r["formula"]] for r in ranking["by_operators"]
        ]
        parts += [
            "",
            f"all {ranking['structures']:,} formulas on shared weights, in "
            f"{ranking['seconds']:.0f} s:",
            table(["operators", "best skill", "mean", "best formula"], rows),
        ]
    seconds, predictor = summary["seconds"], summary["predictor"]
    parts.append(
        f"{summary['trials']} trials in {seconds['search']:.0f} s, final trainings "
        f"{seconds['final']:.0f} s"
    )
    if predictor and predictor["rank_correlation"] is not None:
        parts.append(
            f"ranking against trials: rank correlation {predictor['rank_correlation']:.2f} over "
            f"{predictor['rounds']} rounds"
        )
    return [
        *parts,
        f"run:   {summary['run']}",
        f"next:  parsimony evaluate {shlex.quote(summary['run'])}",
    ]


def _of(part: dict[str, Any], measure: str) -> str:
    if measure not in part["metrics"]:
        return ""
    low, high = part["interval"][measure]
    return f"{part['metrics'][measure]:.4f} ({low:.4f} to {high:.4f})"


def _gap(value: dict[str, Any] | None) -> str:
    if value is None:
        return ""
    low, high = value["interval"]
    return f"{value['mean']:+.4f} ({low:+.4f} to {high:+.4f})"
