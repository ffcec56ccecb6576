"""What a run's model is asked in shards: pure functions of the run and a job, on any engine.

This process writes the files (:mod:`parsimony.run.shards`); others read the run folder themselves.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from parsimony.cli.table_files import table_bytes
from parsimony.decoding.parquet import PARQUET, join_parquet
from parsimony.methods import load_run
from parsimony.run.engine import Engine, LocalEngine
from parsimony.run.progress import Progress
from parsimony.run.shards import Shards

__all__ = ["ModelShards", "digest", "holds", "join_shards", "parquet_bytes"]

Job = Mapping[str, Any]


@dataclass(frozen=True)
class ModelShards:
    """Asks the model of a run, here or elsewhere.

    Parameters
    ----------
    function
        Called with the model and a job; of a module, or a partial one, so that it can be sent.
    names
        Of the shards' files.
    sizes
        Items of each job, which the progress counts.
    """

    estimator: Any
    run: Path
    function: Callable[..., bytes]
    jobs: Sequence[Job]
    names: Sequence[str]
    sizes: Sequence[int]

    def done(
        self, engine: Engine, shards: Shards, whole: Callable[[bytes, Job], bool], label: str,
        *, quiet: bool = True,
    ) -> Iterator[tuple[int, bytes, bool]]:  # fmt: skip
        """Yield (index of the job, its shard, whether it was there); see :meth:`Shards.run`."""
        here = self.estimator if isinstance(engine, LocalEngine) else None
        asked = _Asked(str(self.run.absolute()), self.function, here)
        with Progress(sum(self.sizes), label, quiet=quiet) as progress:
            for i, content, there in shards.run(engine, asked, self.jobs, self.names, whole):
                yield i, content, there
                progress.advance(self.sizes[i])


@dataclass(frozen=True)
class _Asked:
    """Calls a function with the model of a run; other processes get it without the model."""

    run: str
    function: Callable[..., bytes]
    estimator: Any = None

    def __call__(self, **job: Any) -> bytes:
        estimator = _loaded(self.run) if self.estimator is None else self.estimator
        return self.function(estimator, **job)


@lru_cache(1)
def _loaded(run: str) -> Any:
    """The model of a run, once a process."""
    return load_run(run)


def digest(content: bytes) -> str:
    """Return what tells contents apart."""
    return hashlib.sha256(content).hexdigest()


def parquet_bytes(frame: pl.DataFrame) -> bytes:
    """Return a table as a shard."""
    content = io.BytesIO()
    frame.write_parquet(content)
    return content.getvalue()


def holds(schema: Mapping[str, Any]) -> Callable[[bytes, Job], bool]:
    """Return whether a shard is a whole table of such columns."""

    def whole(content: bytes, job: Job) -> bool:
        try:
            return bool(pl.read_parquet(io.BytesIO(content)).schema == schema)
        except (OSError, pl.exceptions.PolarsError):
            return False

    return whole


def join_shards(shards: Shards, names: Sequence[str], out: Path) -> int:
    """Let tables become one file, as its suffix says, and return how many rows it has."""
    folder, n = shards.folder, 0
    assert folder is not None

    def write(whole: Path) -> None:
        nonlocal n
        if out.suffix.lower() in PARQUET:
            n = join_parquet([folder / name for name in names], whole)
            return
        with whole.open("wb") as stream:
            for i, name in enumerate(names):
                try:
                    frame = pl.read_parquet(io.BytesIO((folder / name).read_bytes()))
                except pl.exceptions.PolarsError as error:
                    raise OSError(str(error)[:200]) from error
                stream.write(table_bytes(frame, out.suffix, header=i == 0))
                n += len(frame)

    shards.become(out, write)
    return n
