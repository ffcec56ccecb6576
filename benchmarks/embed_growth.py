"""How training grows with the entities, and a search with Ray workers: figures and a plot.

    python benchmarks/embed_growth.py [most_entities]

Entities: synthetic graphs of 5 facts an entity and 20 relations, both ends drawn with a long tail;
ComplEx with 64 real numbers an entity, batch 512, 1,024 negatives that the batch shares, one
thread; each size in a process of its own. An epoch is scaled up from STEPS steps. Seconds are of
the processor. Workers: trials of umls (64 numbers, 100 epochs) a minute of the clock on local Ray
clusters of 1 and 2 processors, workers warm, best of ROUNDS; what else the machine does counts
there, so the load average stands beside it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import numpy as np
import torch
from common import RESULTS, peak_mib, record

STEPS = 200
TRIALS, ROUNDS = 12, 3
DIM, BATCH, NEGATIVES = 64, 512, 1024


def one(n_entities: int) -> dict[str, float]:
    """Group, step, report."""
    from parsimony.knowledge import Symbol
    from parsimony.link.embeddings.batches import GroupedQueries
    from parsimony.link.embeddings.objective import Objective, Penalties
    from parsimony.link.embeddings.scoring import BilinearScoring
    from parsimony.link.embeddings.tables import Table, ThreadPool

    random = np.random.default_rng(0)
    n_facts = 5 * n_entities
    ends = (random.random((n_facts, 2)) ** 2 * n_entities).astype(np.int32)
    relation = random.integers(0, 20, n_facts, dtype=np.int32)
    triples = np.stack([ends[:, 0], relation, ends[:, 1]], axis=1)
    begin = time.process_time()
    queries = GroupedQueries.of(triples, n_entities, 20, False)
    grouped = time.process_time() - begin
    tables = [
        Table(torch.from_numpy(random.standard_normal((n, DIM), np.float32) * 0.1))
        for n in (n_entities, 20)
    ]
    scoring = BilinearScoring(Symbol.parse("ComplEx").blocks)
    objective = Objective(scoring, tables[0], tables[1], Penalties(n3=0.01), ThreadPool(1))
    order = random.permutation(len(queries))
    steps = -(-len(order) // BATCH)

    def step(number: int) -> None:
        at = number % steps * BATCH
        objective.step(queries.batch(order[at : at + BATCH], NEGATIVES, random), 0.1)

    step(0)  # compiles
    begin = time.process_time()
    for number in range(STEPS):
        step(number)
    return {
        "entities": n_entities,
        "facts": n_facts,
        "distinct_queries": len(queries),
        "grouping_cpu_seconds": grouped,
        "step_ms": 1e3 * (time.process_time() - begin) / STEPS,
        "epoch_cpu_seconds": (time.process_time() - begin) / STEPS * steps,
        "peak_mib": peak_mib(),
    }


def workers(n: int) -> dict[str, float]:
    """Trials a minute on a Ray cluster of n processors."""
    import ray

    from parsimony import datasets
    from parsimony.link.task import LinkTask
    from parsimony.run.engine import resolve_engine
    from parsimony.search.symbols import SymbolTrial

    trial = SymbolTrial(LinkTask(datasets.load("umls")), {"threads": 1})
    ray.init(num_cpus=n, include_dashboard=False, log_to_driver=False)
    engine = resolve_engine("ray")
    jobs = [
        {"structure": symbol, "seed": seed, "dim": 64, "epochs": 100}
        for seed in range(TRIALS // 4)
        for symbol in _named()
    ]
    list(engine.run(trial, jobs[: 2 * n], lambda: True))  # starts the workers, loads the kernels
    seconds = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        found = list(engine.run(trial, jobs, lambda: True))
        seconds.append(time.perf_counter() - begin)
    ray.shutdown()
    return {
        "workers": n,
        "trials_per_minute": 60 * TRIALS / min(seconds),
        "seconds_a_trial": float(np.mean([result.seconds for _, result in found])),
        "load_average": os.getloadavg()[0],
    }


def _named() -> list[object]:
    from parsimony.search import BilinearSpace

    return list(BilinearSpace().named().values())


def _child(kind: str, size: int) -> dict[str, float]:
    words = [sys.executable, __file__, kind, str(size)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    torch.set_num_threads(1)
    if len(sys.argv) > 2:
        print(json.dumps({"one": one, "workers": workers}[sys.argv[1]](int(sys.argv[2]))))
        return
    most = int(float(sys.argv[1])) if len(sys.argv) > 1 else 1_000_000
    sizes = [size for size in (10_000, 100_000, 1_000_000, 10_000_000) if size <= most]
    rows = [_child("one", size) for size in sizes]
    crowds = [_child("workers", n) for n in (1, 2)]
    record("embed_growth", {"entities": rows, "workers": crowds})
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(11, 3), layout="constrained")
    entities = [row["entities"] for row in rows]
    left.loglog(entities, [row["epoch_cpu_seconds"] for row in rows], "o-")
    left.set(xlabel="entities", ylabel="processor seconds", title="an epoch, d = 64, one thread")
    middle.loglog(entities, [row["peak_mib"] for row in rows], "o-")
    middle.set(xlabel="entities", ylabel="MiB", title="peak memory, whole process")
    right.bar(
        [str(row["workers"]) for row in crowds], [row["trials_per_minute"] for row in crowds], 0.5
    )
    right.set(xlabel="Ray workers", ylabel="trials a minute", title="umls, d = 64, 100 epochs")
    figure.savefig(RESULTS / "embed_growth.png", dpi=120)


if __name__ == "__main__":
    main()
