"""One writer at a time: of a run folder, or of a file outside one."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from parsimony.errors import RunExists
from parsimony.run.atomic import cannot_write, write_together
from parsimony.run.progress import say

_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}
_PATIENCE = 60.0  # seconds, for writers that only put their files in place
_SILENCE = 1.0  # seconds of waiting that need no word


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
    noun = "run folder"
    otherwise = "choose another --out"  # what to do instead of waiting

    def __init__(self, folder: Path) -> None:
        self.path, self.place = folder / self.NAME, folder
        self._make()

    def _make(self) -> None:
        # Its descriptor, not its path, takes the number: nobody can put a link there meanwhile.
        self._lock = FileLock(self.path, timeout=0, thread_local=False, on_acquired=_write_owner)
        self.held = False

    def acquire(self, patience: float = 0.0) -> None:
        """Take the lock, or the one of a dead process.

        Parameters
        ----------
        patience
            Seconds to wait for another writer.

        Raises
        ------
        RunExists
            Another process, or another thread of this one, writes there; or the lock file is a
            link or no file, so that locking it would change something elsewhere.
        CannotWrite
            The folder is not writable, or the disk is full.
        """
        if self.held:
            raise self._occupied()
        self._require_plain_file()
        try:
            try:
                self._lock.acquire(timeout=min(patience, _SILENCE))
            except Timeout:
                if patience <= _SILENCE:
                    raise
                say(f"waiting: {self._occupied().message} ({self.place})")
                self._lock.acquire(timeout=patience - _SILENCE)
        except Timeout:
            raise self._occupied() from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                self._require_plain_file()  # it may have become a link just now
                raise cannot_write(self.path, error) from error
            # A file system without locks: better to run than to refuse.
        self.held = True

    def _require_plain_file(self) -> None:
        with suppress(FileNotFoundError):
            found = os.lstat(self.path)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
                raise RunExists(
                    f"the lock file of this {self.noun} is a link or no plain file",
                    remedy=f"remove it if you trust the folder, or {self.otherwise}",
                    where=str(self.path),
                )

    def _occupied(self) -> RunExists:
        owner = ""
        with suppress(OSError):  # Windows lets nobody else read a locked file
            owner = self.path.read_text(encoding="ascii", errors="replace").strip()
        who = f"process {owner}" if owner.isdigit() else "another process"
        return RunExists(
            f"{who} is writing to this {self.noun}",
            remedy=f"wait for it, or {self.otherwise}",
            where=str(self.place),
        )

    def release(self) -> None:
        """Give the lock back; nothing where it is not held."""
        if self.held:
            with suppress(OSError):  # Windows removes it itself, below
                self.path.unlink(missing_ok=True)  # while still locked: nobody else's file
            self._lock.release()
            self.held = False


class FileWriterLock(FolderLock):
    """The lock of a file outside a run folder: a hidden file beside it while it is written."""

    noun = "file"

    def __init__(self, file: Path, otherwise: str) -> None:
        self.path, self.place = file.with_name(f".{file.name}.lock"), file
        self.otherwise = otherwise
        self._make()


@contextmanager
def only_writer(
    *files: Path, patience: float = 0.0, otherwise: str = FolderLock.otherwise
) -> Iterator[None]:
    """Hold the locks of files outside a run folder; their folders are made where missing.

    Parameters
    ----------
    *files
        What is written.
    patience
        Seconds to wait for another writer.
    otherwise
        What a user can do instead of waiting.

    Raises
    ------
    RunExists
        Another process writes one of them.
    CannotWrite
        A folder cannot be made or is not writable.
    """
    with ExitStack() as held:
        for file in sorted({file.absolute() for file in files}):  # in one order: no deadlock
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise cannot_write(file.parent, error) from error
            lock = FileWriterLock(file, otherwise)
            lock.acquire(patience)
            held.callback(lock.release)
        yield


def write_outputs(contents: Mapping[Path, bytes | str]) -> None:
    """Write the files of one command: all or none, and not mixed with those of another process.

    Raises
    ------
    RunExists
        Another process has been writing one of them for a minute.
    CannotWrite
        A folder is full or not writable; the files are as they were.
    """
    with only_writer(*contents, patience=_PATIENCE):
        write_together(contents)


def _write_owner(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
