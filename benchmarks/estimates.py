"""What ``fit --dry-run`` says against what a fit takes: seconds of an epoch, and peak memory.

    python benchmarks/estimates.py [GRAPH:METHOD ...] [--epochs 2] [--longest 300]

The dry run and the fit are processes of their own, the fit one of ``--epochs`` epochs without a
time budget; its epoch is the mean of those recorded, with validation, its peak that of its ledger.
Where the estimate says that this takes more than ``--longest`` seconds, the fit is left out.
``formula_bytes`` is what ``--memory`` goes by.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import record

CASES = (
    "royal:redgnn", "umls:redgnn", "family:adaprop", "nations:complex", "countries_S3:redgnn",
    "wn18rr:complex", "umls:transe", "fb15k-237:complex", "wn18rr:adaprop", "nell-995:distmult",
)  # fmt: skip
FORMULA = """
import sys
from parsimony.base.memory import total
from parsimony.methods import resolve
from parsimony.problems import open_task
made = resolve(sys.argv[2])()
made.prepare(open_task("link", sys.argv[1], {}))
print(total(made.memory_parts()))
"""


def said(*words: str) -> dict[str, Any]:
    """The object that a command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "parsimony", *words, "--json"], capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(graph: str, method: str, epochs: int, longest: float) -> dict[str, Any]:
    """One case."""
    words = ("fit", graph, "--method", method, "--epochs", str(epochs))
    plan = said(*words, "--dry-run")
    formula = subprocess.run(
        [sys.executable, "-c", FORMULA, graph, method], capture_output=True, text=True, check=True
    )
    row = {
        "graph": graph, "method": method, "epoch_seconds_said": plan["epoch_seconds"],
        "peak_bytes_said": plan["peak_memory_bytes"], "formula_bytes": float(formula.stdout),
        "load": os.getloadavg()[0], "cores": os.cpu_count(),
    }  # fmt: skip
    if plan["total_seconds"] > longest:
        return row
    with tempfile.TemporaryDirectory() as folder:
        said(*words, "--out", f"{folder}/run", "--quiet")
        log = (Path(folder) / "run" / "log.jsonl").read_text().splitlines()
        ledger = json.loads((Path(folder) / "run" / "ledger.json").read_text())
    seconds = sum(json.loads(line)["seconds"] for line in log) / len(log)
    peak = ledger["peak_memory_bytes"]
    return row | {
        "epoch_seconds": seconds, "peak_bytes": peak,
        "seconds_ratio": plan["epoch_seconds"] / seconds,
        "peak_ratio": plan["peak_memory_bytes"] / peak,
        "formula_ratio": row["formula_bytes"] / peak,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cases", nargs="*", default=CASES, metavar="GRAPH:METHOD")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--longest", type=float, default=300.0)
    options = parser.parse_args()
    rows = []
    for case in options.cases:
        graph, _, method = case.partition(":")
        rows.append(measure(graph, method, options.epochs, options.longest))
        print(json.dumps(rows[-1]), flush=True)
        record("estimates", {"rows": rows})


if __name__ == "__main__":
    main()
