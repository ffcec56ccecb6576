"""The question that a fact answers, from either of its sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self, get_args

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidParameter
from parsimony.explain.parts import Side

if TYPE_CHECKING:
    from parsimony.link.task import LinkTask

__all__ = ["Question"]


class Question(NamedTuple):
    """A query (entity, relation, ?) by ids and one answer; relation r + R asks for heads."""

    entity: int
    relation: int
    answer: int

    @classmethod
    def of(cls, fact: tuple[int, int, int], side: Side, n_relations: int) -> Self:
        """Ask for one side of a fact (head, relation, tail).

        Raises
        ------
        InvalidParameter
            ``side`` is neither "head" nor "tail".
        """
        if side not in get_args(Side):
            raise InvalidParameter(f"no side {side!r} can be asked for", remedy="head or tail")
        head, relation, tail = fact
        return cls(tail, relation + n_relations, head) if side == "head" else cls(*fact)

    @property
    def query(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Entity and relation as arrays of one query."""
        return np.array([self.entity], np.int32), np.array([self.relation], np.int32)

    def rank(self, row: npt.NDArray[np.floating], task: LinkTask) -> float:
        """Filtered rank of the answer by the query's scores (n_entities,), ties counted half."""
        rivals = np.ones(len(row), bool)
        rivals[task.filters(not task.inductive)(*self.query)[1]] = False
        rivals[self.answer] = False
        rival, own = row[rivals], row[self.answer]
        return float(1 + (rival > own).sum() + (rival == own).sum() / 2)
