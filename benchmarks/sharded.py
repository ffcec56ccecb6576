"""Vectors cut over several processes against one process: quality on validation, processor time.

    python benchmarks/sharded.py umls [workers] [epochs] [dim] [seeds]

Both train ComplEx with the same settings (the preset of the data set, but for ``dim`` and
``epochs``) and the same epochs, one thread each. MRR is filtered, on validation, mean rank of ties;
the test split is not read. Seconds are of the processor: of the first process, which is one of
``workers``. ``differences`` are those of several processes to one, by seed; ``spread`` is how far
one process's own seeds lie apart.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import record

from parsimony.pipeline import fit


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "umls"
    workers, epochs, dim, seeds = (
        int(sys.argv[i]) if len(sys.argv) > i else default
        for i, default in ((2, 3), (3, 20), (4, 32), (5, 3))
    )
    load = os.getloadavg()[0]
    found: dict[str, list[dict[str, Any]]] = {"one": [], "several": []}
    for seed in range(seeds):
        for which, n in (("one", 1), ("several", workers)):
            with tempfile.TemporaryDirectory() as folder:
                begin = time.process_time()
                model, summary = fit(
                    name, "complex", out=Path(folder) / "run", epochs=epochs, workers=n,
                    parameters={"dim": dim, "seed": seed, "threads": 1, "epochs": epochs},
                )  # fmt: skip
                found[which].append({
                    "valid_mrr": summary["valid"]["mrr"],
                    "best_epoch": summary["best_epoch"],
                    "first_epochs": [
                        each["valid_mrr"] for each in model.history_ if "valid_mrr" in each
                    ][:3],
                    "processor_seconds": time.process_time() - begin,
                    "files": len(list((Path(folder) / "run").glob("model*.safetensors"))),
                })  # fmt: skip
                print(which, seed, found[which][-1], flush=True)
    one, several = ([run["valid_mrr"] for run in found[which]] for which in ("one", "several"))
    differences = [b - a for a, b in zip(one, several, strict=True)]
    record(
        f"sharded-{name}",
        {
            "method": "complex",
            "workers": workers,
            "epochs": epochs,
            "dim": dim,
            "load": load,
            **found,
            "differences": differences,
            "mean_difference": sum(differences) / len(differences),
            "spread": max(one) - min(one),
        },
    )


if __name__ == "__main__":
    main()
