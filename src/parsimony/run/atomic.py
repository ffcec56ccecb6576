"""Atomic file writes."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

_SUFFIX = ".tmp"


def write_atomic(path: Path | str, content: bytes | str) -> None:
    """Write to a temporary file next to the target, flush to disk, rename over it.

    A kill at any moment leaves the old file or the new one, and perhaps a hidden temporary file
    (:func:`is_temporary`) beside it.

    Raises
    ------
    OSError
        The folder is missing, full or not writable; the target is unchanged.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    # Not by tempfile: its mode 0600 would survive the rename, and the umask cannot be read
    # without changing it for all threads.
    name = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_SUFFIX}")
    stream = name.open("xb")
    try:
        with stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(name, path)
    except BaseException:
        name.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def is_temporary(path: Path) -> bool:
    """Return whether a file was left by a killed :func:`write_atomic`."""
    return path.name.startswith(".") and path.name.endswith(_SUFFIX)


def _flush_folder(folder: Path) -> None:
    """Make a rename survive a power failure, where the file system supports it."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
