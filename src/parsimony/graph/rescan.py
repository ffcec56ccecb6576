"""The slow second pass over a file of triples, which finds the line of a name or of an error."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from parsimony.decoding.lines import TextTable

__all__ = ["Lines", "TableLines"]


class Lines(ABC):
    """A file of triples, statement by statement."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def triples(self) -> Iterator[tuple[int, tuple[str, str, str]]]:
        """Yield line numbers (from 1) and names.

        Raises
        ------
        EncodingError, FormatError
            A line is not a statement.
        """


class TableLines(Lines):
    """The rows of a table.

    Parameters
    ----------
    table : TextTable
        Its ``wanted`` columns are head, relation and tail.
    """

    def __init__(self, table: TextTable) -> None:
        super().__init__(table.path)
        self.table = table

    def triples(self) -> Iterator[tuple[int, tuple[str, str, str]]]:
        """Yield line numbers and names of the rows."""
        head, relation, tail = self.table.wanted
        for row in self.table.checked_rows():
            yield row.line, (row.cells[head], row.cells[relation], row.cells[tail])
