"""Work in shards: shard id → pure function → atomic file, on any engine, resumable.

A folder ``FILE.parts`` next to ``FILE`` holds the finished shards and identifies the work
(``batch.json``). After a kill, the same command continues after the shards that are complete. At
the end they become one file by a single rename, and the folder is removed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parsimony.decoding import checked, read_json
from parsimony.decoding.strict_json import json_text
from parsimony.errors import DataError, RunExists
from parsimony.run.atomic import (
    cannot_write,
    left_behind,
    remove_folder,
    remove_temporary,
    require_no_links,
    write_atomic,
)
from parsimony.run.engine import Engine
from parsimony.run.lock import only_writer

__all__ = ["Shards", "parts_of", "shards_of"]

Job = Mapping[str, Any]


class Shards:
    """The finished shards of a piece of work; without a folder none is kept.

    Parameters
    ----------
    folder
        Where they lie; see :func:`shards_of`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    def run(
        self,
        engine: Engine,
        function: Callable[..., bytes],
        jobs: Sequence[Job],
        names: Sequence[str],
        whole: Callable[[bytes, Job], bool],
        go_on: Callable[[], bool] = lambda: True,
    ) -> Iterator[tuple[int, bytes, bool]]:
        """Yield (index of the job, its shard, whether it was there already), in any order.

        Parameters
        ----------
        engine, go_on
            See :meth:`parsimony.run.engine.Engine.run`.
        function
            Pure: what it returns depends on the job alone, whatever process calls it.
        names
            Of the shards' files.
        whole
            Whether what a file holds is the shard of a job: what is damaged is done again.

        Raises
        ------
        CannotWrite
            The disk is full or the folder not writable; finished shards stay.
        """
        left = []
        for i, name in enumerate(names):
            there = self._read(name)
            if there is not None and whole(there, jobs[i]):
                yield i, there, True
            else:
                left.append(i)
        for k, content in engine.run(function, [jobs[i] for i in left], go_on):
            if self.folder is not None:
                write_atomic(self.folder / names[left[k]], content)
            yield left[k], content, False

    def _read(self, name: str) -> bytes | None:
        try:
            return None if self.folder is None else (self.folder / name).read_bytes()
        except OSError:
            return None

    def become(self, out: Path, write: Callable[[Path], Any]) -> None:
        """Let ``write`` make the whole in a file beside the shards, and put it in their place.

        Raises
        ------
        CannotWrite
        """
        assert self.folder is not None
        whole = self.folder / "whole.tmp"
        whole.unlink(missing_ok=True)  # of a kill while merging; a link is not written through
        try:
            write(whole)
            os.replace(whole, out)
            remove_folder(self.folder)
        except OSError as error:
            raise cannot_write(out, error) from error


def parts_of(out: Path) -> Path:
    """Return the folder of a file's shards."""
    return out.with_name(out.name + ".parts")


@contextmanager
def shards_of(
    out: Path | None, identity: Mapping[str, Any], *, replace: bool = False
) -> Iterator[Shards]:
    """Hold the shards of a file that is to be made; of none where no file is wanted.

    Parameters
    ----------
    identity
        What the shards depend on: existing ones are used only if all of it is equal.
    replace
        Whether a file that is there already may be replaced.

    Raises
    ------
    RunExists
        The file exists, another process writes it, or the shards next to it belong to another
        piece of work.
    CannotWrite
        The folder is not writable.
    """
    if out is None:
        yield Shards()
        return
    with only_writer(out):
        if out.exists() and not parts_of(out).exists() and not replace:
            raise RunExists(
                "the output file exists",
                remedy="choose another --out, or remove it",
                where=str(out),
            )
        claim(parts_of(out), identity)
        yield Shards(parts_of(out))


def claim(parts: Path, identity: Mapping[str, Any]) -> None:
    """Create the folder of shards, or reuse it if it belongs to the same piece of work."""
    note = parts / "batch.json"
    for left in left_behind(parts):  # a kill while removing
        shutil.rmtree(left, ignore_errors=True)
    try:
        parts.mkdir(exist_ok=True)
    except OSError as error:
        raise cannot_write(parts, error) from error
    require_no_links(parts)
    remove_temporary(parts)
    if not any(parts.iterdir()):
        write_atomic(note, json_text(identity, indent=1) + "\n")
        return
    try:
        before = checked(dict[str, Any], read_json(note))
    except DataError:
        before = {}
    keys = [*identity, *sorted(before.keys() - identity.keys())]
    changed = [key for key in keys if before.get(key) != identity.get(key)]
    if changed:
        raise RunExists(
            f"the folder holds shards of another batch: {', '.join(changed)} differ",
            remedy="repeat the first command, choose another --out, or remove the folder",
            where=str(parts),
        )
