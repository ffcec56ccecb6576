"""Checkpoints: numbered safetensors files that contain their state and its digest."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors

from parsimony.decoding.strict_json import json_text
from parsimony.errors import CorruptRun
from parsimony.run.table_shards import Shard, map_shards, shard_files, write_shards
from parsimony.run.tensor_file import tensor_digest, write_tensors

Tensors = Mapping[str, npt.NDArray[Any]]
_NAME = re.compile(r"(\d{6,})\.safetensors")


class Checkpoints:
    """The checkpoints of one run.

    Parameters
    ----------
    folder
        Their folder; created by the first :meth:`save`.
    keep
        How many to keep. With two, a damaged last one can be replaced by the one before.
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder, self.keep = folder, keep

    def paths(self) -> list[Path]:
        """Checkpoint files, the oldest first."""
        if not self.folder.is_dir():
            return []
        found = [(m, p) for p in self.folder.iterdir() if (m := _NAME.fullmatch(p.name))]
        return [p for _, p in sorted(found, key=lambda item: int(item[0][1]))]

    def save(
        self, state: Mapping[str, Any], tensors: Tensors, shards: Sequence[Shard] = ()
    ) -> Path:
        """Write the next checkpoint atomically and drop the oldest ones.

        Parameters
        ----------
        state
            JSON-serialisable.
        tensors
            Arrays by name.
        shards
            Of tables that are written shard by shard, into files beside that of the checkpoint.

        Returns
        -------
        Path
            The file written.
        """
        self.folder.mkdir(exist_ok=True)
        before = self.paths()
        number = 1 + (int(before[-1].stem) if before else 0)
        for orphan in self.folder.glob("*-of-*.safetensors"):  # of a save that was cut off
            if not (self.folder / f"{orphan.name.partition('-')[0]}.safetensors").exists():
                orphan.unlink()
        text, beside = json_text(state), ""
        if shards:
            beside = json_text(write_shards(self.folder, f"{number:06d}", shards))
        metadata = {"state": text, "sha256": tensor_digest(text + beside, tensors)}
        metadata |= {"shards": beside} if beside else {}
        path = self.folder / f"{number:06d}.safetensors"
        write_tensors(path, tensors, metadata)
        for old in [*before, path][: -self.keep]:
            for gone in (old, *shard_files(self.folder, old.stem)):
                gone.unlink(missing_ok=True)
        return path

    def load(self, *, drop_damaged: bool = False) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Read the last undamaged checkpoint.

        Parameters
        ----------
        drop_damaged
            Remove damaged ones, so that they do not count towards ``keep``.

        Returns
        -------
        (state, tensors) or None
            None where there is no checkpoint. Tables of shards are mapped
            (:class:`parsimony.run.table_shards.RowParts`).

        Raises
        ------
        CorruptRun
            There are checkpoints, but all are damaged.
        """
        paths = self.paths()
        damaged: list[Path] = []
        for path in reversed(paths):
            found = _read(path)
            if found is not None:
                if drop_damaged:
                    for bad in damaged:
                        for gone in (bad, *shard_files(self.folder, bad.stem)):
                            gone.unlink(missing_ok=True)
                return found
            damaged.append(path)
        if damaged:
            raise CorruptRun(
                "the checkpoint is damaged, and so is the one before it"
                if len(damaged) > 1
                else "the only checkpoint is damaged",
                remedy=f"remove {self.folder} to start afresh",
                where=str(damaged[0]),
            )
        return None


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Read one file; None if it is damaged."""
    data = path.read_bytes()
    try:
        tensors: dict[str, Any] = load_safetensors(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        text, digest = header["__metadata__"]["state"], header["__metadata__"]["sha256"]
        state = json.loads(text)  # a measure in it may be NaN
        beside = header["__metadata__"].get("shards", "")
        if not isinstance(state, dict) or tensor_digest(text + beside, tensors) != digest:
            return None
        for name, total in (json.loads(beside) if beside else {}).items():
            with (path.parent / name).open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != total:
                    return None
        if beside:
            tensors |= map_shards(shard_files(path.parent, path.stem), finite=False)
    except (SafetensorError, ValueError, LookupError, TypeError, RecursionError, OSError,
            CorruptRun):  # fmt: skip
        return None
    return state, tensors
