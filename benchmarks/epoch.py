"""Seconds of one training epoch and of ranking valid and test, as `parsimony fit` runs them.

    python benchmarks/epoch.py [DATA …]

RED-GNN's preset, two threads; the kernels are compiled before.
"""

from __future__ import annotations

import sys

from common import record

from parsimony import datasets
from parsimony.link.reasoning.redgnn import RedGNN
from parsimony.link.task import LinkTask

PUBLISHED_CODE = {  # the published implementation on two such cores, seconds
    "family": {"epoch": "157-236", "valid_and_test": 134},
    "umls": {"epoch": "495", "valid_and_test": 312},
    "wn18rr": {"epoch": "1858-2456", "valid_and_test": 2395},
}


def main() -> None:
    result = {}
    for name in sys.argv[1:] or ["umls", "family", "wn18rr"]:
        task = LinkTask(datasets.load(name))
        if not result:
            RedGNN(threads=2, dim=48, attention_dim=5, n_layers=2, epochs=1).fit(
                LinkTask(datasets.load("royal"))
            )
        estimator = RedGNN(threads=2).fit(task, epochs=1)
        result[name] = {
            "epoch_seconds": estimator.history_[0]["train_seconds"],
            "rank_valid_and_test_seconds": sum(
                estimator.evaluate(split)["seconds"] for split in ("valid", "test")
            ),
            "published_code": PUBLISHED_CODE.get(name),
        }
    record("epoch", result)


if __name__ == "__main__":
    main()
