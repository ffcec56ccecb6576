"""Processes that outlive the server that started them, known again by the next one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Protocol

__all__ = ["Adopted", "Process", "mark_of", "resident"]

_LOOK = 0.2  # seconds


class Process(Protocol):
    """What a fit needs of its process; a ``Popen`` is one."""

    pid: int

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it at once."""

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for its end; its status, where that is known."""


class Adopted:
    """A process that another server started; how it ended is not known.

    Parameters
    ----------
    pid, mark
        Its number, and what :func:`mark_of` gave of it.
    """

    def __init__(self, pid: int, mark: str) -> None:
        self.pid, self._mark = pid, mark

    @property
    def alive(self) -> bool:
        """Whether it runs, and not another one of that number."""
        return bool(self._mark) and mark_of(self.pid) == self._mark

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._send(getattr(signal, "SIGKILL", signal.SIGTERM))

    def wait(self, timeout: float | None = None) -> None:
        """Wait for its end.

        Raises
        ------
        subprocess.TimeoutExpired
        """
        end = None if timeout is None else time.monotonic() + timeout
        while self.alive:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(_LOOK)

    def _send(self, number: int) -> None:
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def mark_of(pid: int) -> str:
    """A text that no other process of that number has: when it began; "" where none runs."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.parent.parent.is_dir() and Path("/proc/self/stat").is_file():
        with contextlib.suppress(OSError, IndexError):
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
            return "" if fields[0] in "ZX" else f"{boot} {fields[19]}"
        return ""
    with contextlib.suppress(OSError, subprocess.SubprocessError):  # a system without /proc
        told = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, timeout=5
        )
        return told.stdout.strip()
    return ""


def resident(pid: int) -> int:
    """Bytes of memory that a process takes; 0 where that is not known."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0
