"""Fits of random methods on random graphs with random budgets: seconds against the budget.

    python benchmarks/budgets.py [--fits 20] [--least 20] [--most 300] [--seed 0] [--resume]

Each fit is a process of its own, ``parsimony fit GRAPH --method METHOD --time-budget BUDGET``,
timed from its start to its end, so with Python, imports and the writing of the run. ``within`` says
whether it took at most 5 % or 3 s more than its budget, whichever is more. ``load`` is the mean
number of processes that wanted a core in its last minute, of so many ``cores``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from typing import Any

from common import RESULTS, record

GRAPHS = ("royal", "umls", "family", "nations", "countries_S3", "wn18rr", "fb15k-237", "nell-995")
METHODS = ("redgnn", "adaprop", "rules", "complex", "distmult", "transe", "rotate")


def measure(graph: str, method: str, budget: int, seed: int) -> dict[str, Any]:
    """One fit, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["fit", graph, "--method", method, "--time-budget", f"{budget}s", "--seed",
                 str(seed), "--out", f"{folder}/run", "--quiet", "--json"]  # fmt: skip
        begin = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "parsimony", *words], capture_output=True, text=True
        )
        seconds = time.perf_counter() - begin
    found = json.loads(done.stdout) if done.stdout else {}
    limit = max(1.05 * budget, budget + 3)
    return {
        "graph": graph, "method": method, "budget": budget, "seconds": round(seconds, 1),
        "within": seconds <= limit, "ended": found.get("ended"), "epochs": found.get("epochs"),
        "valid_mrr": found.get("valid", {}).get("mrr"),
        "total_seconds": found.get("total_seconds"),
        "sampled": sum(note.startswith("ranked ") for note in found.get("notes", ())),
        "error": found.get("error", {}).get("message"),
        "load": os.getloadavg()[0], "cores": os.cpu_count(),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fits", type=int, default=20)
    parser.add_argument("--least", type=int, default=20, help="seconds")
    parser.add_argument("--most", type=int, default=300, help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--graphs", nargs="+", default=GRAPHS)
    parser.add_argument("--resume", action="store_true", help="go on after the rows recorded")
    options = parser.parse_args()
    draw, path = random.Random(options.seed), RESULTS / "budgets.json"
    plan = [
        (
            draw.choice(options.graphs),
            draw.choice(METHODS),
            draw.randint(options.least, options.most),
        )
        for _ in range(options.fits)
    ]
    rows = (
        json.loads(path.read_text())["result"]["rows"] if options.resume and path.exists() else []
    )
    for graph, method, budget in plan[len(rows) :]:
        rows.append(measure(graph, method, budget, options.seed))
        print(json.dumps(rows[-1]), flush=True)
        record("budgets", {"rows": rows, "within": sum(row["within"] for row in rows)})


if __name__ == "__main__":
    main()
