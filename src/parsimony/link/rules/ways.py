"""How the rules of all relations are combined, as a run keeps and uses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.graph import KnowledgeGraph
from parsimony.knowledge.rules import Rule
from parsimony.link.rules.combining import Combination
from parsimony.link.rules.constants import known_here
from parsimony.link.rules.scoring import RuleScorer

__all__ = ["Ways"]


class Ways(NamedTuple):
    """How the rules of each query relation are combined.

    ``labels`` has the cluster of each rule at each of the ``thresholds``, ``learned`` the weight
    that was learned at each of the ``penalties``.
    """

    combinations: dict[int, Combination]
    thresholds: list[float]
    labels: dict[Rule, npt.NDArray[np.int32]]
    penalties: list[float]
    learned: dict[Rule, npt.NDArray[np.float64]]

    def scorer(self, rules: Sequence[Rule], graph: KnowledgeGraph) -> RuleScorer:
        """Return rules ready to answer on a graph, but for those that name other entities."""
        return RuleScorer(
            known_here(rules, graph), graph, combinations=self.combinations,
            labels=self.labels or None, thresholds=self.thresholds,
            learned=self.learned, penalties=self.penalties,
        )  # fmt: skip
