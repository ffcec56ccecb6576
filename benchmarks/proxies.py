"""How well cheap trainings of a symbol foretell its full training.

    python benchmarks/proxies.py umls [dim [epochs [structures]]]

The same structures (the seven of the start, the rest drawn at random from all structures of 4 to 16
blocks) are trained in full with three seeds, whose mean is the truth, and with another seed by each
proxy: one full training, shorter rungs, shared vectors, the predictor (leave one out). Reported is
Spearman's ρ to the truth, how many of the best eight a proxy's best quarter holds, and the share of
one full training's processor time. Validation only, one thread.
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
SEEDS = (1, 2, 3)
DEFAULTS = ["64", "60", "40"]


def main() -> None:
    name = sys.argv[1]
    dim, epochs, n = (int(x) for x in (sys.argv[2:] + DEFAULTS[len(sys.argv) - 2 :]))
    task = LinkTask(datasets.load(name))
    space, random = BilinearSpace(), np.random.default_rng(0)
    start = space.start()
    drawn, _ = draw(space, lambda: space.sample(random), n - len(start), set(space.keys(start)))
    symbols = start + drawn

    def measure(d: int, e: int, seed: int = 0) -> tuple[list[float], float]:
        begin = time.process_time()
        found = [
            run_trial(task, s, dim=d, epochs=e, seed=seed, threads=1, every=e).valid_mrr
            for s in symbols
        ]
        return found, time.process_time() - begin

    several = np.array([measure(dim, epochs, seed)[0] for seed in SEEDS])
    full = several.mean(axis=0).tolist()
    one, seconds = measure(dim, epochs)
    result = {
        "dataset": name,
        "structures": len(symbols),
        "full": {"dim": dim, "epochs": epochs, "seconds": seconds},
        "truth": {
            "seeds": len(SEEDS),
            "spread of structures (standard deviation of means)": float(np.std(full, ddof=1)),
            "spread of seeds (standard deviation within)": float(
                np.sqrt(several.var(axis=0, ddof=1).mean())
            ),
            "named": {s.name: f for s, f in zip(symbols, full, strict=True) if s.name},
            "best": max(full),
            "best structure": str(symbols[int(np.argmax(full))]),
        },
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

    report("one full training", one, seconds)
    for d, e in ((dim // 4, epochs // 10), (dim // 4, epochs // 4), (dim // 2, epochs // 10),
                 (dim // 2, epochs // 4), (dim, epochs // 10), (dim, epochs // 4)):  # fmt: skip
        report(f"{d}d × {e} epochs", *measure(d, e))
    for e in (epochs, 4 * epochs):
        begin = time.process_time()
        shared = screen(task, symbols, dim=dim, epochs=e, seed=0, threads=1)
        report(f"shared vectors, {dim}d × {e} epochs", shared.tolist(), time.process_time() - begin)
    features, scores = space.features(symbols), np.array(full)
    said = np.empty(len(symbols))
    for i in range(len(symbols)):  # leave one out
        rest = np.arange(len(symbols)) != i
        said[i] = Predictor().fit(features[rest], scores[rest]).predict(features[i : i + 1])[0]
    report("ridge on features of the others", said.tolist(), 0.0)
    record(f"proxies-{name}", result)


if __name__ == "__main__":
    main()
