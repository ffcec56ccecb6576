"""The weight of popularity in a reasoner's scores (docs/methods/redgnn.md, eq. 12).

Walks know no entity by its name: that most people of a graph live in three cities is nothing they
can say. One number says it: λ log(1 + n) is added to the score of an entity that answers the
relation n times in the graph.
"""

from __future__ import annotations

from parsimony.link.reasoning.parameters import ReasonerParameters
from parsimony.link.reasoning.sharding import ShardedPropagation
from parsimony.link.reasoning.weights import Weights
from parsimony.link.task import QuerySet
from parsimony.metrics import Ranks
from parsimony.run.progress import Progress

__all__ = ["best_popularity"]

WEIGHTS = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0)
GAIN = 1e-3  # that a weight has to bring in MRR


def best_popularity(
    propagation: ShardedPropagation,
    weights: Weights,
    queries: QuerySet,
    parameters: ReasonerParameters,
    progress: Progress,
) -> tuple[float, dict[str, float]]:
    """Rank queries under every weight, or the given one; the best, and its metrics."""
    given = parameters.popularity
    some = WEIGHTS if given == "validation" else (given,)
    found: list[Ranks] = propagation.ranks(
        weights, queries, parameters.eval_batch, unreached=parameters.unreached, popularity=some,
        progress=progress,
    )  # fmt: skip
    metrics = [ranks.metrics() for ranks in found]
    best = max(range(len(some)), key=lambda i: metrics[i]["mrr"] - GAIN * (i > 0))
    return some[best], metrics[best]
