"""AdaProp's options for depths and pruning, each against AdaProp without: validation alone.

    python benchmarks/adaprop_mixture.py [GRAPH …]

Presets are switched off and the epochs are fixed, so that all options see the same number of
updates; the learning rate falls along half a cosine. A difference is of reciprocal ranks, paired by
validation query, with the 95 % interval of 2,000 bootstrap draws. Seconds are of the processor.
Rows that the results have are not trained again.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common import RESULTS

from parsimony import datasets, fit

SETTINGS = {
    "mask_answers": True, "relative": True, "ema_decay": 0.99, "lr": 0.004, "n_layers": 5,
    "top_k": 50, "threads": 1,
}  # fmt: skip
#: graph → what makes a run last a minute or so of one core
GRAPHS: dict[str, dict[str, Any]] = {
    "WN18RR_v1": {"epochs": 12},
    "nell_v1": {"epochs": 12},
    "fb237_v1": {"epochs": 6},
    "family": {"epochs": 4, "queries_per_epoch": 1000},
}
OPTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "mix_depths": {"mix_depths": True},
    "mix_criteria": {"mix_criteria": True},
    "prune_by=message": {"prune_by": "message"},
    "all three": {"mix_depths": True, "mix_criteria": True, "prune_by": "message"},
}


def measure(graph: str, options: dict[str, Any], seed: int) -> tuple[dict[str, Any], Any]:
    """Train once; what validation says, and the reciprocal ranks of its queries."""
    data = replace(datasets.load(graph), registered=False)
    begin = time.process_time()
    model, _ = fit(data, "adaprop", parameters=SETTINGS | GRAPHS[graph] | options, seed=seed)
    seconds = time.process_time() - begin
    reciprocal = 1.0 / model.ranks("valid").ranks()
    return {
        "valid": round(float(reciprocal.mean()), 4),
        "parameters": model.parameters_count_,
        "best_epoch": model.best_epoch_,
        "processor_seconds": round(seconds, 1),
        "curve": [round(float(h["valid_mrr"]), 4) for h in model.history_],
    }, reciprocal


def difference(ours: Any, base: Any) -> list[float]:
    """Mean difference and its 95 % interval."""
    d = ours - base
    rng = np.random.default_rng(0)
    draws = [d[rng.integers(0, len(d), len(d))].mean() for _ in range(2000)]
    return [round(float(x), 4) for x in (d.mean(), *np.quantile(draws, [0.025, 0.975]))]


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = [
        "# AdaProp: depths and pruning, on validation",
        "",
        "`python benchmarks/adaprop_mixture.py`: see there for what is held equal. Settings: "
        f"`{' '.join(f'{k}={v}' for k, v in SETTINGS.items())}`; epochs "
        + ", ".join(f"{g} {' '.join(f'{k}={v}' for k, v in o.items())}" for g, o in GRAPHS.items())
        + ".",
        "",
        "| graph | option | seed | validation MRR | difference (95 %) | weights | processor s |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        d = r.get("difference")
        shown = "" if d is None else f"{d[0]:+.4f} ({d[1]:+.4f} … {d[2]:+.4f})"
        lines.append(
            f"| {r['graph']} | {r['option']} | {r['seed']} | {r['valid']:.4f} | {shown} | "
            f"{r['parameters']:,} | {r['processor_seconds']} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Train what is missing and write the table after every run."""
    seeds, name = (0,), Path(RESULTS / "adaprop_mixture.json")
    result = json.loads(name.read_text()) if name.exists() else {"rows": []}
    rows, done = result["rows"], {(r["graph"], r["option"], r["seed"]) for r in result["rows"]}
    for graph in sys.argv[1:] or GRAPHS:
        for seed in seeds:
            base = None
            for option, settings in OPTIONS.items():
                if (graph, option, seed) in done:
                    continue
                row, reciprocal = measure(graph, settings, seed)
                if option == "none":
                    base = reciprocal
                elif base is not None:
                    row["difference"] = difference(reciprocal, base)
                rows.append({"graph": graph, "option": option, "seed": seed} | row)
                result = {"command": "python benchmarks/adaprop_mixture.py", "settings": SETTINGS,
                          "graphs": GRAPHS, "rows": rows}  # fmt: skip
                name.write_text(json.dumps(result, indent=1) + "\n")
                name.with_suffix(".md").write_text(table(rows))
                print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
