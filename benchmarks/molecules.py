"""Few-shot molecules: the table of docs/molecules.md.

    python benchmarks/molecules.py DATA … [--methods M …] [--episodes N] [--set KEY=VALUE …]

Fits every method on every data set, measures its seeded test episodes once, and writes
benchmarks/results/molecules-DATA-METHOD.json. `--table` prints what is recorded, with paired
differences against the best of the other methods on the same episodes.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from common import RESULTS, record

from parsimony.cli.options import parse_settings
from parsimony.molecules.evaluation import paired
from parsimony.pipeline import fit

METHODS = ("tanimoto", "fingerprint-lr", "fingerprint-rf", "fingerprint-ridge", "multitask")
KEPT = ("metrics", "std", "shots", "episodes", "n_queries", "adapted_parameters",
        "trained_parameters", "seconds_per_task")  # fmt: skip


def measure(data: str, method: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Fit, and measure validation and test; the CPU seconds are of the fit alone."""
    begin, used = time.perf_counter(), time.process_time()
    estimator, summary = fit(data, method, parameters=settings, quiet=False)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - used
    model: Any = estimator
    test = model.evaluate("test", quiet=False)
    return {
        "data": data,
        "method": method,
        "settings": settings,
        "chosen": model.resolved_.model_dump(exclude_none=True, mode="json"),
        "valid": summary["valid"],
        "test": {key: test[key] for key in KEPT},
        "fit_seconds": seconds,
        "fit_cpu_seconds": cpu,
        "ledger": model.cost_.as_dict(),
    }


def table() -> None:
    """Print the recorded results, best first, and paired differences from the best."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(RESULTS.glob("molecules-*.json")):
        entry = json.loads(path.read_text())["result"]
        if "data" in entry:  # not a collection of runs
            found.setdefault(entry["data"], []).append(entry)
    for data, entries in found.items():
        entries.sort(key=lambda e: -e["valid"].get("roc_auc", 0.0))
        shots = list(entries[0]["test"]["shots"])
        print(f"\n| {data} | {' | '.join(f'{k}-shot' for k in shots)} | valid | adapted | trained "
              "| s a task | fit, CPU s |")  # fmt: skip
        print("|---" * (len(shots) + 6) + "|")
        for e in entries:
            test = e["test"]
            cells = [
                f"{test['metrics'][f'roc_auc@{k}']:.3f} ± {test['std'][f'roc_auc@{k}']:.3f}"
                for k in shots
            ]
            print(
                f"| `{e['method']}` | {' | '.join(cells)} | {e['valid'].get('roc_auc', 0):.3f} | "
                f"{test['adapted_parameters']:,} | {test['trained_parameters']:,} | "
                f"{test['seconds_per_task']:.3f} | {e['fit_cpu_seconds']:.0f} |"
            )
        for e in entries[1:]:
            for k in shots:
                d = paired(
                    entries[0]["test"]["shots"][k]["roc_auc"], e["test"]["shots"][k]["roc_auc"]
                )
                print(f"{entries[0]['method']} − {e['method']}, {k}-shot: {d['difference']:+.3f} "
                      f"({d['low']:+.3f} to {d['high']:+.3f})")  # fmt: skip


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="*")
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--set", action="append", dest="settings", metavar="KEY=VALUE")
    parser.add_argument("--name", default="", help="added to the names of the records")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    settings = {"episodes": given.episodes, **parse_settings(given.settings)}
    for data in given.data:
        for method in given.methods:
            name = "-".join(filter(None, ["molecules", Path(data).stem, method, given.name]))
            record(name, measure(data, method, settings))
    if given.table:
        table()


if __name__ == "__main__":
    main()
