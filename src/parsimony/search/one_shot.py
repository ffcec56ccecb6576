"""Many symbols with one table: train shared vectors, one symbol a batch, then ask every symbol.

The idea of one-shot search (ERAS, ICDE 2021; methods of weight sharing): which structure is good is
guessed from vectors that had to serve all of them. A guess for ranking, not a measurement: how far
it agrees with full training is measured in ``benchmarks/proxies.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from parsimony.errors import TrainingDiverged
from parsimony.knowledge.symbol import Symbol
from parsimony.link.embeddings.batches import Batch, GroupedQueries
from parsimony.link.embeddings.bilinear import Bilinear
from parsimony.link.embeddings.objective import Objective, Penalties
from parsimony.link.embeddings.scoring import BilinearScoring
from parsimony.link.embeddings.tables import Table
from parsimony.link.task import LinkTask, QuerySet
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng

__all__ = ["screen"]

#: Queries of validation that every symbol is asked.
ASKED = 500


def screen(
    task: LinkTask,
    symbols: Sequence[Symbol],
    *,
    dim: int,
    epochs: int,
    seed: int,
    asked: int = ASKED,
    quiet: bool = True,
    **settings: Any,
) -> npt.NDArray[np.float64]:
    """Return a validation MRR for each symbol, (n,), from one training of shared vectors.

    Parameters
    ----------
    task
        Link prediction on one graph with validation facts.
    symbols
        To be compared; each batch trains one of them, drawn at random.
    dim, epochs, seed
        Of the one training.
    asked
        Validation queries, drawn once; all symbols get the same.
    **settings
        Other parameters of method "bilinear".

    Raises
    ------
    TrainingDiverged
        The loss is not finite.
    """
    model = Bilinear(symbol=str(symbols[0]), dim=dim, epochs=epochs, seed=seed, **settings)
    model.prepare(task)
    p = model.resolved_
    first = model._first_vectors()
    tables = {
        name: Table(torch.from_numpy(array), torch.from_numpy(np.zeros_like(array)))
        for name, array in first.items()
    }
    scorings = [BilinearScoring(symbol.blocks) for symbol in symbols]
    penalties = Penalties.of(p)
    queries = GroupedQueries.of(
        task.train_graph.triples, task.data.n_entities, task.n_relations, p.reciprocal
    )
    with model._team() as team:
        objective = Objective(scorings[0], tables["entity"], tables["relation"], penalties, team)
        with Progress(p.epochs, "shared training", quiet=quiet) as progress:
            for epoch in range(1, p.epochs + 1):
                random = rng(seed, "screening", epoch)
                noise = torch.Generator().manual_seed(int(random.integers(2**62)))
                order = random.permutation(len(queries))
                loss = 0.0
                for at in range(0, len(order), p.batch):
                    batch: Batch = queries.batch(order[at : at + p.batch], p.negatives, random)
                    objective.scoring = scorings[random.integers(len(scorings))]
                    loss += objective.step(batch, p.lr * p.decay ** (epoch - 1), noise)
                if not np.isfinite(loss):
                    raise TrainingDiverged(
                        f"the loss became {loss} in epoch {epoch}", remedy="lower lr (--set lr=…)"
                    )
                progress.advance(1, loss=loss / len(queries.answer))
        valid = _some(task.queries("valid"), asked, rng(seed, "screening queries"))
        ranker = model._ranker(tables["entity"].weight, tables["relation"].weight)
        found = np.empty(len(symbols))
        with Progress(len(symbols), "screening", quiet=quiet) as progress:
            for n, scoring in enumerate(scorings):
                ranker.scoring = scoring
                silent = Progress(0, "", quiet=True)
                found[n] = ranker.rank(valid, silent, team).metrics()["mrr"]
                progress.advance()
    return found


def _some(queries: QuerySet, n: int, random: np.random.Generator) -> QuerySet:
    """At most n queries of a set, in their order."""
    if len(queries) <= n:
        return queries
    rows = np.sort(random.permutation(len(queries))[:n])

    def cut(ptr: npt.NDArray[np.int64], values: npt.NDArray[Any]) -> tuple[Any, Any]:
        parts = [values[ptr[row] : ptr[row + 1]] for row in rows]
        return np.concatenate([[0], np.cumsum([len(part) for part in parts])]), np.concatenate(
            parts
        )

    answer_ptr, answer = cut(queries.answer_ptr, queries.answer)
    known_ptr, known = cut(queries.known_ptr, queries.known)
    return replace(
        queries, head=queries.head[rows], relation=queries.relation[rows],
        answer_ptr=answer_ptr, answer=answer, known_ptr=known_ptr, known=known,
    )  # fmt: skip
