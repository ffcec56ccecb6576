"""Names to codes, a block after the other: an open-addressing table of hashes, the names on disk.

Names are told apart by 96 bits of two seeded hashes of Polars; that two of a billion names share
them has a probability of about 10⁻¹¹. It takes a fifth of the time of Polars' joins and categorical
columns, which do the same, and only the table stays in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from parsimony.kernels.numerics import kernel

__all__ = ["Codes", "Dictionary", "DictionaryFull", "Hashed"]

_SEEDS = (0x9E3779B9, 0x85EBCA6B)
_FEWEST = 12  # bits of the smallest table
_LOAD = 0.7  # of the slots are taken at most
_LOW = 0xFFFFFFFF  # the half of a number that holds a code; 0 in a free slot
_TOGETHER = 128  # names whose slots are asked for before the first of them is looked at
_HELD = 1 << 26  # bytes of names that are kept until they are written
IntArray = npt.NDArray[np.int32]


class DictionaryFull(Exception):
    """The table may not grow any further."""


@kernel
def _look_up(hashes, checks, table, share, shares, n, room, codes, new, begin):  # type: ignore[no-untyped-def]
    """Find the codes of hashed names from row ``begin`` on, the next ones for names that are new.

    A table exceeds the cache: memory is asked for the slots of some names together, not one by one.

    IN  hashes (m,): whose highest bits say where the search begins;  checks (m,): other hashes
        share, shares: names whose hash leaves another remainder than ``share`` are passed over
        n, room: codes that are given, and that can be
    INOUT table (2^k, 2): a hash; the lower half of the other one, and the code + 1
    OUT codes (m,);  new (m,): the rows that were given a new code
        the row that found no room, the codes that are given, and nothing (what was asked for)
    """
    mask, first, shift = np.int64(len(table) - 1), n, _shift(len(table))
    half, low, asked = np.uint64(32), np.uint64(_LOW), np.uint64(0)
    for row in range(begin, len(hashes), _TOGETHER):
        end = min(row + _TOGETHER, len(hashes))
        for i in range(row, end):
            asked ^= table[np.int64(hashes[i] >> shift), 1]
        for i in range(row, end):
            one, other = hashes[i], checks[i] << half
            if shares > 1 and np.int64(one % np.uint64(shares)) != share:
                continue
            at = np.int64(one >> shift)
            while True:
                held = table[at, 1]
                if held & low == 0:
                    if n == room:
                        return i, n, asked
                    table[at, 0], table[at, 1] = one, other | np.uint64(n + 1)
                    codes[i], new[n - first] = n, i
                    n += 1
                    break
                if table[at, 0] == one and (held ^ other) >> half == 0:
                    codes[i] = np.int32(held & low) - 1
                    break
                at = (at + 1) & mask
    return len(hashes), n, asked


@kernel
def _shift(size):  # type: ignore[no-untyped-def]
    """Return how far a hash is shifted to be a place in a table of 2^k slots: 64 - k."""
    shift = 64
    while size > 1:
        size >>= 1
        shift -= 1
    return np.uint64(shift)


@kernel
def _move(old, table):  # type: ignore[no-untyped-def]
    """Enter all of a table into a larger one; both are walked from front to back."""
    mask, low, shift = np.int64(len(table) - 1), np.uint64(_LOW), _shift(len(table))
    for i in range(len(old)):
        if old[i, 1] & low != 0:
            at = np.int64(old[i, 0] >> shift)
            while table[at, 1] & low != 0:
                at = (at + 1) & mask
            table[at, 0], table[at, 1] = old[i, 0], old[i, 1]


class Hashed(NamedTuple):
    """A column of names, and two hashes of each."""

    names: pl.Series
    hashes: npt.NDArray[np.uint64]
    checks: npt.NDArray[np.uint64]

    @classmethod
    def of(cls, names: pl.Series) -> Self:
        """Hash a column of strings."""
        hashes, checks = (names.hash(seed).to_numpy() for seed in _SEEDS)
        return cls(names, hashes, checks)


class Codes:
    """Codes of names, from 0 in the order in which they first appear; the names are not kept.

    Parameters
    ----------
    memory : int, optional
        Bytes that the table may take while it grows.
    room : int
        Names for which there is room from the beginning.

    Attributes
    ----------
    shares : int
        Passes in which the names are coded; with one, the table holds them all.
    """

    def __init__(self, memory: int | None = None, room: int = 0) -> None:
        self._memory, self._n, self._room = memory, 0, room
        self.begin(0, 1)

    def __len__(self) -> int:
        """Return the number of names."""
        return self._n

    def begin(self, share: int, shares: int) -> None:
        """Begin a pass over all names that codes those of one share, by their hash, alone."""
        self._share, self.shares, self._before = share, shares, self._n
        self._table = _free(1 << max(_FEWEST, int(self._room / _LOAD).bit_length()))

    def codes(self, column: Hashed, codes: IntArray) -> npt.NDArray[np.int64]:
        """Write the codes of a column; return the rows of names that are new.

        Raises
        ------
        DictionaryFull
        """
        n_names = len(column.names)
        new, begin, first = np.empty(n_names, np.int64), 0, self._n
        while True:
            begin, self._n, _ = _look_up(
                column.hashes, column.checks, self._table, self._share, self.shares, self._n,
                self._before + int(_LOAD * len(self._table)), codes, new[self._n - first :], begin,
            )  # fmt: skip
            if begin == n_names:
                return new[: self._n - first]
            size = 2 * len(self._table)
            if self._memory is not None and 16 * size + self._table.nbytes > self._memory:
                raise DictionaryFull
            table = _free(size)
            _move(self._table, table)
            self._table = table


class Dictionary:
    """Codes, and the names they stand for.

    Parameters
    ----------
    spool : Path, optional
        Folder for the names; without it they stay in memory.
    memory : int, optional
        As of :class:`Codes`.

    Attributes
    ----------
    n_text : int
        Bytes of all names.
    """

    def __init__(self, spool: Path | None = None, memory: int | None = None) -> None:
        self._codes, self._spool = Codes(memory), spool
        self._parts: list[pl.Series] = []
        self._files: list[Path] = []
        self._held = self.n_text = 0
        self.begin = self._codes.begin

    def __len__(self) -> int:
        """Return the number of names."""
        return len(self._codes)

    def codes(self, column: Hashed, codes: IntArray) -> None:
        """Write the codes of a column.

        Raises
        ------
        DictionaryFull
        """
        if not len(rows := self._codes.codes(column, codes)):
            return
        kept = (
            column.names.gather(rows).alias("name") + ""
        )  # a copy: a view would keep the whole block
        size = int(kept.str.len_bytes().sum())
        self._parts.append(kept)
        self._held, self.n_text = self._held + size, self.n_text + size
        if self._spool and self._held > _HELD:
            self._files.append(self._spool / f"{len(self._files)}.arrow")
            pl.DataFrame(pl.concat(self._parts)).write_ipc(self._files[-1])
            self._parts, self._held = [], 0

    @property
    def table(self) -> Codes | None:
        """The codes of all names, if one table holds them."""
        return self._codes if self._codes.shares == 1 else None

    def names(self) -> Iterator[pl.Series]:
        """Yield all names in the order of their codes."""
        for path in self._files:
            yield pl.scan_ipc(path).collect().to_series()
        yield from self._parts


def _free(size: int) -> npt.NDArray[np.uint64]:
    return np.zeros((size, 2), np.uint64)
