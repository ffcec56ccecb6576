"""MRR of small rule books over their size, into results/small_books.json.

``python benchmarks/small_books.py DATA …``: the whole book as ``fit DATA --method rules`` makes it,
then what ``--set small=knee`` leaves of it. Sizes and weights are chosen on validation; the test
facts are ranked once by either (filtered, realistic ranks, seed 0).
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from parsimony import datasets
from parsimony.base import Fitting
from parsimony.link.rules.method import RuleReasoner
from parsimony.link.task import LinkTask
from parsimony.run.deadline import Deadline

RESULTS = Path(__file__).parent / "results" / "small_books.json"


def measured(model: RuleReasoner) -> dict[str, float]:
    """Rules, and MRR of both splits."""
    splits = {split: model.evaluate(split)["metrics"]["mrr"] for split in ("valid", "test")}
    return {"rules": len(model.rules_), **splits}


def main(names: list[str]) -> None:
    """Shorten the book of each graph and record the front."""
    for name in names:
        begin = time.process_time()
        model = RuleReasoner().fit(LinkTask(datasets.load(name)))
        fitted, whole = time.process_time() - begin, measured(model)
        begin = time.process_time()
        model._shorten(None, Deadline(None), Fitting(quiet=True))
        shortened = time.process_time() - begin
        small = measured(model)
        keys = ("rules", "book_mrr", "chosen")
        front = [{k: point[k] for k in keys} for point in model.history_ if "book_mrr" in point]
        found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        found["command"] = "python benchmarks/small_books.py DATA …"
        found[name] = {
            "whole": whole, "small": small, "kept": small["test"] / whole["test"],
            "share_of_rules": small["rules"] / whole["rules"], "front": front,
            "cpu_seconds": {"whole": fitted, "small": shortened}, "notes": model.training_notes_,
        }  # fmt: skip
        print(name, json.dumps(found[name]), flush=True)
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
