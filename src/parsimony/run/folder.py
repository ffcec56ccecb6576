"""The run folder: atomic, resumable, self-describing (docs/files.md).

``config.toml data/ model.safetensors knowledge.toml metrics.json ledger.json checkpoints/
log.jsonl report.html``. Loading executes no code. ``checksums.json``, written last, seals the
model: a changed byte is detected and refused.
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import tomli_w

from parsimony.decoding import checked, load_tensors, parse_json, read_bytes, read_json, read_toml
from parsimony.decoding.strict_json import json_text
from parsimony.errors import (
    CorruptRun,
    InvalidParameter,
    MissingRun,
    RunExists,
    RunVersionError,
    UsageError,
)
from parsimony.run.atomic import (
    append_line,
    cannot_write,
    is_temporary,
    remove_temporary,
    replaced_folder,
    require_no_links,
    write_atomic,
)
from parsimony.run.checkpoints import Checkpoints
from parsimony.run.forms import FORMS, Checkpoint, LogLine, RunConfig
from parsimony.run.lock import FolderLock
from parsimony.run.renamed import renamed
from parsimony.run.seal import SEAL, seal, verify
from parsimony.run.table_shards import RowParts, Shard, map_shards, shard_files, write_shards
from parsimony.run.tensor_file import write_tensors

VERSION = 1
CONFIG = "config.toml"
MODEL = "model.safetensors"
LOG = "log.jsonl"
_AFRESH = "remove the folder checkpoints to train afresh, or choose another --out"
_REMEDY = "restore the folder or train again"
LIMITS = ("parameters.epochs:",)  # settings that may change when a run is resumed


class RunFolder:
    """The files of one run; a context manager that holds the folder's lock while writing.

    Use :meth:`create` to write and :meth:`open` to read.
    """

    def __init__(self, path: Path, config: dict[str, Any]) -> None:
        self.path, self.config = path, config
        self._lock = FolderLock(path)
        self._checkpoints = Checkpoints(path / "checkpoints")

    # ---- making and opening ------------------------------------------------------------------

    @classmethod
    def create(cls, path: Path | str, config: dict[str, Any], *, resume: bool = False) -> RunFolder:
        """Start a run, or resume one.

        Parameters
        ----------
        path
            The folder; created if missing.
        config
            Written to config.toml; keys with value None are omitted.
        resume
            Accept a folder with an unfinished or finished run of the same configuration.

        Raises
        ------
        RunExists
            The folder is not empty and ``resume`` is false, or it is not a run folder, or another
            process is writing to it.
        UsageError
            The configuration to resume differs in more than the number of epochs; the message
            names the keys.
        RunVersionError
            The run to resume has another format version.
        CannotWrite
            The disk is full, the folder is not writable, or it holds a link.
        InvalidParameter
            A path in the configuration is not UTF-8.
        """
        path = Path(path)
        if path.exists() and not path.is_dir():
            raise RunExists(
                "a file exists where the run folder should be",
                remedy="choose another --out",
                where=str(path),
            )
        _require_room(path, resume)
        run = cls(path, _as_read({"version": VERSION, **config}))
        _require_unicode(run.config)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error
        run._lock.acquire()
        try:
            _require_room(path, resume)  # again: another process may have written to it since
            require_no_links(path)
            if (path / CONFIG).exists():
                before = read_config(path)
                _require_version(before, path)
                _require_same(before, run.config, path)
            (path / SEAL).unlink(missing_ok=True)
            run._clean()
            write_atomic(path / CONFIG, tomli_w.dumps(run.config))
        except BaseException:
            run.close()
            raise
        return run

    @classmethod
    def open(cls, path: Path | str) -> RunFolder:
        """Open a finished run for reading.

        Raises
        ------
        MissingRun
            There is no run folder, or its training has not finished.
        RunVersionError
            It was written in another version of the format.
        CorruptRun
            A file is missing or differs from its checksum; the message names it.
        """
        path = Path(path)
        if not (path / CONFIG).is_file():
            raise MissingRun(
                f"not a run folder: it has no {CONFIG}",
                remedy="give the --out folder of `parsimony fit`",
                where=str(path),
            )
        sealed = (path / SEAL).exists()
        if sealed:
            verify(path, CONFIG)  # first, so that a flipped byte is not taken for another version
        config = read_config(path)
        _require_version(config, path)
        if not sealed:
            raise MissingRun(
                "this run has not finished",
                remedy="finish it with `parsimony fit … --resume`",
                where=str(path),
            )
        verify(path)
        return cls(path, config)

    def require_same(self, config: dict[str, Any]) -> None:
        """Refuse a configuration that differs from the run's.

        Raises
        ------
        UsageError
            The configurations differ; the message names the keys.
        """
        _require_same(self.config, _as_read({"version": VERSION, **config}), self.path)

    @property
    def finished(self) -> bool:
        """Whether the run has been sealed."""
        return (self.path / SEAL).exists()

    def __enter__(self) -> RunFolder:
        """Return the run."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Seal the folder if no error occurred, and unlock it."""
        try:
            if kind is None:
                self.seal()
        finally:
            self.close()

    def seal(self) -> None:
        """Record the checksum of every file of the model, which marks the run as finished."""
        seal(self.path)

    def amend(self, name: str, value: Any) -> None:
        """Add a JSON file to a finished run and renew the seal.

        Raises
        ------
        RunExists
            Another process is writing to the folder.
        """
        self._lock.acquire()
        try:
            self.write_json(name, value)
            self.seal()
        finally:
            self.close()

    def close(self) -> None:
        """Release the lock."""
        self._lock.release()

    def _clean(self) -> None:
        """Remove files that a kill left incomplete."""
        remove_temporary(self.path)
        log = self.path / LOG
        if log.exists():
            whole = log.read_bytes()
            end = whole.rfind(b"\n") + 1
            if end != len(whole):  # the next line must not be appended to a truncated one
                write_atomic(log, whole[:end])

    # ---- files -------------------------------------------------------------------------------

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file atomically."""
        write_atomic(self.path / name, json_text(value, indent=1) + "\n")

    def require_config(self) -> None:
        """Require what config.toml of a method's run holds.

        Raises
        ------
        CorruptRun
            The first key that is missing or of another type.
        """
        checked(RunConfig, self.config, str(self.path / CONFIG), error=CorruptRun, remedy=_REMEDY)

    def read_json(self, name: str, schema: Any = None) -> Any:
        """Read a JSON file of the run; None if it is absent.

        Parameters
        ----------
        name
        schema
            Its form, as :func:`parsimony.decoding.checked` takes it; that of the files that every
            run has is known (:mod:`parsimony.run.forms`).

        Raises
        ------
        CorruptRun
            The file is not valid JSON, or of another form.
        """
        path = self.path / name
        return self._checked(schema, read_json, path) if path.exists() else None

    def _checked(self, schema: Any, read: Any, path: Path) -> Any:
        value = read(path, error=CorruptRun, remedy=_REMEDY)
        schema = schema or FORMS.get(path.name, Any)
        return checked(schema, value, str(path), error=CorruptRun, remedy=_REMEDY)

    def write_toml(self, name: str, value: dict[str, Any]) -> None:
        """Write a TOML file atomically."""
        write_atomic(self.path / name, tomli_w.dumps(value))

    def read_toml(self, name: str, schema: Any = None) -> Any:
        """Read a TOML file of the run as :meth:`read_json` does JSON."""
        path = self.path / name
        return self._checked(schema, read_toml, path) if path.exists() else None

    def replaced(self, name: str) -> AbstractContextManager[Path]:
        """A new folder that takes the place of one of the run when the block ends."""
        return replaced_folder(self.path / name)

    def log(self, **fields: Any) -> None:
        """Append a timestamped line to log.jsonl.

        Raises
        ------
        CannotWrite
            The disk is full, or the log is a link.
        """
        line = json_text({"time": round(time.time(), 3), **fields}) + "\n"
        append_line(self.path / LOG, line.encode())

    def history(self) -> Iterator[dict[str, Any]]:
        """Yield the epochs of the log; if a resumed run repeated an epoch, its last line.

        Raises
        ------
        CorruptRun
            A whole line is not what :meth:`log` writes; ``where`` names file and line.
        """
        epochs: dict[int, dict[str, Any]] = {}
        path = self.path / LOG
        # What follows the last line break was torn by a kill.
        lines = read_bytes(path).split(b"\n")[:-1] if path.is_file() else []
        for number, line in enumerate(lines, start=1):
            where = f"{path}:{number}"
            value = parse_json(line, where, error=CorruptRun, remedy=_REMEDY)
            entry = checked(LogLine, value, where, error=CorruptRun, remedy=_REMEDY)
            if entry.epoch is not None:
                epochs[entry.epoch] = entry.model_dump(exclude_unset=True)
        yield from (epochs[number] for number in sorted(epochs))

    # ---- tensors -----------------------------------------------------------------------------

    def save_model(self, tensors: Mapping[str, Any]) -> None:
        """Write model.safetensors atomically; what comes in shards into one file a shard."""
        cut = {name: table for name, table in tensors.items() if isinstance(table, RowParts)}
        there = shard_files(self.path, Path(MODEL).stem)
        if not cut or any(list(table.files) != there for table in cut.values()):
            parts = [table.parts for table in cut.values()]
            self.save_shards(
                [Shard.of(dict(zip(cut, rows, strict=True))) for rows in zip(*parts, strict=True)]
            )
        whole = {name: table for name, table in tensors.items() if name not in cut}
        write_tensors(self.path / MODEL, whole)

    def save_shards(self, shards: Sequence[Shard]) -> dict[str, RowParts]:
        """Write the shards of a model's tables, in place of those that are there, and map them."""
        stem = Path(MODEL).stem
        files = [self.path / name for name in write_shards(self.path, stem, shards)]
        for path in set(shard_files(self.path, stem)) - set(files):
            path.unlink()
        return map_shards(files) if files else {}

    def load_model(self) -> dict[str, Any]:
        """Read model.safetensors, and map what comes in shards.

        Raises
        ------
        CorruptRun
            The file is missing or damaged, or holds a number that is not finite.
        """
        path = self.path / MODEL
        if not path.exists():
            raise CorruptRun("the model is missing", remedy=_REMEDY, where=str(path))
        files = shard_files(self.path, path.stem)
        mapped = map_shards(files) if files else {}
        return {**load_tensors(path, error=CorruptRun, remedy=_REMEDY), **mapped}

    def save_checkpoint(
        self, state: dict[str, Any], tensors: Mapping[str, npt.NDArray[Any]],
        shards: Sequence[Shard] = (),
    ) -> None:  # fmt: skip
        """Write a checkpoint atomically (``state`` is JSON-serialisable); keep the last two."""
        self._checkpoints.save(state, tensors, shards)

    def load_checkpoint(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return the last undamaged checkpoint as (state, tensors); None if there is none.

        Raises
        ------
        CorruptRun
            There are checkpoints, but all are damaged, or the state is of another form.
        """
        found = self._checkpoints.load(drop_damaged=self._lock.held)
        if found is not None:
            where = str(self._checkpoints.folder)
            checked(Checkpoint, found[0], where, error=CorruptRun, remedy=_AFRESH)
        return found


# ---- requirements ----------------------------------------------------------------------------


def _require_room(path: Path, resume: bool) -> None:
    """Refuse a non-empty folder, or, when resuming, one that is not a run."""
    if not path.is_dir() or (resume and (path / CONFIG).is_file()):
        return
    # A run killed before it wrote config.toml leaves only these.
    found = [p.name for p in path.iterdir() if p.name != FolderLock.NAME and not is_temporary(p)]
    if not found:
        return
    if resume:
        raise RunExists(
            f"the folder is not empty and not a run: it has no {CONFIG}",
            remedy="choose another --out",
            where=str(path),
        )
    raise RunExists(
        "the run folder is not empty",
        remedy="choose another --out"
        + ", or continue it with --resume" * (path / CONFIG).is_file(),
        where=str(path),
    )


def _require_version(config: dict[str, Any], path: Path) -> None:
    if not isinstance(config.get("version"), int):
        raise CorruptRun("no version of the format", remedy=_REMEDY, where=str(path / CONFIG))
    if config["version"] != VERSION:
        raise RunVersionError(
            f"run format {config['version']!r}; this Parsimony reads {VERSION}",
            remedy="train again, or use the version of Parsimony that wrote it",
            where=str(path / CONFIG),
        )


def _require_same(before: dict[str, Any], now: dict[str, Any], path: Path) -> None:
    for part in {"parameters", "options"} & before.keys() & now.keys():
        if isinstance(before[part], dict):
            before = before | {part: renamed(before[part], now[part])}
    changed = [d for d in _differences(before, now) if not d.startswith(LIMITS)]
    if changed:
        raise UsageError(
            f"cannot resume with another configuration: {'; '.join(changed)}",
            remedy="repeat the first command with --resume, or choose another --out",
            where=str(path / CONFIG),
        )


def _differences(old: Any, new: Any, prefix: str = "") -> list[str]:
    """Return the differing keys, as "key: old → new"; an option unknown to an old run is off."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for key in sorted({*old, *new}):
            found += _differences(old.get(key), new.get(key), f"{prefix}{key}.")
        return found
    same = old == new or (old is None and new == 0)  # False too
    return [] if same else [f"{prefix.rstrip('.')}: {old!r} → {new!r}"]


# ---- config.toml -----------------------------------------------------------------------------


def _require_unicode(config: dict[str, Any]) -> None:
    """Refuse a path of bytes that are not UTF-8: it cannot be recorded, nor found again."""
    try:
        tomli_w.dumps(config).encode()
    except UnicodeEncodeError as error:
        setting = error.object[: error.end].splitlines()[-1]
        raise InvalidParameter(
            f"a path or name that is not UTF-8 cannot be recorded in a run: {setting!r}",
            remedy="rename the file or folder",
        ) from None


def _as_read(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration as it will be read back: without None, lists for tuples."""
    return tomllib.loads(tomli_w.dumps(_without_none(config)))


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    # A NumPy scalar is a number, too.
    return value.item() if isinstance(value, np.generic) else value


def read_config(path: Path) -> dict[str, Any]:
    """Return what the config.toml of a folder holds.

    Raises
    ------
    CorruptRun
        It is damaged.
    """
    return read_toml(path / CONFIG, error=CorruptRun, remedy=_REMEDY)
