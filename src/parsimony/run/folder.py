"""The run folder: atomic, resumable, self-describing (design.md §4).

``config.toml data/ model.safetensors knowledge.toml metrics.json ledger.json checkpoints/
log.jsonl report.html``. Loading executes nothing. ``checksums.json``, written last, seals the
model: a changed byte is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import tomllib
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import tomli_w
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors

from parsimony.errors import (
    CorruptRun,
    MissingRun,
    RunExists,
    RunVersionError,
    UsageError,
)
from parsimony.run.atomic import write_atomic

VERSION = 1
_LOCK = ".lock"
_KEPT = 2  # checkpoints: a damaged last one falls back to the one before
_UNSEALED = {"checksums.json", "log.jsonl", "report.html", _LOCK}


def _differences(old: Any, new: Any, prefix: str = "") -> list[str]:
    """Keys whose values differ, as "key: old → new"."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for key in sorted({*old, *new}):
            found += _differences(old.get(key), new.get(key), f"{prefix}{key}.")
        return found
    return [] if old == new else [f"{prefix.rstrip('.')}: {old!r} → {new!r}"]


class RunFolder:
    """One run's files; a context manager that holds the folder's lock while it writes.

    Use :meth:`create` to write and :meth:`open` to read.
    """

    def __init__(self, path: Path, config: dict[str, Any]) -> None:
        self.path, self.config = path, config
        self._locked = False

    # ---- making and opening ------------------------------------------------------------------

    @classmethod
    def create(
        cls, path: Path | str, config: dict[str, Any], *, resume: bool = False
    ) -> RunFolder:
        """Start a run, or take one up again.

        Raises
        ------
        RunExists
            The folder holds files and ``resume`` is off, or another process writes to it.
        UsageError
            Resuming with a configuration that differs; names the keys.
        """
        path = Path(path)
        if path.exists() and not path.is_dir():
            raise RunExists(
                "a file stands where the run folder should be",
                remedy="choose another --out",
                where=str(path),
            )
        config = {"version": VERSION, **config}
        filled = path.is_dir() and any(p.name != _LOCK for p in path.iterdir())
        if filled and not resume:
            raise RunExists(
                "the run folder is not empty",
                remedy="choose another --out, or continue it with --resume",
                where=str(path),
            )
        path.mkdir(parents=True, exist_ok=True)
        run = cls(path, config)
        run._lock()
        try:
            if filled and (path / "config.toml").exists():
                before = _read_config(path)
                changed = _differences(before, config)
                if changed:
                    raise UsageError(
                        f"cannot resume with another configuration: {'; '.join(changed)}",
                        remedy="repeat the first command with --resume, or choose another --out",
                        where=str(path / "config.toml"),
                    )
            (path / "checksums.json").unlink(missing_ok=True)
            (path / "checkpoints").mkdir(exist_ok=True)
            write_atomic(path / "config.toml", tomli_w.dumps(config))
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
            No run folder there, or one whose training has not ended.
        RunVersionError
            Written by another version of the format.
        CorruptRun
            A file is missing or differs from its checksum; names the file.
        """
        path = Path(path)
        if not (path / "config.toml").is_file():
            raise MissingRun(
                "not a run folder: it has no config.toml",
                remedy="give the --out folder of `parsimony fit`",
                where=str(path),
            )
        config = _read_config(path)
        if config.get("version") != VERSION:
            raise RunVersionError(
                f"run format {config.get('version')!r}; this Parsimony reads {VERSION}",
                remedy="train again, or use the version of Parsimony that wrote it",
                where=str(path / "config.toml"),
            )
        run = cls(path, config)
        run._verify()
        return run

    def __enter__(self) -> RunFolder:
        """Return the run."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Seal the folder where no error occurred, and unlock it."""
        if kind is None:
            self.seal()
        self.close()

    def _lock(self) -> None:
        lock = self.path / _LOCK
        for _ in range(2):
            try:
                with os.fdopen(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY), "w") as stream:
                    stream.write(str(os.getpid()))
                self._locked = True
                return
            except FileExistsError:
                try:
                    owner = int(lock.read_text() or 0)
                    os.kill(owner, 0)
                    alive = owner > 0 and owner != os.getpid()
                except (ValueError, ProcessLookupError, FileNotFoundError):
                    alive = False
                except PermissionError:
                    alive = True
                if alive:
                    raise RunExists(
                        f"process {owner} is writing to this run folder",
                        remedy="wait for it, or choose another --out",
                        where=str(self.path),
                    ) from None
                lock.unlink(missing_ok=True)  # its process is dead

    def close(self) -> None:
        """Release the lock."""
        if self._locked:
            (self.path / _LOCK).unlink(missing_ok=True)
            self._locked = False

    # ---- files -------------------------------------------------------------------------------

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file atomically."""
        write_atomic(self.path / name, json.dumps(value, indent=1, allow_nan=False) + "\n")

    def read_json(self, name: str) -> Any:
        """Read a JSON file of the run; None where it is absent.

        Raises
        ------
        CorruptRun
            Not JSON.
        """
        path = self.path / name
        if not path.exists():
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise CorruptRun(f"not JSON: {error}", remedy="train again", where=str(path)) from None

    def write_toml(self, name: str, value: dict[str, Any]) -> None:
        """Write a TOML file atomically."""
        write_atomic(self.path / name, tomli_w.dumps(value))

    def log(self, **fields: Any) -> None:
        """Append one line to log.jsonl."""
        line = json.dumps({"time": round(time.time(), 3), **fields})
        with (self.path / "log.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")

    # ---- tensors -----------------------------------------------------------------------------

    def save_model(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        """Write model.safetensors atomically."""
        write_atomic(self.path / "model.safetensors", save_safetensors(tensors))

    def load_model(self) -> dict[str, npt.NDArray[Any]]:
        """Read model.safetensors.

        Raises
        ------
        CorruptRun
            Missing or damaged.
        """
        path = self.path / "model.safetensors"
        try:
            tensors: dict[str, npt.NDArray[Any]] = load_safetensors(path.read_bytes())
        except FileNotFoundError:
            raise CorruptRun(
                "the model is missing", remedy="train again with --resume", where=str(path)
            ) from None
        except (SafetensorError, ValueError, KeyError) as error:
            raise CorruptRun(
                f"the model is damaged ({error})", remedy="train again", where=str(path)
            ) from None
        return tensors

    def save_checkpoint(
        self, state: dict[str, Any], tensors: dict[str, npt.NDArray[Any]]
    ) -> None:
        """Write one checkpoint file (JSON state inside the safetensors), keep the last two."""
        folder = self.path / "checkpoints"
        number = 1 + max((int(p.stem) for p in folder.glob("*.safetensors")), default=0)
        text = np.frombuffer(json.dumps(state).encode(), np.uint8)
        body = save_safetensors({**tensors, "__state__": text})
        digest = hashlib.sha256(body).digest()
        write_atomic(folder / f"{number:06d}.safetensors", digest + body)
        for old in sorted(folder.glob("*.safetensors"))[:-_KEPT]:
            old.unlink(missing_ok=True)

    def load_checkpoint(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]] | None:
        """Return the last whole checkpoint as (state, tensors); None where there is none."""
        for path in sorted((self.path / "checkpoints").glob("*.safetensors"), reverse=True):
            data = path.read_bytes()
            if hashlib.sha256(data[32:]).digest() != data[:32]:
                continue  # damaged: the one before it is whole
            tensors = load_safetensors(data[32:])
            state = json.loads(tensors.pop("__state__").tobytes())
            return state, tensors
        return None

    # ---- the seal ----------------------------------------------------------------------------

    def _sealed_files(self) -> list[Path]:
        return sorted(
            p
            for p in self.path.rglob("*")
            if p.is_file()
            and p.name not in _UNSEALED
            and not p.name.endswith(".tmp")
            and p.relative_to(self.path).parts[0] != "checkpoints"
        )

    def seal(self) -> None:
        """Record the checksum of every file that makes the model."""
        sums = {
            p.relative_to(self.path).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in self._sealed_files()
        }
        self.write_json("checksums.json", sums)

    @property
    def finished(self) -> bool:
        """Whether the run has been sealed."""
        return (self.path / "checksums.json").exists()

    def _verify(self) -> None:
        sums = self.read_json("checksums.json")
        if sums is None:
            raise MissingRun(
                "this run has not ended",
                remedy="finish it with `parsimony fit … --resume`",
                where=str(self.path),
            )
        for name, digest in sums.items():
            path = self.path / name
            if not path.is_file():
                raise CorruptRun(
                    "a file of the run is missing",
                    remedy="restore the folder or train again",
                    where=str(path),
                )
            if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
                raise CorruptRun(
                    "the file differs from its checksum",
                    remedy="restore the folder or train again",
                    where=str(path),
                )


def _read_config(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads((path / "config.toml").read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CorruptRun(
            f"not TOML: {error}",
            remedy="restore the folder or train again",
            where=str(path / "config.toml"),
        ) from None
