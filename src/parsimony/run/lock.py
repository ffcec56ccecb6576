"""One writer a run folder."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from parsimony.errors import RunExists

_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}


class FolderLock:
    """A lock file that holds its owner's process id.

    The operating system's lock decides, not the number in the file: it ends with its process, so
    that a killed run leaves nothing to clean up and a reused process id deceives nobody.

    Parameters
    ----------
    folder
        The folder to lock.
    """

    NAME = ".lock"

    def __init__(self, folder: Path) -> None:
        self.path = folder / self.NAME
        # Its descriptor, not its path, takes the number: nobody can put a link there meanwhile.
        self._lock = FileLock(self.path, timeout=0, thread_local=False, on_acquired=_write_owner)
        self.held = False

    def acquire(self) -> None:
        """Take the lock, or the one of a dead process.

        Raises
        ------
        RunExists
            Another process, or another thread of this one, writes to the folder; or its lock file
            is a link or no file, so that locking it would change something elsewhere.
        """
        if self.held:
            raise self._occupied()
        self._require_plain_file()
        try:
            self._lock.acquire()
        except Timeout:
            raise self._occupied() from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                self._require_plain_file()  # it may have become a link just now
                raise
            # A file system without locks: better to run than to refuse.
        self.held = True

    def _require_plain_file(self) -> None:
        with suppress(FileNotFoundError):
            found = os.lstat(self.path)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
                raise RunExists(
                    "the lock file of this folder is a link or no plain file",
                    remedy="remove it if you trust the folder, or choose another --out",
                    where=str(self.path),
                )

    def _occupied(self) -> RunExists:
        owner = ""
        with suppress(OSError):  # Windows lets nobody else read a locked file
            owner = self.path.read_text(encoding="ascii", errors="replace").strip()
        who = f"process {owner}" if owner.isdigit() else "another process"
        return RunExists(
            f"{who} is writing to this run folder",
            remedy="wait for it, or choose another --out",
            where=str(self.path.parent),
        )

    def release(self) -> None:
        """Give the lock back; nothing where it is not held."""
        if self.held:
            with suppress(OSError):  # Windows removes it itself, below
                self.path.unlink(missing_ok=True)  # while still locked: nobody else's file
            self._lock.release()
            self.held = False


def _write_owner(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
