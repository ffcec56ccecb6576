"""PyKEEN's side of ``embed_epoch.py``; runs in an environment of its own and prints one JSON line.

    PYTHON benchmarks/pykeen_side.py FACTS.npz DIM BATCH THREADS TRAIN_SHARE

ComplEx with DIM real numbers an entity, LCWA (1-vs-all), cross-entropy, Adagrad, inverse triples,
so that both directions are trained. Of a large graph only a share of the training facts is trained
on. LCWA asks each distinct (head, relation) once, as we do: the time is scaled by how many of these
the sample has.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import numpy as np
import pykeen
import torch
from pykeen.evaluation import RankBasedEvaluator
from pykeen.models import ComplEx
from pykeen.training import LCWATrainingLoop
from pykeen.triples import TriplesFactory


def distinct_queries(triples: torch.Tensor) -> int:
    """How many (head, relation) and (relation, tail) there are."""
    return sum(len(triples[:, ends].unique(dim=0)) for ends in ([0, 1], [1, 2]))


def main() -> None:
    path = sys.argv[1]
    dim, batch, threads = map(int, sys.argv[2:5])
    share = float(sys.argv[5])
    torch.set_num_threads(threads)
    facts = np.load(path)
    names = {str(i): i for i in range(int(facts["n_entities"]))}
    relations = {str(i): i for i in range(int(facts["n_relations"]))}
    train = torch.from_numpy(facts["train"].astype(np.int64))
    part = train[torch.randperm(len(train))[: round(share * len(train))]]
    factory = TriplesFactory(
        part, entity_to_id=names, relation_to_id=relations, create_inverse_triples=True
    )
    model = ComplEx(
        triples_factory=factory, embedding_dim=dim // 2, loss="crossentropy", random_seed=0
    )
    loop = LCWATrainingLoop(
        model=model, triples_factory=factory,
        optimizer=torch.optim.Adagrad(model.parameters(), lr=0.1),
    )  # fmt: skip
    settings = {"num_epochs": 1, "batch_size": batch, "use_tqdm": False}
    seconds = []
    for _ in range(1 if share < 1 else 3):
        begin, cpu = time.perf_counter(), time.process_time()
        loop.train(triples_factory=factory, **settings)
        seconds.append((time.perf_counter() - begin, time.process_time() - cpu))
    epoch, epoch_cpu = min(seconds)
    left_out = distinct_queries(train) / distinct_queries(part)
    test = torch.from_numpy(facts["test"].astype(np.int64))
    valid = torch.from_numpy(facts["valid"].astype(np.int64))
    begin, cpu = time.perf_counter(), time.process_time()
    RankBasedEvaluator(filtered=True).evaluate(
        model, test, additional_filter_triples=[train, valid], batch_size=256, use_tqdm=False
    )  # fmt: skip
    ranked, ranked_cpu = time.perf_counter() - begin, time.process_time() - cpu
    print(
        json.dumps(
            {
                "version": pykeen.get_version(),
                "train_share": share,
                "epoch_seconds": epoch * left_out,
                "epoch_cpu_seconds": epoch_cpu * left_out,
                "evaluation_seconds": ranked,
                "evaluation_cpu_seconds": ranked_cpu,
                "queries_in_sample": distinct_queries(part),
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
