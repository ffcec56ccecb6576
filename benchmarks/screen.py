"""The scientist's commands, timed: a screen, a pair scored and explained, a drug added.

    python benchmarks/screen.py RUN [DRUG …]

RUN is a fitted EmerGNN; all times without start-up and loading, after one warm-up that compiles.
A screen scores both orders of all pairs and gives the reasons of the first 20 partners. Processor
seconds stand beside wall seconds: on a shared machine only they say what the command costs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import peak_mib, record

from parsimony.ddi.add_drug import with_drug
from parsimony.ddi.drug_file import NewDrug, StatedFact
from parsimony.ddi.emergnn.flow import PairFlow
from parsimony.ddi.screening import screen
from parsimony.methods import load_run

DRUGS = ("clarithromycin", "ketoconazole", "warfarin", "sertraline")
PAIRS = (
    ("clarithromycin", "simvastatin"),
    ("ketoconazole", "midazolam"),
    ("warfarin", "fluconazole"),
    ("sertraline", "phenelzine"),
)
REPEATS = 5


def timed(function: Callable[[], Any], repeats: int = REPEATS) -> dict[str, float]:
    """Best wall and processor seconds of a call."""
    wall, used = [], []
    for _ in range(repeats):
        begin, own = time.perf_counter(), time.process_time()
        function()
        wall.append(time.perf_counter() - begin)
        used.append(time.process_time() - own)
    return {"wall": min(wall), "processor": min(used)}


def emerging(estimator: Any) -> str:
    """The drug with the most pairs among those that the test split holds out."""
    drugs, count = np.unique(estimator.task_.emerging("test"), return_counts=True)
    return str(estimator.task_.data.label(int(drugs[count.argmax()])))


def added(estimator: Any, name: str) -> NewDrug:
    """A known drug's structure under a new name, with two facts."""
    bits = estimator.fingerprints_[estimator.task_.data.drug(name)]
    facts = (StatedFact("enzymes", "CYP3A4"), StatedFact("side_effects", "Nausea"))
    return NewDrug("a new drug", "", bits, facts)


def of_test_pairs(estimator: Any, n: int = 100) -> dict[str, Any]:
    """Processor milliseconds of scoring and explaining random test pairs, once each."""
    data, rows = estimator.task_.data, estimator.task_.pairs("test")
    chosen = rows[np.random.default_rng(0).permutation(len(rows))[:n]]
    found: dict[str, Any] = {"pairs": n}
    for name, draws in (("explain", 20), ("explain_without_deletion_test", 0)):
        used = []
        for u, _, v in chosen.tolist():
            begin = time.process_time()
            estimator.explain(data.drugs.name(u), None, data.drugs.name(v), draws=draws)
            used.append(1e3 * (time.process_time() - begin))
        found[f"{name}_ms"] = {f"p{q}": float(np.percentile(used, q)) for q in (50, 90, 99)}
    return found


def measure(path: Path, drugs: tuple[str, ...]) -> dict[str, Any]:
    """All figures of a run."""
    begin = time.perf_counter()
    estimator: Any = load_run(path)
    result: dict[str, Any] = {"run": path.name, "load": time.perf_counter() - begin}
    drugs = (*drugs, emerging(estimator))
    data = estimator.task_.data
    screen(estimator, drugs[0], top=20)
    result["partners"] = data.n_drugs - 1
    result["screen"] = {}
    for threads in (1, 2):
        estimator._network.flow = PairFlow(threads)
        for drug in drugs:
            number = data.drug(drug)
            facts = estimator.task_.visible("test")[:, [0, 2]]
            found = timed(lambda drug=drug: screen(estimator, drug, top=20), 3)
            entry = {"known_partners": len(set(facts[(facts == number).any(1)].ravel()) - {number})}
            result["screen"][f"{drug}, {threads} thread{'s' * (threads > 1)}"] = entry | found
    estimator._network.flow = PairFlow(1)
    result["pair"] = {}
    for a, b in PAIRS:
        estimator.explain(a, None, b)
        result["pair"][f"{a}, {b}"] = {
            "predict": timed(lambda a=a, b=b: estimator.predict(a, b)),
            "explain": timed(lambda a=a, b=b: estimator.explain(a, None, b)),
            "explain_without_deletion_test": timed(
                lambda a=a, b=b: estimator.explain(a, None, b, draws=0)
            ),
        }
    result["test_pairs"] = of_test_pairs(estimator)
    drug = added(estimator, drugs[0])
    result["with_drug"] = timed(lambda: with_drug(estimator, drug), 2)
    wider = with_drug(estimator, drug)
    result["screen_of_the_new_drug"] = timed(lambda: screen(wider, drug.name, top=20), 2)
    result["peak_mib"] = peak_mib()
    return result


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    record("screen", measure(Path(sys.argv[1]), tuple(sys.argv[2:]) or DRUGS))
