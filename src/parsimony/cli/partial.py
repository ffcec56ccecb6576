"""A list of which some entries are unknown: these are reported, the others are answered."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import typer

from parsimony.errors import DataError

__all__ = ["Unknown"]

_NAMED = 5  # of the unknown names: looked up for the nearest known one, and listed in the note


class Unknown:
    """The entries of a list that are unknown, in their order."""

    def __init__(self) -> None:
        self.errors: list[DataError] = []

    def add(self, error: Any, name: str, known: Collection[str], where: str) -> None:
        """Report an unknown name.

        Parameters
        ----------
        error
            The class of the error of such a name.
        known
            The names that are known.
        where
            ``file:line``.
        """
        near = known if len(self.errors) < _NAMED else ()
        self.errors.append(error.of(name, near, where=where))

    def require(self, left: Collection[Any]) -> None:
        """Raise the first error if nothing of the list is left."""
        if self.errors and not left:
            raise self.errors[0]

    def tell(self, result: dict[str, Any], noun: str) -> None:
        """Add the unknown entries to a result, under ``unknown``, and a note on them."""
        if self.errors:
            shown = "; ".join(f"{error.where}: {error.message}" for error in self.errors[:_NAMED])
            more = "; …" if len(self.errors) > _NAMED else ""
            note = f"warning: {len(self.errors):,} {noun} left out: {shown}{more}"
            result["notes"] = [*result.get("notes", ()), note]
            result["unknown"] = [error.to_dict() for error in self.errors]

    def exit(self) -> None:
        """End the verb with the code that says that something is missing, where it is."""
        if self.errors:
            raise typer.Exit(1)
