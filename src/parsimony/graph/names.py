"""Names: the dictionaries that files share, which names are spelled alike, and how one is found.

A name is what the file says, character for character: nothing is trimmed, normalised or merged, so
that no two entities become one without a word. Names that only case, spaces or the Unicode form
tell apart are reported instead (:func:`alike_note`), and a name that is asked for is found under
another such spelling if only one name has it (:class:`NameIndex`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple, Self

import polars as pl

from parsimony.errors import UnknownDrug, UnknownEntity, UnknownRelation

__all__ = [
    "COLUMNS",
    "NameIndex",
    "Names",
    "Unknown",
    "alike",
    "alike_note",
    "fold",
    "spelled",
    "spelling_notes",
]

COLUMNS = ("head", "relation", "tail")
#: the error for a name that is none of those known
Unknown = type[UnknownEntity] | type[UnknownRelation] | type[UnknownDrug]
_NUMBER = re.compile(r"0*([0-9]+)(?:\.0*)?")
_LISTED = 5  # names in a message


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


def fold(name: str) -> str:
    """Return what all spellings of a name have in common.

    They may differ in case, in spaces (also no-break ones, and those around the name), in the
    Unicode form (composed or not, full width, ligatures), in characters without width, and as
    numbers in leading zeros and ``.0``.

    Examples
    --------
    >>> fold(" Vitamin  K "), fold("007.0")
    ('vitamin k', '7')
    """
    if not name.isascii():
        for _ in range(2):  # case folding can leave a form that is not composed
            name = unicodedata.normalize("NFKC", name).casefold()
            name = "".join(c for c in name if unicodedata.category(c) != "Cf")
    found = " ".join(name.casefold().split())
    number = _NUMBER.fullmatch(found) if found[:1].isdecimal() else None
    return number[1] if number else found


def spelled(name: str) -> str:
    """Return a name in quotes, so that another spelling of it looks different."""
    plain = unicodedata.is_normalized("NFC", name) and name.isprintable()
    return repr(name) if plain else ascii(name)


def alike(names: Iterable[str]) -> list[list[str]]:
    """Return the groups of different names that :func:`fold` takes for one, in their order."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(fold(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def alike_note(names: Iterable[str], noun: str, plural: str) -> list[str]:
    """Return a note on names that only their spelling tells apart; empty where there are none."""
    groups = alike(names)
    if not groups:
        return []
    shown = "; ".join(_listed(group) for group in groups[:2]) + "; …" * (len(groups) > 2)
    return [
        f"warning: {sum(map(len, groups)):,} {plural} differ from another {noun} only in case, "
        f"spaces, Unicode form or the writing of a number, and are kept apart: {shown}"
    ]


def spelling_notes(entities: Iterable[str], relations: Iterable[str]) -> list[str]:
    """Return :func:`alike_note` of a graph's names."""
    return [
        *alike_note(entities, "entity", "entities"),
        *alike_note(relations, "relation", "relations"),
    ]


class NameIndex:
    """Positions of names: an exact name wins, else the only one that is spelled alike.

    Parameters
    ----------
    names
        Different names.
    unknown
        The error for a name that is none of them.
    """

    def __init__(self, names: Sequence[str], unknown: Unknown) -> None:
        self._names, self._unknown = names, unknown

    @cached_property
    def exact(self) -> Mapping[str, int]:
        """Position of every name; built at the first lookup."""
        return {name: i for i, name in enumerate(self._names)}

    @cached_property
    def _folded(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for i, name in enumerate(self._names):
            found.setdefault(fold(name), []).append(i)
        return found

    def like(self, name: str) -> Sequence[str]:
        """Return the names among which one that was meant is looked for."""
        return self._names

    def find(self, name: str, *, where: str | None = None, notes: list[str] | None = None) -> int:
        """Return the position of a name.

        Parameters
        ----------
        name
            As it was given.
        where
            ``file:line`` where it was read.
        notes
            Receives a note where the name was found under another spelling; without a place for the
            note only the exact name is found.

        Raises
        ------
        UnknownEntity, UnknownRelation, UnknownDrug
            No name is spelled so, or several are and none exactly so; the message lists these.
        """
        found = self.exact.get(name) if isinstance(name, str) else None
        if found is not None:
            return found
        near = self._folded.get(fold(name), []) if notes is not None else []
        if notes is None or not near:
            known = self.like(str(name))
            raise self._unknown.of(str(name), known, where=where, n=len(self._names))
        if len(near) > 1:
            raise self._unknown(
                f"no {self._unknown.noun} is {spelled(name)} exactly, and {len(near):,} are "
                f"spelled alike: {_listed([self._names[i] for i in near])}",
                remedy="give one of them as it is spelled",
                where=where,
            )
        meant = self._names[near[0]]
        note = f"{spelled(name)} is taken for the {self._unknown.noun} {spelled(meant)}"
        if note not in notes:
            notes.append(note)
        return near[0]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(spelled, names[:_LISTED])) + ", …" * (len(names) > _LISTED)
