"""Tables too large for one file or one process: every shard of rows a safetensors file of its own.

Shards are written block by block and mapped when they are read, so that neither needs the memory
that a table takes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from parsimony.decoding.strict_json import json_text
from parsimony.errors import CorruptRun
from parsimony.run.atomic import replaced_file

__all__ = ["RowParts", "Shard", "blocks_of", "map_shards", "shard_files", "write_shards"]

Array = npt.NDArray[Any]

#: bytes of a block
BLOCK = 1 << 24
_REMEDY = "restore the folder or train again"


class RowParts:
    """A table whose rows lie in several arrays, one below the other; read where it is asked.

    Parameters
    ----------
    parts
        Arrays (·, width) of one dtype.
    files
        Where they are mapped from.
    """

    ndim = 2

    def __init__(self, parts: Sequence[Array], files: Sequence[Path] = ()) -> None:
        self.parts, self.files = tuple(parts), tuple(files)
        self._ends = np.cumsum([len(part) for part in parts])
        self.dtype, self.shape = parts[0].dtype, (int(self._ends[-1]), parts[0].shape[1])
        self.size = self.shape[0] * self.shape[1]
        self.nbytes = self.size * self.dtype.itemsize

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.shape[0]

    def __getitem__(self, index: Any) -> Array:
        """A row, or rows, as of an array: of a mapped file, only these are read."""
        if isinstance(index, slice):
            low, high, step = index.indices(len(self))
            if step != 1:
                return self[np.arange(low, high, step)]
            begins = self._ends - [len(part) for part in self.parts]
            cuts = [
                part[max(low - begin, 0) : high - begin]
                for part, begin, end in zip(self.parts, begins, self._ends, strict=True)
                if begin < high and end > low
            ]
            return cuts[0] if len(cuts) == 1 else np.concatenate([self.parts[0][:0], *cuts])
        rows = np.asarray(index)
        if rows.dtype == bool:
            rows = np.flatnonzero(rows)
        rows = np.where(rows < 0, rows + len(self), rows)
        found = np.empty((*rows.shape, self.shape[1]), self.dtype)
        where = np.searchsorted(self._ends, rows, side="right")
        for k in np.unique(where):
            found[where == k] = self.parts[k][rows[where == k] - self._ends[k] + len(self.parts[k])]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """All rows, in memory."""
        return np.concatenate(self.parts).astype(dtype or self.dtype, copy=False)


@dataclass(frozen=True)
class Shard:
    """The rows of one shard: of every table its width, and its blocks from first to last."""

    rows: int
    widths: Mapping[str, int]
    blocks: Callable[[str], Iterator[Array]]

    @classmethod
    def of(cls, tables: Mapping[str, Array]) -> Shard:
        """Of arrays in memory, or mapped."""
        widths = {name: table.shape[1] for name, table in tables.items()}
        rows = len(next(iter(tables.values())))

        def blocks(name: str) -> Iterator[Array]:
            return (tables[name][a:b] for a, b in blocks_of(rows, 4 * widths[name]))

        return cls(rows, widths, blocks)


def blocks_of(rows: int, width: int) -> list[tuple[int, int]]:
    """Rows from … to of blocks of about :data:`BLOCK` bytes, where a row has ``width`` bytes."""
    step = max(BLOCK // max(width, 1), 1)
    return [(at, min(at + step, rows)) for at in range(0, rows, step)]


def shard_files(folder: Path, stem: str) -> list[Path]:
    """The files of the shards of a stem, in order."""
    return sorted(folder.glob(f"{stem}-*-of-*.safetensors"))


def write_shards(folder: Path, stem: str, shards: Sequence[Shard]) -> dict[str, str]:
    """Write ``STEM-00001-of-00003.safetensors`` and so on, float32, each whole or not at all.

    Returns
    -------
    dict
        SHA-256 of every file, by name, in order.

    Raises
    ------
    CannotWrite
        The disk is full, or the folder is not writable.
    """
    sums = {}
    for number, shard in enumerate(shards, start=1):
        path = folder / f"{stem}-{number:05d}-of-{len(shards):05d}.safetensors"
        form: dict[str, Any] = {"__metadata__": {"format": "np"}}
        at = 0
        for name, width in shard.widths.items():
            size = 4 * shard.rows * width
            shape = [shard.rows, width]
            form[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
            at += size
        header = json_text(form).encode()
        header += b" " * (-len(header) % 8)
        digest = hashlib.sha256()
        with replaced_file(path) as stream:
            for piece in chain((len(header).to_bytes(8, "little"), header), _pieces(shard)):
                digest.update(piece)
                stream.write(piece)
        sums[path.name] = digest.hexdigest()
    return sums


def _pieces(shard: Shard) -> Iterator[bytes]:
    """The bytes of all tables of a shard, one after another."""
    for name in shard.widths:
        for block in shard.blocks(name):
            yield np.ascontiguousarray(block, "<f4").tobytes()


def map_shards(files: Sequence[Path], *, finite: bool = True) -> dict[str, RowParts]:
    """Map the tables of shards, by name.

    Raises
    ------
    CorruptRun
        A shard is missing or damaged, or holds a number that is not finite where ``finite``.
    """
    ends = [f"-{k:05d}-of-{len(files):05d}.safetensors" for k in range(1, len(files) + 1)]
    if not all(path.name.endswith(end) for path, end in zip(files, ends, strict=True)):
        raise CorruptRun(
            f"{len(files)} files are not all shards of the table",
            remedy=_REMEDY,
            where=str(files[0]),
        )
    found = [_mapped(path, finite) for path in files]
    widths = {name: table.shape[1] for name, table in found[0].items()}
    for path, tables in zip(files, found, strict=True):
        if widths != {name: table.shape[1] for name, table in tables.items()}:
            raise CorruptRun("not the expected shard", remedy=_REMEDY, where=str(path))
    return {name: RowParts([tables[name] for tables in found], files) for name in found[0]}


def _mapped(path: Path, finite: bool) -> dict[str, Array]:
    try:
        with safe_open(path, "np") as checked:  # the library checks sizes, types and offsets
            names = checked.keys()
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            form = json.loads(stream.read(length))
        tables = {}
        for name in names:
            if form[name]["dtype"] != "F32" or len(form[name]["shape"]) != 2:
                raise ValueError(f"{name[:60]!r} is no table of float32")
            at = 8 + length + form[name]["data_offsets"][0]
            shape = tuple(form[name]["shape"])
            # Written to, it would not reach the file: torch wants arrays that can be written to.
            table = (
                np.memmap(path, np.dtype("<f4"), "c", at, shape)
                if os.path.getsize(path) > at and shape[0] * shape[1]
                else np.empty(shape, np.float32)
            )
            for low, high in blocks_of(shape[0], 4 * shape[1]) if finite else ():
                if not np.isfinite(table[low:high]).all():
                    raise ValueError(f"{name[:60]!r} holds a number that is not finite")
            tables[name] = np.asarray(table)
    except (OSError, SafetensorError, ValueError, LookupError, TypeError) as problem:
        raise CorruptRun(
            f"not the expected tensors ({str(problem)[:200]})", remedy=_REMEDY, where=str(path)
        ) from None
    return tables
