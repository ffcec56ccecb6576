"""How well cheap trainings of a symbol foretell its full training.

    python benchmarks/proxies.py umls [dim [epochs [structures]]]

The same structures (the seven of the start, the rest drawn at random from all structures of 4 to 16
blocks) are trained in full, on shorter rungs, and screened with shared vectors; reported is
Spearman's ρ to the full training over all of them, the share of the best eight that a proxy's best
quarter holds, and the seconds. Validation only, one thread, one seed.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from common import record

from parsimony import datasets
from parsimony.design import BilinearSpace
from parsimony.design.candidates import draw
from parsimony.design.predictor import Predictor, rank_correlation
from parsimony.embed.screening import screen
from parsimony.embed.trial import run_trial
from parsimony.tasks.link import LinkTask

BEST = 8


def main() -> None:
    name = sys.argv[1]
    dim, epochs, n = (int(x) for x in [*sys.argv[2:], "64", "60", "40"][:3])
    task = LinkTask(datasets.load(name))
    space, random = BilinearSpace(), np.random.default_rng(0)
    start = space.start()
    drawn, _ = draw(space, lambda: space.sample(random), n - len(start), set(space.keys(start)))
    symbols = start + drawn

    def measure(d: int, e: int) -> tuple[list[float], float]:
        begin = time.perf_counter()
        found = [
            run_trial(task, s, dim=d, epochs=e, seed=0, threads=1, every=e).valid_mrr
            for s in symbols
        ]
        return found, time.perf_counter() - begin

    full, seconds = measure(dim, epochs)
    again, _ = measure_other_seed(task, symbols, dim, epochs)
    result = {
        "dataset": name,
        "structures": len(symbols),
        "full": {"dim": dim, "epochs": epochs, "seconds": seconds},
        "another seed": rank_correlation(again, full),
        "proxies": [],
    }
    top = set(np.argsort(-np.array(full))[:BEST].tolist())

    def report(kind: str, values: list[float], spent: float) -> None:
        kept = set(np.argsort(-np.array(values))[: max(BEST, len(values) // 4)].tolist())
        result["proxies"].append({
            "proxy": kind, "rank_correlation": rank_correlation(values, full),
            f"best {BEST} kept": len(top & kept), "of the full time": spent / seconds,
        })  # fmt: skip
        print(result["proxies"][-1], flush=True)

    for d, e in ((dim // 4, epochs // 10), (dim // 4, epochs // 4), (dim // 2, epochs // 10),
                 (dim // 2, epochs // 4), (dim, epochs // 10), (dim, epochs // 4)):  # fmt: skip
        report(f"{d}d × {e} epochs", *measure(d, e))
    for e in (epochs, 4 * epochs):
        begin = time.perf_counter()
        shared = screen(task, symbols, dim=dim, epochs=e, seed=0, threads=1)
        report(f"shared vectors, {dim}d × {e} epochs", shared.tolist(), time.perf_counter() - begin)
    features, scores = space.features(symbols), np.array(full)
    said = np.empty(len(symbols))
    for i in range(len(symbols)):  # leave one out
        rest = np.arange(len(symbols)) != i
        said[i] = Predictor().fit(features[rest], scores[rest]).predict(features[i : i + 1])[0]
    report("ridge on features of the others", said.tolist(), 0.0)
    record(f"proxies-{name}", result)


def measure_other_seed(task, symbols, dim, epochs):  # type: ignore[no-untyped-def]
    begin = time.perf_counter()
    found = [
        run_trial(task, s, dim=dim, epochs=epochs, seed=1, threads=1, every=epochs).valid_mrr
        for s in symbols
    ]
    return found, time.perf_counter() - begin


if __name__ == "__main__":
    main()
