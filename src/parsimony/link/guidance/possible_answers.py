"""How many of the best answers a book calls possible: Sem@10."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from parsimony.link.guidance.applied import AppliedBook
from parsimony.link.task import QuerySet

__all__ = ["PossibleAnswers"]

TOP = 10


class PossibleAnswers:
    """Counts over the queries of a ranking whose answers have a stated domain or range.

    Attributes
    ----------
    possible, shown
        Of the best ten candidates, how many are possible, and how many there were.
    forbidden
        True answers that the mask calls impossible, of all queries.
    """

    def __init__(self) -> None:
        self.possible = self.shown = self.forbidden = 0

    def count(
        self,
        applied: AppliedBook,
        scores: npt.NDArray[np.float32],
        queries: QuerySet,
        at: int,
        masked: npt.NDArray[np.bool_] | None,
    ) -> None:
        """Count the queries from ``at`` on, whose scores and possible answers these are."""
        if not applied.masking:
            return
        mask = applied.mask(queries.graph)
        typed = np.array(sorted(mask.typed), np.int32)
        for i, row in enumerate(scores):
            q = at + i
            answers = queries.answer[queries.answer_ptr[q] : queries.answer_ptr[q + 1]]
            if masked is not None:
                self.forbidden += int((~masked[i, answers]).sum())
            if queries.relation[q] not in typed:
                continue
            possible = mask.possible(queries.head[q : q + 1], queries.relation[q : q + 1])[0]
            candidate = np.ones(len(row), bool)
            candidate[queries.known[queries.known_ptr[q] : queries.known_ptr[q + 1]]] = False
            candidate[answers] = True
            if masked is not None:
                candidate &= masked[i]
            index = np.flatnonzero(candidate)
            top = index[np.argsort(-row[index], kind="stable")[:TOP]]
            self.possible += int(possible[top].sum())
            self.shown += len(top)
