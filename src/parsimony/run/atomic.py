"""All writing: whole or not at all, and never through a link."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from parsimony.errors import CannotWrite

_SUFFIX = ".tmp"
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


def write_atomic(path: Path | str, content: bytes | str) -> None:
    """Write to a temporary file next to the target, flush to disk, rename over it.

    A kill at any moment leaves the old file or the new one, and perhaps a hidden temporary file
    (:func:`is_temporary`) beside it. A link at the target is replaced, not followed.

    Raises
    ------
    CannotWrite
        The folder is missing, full or not writable; the target is unchanged.
    """
    write_together({Path(path): content})


def write_together(contents: Mapping[Path, bytes | str]) -> None:
    """Write several files, none of them before all are complete on the disk.

    Raises
    ------
    CannotWrite
        As of :func:`write_atomic`; where the disk is full, no target has changed.
    """
    written: dict[Path, Path] = {}
    path = Path()
    try:
        for path, content in contents.items():
            # Not by tempfile: its mode 0600 would survive the rename, and the umask cannot be read
            # without changing it for all threads.
            written[path] = _temporary(path)
            with written[path].open("xb") as stream:
                stream.write(content.encode() if isinstance(content, str) else content)
                stream.flush()
                os.fsync(stream.fileno())
        for path, name in written.items():
            os.replace(name, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        for name in written.values():
            with contextlib.suppress(OSError):
                name.unlink(missing_ok=True)
    for folder in dict.fromkeys(path.parent for path in written):
        _flush_folder(folder)


@contextlib.contextmanager
def replaced_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a stream whose file takes the place of ``path`` when the block ends without an error.

    Raises
    ------
    CannotWrite
        The disk is full, or the folder is not writable; the target is unchanged.
    """
    made = _temporary(path)
    try:
        with made.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(made, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            made.unlink(missing_ok=True)
    _flush_folder(path.parent)


@contextlib.contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of ``path`` when the block ends without an error.

    Raises
    ------
    CannotWrite
        The block or the exchange met a full disk or a folder that is not writable.
    """
    made = _temporary(path)
    try:
        made.mkdir()
        yield made
        remove_folder(path)
        os.replace(made, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    _flush_folder(path.parent)


def remove_folder(path: Path) -> None:
    """Remove a folder with a name that no reader looks for first, or the link in its place."""
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        gone = _temporary(path)
        os.replace(path, gone)
        shutil.rmtree(gone)


def append_line(path: Path, line: bytes) -> None:
    """Append a line to a file, made if absent; never to another file that a link leads to.

    The line is on the disk when this returns; where it does not fit, nothing of it stays.

    Raises
    ------
    CannotWrite
        The disk is full, the folder is not writable, or the file is a link, has a second name or
        is no plain file.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    for system in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):  # each where there is such a thing
        flags |= getattr(os, system, 0)
    try:
        descriptor = os.open(path, flags, 0o666)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
                raise _leads_elsewhere(path)
            _append(descriptor, line, found.st_size)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise cannot_write(path, error) from error


def _append(descriptor: int, line: bytes, end: int) -> None:
    try:
        while line:
            line = line[os.write(descriptor, line) :]
        os.fsync(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, end)
        raise


def require_no_links(folder: Path) -> None:
    """Refuse a folder that holds a link: what is written into it could land elsewhere.

    Raises
    ------
    CannotWrite
        ``where`` names the link.
    """
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            mode = os.lstat(os.path.join(root, name)).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise _leads_elsewhere(Path(root, name))


def remove_temporary(folder: Path) -> None:
    """Remove what killed writers left anywhere below a folder."""
    for path in sorted(folder.rglob(f".*{_SUFFIX}"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def left_behind(path: Path) -> Iterator[Path]:
    """Yield what killed writers of this path left beside it; nothing of paths called alike."""
    return path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 8}{_SUFFIX}")


def is_temporary(path: Path) -> bool:
    """Return whether a file or folder was left by a killed writer of this module."""
    return path.name.startswith(".") and path.name.endswith(_SUFFIX)


def cannot_write(path: Path, error: OSError) -> CannotWrite:
    """The error of a file that the system does not let us write."""
    if isinstance(error, CannotWrite):
        return error
    if error.errno == errno.ELOOP:
        return _leads_elsewhere(path)
    remedy = "check the folder and its permissions"
    if error.errno in _FULL:
        remedy = "free space on the disk, or write elsewhere"
    what = error.strerror or str(error)
    found = CannotWrite(f"cannot be written: {what}", remedy=remedy, where=str(path))
    found.errno = error.errno
    return found


def _leads_elsewhere(path: Path) -> CannotWrite:
    return CannotWrite(
        "a link or no plain file where a file of ours belongs: writing could change something else",
        remedy="remove it, or put what it leads to in its place",
        where=str(path),
    )


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{_SUFFIX}")


def _flush_folder(folder: Path) -> None:
    """Make a rename survive a power failure, where the file system supports it."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
