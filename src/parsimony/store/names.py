"""Names in a memory-mapped file: sorted, found by halving, decoded when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from parsimony.graph.names import NameIndex, fold
from parsimony.graph.vocabulary import UNKNOWN, Kind, Vocabulary

__all__ = ["MappedNames", "StoredVocabulary"]

_CHUNK = 1 << 16


class MappedNames(Sequence[str]):
    """Names in ascending order of their UTF-8 bytes.

    Parameters
    ----------
    offsets : int64 array, shape (n + 1,)
        Where each name begins in ``text``.
    text : uint8 array
        All names, one behind another.
    """

    def __init__(self, offsets: npt.NDArray[np.int64], text: npt.NDArray[np.uint8]) -> None:
        self._offsets, self._text = offsets, text

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
        return self._bytes(i % len(self)).decode()

    def __iter__(self) -> Iterator[str]:
        """Decode a few at a time."""
        for low in range(0, len(self), _CHUNK):
            at = self._offsets[low : low + _CHUNK + 1].tolist()
            text = self._text[at[0] : at[-1]].tobytes()
            for begin, end in pairwise(at):
                yield text[begin - at[0] : end - at[0]].decode()

    def __contains__(self, name: object) -> bool:
        """Return whether it is one of the names."""
        return self.position(name) is not None

    def position(self, name: object) -> int | None:
        """Return the position of a name, None where there is none."""
        if not isinstance(name, str):
            return None
        wanted = name.encode("utf-8", "surrogatepass")
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self._bytes(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self) and self._bytes(low) == wanted else None

    def _bytes(self, i: int) -> bytes:
        return self._text[int(self._offsets[i]) : int(self._offsets[i + 1])].tobytes()


class _Folded:
    """Positions of the names that :func:`parsimony.graph.names.fold` takes for one: no table."""

    def __init__(self, names: MappedNames) -> None:
        self._names = names

    def get(self, folded: str, default: list[int]) -> list[int]:
        return [i for i, name in enumerate(self._names) if fold(name) == folded] or default


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
