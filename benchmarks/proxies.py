"""How well cheap trainings of a symbol foretell its full training.

    python benchmarks/proxies.py umls [dim [epochs [structures]]]

The same structures (the seven of the start, the rest drawn at random from all structures of 4 to 16
blocks) are trained in full with five seeds, whose mean is the truth, and with another seed by each
proxy: one full training, rungs of fewer epochs, dimensions or entities, shared vectors, the
predictor (leave one out). Reported is Spearman's ρ to the truth, how many of the best eight a
proxy's best quarter holds, and the share of one full training's processor time. Validation only,
one thread.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from common import record

from parsimony import datasets
from parsimony.link.embeddings.bilinear import Bilinear
from parsimony.link.task import LinkTask
from parsimony.search import BilinearSpace, Rung
from parsimony.search.candidates import draw
from parsimony.search.one_shot import one_shot_scores
from parsimony.search.predictor import Predictor, rank_correlation
from parsimony.search.symbols import SymbolTrial

BEST = 8
SEEDS = (1, 2, 3, 4, 5)
DEFAULTS = ["64", "60", "40"]


def main() -> None:
    name = sys.argv[1]
    dim, epochs, n = (int(x) for x in (sys.argv[2:] + DEFAULTS[len(sys.argv) - 2 :]))
    task = LinkTask(datasets.load(name))
    space, random = BilinearSpace(), np.random.default_rng(0)
    start = space.start()
    drawn, _ = draw(space, lambda: space.sample(random), n - len(start), set(space.keys(start)))
    symbols = start + drawn

    trial = SymbolTrial(task, {"threads": 1})

    def measure(rung: Rung, seed: int = 0) -> tuple[list[float], float]:
        begin = time.process_time()
        how = {"seed": seed, "dim": rung.dim, "epochs": rung.epochs, "entities": rung.entities}
        found = [trial(symbol, **how).valid_mrr for symbol in symbols]
        return found, time.process_time() - begin

    whole = Rung(dim, epochs)
    several = np.array([measure(whole, seed)[0] for seed in SEEDS])
    full = several.mean(axis=0).tolist()
    one, seconds = measure(whole)
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
    short = (epochs // 10, epochs // 4)
    rungs = [Rung(d, e) for d in (dim // 4, dim // 2, dim) for e in short]
    rungs += [Rung(dim, e, share) for share in (0.3, 0.5) for e in (epochs // 4, epochs)]
    for rung in rungs:
        report(str(rung), *measure(rung))
    for e in (epochs, 4 * epochs):
        begin = time.process_time()
        model = Bilinear(dim=dim, epochs=e, seed=0, threads=1)
        shared = one_shot_scores(model, task, symbols)
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
