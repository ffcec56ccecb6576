"""Seconds of an epoch and of ranking the test split by embeddings; the share of the sgemm rate.

    PYKEEN_PYTHON=… python benchmarks/embed_epoch.py [--threads 1] [DATA …]

ComplEx with 256 real numbers an entity (umls: 64), 1-vs-all, both directions, batch 512 (umls:
256). ``sgemm_share``: the time of a training step's three products alone, measured here on fresh
matrices of the same shapes, over the time of the whole step. PYKEEN_PYTHON names a Python that has
PyKEEN; of wn18rr and fb15k-237 it trains on 1/20 of the facts, scaled up by distinct queries.
Times are of the processor as well as of the clock: on a shared machine compare the former.
``evaluation_product_cpu_seconds``: the scores of the distinct test queries alone, in pieces that
stay in the cache: ranking in single precision cannot be faster.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import peak_mib, record

from parsimony import datasets
from parsimony.link.embeddings.batches import GroupedQueries
from parsimony.link.embeddings.bilinear import ComplEx
from parsimony.link.embeddings.objective import Penalties
from parsimony.link.embeddings.tables import ThreadPool, torch_threads
from parsimony.link.task import LinkTask
from parsimony.run.progress import Progress

SIZES = {"umls": (64, 256, 1.0)}  # dim, batch, PyKEEN's share of the facts
LARGE = (256, 512, 0.05)
STEPS = 24  # of a large graph's epoch are timed


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Wall and processor seconds of a call."""
    begin, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begin, time.process_time() - cpu


def ours(name: str, threads: int) -> dict[str, Any]:
    """Time our step, epoch and ranking."""
    dim, batch, share = SIZES.get(name, LARGE)
    task = LinkTask(datasets.load(name))
    model = ComplEx(
        dim=dim, batch=batch, threads=threads, negatives=0, reciprocal=True, n3=0.01, dropout=0.0
    )
    model.prepare(task)
    data = task.data
    queries = GroupedQueries.of(data.train, data.n_entities, data.n_relations, True)
    with torch_threads(threads):
        pool = ThreadPool(threads)
        objective = model.objective(pool)
        objective.penalties = Penalties(n3=0.01)
        order = np.random.default_rng(0).permutation(len(queries))
        parts = [order[at : at + batch] for at in range(0, len(order), batch)]
        objective.step(queries.batch(parts[0], 0), 0.1)  # compiles
        few = parts[:STEPS] if share < 1 else parts

        def steps() -> None:
            for part in few:
                objective.step(queries.batch(part, 0), 0.1)

        wall, cpu = min(timed(steps) for _ in range(3))
        products = products_alone(data.n_entities, dim, batch)
        scale = len(parts) / len(few)
        ranker = model.ranker(objective)
        test = task.queries("test")
        with Progress(len(test), "ranking", quiet=True) as progress:
            ranked = min(timed(lambda: ranker.rank(test, progress, pool)) for _ in range(2))
        pool.close()
    return {
        "dim": dim,
        "batch": batch,
        "distinct_queries": len(queries),
        "epoch_seconds": wall * scale,
        "epoch_cpu_seconds": cpu * scale,
        "sgemm_share": products / (cpu / len(few)) if threads == 1 else None,
        "evaluation_seconds": ranked[0],
        "evaluation_cpu_seconds": ranked[1],
        "evaluation_product_cpu_seconds": scores_alone(data.n_entities, dim, len(test)),
        "peak_mib": peak_mib(),
    }


def products_alone(n_entities: int, dim: int, batch: int) -> float:
    """Processor seconds of a step's three products: scores, dQ, dE."""
    entity, query = torch.randn(n_entities, dim), torch.randn(batch, dim)
    scores, d_entity = torch.randn(n_entities, batch), torch.empty(n_entities, dim)
    d_query = torch.empty(batch, dim)

    def products() -> None:
        torch.mm(entity, query.T, out=scores)
        torch.mm(scores, query, out=d_entity)
        torch.mm(scores.T, entity, out=d_query)

    return min(timed(products)[1] for _ in range(7))


def scores_alone(n_entities: int, dim: int, n_queries: int) -> float:
    """Processor seconds of all scores, from the time of one piece of 512 × 512."""
    side = 512
    entity, query, scores = (torch.randn(side, n) for n in (dim, dim, side))
    piece = min(timed(lambda: torch.mm(entity, query.T, out=scores))[1] for _ in range(50))
    return piece * n_entities * n_queries / side**2


def theirs(name: str, python: str, threads: int) -> dict[str, Any]:
    """Run PyKEEN on the same facts."""
    dim, batch, share = SIZES.get(name, LARGE)
    data = datasets.load(name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "facts.npz"
        np.savez(
            path, train=data.train, valid=data.valid, test=data.test,
            n_entities=data.n_entities, n_relations=data.n_relations,
        )  # fmt: skip
        words = [python, str(Path(__file__).with_name("pykeen_side.py")), str(path)]
        words += [str(x) for x in (dim, batch, threads, share)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", nargs="*")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    result: dict[str, Any] = {"threads": asked.threads}
    for name in asked.data or ["umls", "wn18rr", "fb15k-237"]:
        result[name] = {"parsimony": ours(name, asked.threads)}
        if python := os.environ.get("PYKEEN_PYTHON"):
            side = theirs(name, python, asked.threads)
            mine = result[name]["parsimony"]
            result[name]["pykeen"] = side
            result[name]["times_faster"] = {
                what: {
                    clock: side[f"{what}_{clock}"] / mine[f"{what}_{clock}"]
                    for clock in ("seconds", "cpu_seconds")
                }
                for what in ("epoch", "evaluation")
            }
    record("-".join(["embed_epoch", *asked.data]), result)


if __name__ == "__main__":
    main()
