"""Another library's ordered splits: do they prefer the law that the frontier chose?

python benchmarks/frontier_audit.py benchmarks/results/frontier/*.json --out audit.json

``scaling-audit`` (pip install scaling-audit) trains on the k smallest sizes and predicts all larger
ones, for every k; both laws are its estimators, scored by the root mean square of the logarithm.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from scaling_audit import OrderedGroupSplit
from sklearn.base import BaseEstimator, RegressorMixin

from parsimony.frontier.curves import _BROKEN, _CLEARLY, FEWEST, _better_law
from parsimony.frontier.law import fit_laws

#: below it an error counts as so large: a size may have answered everything right
_LEAST = 1e-4


class Law(RegressorMixin, BaseEstimator):
    """A law of the logarithm of the error against the size."""

    def __init__(self, kind: str = "power") -> None:
        self.kind = kind

    def fit(self, X: Any, y: Any) -> Law:
        self.law_ = fit_laws(np.ravel(X), np.exp(y), kind=self.kind)
        return self

    def predict(self, X: Any) -> Any:
        return np.log(np.maximum(self.law_(np.ravel(X))[0], 1e-9))


def audited(amounts: Any, errors: Any) -> dict[str, Any]:
    """Which law each of the two ways prefers, and their errors."""
    x, y = np.asarray(amounts, float), np.maximum(np.asarray(errors, float), _LEAST)
    ours, own = _better_law(x, y, np.ones(len(x)), 0.0, _LEAST)
    bent = len(x) > _BROKEN
    split = OrderedGroupSplit(dict(enumerate(x)), min_train_groups=_BROKEN if bent else FEWEST)
    theirs: dict[str, float] = {}
    for kind in ("power", "broken") if bent else ("power",):
        off = [
            Law(kind).fit(x[train], np.log(y[train])).predict(x[test]) - np.log(y[test])
            for train, test in split.split(x, y, np.arange(len(x)))
        ]
        if off:
            theirs[kind] = float(np.sqrt(np.mean(np.concatenate(off) ** 2)))
    clearly = theirs.get("broken", np.inf) < _CLEARLY * theirs.get("power", 0.0)
    return {
        "ours": ours, "theirs": "broken" if clearly else "power",
        "out_of_sample": own, "audit": theirs,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="+", type=Path)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    found = {}
    for path in asked.results:
        told = json.loads(path.read_text())
        for measure in told["measures"]:
            for curve in measure["curves"]:
                used = [p for p in curve["points"] if p["role"] == "law"]
                if len(used) > FEWEST:
                    name = f"{path.stem}: {curve['family']} by {measure['measure']}"
                    found[name] = audited([p["amount"] for p in used], [p["error"] for p in used])
    agree = sum(each["ours"] == each["theirs"] for each in found.values())
    text = json.dumps({"agree": agree, "of": len(found), "curves": found}, indent=1)
    print(text)
    if asked.out:
        asked.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
