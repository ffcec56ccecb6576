"""Which of three nameless columns holds the relations, by counts.

Head and tail draw from the same names, the relation from few of its own. So the two columns that
share most of their names are head and tail, and the third, which has fewer different names than
any other reading would make relations of, holds the relations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from parsimony.errors import FormatError

__all__ = ["DOCUMENTED", "Order", "column_order", "numbered"]

#: head, relation, tail
DOCUMENTED = (0, 1, 2)
_ORDERS = (DOCUMENTED, (0, 2, 1), (1, 0, 2))
_WORDS = ("head", "relation", "tail")
_FEW = 20  # rows below which counts decide nothing
_ALIKE = 0.05  # least similarity of head and tail that overturns the documented order
_CLEAR = 0.25  # from which an order with more relations than the documented one is not ignored
_FACTOR = 2.0


class Order(NamedTuple):
    """Positions of head, relation and tail, and what a user should know of them."""

    columns: tuple[int, int, int]
    notes: tuple[str, ...] = ()


class _Counts(NamedTuple):
    """What a table would be in some order."""

    relations: int
    entities: int
    shared: int

    @property
    def alike(self) -> float:
        """Jaccard similarity of the names of heads and tails."""
        return self.shared / self.entities


def column_order(frames: Sequence[pl.DataFrame], where: str) -> Order:
    """Return which columns of some files, read as one, hold head, relation and tail.

    Parameters
    ----------
    frames
        Three columns each, in the order of the file.
    where
        The file or folder, for errors.

    Raises
    ------
    FormatError
        The counts contradict each other; ``--columns`` settles it.
    """
    if sum(map(len, frames)) < _FEW:
        return Order(DOCUMENTED)
    names = [
        {name for frame in frames for name in frame.to_series(i).unique().cast(pl.String)}
        for i in range(3)
    ]
    counts = {order: _counts(names, order) for order in _ORDERS}
    given = counts[DOCUMENTED]
    order = max(_ORDERS[1:], key=lambda each: counts[each].alike)
    found = counts[order]
    written = ", ".join(_WORDS[order.index(place)] for place in range(3))
    if found.alike >= max(_ALIKE, _FACTOR * given.alike) and found.shared > 0:
        if found.relations < given.relations:
            return Order(order, (
                f"the columns are read as {written}: so there are {found.relations:,} relations "
                f"and {found.entities:,} entities, instead of {given.relations:,} relations whose "
                f"names are entities' as well; --columns 1,2,3 reads head, relation, tail",
            ))  # fmt: skip
        if found.alike >= _CLEAR:
            raise FormatError(
                f"the order of the columns is not clear: as head, relation, tail there are "
                f"{given.relations:,} relations and few entities are head and tail; as {written} "
                f"{found.relations:,} relations",
                remedy="--columns 1,2,3 for the first, --columns "
                f"{','.join(numbered(order))} for the other",
                where=where,
            )
    swapped = counts[0, 2, 1]
    if not given.shared and not swapped.shared and 4 * swapped.relations <= given.relations:
        return Order(DOCUMENTED, (
            f"warning: no entity is head and tail, and the second column has {given.relations:,} "
            f"names, the third {swapped.relations:,}: if the third holds the relations, "
            f"--columns {','.join(numbered((0, 2, 1)))}",
        ))  # fmt: skip
    return Order(DOCUMENTED)


def _counts(names: list[set[str]], order: tuple[int, int, int]) -> _Counts:
    head, relation, tail = (names[i] for i in order)
    return _Counts(len(relation), len(head | tail), len(head & tail))


def numbered(order: Sequence[int]) -> tuple[str, str, str]:
    """Return an order as ``--columns`` takes it, counted from 1."""
    head, relation, tail = (str(place + 1) for place in order)
    return head, relation, tail
