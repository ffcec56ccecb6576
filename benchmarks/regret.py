"""Defaults against tuning, on graphs that are treated as a stranger's: how much tuning finds.

    python benchmarks/regret.py umls:redgnn:10m fb237_v1:complex:5m …

Each case is ``parsimony tune GRAPH --method METHOD --budget BUDGET`` with presets switched off. It
ends with two trainings to the end, of the settings found and of the defaults, in equal time.
``regret`` is what the defaults lose on validation, none where tuning found nothing better; ``test``
tells both figures there, read once. A case that is run again replaces its row.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import RESULTS, record
from panel import graph

from parsimony.run.duration import parse_duration
from parsimony.search import Budget, TuneRequest, run_tune


def measure(name: str, method: str, budget: str) -> dict[str, Any]:
    """One case."""
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        request = TuneRequest(
            graph(name),
            method,
            out=Path(folder, "run"),
            budget=Budget(seconds=parse_duration(budget)),
        )
        _, found = run_tune(request)
    rows = {"default" if row["name"] == "default" else "tuned": row for row in found["comparison"]}
    tuned = rows.get("tuned", rows["default"])
    return {
        "graph": name, "method": method, "budget": budget, "trials": found["trials"],
        "seconds": round(time.perf_counter() - begin, 1), "settings": tuned["settings"],
        "valid": {"default": rows["default"]["figure"], "tuned": tuned["figure"]},
        "test": {key: row.get("test", {}).get("mrr") for key, row in rows.items()},
        "regret": max(tuned["figure"] - rows["default"]["figure"], 0.0),
        "difference": found["difference"],
        "ended": {key: [row["ended"], row["epochs"], row["seconds"]] for key, row in rows.items()},
    }  # fmt: skip


def main() -> None:
    """Measure what is named, one after another."""
    path = RESULTS / "regret.json"
    rows = json.loads(path.read_text())["result"]["rows"] if path.exists() else []
    for case in sys.argv[1:]:
        row = measure(*case.split(":"))
        same = ("graph", "method", "budget")
        rows = [each for each in rows if any(each[key] != row[key] for key in same)] + [row]
        record("regret", {
            "rows": rows, "mean_regret": sum(each["regret"] for each in rows) / len(rows),
        })  # fmt: skip


if __name__ == "__main__":
    main()
