"""What rules say of an answer, as a summand of a model's score, and how much it is worth.

The feature is −log(1 − p) of the rules' combined confidence p, in nats: 0 where no rule leads. It
is added with a weight per relation and side, in units of the usual spread of the model's scores.
Weights are chosen on validation; those of a relation with few queries are drawn to the one that is
best for all (:func:`shrunk_choice`). Validation facts are no edges of the graph that is walked,
so that none is evidence for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from parsimony.graph import KnowledgeGraph
from parsimony.knowledge import Rule
from parsimony.link.rules.constants import known_here
from parsimony.link.rules.scoring import Aggregation, RuleScorer

__all__ = ["SHRINKAGE", "WEIGHTS", "Prior", "shrunk_choice"]

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
#: weights that are compared on validation, 0 first: among equals the least wins
WEIGHTS = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
#: answers that the choice of all relations counts as in a relation's own; None: one weight for all
SHRINKAGE = (None, 300.0, 100.0, 30.0, 10.0)
MOST = 12.0  # nats: more does not make an answer surer
WRONG_PAIRS = 5.0  # added to every counted rule, so that 2/2 does not beat 90/100


@dataclass
class Prior:
    """Rules as a feature of answers.

    Attributes
    ----------
    weight
        (2 · n_relations,), by query relation.
    spread
        The model's usual spread of scores within a query, which weights are multiples of.
    """

    rules: Sequence[Rule]
    aggregation: Aggregation
    weight: npt.NDArray[np.float64]
    spread: float

    def __post_init__(self) -> None:
        """Nothing is walked yet."""
        self._scorers: dict[str, RuleScorer] = {}

    def scorer(self, graph: KnowledgeGraph) -> RuleScorer:
        """The rules ready to answer on a graph (made once)."""
        key = graph.content_hash
        if key not in self._scorers:
            self._scorers[key] = RuleScorer(
                known_here(self.rules, graph), graph,
                aggregation=self.aggregation, smoothing=WRONG_PAIRS,
            )  # fmt: skip
        return self._scorers[key]

    def feature(self, head: Ints, relation: Ints, graph: KnowledgeGraph) -> Floats:
        """−log(1 − p) of every entity, (n_queries, n_entities)."""
        found = self.scorer(graph).score(head, relation)
        if self.aggregation == "max":
            found = -np.log1p(-np.minimum(found, 1 - 1e-6))
        return np.minimum(found, np.float32(MOST))

    def added(self, scores: Floats, feature: Floats, weight: npt.NDArray[np.floating]) -> Floats:
        """A model's scores with the feature; rows of weight 0 stay as they are.

        What the model does not reach counts as just below the least that it does, so that a rule
        can lead there.
        """
        some = weight > 0
        if not some.any():
            return scores
        rows = scores[some]
        finite = np.isfinite(rows)
        if not finite.all():
            least = np.where(finite, rows, np.inf).min(1, keepdims=True)
            least = np.where(np.isfinite(least), least, 0.0) - 1e-3 * self.spread
            rows = np.where(finite, rows, least.astype(np.float32))
        rows += (weight[some] * self.spread).astype(np.float32)[:, None] * feature[some]
        if some.all():
            return rows
        found = scores.copy()
        found[some] = rows
        return found


def shrunk_choice(
    table: npt.NDArray[np.float64], group: Ints, n_groups: int, shrinkage: float | None
) -> npt.NDArray[np.int64]:
    """The row of a table that is best for each group of its columns, (n_groups,).

    Parameters
    ----------
    table
        (n_choices, n_answers), more is better.
    group
        (n_answers,).
    shrinkage
        So many answers of all groups are added to those of each; None: one choice for all.
    """
    overall = table.mean(1)
    if shrinkage is None:
        return np.full(n_groups, int(overall.argmax()))
    sums = np.zeros((len(table), n_groups))
    for row, values in zip(sums, table, strict=True):
        row[:] = np.bincount(group, values, n_groups)
    found: npt.NDArray[np.int64] = (sums + shrinkage * overall[:, None]).round(9).argmax(0)
    return found
