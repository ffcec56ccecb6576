"""Names in a memory-mapped file: sorted, found by halving, decoded when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from parsimony.errors import FormatError
from parsimony.graph.names import NameIndex, fold
from parsimony.graph.vocabulary import UNKNOWN, Kind, Vocabulary
from parsimony.store.manifest import REMEDY

__all__ = ["MappedNames", "StoredVocabulary"]

_CHUNK = 1 << 16
_LIKE = 2_000  # names around the place of an unknown one, among which it is looked for
_SPACES = b" \t\n\v\f\r\x1c\x1d\x1e\x1f"
_PASSED_OVER = np.frombuffer(_SPACES + b"0.", np.uint8)  # what spellings of a name can differ in


class MappedNames(Sequence[str]):
    """Names in ascending order of their UTF-8 bytes.

    Parameters
    ----------
    offsets : int64 array, shape (n + 1,)
        Where each name begins in ``text``.
    text : uint8 array
        All names, one behind another.
    where : str
        The file of the text, for errors.
    """

    def __init__(
        self, offsets: npt.NDArray[np.int64], text: npt.NDArray[np.uint8], where: str = ""
    ) -> None:
        self._offsets, self._text, self._where = offsets, text, where

    def __len__(self) -> int:
        """Return the number of names."""
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, i: int) -> str: ...
    @overload
    def __getitem__(self, i: slice) -> list[str]: ...
    def __getitem__(self, i: int | slice) -> str | list[str]:
        """Return a name, or those of a slice."""
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        if not -len(self) <= i < len(self):
            raise IndexError(i)
        return self._decoded(self._bytes(i % len(self)))

    def __iter__(self) -> Iterator[str]:
        """Decode a few at a time."""
        for low in range(0, len(self), _CHUNK):
            at = self._offsets[low : low + _CHUNK + 1].tolist()
            text = self._text[at[0] : at[-1]].tobytes()
            for begin, end in pairwise(at):
                yield self._decoded(text[begin - at[0] : end - at[0]])

    def __contains__(self, name: object) -> bool:
        """Return whether it is one of the names."""
        return self.position(name) is not None

    def position(self, name: object) -> int | None:
        """Return the position of a name, None where there is none."""
        if not isinstance(name, str):
            return None
        at = self.place(name)
        wanted = name.encode("utf-8", "surrogatepass")
        return at if at < len(self) and self._bytes(at) == wanted else None

    def place(self, name: str) -> int:
        """Return how many names are smaller."""
        wanted = name.encode("utf-8", "surrogatepass")
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self._bytes(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low

    def spelled(self, folded: str) -> Iterator[int]:
        """Yield the positions of names that :func:`parsimony.graph.names.fold` may make ``folded``.

        Names of ASCII characters are told by the sum of a random number for each letter, whatever
        its case; the others are yielded all where any of them can be meant.
        """
        values = np.random.default_rng(0).integers(1 << 62, size=256)
        values[ord("A") : ord("Z") + 1] = values[ord("a") : ord("z") + 1]
        values[_PASSED_OVER] = 0
        values[128:] = 0
        wanted = values[np.frombuffer(folded.encode("utf-8", "surrogatepass"), np.uint8)].sum()
        for low in range(0, len(self), _CHUNK):
            at = self._offsets[low : low + _CHUNK + 1]
            text = self._text[at[0] : at[-1]]
            sums = np.concatenate([[0], np.cumsum(values[text])])[at - at[0]]
            fits = np.diff(sums) == wanted if folded.isascii() else np.zeros(len(at) - 1, bool)
            if text.max(initial=0) > 127:
                fits |= np.diff(np.concatenate([[0], np.cumsum(text > 127)])[at - at[0]]) > 0
            yield from (np.flatnonzero(fits) + low).tolist()

    def _decoded(self, name: bytes) -> str:
        try:
            return name.decode()
        except UnicodeDecodeError:
            raise FormatError(
                f"a name that is not UTF-8: {name[:60]!r}", remedy=REMEDY, where=self._where
            ) from None

    def _bytes(self, i: int) -> bytes:
        return self._text[int(self._offsets[i]) : int(self._offsets[i + 1])].tobytes()


class _Folded:
    """Positions of the names that :func:`parsimony.graph.names.fold` takes for one: no table."""

    def __init__(self, names: MappedNames) -> None:
        self._names = names

    def get(self, folded: str, default: list[int]) -> list[int]:
        found = [i for i in self._names.spelled(folded) if fold(self._names[i]) == folded]
        return found or default


class _Positions(Mapping[str, int]):
    """Positions by name, looked up one by one."""

    def __init__(self, names: MappedNames) -> None:
        self._names = names

    def __getitem__(self, name: str) -> int:
        found = self._names.position(name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class _StoredIndex(NameIndex):
    """Finds names without a table of them."""

    @cached_property
    def exact(self) -> Mapping[str, int]:
        assert isinstance(self._names, MappedNames)
        return _Positions(self._names)

    def like(self, name: str) -> list[str]:
        """Return names of equal spelling, and those around its place in either case."""
        assert isinstance(self._names, MappedNames)
        near = {*self._folded.get(fold(name), [])}
        for spelling in (name, name.lower(), name.upper(), name.capitalize()):
            at = self._names.place(spelling)
            near |= {*range(max(at - _LIKE, 0), min(at + _LIKE, len(self._names)))}
        return [self._names[i] for i in sorted(near)]

    @cached_property
    def _folded(self) -> Any:
        assert isinstance(self._names, MappedNames)
        return _Folded(self._names)


class StoredVocabulary(Vocabulary):
    """A vocabulary whose names stay on the disk.

    Parameters
    ----------
    names : MappedNames
    kind : {"entity", "relation", "drug"}
    content_hash : str
        Of the vocabulary of the same names in memory.
    """

    def __init__(self, names: MappedNames, kind: Kind, content_hash: str) -> None:
        self._names, self.kind = names, kind
        vars(self)["content_hash"] = content_hash

    @cached_property
    def _index(self) -> NameIndex:
        return _StoredIndex(self._names, UNKNOWN[self.kind])

    def __eq__(self, other: object) -> bool:
        """Compare kind and names in order, by their hash."""
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self.kind == other.kind and self.content_hash == other.content_hash

    def __hash__(self) -> int:
        """Hash kind and names."""
        return hash((self.kind, tuple(self._names)))
