"""Many symbols with one table: train shared vectors, one symbol per step, then rank every symbol.

The idea of one-shot search (ERAS, ICDE 2021): which structure is good is guessed from vectors that
had to serve all of them. A guess for ranking, not a measurement: how far it agrees with full
training is measured in ``benchmarks/proxies.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from parsimony.knowledge.symbol import Symbol
from parsimony.link.embeddings.bilinear import Bilinear
from parsimony.link.embeddings.epoch import EmbeddingLearner
from parsimony.link.embeddings.scoring import BilinearScoring
from parsimony.link.task import LinkTask
from parsimony.run.cost import Cost
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng
from parsimony.training.trainer import Schedule, Trainer

__all__ = ["one_shot_scores"]


class _SharedLearner(EmbeddingLearner):
    """Trains one of several scoring functions in each step, drawn at random."""

    scorings: Sequence[BilinearScoring]

    def before_step(self, drawn: np.random.Generator) -> None:
        self.objective.scoring = self.scorings[int(drawn.integers(len(self.scorings)))]


def one_shot_scores(
    model: Bilinear,
    task: LinkTask,
    symbols: Sequence[Symbol],
    *,
    max_queries: int = 500,
    time_budget: float | None = None,
    quiet: bool = True,
) -> npt.NDArray[np.float64]:
    """Return a validation MRR for each symbol, (n,), from one training of shared vectors.

    Parameters
    ----------
    model
        Its parameters are those of the training; its symbol is not used.
    task
        Link prediction on one graph with validation facts.
    symbols
        To be compared; each step trains one of them, drawn at random.
    max_queries
        Validation queries, drawn once; all symbols get the same.
    time_budget
        Wall seconds of the training.

    Raises
    ------
    TrainingDiverged
        The loss is not finite.
    """
    model.prepare(task)
    p = model.resolved_
    scorings = [BilinearScoring(symbol.blocks) for symbol in symbols]
    with model.threads() as pool:
        objective = model.objective(pool)
        learner = _SharedLearner(
            objective, model.training_queries(), batch=p.batch, negatives=p.negatives or 0,
            lr=p.lr, decay=p.decay,
        )  # fmt: skip
        learner.scorings = scorings
        schedule = Schedule(p.epochs, seed=p.seed, stream=("screening",))
        cost = Cost(0, task.n_labels)
        Trainer(schedule, cost, time_budget=time_budget, quiet=quiet).train(learner)
        valid = task.queries("valid")
        if len(valid) > max_queries:
            chosen = rng(p.seed, "screening queries").permutation(len(valid))[:max_queries]
            valid = valid.take(np.sort(chosen))
        found = np.empty(len(symbols))
        with Progress(len(symbols), "ranking symbols", quiet=quiet) as progress:
            for n, scoring in enumerate(scorings):
                objective.scoring = scoring
                ranker, silent = model.ranker(objective), Progress(0, "", quiet=True)
                ranker.scoring = scoring
                found[n] = ranker.rank(valid, silent, pool).metrics()["mrr"]
                progress.advance()
    return found
