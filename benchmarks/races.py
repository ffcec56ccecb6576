"""Races on graphs of the panel: ``python benchmarks/races.py umls:15m nations:5m …``.

Each is ``parsimony fit DATA --time-budget BUDGET`` in a process of its own, without preset or
``--set``; the row tells the test MRR of the winner, its description length, the second best and the
seconds of the whole process against the budget. Rows are kept in results/races.json; a graph that
is run again replaces its row.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from panel import HETIONET, _rows

from parsimony.run.cost import processor
from parsimony.run.duration import parse_duration

OUT = Path(__file__).parent / "results" / "races.json"
TOLD = (
    "method", "valid", "interval", "parameters", "description_bytes", "seconds", "heats", "verdict",
    "why",
)  # fmt: skip


def run(name: str, budget: str) -> dict[str, Any]:
    """One race; test figures are read once, from what it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        data = name
        if name in HETIONET:
            data = f"{folder}/{name}.tsv"
            Path(data).write_text("".join("\t".join(row) + "\n" for row in _rows(name)))
        run = f"{folder}/run"
        words = ["fit", data, "--time-budget", budget, "--out", run, "--json", "--quiet"]
        begin = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "parsimony", *words], capture_output=True, text=True, check=True
        )
        seconds = time.perf_counter() - begin
        summary = json.loads(done.stdout)
        metrics = json.loads(Path(folder, "run", "metrics.json").read_text())["test"]
        treats = [
            r["mrr"] for r in metrics["per_relation"] if r["relation"] in ("CtD", "treats")
        ]  # fmt: skip
    return {
        "graph": name,
        "command": f"parsimony fit {name} --time-budget {budget}",
        "date": date.today().isoformat(),
        "test_mrr": summary["test"]["mrr"],
        "interval": metrics["interval"]["mrr"],
        **({"treats_mrr": treats[0]} if treats else {}),
        "method": summary["method"],
        "sentence": summary["sentence"],
        "description_bytes": summary["description_bytes"],
        "second": summary["second"],
        "seconds": round(seconds, 1),
        "budget": parse_duration(budget),
        "over": round(seconds / parse_duration(budget), 3),
        "rows": [{key: row.get(key) for key in TOLD} for row in summary["rows"]],
        "notes": [note for note in summary["notes"] if "rank" in note or "compared" in note],
        "hardware": processor(),
    }


def main() -> None:
    """Run what is named, one after another."""
    for asked in sys.argv[1:]:
        name, _, budget = asked.partition(":")
        row = run(name, budget)
        rows = json.loads(OUT.read_text()) if OUT.exists() else []
        rows = sorted(
            [*(r for r in rows if r["graph"] != name), row], key=lambda each: each["graph"]
        )
        OUT.write_text(json.dumps(rows, indent=1) + "\n")
        print(name, row["method"], row["test_mrr"], row["seconds"], row["over"], flush=True)


if __name__ == "__main__":
    main()
