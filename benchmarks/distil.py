"""Fidelity of distilled books over their size, into results/distil.json.

``python benchmarks/distil.py RUN …``; measured on validation.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from parsimony.link.distillation import distil
from parsimony.methods import load_run

RESULTS = Path(__file__).parent / "results" / "distil.json"


def main(runs: list[str]) -> None:
    """Distil each run with the defaults and record the curve."""
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    found["command"] = "python benchmarks/distil.py RUN …"
    for run in runs:
        model, begin = load_run(run), time.perf_counter()
        made = distil(model, quiet=False)
        found[f"{model.task_.data.name}-{model.method}"] = {
            **made.as_dict(), "notes": list(made.notes), "seconds": time.perf_counter() - begin,
        }  # fmt: skip
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
