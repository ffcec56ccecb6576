"""What sampling the candidates of a batch costs in accuracy, and saves in time.

    python benchmarks/shared_negatives.py [DATA] [EPOCHS]

ComplEx with 64 real numbers an entity and the preset of the data; validation MRR after the same
epochs, and processor seconds of training.
"""

from __future__ import annotations

import sys
import time

from common import record

from parsimony import datasets
from parsimony.link.embeddings.bilinear import ComplEx
from parsimony.link.task import LinkTask


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "wn18rr"
    epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    task = LinkTask(datasets.load(name))
    rows = []
    for negatives in (0, 8192, 4096, 1024, 256):
        cpu = time.process_time()
        model = ComplEx(
            dim=64, negatives=negatives, epochs=epochs, validate_every=epochs, threads=1
        )
        model.fit(task)
        rows.append(
            {
                "negatives": negatives or "all",
                "valid_mrr": model.history_[-1]["valid_mrr"],
                "valid_hits@1": model.history_[-1]["valid_hits@1"],
                "cpu_seconds": time.process_time() - cpu,
            }
        )
    record("shared_negatives", {"data": name, "dim": 64, "epochs": epochs, "rows": rows})


if __name__ == "__main__":
    main()
