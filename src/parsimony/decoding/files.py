"""Checks on paths and sizes before reading, so that every failure is a Parsimony error."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from parsimony.decoding.magic import refuse_foreign
from parsimony.errors import EncodingError, FormatError, MissingFile, NotAFile, suggest

__all__ = [
    "MAX_DOCUMENT", "check_file", "check_folder", "memory_budget", "read_bytes", "read_text",
]  # fmt: skip

# A file that is read as a whole: settings, rules, names, a table's description.
MAX_DOCUMENT = 256 << 20


def memory_budget() -> int:
    """Return the bytes that one file may take: half of what machine and container have."""
    try:
        limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    except (AttributeError, ValueError, OSError):  # not a system of that kind
        limits = [16 << 30]
    group = Path("/sys/fs/cgroup/memory.max")
    if group.is_file() and (text := group.read_text().strip()).isdigit():
        limits.append(int(text))
    return min(limits) // 2


def _stat(path: Path, noun: str) -> os.stat_result:
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise MissingFile(
                f"a link to {os.readlink(path)!r}, which does not exist; expected a {noun}",
                remedy="restore the target or remove the link",
                where=str(path),
            ) from None
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise MissingFile(
            f"no such {noun}",
            remedy=suggest(path.name, siblings) or "check the path",
            where=str(path),
        ) from None
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ELOOP:
            raise NotAFile(
                f"a link that leads back to itself; expected a {noun}",
                remedy="remove the link and put the file in its place",
                where=str(path),
            ) from None
        reason = getattr(error, "strerror", None) or str(error)
        raise MissingFile(
            f"cannot be opened ({reason}); expected a {noun}",
            remedy="check the path and its permissions",
            where=str(path),
        ) from None


def check_file(path: str | os.PathLike[str]) -> Path:
    """Return ``path`` if it is a readable regular file.

    Raises
    ------
    MissingFile
        There is no such file, or it is not readable; similar names are suggested.
    NotAFile
        A folder, a device or a link to itself.
    """
    path = Path(path)
    mode = _stat(path, "file").st_mode
    if stat.S_ISDIR(mode):
        raise NotAFile(
            "a folder where a file is expected",
            remedy="name the file inside it, or remove the folder",
            where=str(path),
        )
    if not stat.S_ISREG(mode):
        raise NotAFile(
            "not a regular file (a device, pipe or socket)",
            remedy="write its content to a file first",
            where=str(path),
        )
    if not os.access(path, os.R_OK):
        raise MissingFile(
            "cannot be opened (permission denied)",
            remedy="grant read permission",
            where=str(path),
        )
    return path


def check_folder(path: str | os.PathLike[str]) -> Path:
    """Return ``path`` if it is a folder.

    Raises
    ------
    MissingFile
        There is no such folder.
    NotAFile
        A file or a link to itself.
    """
    path = Path(path)
    if not stat.S_ISDIR(_stat(path, "folder").st_mode):
        raise NotAFile("a file where a folder is expected", remedy="name a folder", where=str(path))
    return path


def read_bytes(path: str | os.PathLike[str], limit: int = MAX_DOCUMENT) -> bytes:
    """Return the content of a file that is read as a whole.

    Raises
    ------
    MissingFile, NotAFile
        There is no such file.
    FormatError
        It is longer than ``limit`` bytes.
    """
    path = check_file(path)
    try:
        with path.open("rb") as stream:
            # What is read counts, not what the file system declares.
            data = stream.read(limit + 1)
    except OSError as error:
        raise MissingFile(
            f"cannot be read ({error.strerror or error})",
            remedy="check the disk and try again",
            where=str(path),
        ) from None
    if len(data) > limit:
        raise FormatError(
            f"longer than {limit:,} bytes", remedy="give a smaller file", where=str(path)
        )
    return data


def read_text(path: str | os.PathLike[str], limit: int = MAX_DOCUMENT) -> str:
    """Return a small text file as a string, without a byte order mark.

    Raises
    ------
    MissingFile, NotAFile, FormatError
        As of :func:`read_bytes`.
    EncodingError
        The file is not UTF-8; ``where`` names the line.
    """
    data = read_bytes(path, limit)
    if b"\0" in data[:512]:
        refuse_foreign(data[:512], str(path))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        refuse_foreign(data[:512], str(path))
        line = data[: error.start].count(b"\n") + 1
        raise EncodingError(
            f"byte 0x{data[error.start]:02x} is not UTF-8",
            remedy="convert the file, e.g. iconv -f latin1 -t utf-8",
            where=f"{path}:{line}",
        ) from None
