"""The dictionaries of names that the files of one dataset share."""

from __future__ import annotations

from typing import NamedTuple, Self

import polars as pl

__all__ = ["COLUMNS", "Names"]

COLUMNS = ("head", "relation", "tail")


class Names(NamedTuple):
    """The dictionaries that files of one dataset share, so that their codes agree."""

    entities: pl.Categories
    relations: pl.Categories

    @classmethod
    def new(cls) -> Self:
        """Return new, empty dictionaries, unlike Polars' global one."""
        return cls(pl.Categories.random(), pl.Categories.random())

    def schema(self, columns: tuple[str, str, str] = COLUMNS) -> dict[str, pl.DataType]:
        """Return the column types of head, relation and tail."""
        entity, relation = pl.Categorical(self.entities), pl.Categorical(self.relations)
        return dict(zip(columns, (entity, relation, entity), strict=True))
