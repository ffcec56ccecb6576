"""One writer a run folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from parsimony.errors import RunExists


class FolderLock:
    """A lock file that holds its owner's process id.

    The kernel's advisory lock decides, not the number in the file: it ends with its process, so
    that a killed run leaves nothing to clean up and a reused process id deceives nobody.

    Parameters
    ----------
    folder
        The folder to lock.
    """

    NAME = ".lock"

    def __init__(self, folder: Path) -> None:
        self.path = folder / self.NAME
        self._stream: IO[str] | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._stream is not None

    def acquire(self) -> None:
        """Take the lock, or the one of a dead process.

        Raises
        ------
        RunExists
            Another process, or another thread of this one, writes to the folder.
        """
        while True:
            stream = self.path.open("a+", encoding="ascii")
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                stream.seek(0)
                owner = stream.read().strip()
                stream.close()
                raise RunExists(
                    f"{f'process {owner}' if owner else 'another process'} is writing to this "
                    "run folder",
                    remedy="wait for it, or choose another --out",
                    where=str(self.path.parent),
                ) from None
            except OSError:
                pass  # a file system without locks: better to run than to refuse
            if self._same_file(stream):
                break
            stream.close()  # its owner removed it between our open and our lock
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        self._stream = stream

    def _same_file(self, stream: IO[str]) -> bool:
        try:
            return os.path.samestat(os.fstat(stream.fileno()), os.stat(self.path))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Give the lock back; nothing where it is not held."""
        if self._stream is not None:
            self.path.unlink(missing_ok=True)  # while still locked: nobody else's file
            self._stream.close()
            self._stream = None
