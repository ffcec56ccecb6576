"""Choose on validation what scores are worth, without the choice flattering itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from parsimony.link.task import QuerySet

__all__ = ["counted", "cross_fitted", "halves"]

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def halves(queries: QuerySet) -> Bools:
    """Which answers belong to every second query, (n_answers,)."""
    found: Bools = np.repeat(np.arange(len(queries)) % 2, np.diff(queries.answer_ptr)) == 1
    return found


def cross_fitted(
    table: Floats, half: Bools, choose: Callable[[Floats, Bools], npt.NDArray[np.integer]]
) -> Floats:
    """What answers get where those of the other half choose, (n_answers,).

    Parameters
    ----------
    table
        (n_choices, n_answers), more is better.
    half
        (n_answers,) cuts the answers in two; where one part is empty, the other chooses for itself.
    choose
        From the table and the answers that it may look at, the row for every answer (n_answers,).
    """
    found, every = np.empty(table.shape[1]), np.arange(table.shape[1])
    for own in (half, ~half):
        rows = choose(table, ~own if (~own).any() else own)
        found[own] = table[rows, every][own]
    return found


def counted(
    scores: npt.NDArray[np.float32], queries: QuerySet, at: int, possible: Bools | None = None
) -> tuple[Longs, Longs]:
    """Candidates above and level with the answers of the queries from ``at`` on.

    With ``possible`` (n_queries, n_entities) impossible candidates are below all others, and an
    impossible answer is behind all of its rivals, the impossible ones too.
    """
    greater, equal = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for i, row in enumerate(scores):
        q = at + i
        rivals = np.ones(len(row), bool)
        rivals[queries.known[queries.known_ptr[q] : queries.known_ptr[q + 1]]] = False
        answers = queries.answer[queries.answer_ptr[q] : queries.answer_ptr[q + 1]]
        own = row[answers][:, None]
        others = row[rivals] if possible is None else row[rivals & possible[i]]
        above, level = (others > own).sum(1), (others == own).sum(1)
        if possible is not None:
            above = np.where(possible[i, answers], above, rivals.sum())
            level = np.where(possible[i, answers], level, 0)
        greater.append(above)
        equal.append(level)
    return np.concatenate(greater), np.concatenate(equal)
