"""The result of ``predict`` and ``adapt``: a small table of answers with its query and notes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from parsimony.errors import MissingExtra
from parsimony.metrics.guard import checked
from parsimony.pages.notebook import table_html

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas  # type: ignore[import-untyped]
    import polars

__all__ = ["Answers", "Measures", "as_notes"]

_ROWS = ("answers", "predictions")  # the key that holds the rows


def as_notes(notes: Iterable[str]) -> list[str]:
    """Return notes as lines of text: each begins with ``note:`` or ``warning:``."""
    return [note if note.startswith("warning: ") else f"note: {note}" for note in notes]


class Answers(dict[str, Any]):
    """A table of answers, best first: the dict that ``--json`` prints, with conversions.

    ``answers["query"]`` and the other keys are as the method's ``predict`` documents them;
    ``rows`` are the answers themselves, one dict each.

    Examples
    --------
    >>> found = Answers(query={"head": "a"}, answers=[{"entity": "b", "score": 0.5}])
    >>> found.rows[0]["entity"], len(found.to_polars())
    ('b', 1)
    """

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dict per answer, best first."""
        rows: list[dict[str, Any]] = next((self[key] for key in _ROWS if key in self), [])
        return rows

    @property
    def columns(self) -> list[str]:
        """Names of the values of an answer."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def to_polars(self) -> polars.DataFrame:
        """Return the rows as a Polars data frame."""
        import polars

        return polars.DataFrame(self.rows, infer_schema_length=None)

    def to_pandas(self) -> pandas.DataFrame:
        """Return the rows as a pandas data frame.

        Raises
        ------
        MissingExtra
            pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MissingExtra("pandas is not installed", remedy="pip install pandas") from None
        return pandas.DataFrame(self.rows)

    def to_numpy(self) -> npt.NDArray[np.object_]:
        """Return the rows as an array of objects, (n_answers, n_columns)."""
        import numpy as np

        table = np.empty((len(self.rows), len(self.columns)), object)
        for i, row in enumerate(self.rows):
            table[i] = [row.get(name) for name in self.columns]
        return table

    def _repr_html_(self) -> str:
        query = self.get("query") or {}
        title = ", ".join(f"{key} {value}" for key, value in query.items() if value is not None)
        rows = [[_shown(cell) for cell in row] for row in self.to_numpy()]
        return table_html(title, self.columns, rows)


def _shown(cell: Any) -> Any:
    """A cell as a notebook shows it: numbers by four digits, nothing where there is no value."""
    return f"{cell:.4g}" if isinstance(cell, float) else "" if cell is None else cell


class Measures(dict[str, Any]):
    """What ``evaluate`` measured: the dict that ``--json`` prints; a table in notebooks.

    Raises
    ------
    InvalidMeasure
        A number of ``metrics`` is not finite, or impossible for what it measures.
    """

    def __init__(self, *values: Mapping[str, Any], **more: Any) -> None:
        super().__init__(*values, **more)
        checked(self.get("metrics", {}))

    def _repr_html_(self) -> str:
        intervals = self.get("interval") or {}
        rows = []
        for name, value in self.get("metrics", {}).items():
            between = intervals.get(name)
            interval = "" if between is None else f"{between[0]:.4f} to {between[1]:.4f}"
            rows.append((name, f"{value:.4f}", interval))
        title = f"{self.get('split', '')}, {self.get('n_queries', self.get('users', ''))} queries"
        return table_html(title, ("measure", "value", "95 % interval"), rows)
