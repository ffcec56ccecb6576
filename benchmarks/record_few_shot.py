"""Record finished runs of molecules: what was measured, with which settings, and the bill.

    python benchmarks/record_few_shot.py NAME RUN RUN…

RUN is a folder that ``parsimony fit DATA --task molecules`` wrote. Writes
``results/molecules-NAME.json``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from common import record

from parsimony.methods import load_run
from parsimony.run import RunFolder


def described(path: Path) -> dict[str, Any]:
    """Settings, validation and test figures, and the ledger of a run."""
    run = RunFolder.open(path)
    metrics = run.read_json("metrics.json")
    return {
        "data": run.config["data"]["name"],
        "method": run.config["method"],
        "options": run.config["options"],
        "parameters": run.config["parameters"],
        "figures": {
            split: {"metrics": found["metrics"], "std": found["std"]}
            for split, found in metrics.items()
        },
        **{name: metrics["test"][name] for name in
           ("episodes", "adapted_parameters", "trained_parameters")},
        # metrics.json holds no times
        "seconds_per_task": load_run(path).evaluate("test")["seconds_per_task"],
        "ledger": run.read_json("ledger.json"),
    }  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    name, *runs = sys.argv[1:]
    rows = [described(Path(run)) for run in runs]
    sys.argv[2:] = [f"runs/{Path(run).name}" for run in runs]  # not where they lie here
    record(f"molecules-{name}", {"runs": rows})
