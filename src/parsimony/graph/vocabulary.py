"""Names and their ids."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from parsimony.decoding.documents import checked, parse_json
from parsimony.decoding.files import read_text
from parsimony.decoding.strict_json import json_text
from parsimony.errors import FormatError, UnknownDrug, UnknownEntity, UnknownRelation
from parsimony.graph.names import NameIndex, Unknown

__all__ = ["QUOTED", "UNKNOWN", "Kind", "Vocabulary", "name_lines"]

Kind = Literal["entity", "relation", "drug"]

UNKNOWN: dict[Kind, Unknown] = {
    "entity": UnknownEntity, "relation": UnknownRelation, "drug": UnknownDrug,
}  # fmt: skip


#: a name that a list of names holds in quotes, so that every line is a name
QUOTED = r'^$|^"|[\x00-\x1f\x7f]'
_QUOTED = re.compile(QUOTED)


def _needs_quotes(name: str) -> bool:
    return _QUOTED.search(name) is not None


def name_lines(names: Iterable[str]) -> str:
    """Return one name per line; names with control characters are JSON-quoted."""
    return "".join(
        (json_text(name, ensure_ascii=False) if _needs_quotes(name) else name) + "\n"
        for name in names
    )


class Vocabulary:
    """An immutable list of unique names; a name's id is its position.

    Parameters
    ----------
    names : sequence of str
        Unique names, in the order of their ids.
    kind : {"entity", "relation", "drug"}
        What the names denote; determines the error for an unknown name.

    Raises
    ------
    FormatError
        A name occurs twice.
    """

    __slots__ = ("__dict__", "_names", "kind")

    def __init__(self, names: Sequence[str], kind: Kind = "entity") -> None:
        self._names: Sequence[str] = tuple(names)
        self.kind: Kind = kind
        if len(set(self._names)) != len(self._names):
            seen: dict[str, int] = {}
            for i, name in enumerate(self._names):
                if name in seen:
                    raise FormatError(
                        f"{kind} {name!r} occurs twice, as ids {seen[name]} and {i}",
                        remedy="remove one of them",
                    )
                seen[name] = i

    @property
    def names(self) -> Sequence[str]:
        """All names, in the order of their ids."""
        return self._names

    @cached_property
    def _index(self) -> NameIndex:
        return NameIndex(self._names, UNKNOWN[self.kind])

    @property
    def ids(self) -> Mapping[str, int]:
        """The id of every name."""
        return self._index.exact

    def __len__(self) -> int:
        """Return the number of names."""
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names in the order of their ids."""
        return iter(self._names)

    def __contains__(self, name: object) -> bool:
        """Return whether ``name`` is known."""
        return name in self._index.exact

    def __eq__(self, other: object) -> bool:
        """Compare kind and names in order."""
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return (self.kind, self._names) == (other.kind, other._names)

    def __hash__(self) -> int:
        """Hash kind and names."""
        return hash((self.kind, self._names))

    def __repr__(self) -> str:
        """Show the kind, the number of names and the first few."""
        head = ", ".join(map(repr, self._names[:3])) + (", …" if len(self) > 3 else "")
        return f"Vocabulary({self.kind}, {len(self):,} names: {head})"

    def index(self, name: str, *, where: str | None = None, notes: list[str] | None = None) -> int:
        """Return the id of ``name``; with ``notes`` also of one that is spelled a little otherwise.

        See :meth:`parsimony.graph.names.NameIndex.find`.

        Raises
        ------
        UnknownEntity, UnknownRelation, UnknownDrug
            No such name; the closest one is suggested. With ``notes`` also: several are spelled
            alike, and none exactly so.
        """
        return self._index.find(name, where=where, notes=notes)

    def name(self, i: int) -> str:
        """Return the name of id ``i`` (``0 ≤ i < len(self)``)."""
        if i < 0:
            raise IndexError(f"{self.kind} id {i} is negative")
        return self._names[i]

    def as_array(self) -> np.ndarray:
        """Return the names as an object array of shape ``(len(self),)``."""
        return np.array(self._names, dtype=object)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over kind and names, in hexadecimal."""
        digest = hashlib.sha256(self.kind.encode())
        digest.update(self._text().encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def _text(self) -> str:
        return name_lines(self._names)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one name per line; names with control characters are JSON-quoted."""
        Path(path).write_text(self._text(), encoding="utf-8", newline="\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str], kind: Kind = "entity") -> Vocabulary:
        """Read what :meth:`save` wrote.

        Raises
        ------
        MissingFile, NotAFile, EncodingError, FormatError
            The file cannot be read; ``where`` gives its path.
        """
        lines = read_text(path).split("\n")
        if lines and not lines[-1]:
            lines.pop()
        names = []
        for number, line in enumerate(lines, start=1):
            if line.startswith('"'):
                where = f"{path}:{number}"
                line = checked(
                    str, parse_json(line, where, remedy="restore it"), where, remedy="restore it"
                )
            names.append(line)
        return cls(names, kind)
