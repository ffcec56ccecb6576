"""Ctrl-C and SIGTERM: one line, always, from the first import on: what was kept, how to go on.

Nothing here imports more than the standard library and the errors, so that it stands before
everything else (:mod:`parsimony.__main__`).
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from parsimony.errors import CannotWrite, ParsimonyError

__all__ = [
    "BEGAN",
    "Interrupted",
    "ending",
    "finishing",
    "held",
    "interruptible",
    "reported",
    "run",
    "stopped",
]

NOTHING_LOST = "nothing was written yet: repeat the command"


class Interrupted(ParsimonyError):
    """The user, or the system, stopped the command."""

    exit_code = 130
    #: whether the answer, which holds it, has been given: the code alone is left
    told = False

    @classmethod
    def now(cls, remedy: str = NOTHING_LOST, *, told: bool = False) -> Interrupted:
        """The error of the signal that has come, Ctrl-C if none was heard."""
        number = _heard or _coming or signal.SIGINT
        error = cls("terminated" if number == signal.SIGTERM else "interrupted", remedy=remedy)
        error.exit_code = 128 + number  # type: ignore[misc]
        error.told = told
        return error


class _Stopped(KeyboardInterrupt):
    """One that Python, which compares by identity, does not answer by ending without a code."""


#: when the command began, by :func:`time.perf_counter`
BEGAN = time.perf_counter()

_heard = 0  # the signal's number
_coming = 0  # that of one which will be sent once more
_may_hold = _holds = False
_told = False


def listen() -> None:
    """Raise KeyboardInterrupt at the first signal; leave at once at the second."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL):
            signal.signal(number, _hear)
    sys.unraisablehook = _raise_again
    atexit.register(_deafen)  # the first to be registered is the last to be called


def _deafen() -> None:
    """Ignore what comes while Python ends: all is said, and its own handlers lose our code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _hear(number: int, frame: Any) -> None:
    global _heard, _coming
    if _heard or _told:
        if not _told:
            _tell(Interrupted.now("stopped at once: repeat the command"))
        os._exit(128 + number)
    _coming = 0
    if _importing(frame):  # C++ that a module starts with may end the process at an exception
        _soon(number)
        return
    _heard = number
    if not _holds:
        raise _Stopped


def _soon(number: int) -> None:
    """Send the signal once more, to the main thread, which it wakes where it waits."""
    global _coming
    _coming = number
    threading.Timer(0.01, _send_again).start()


def _send_again() -> None:
    """Send what is still to come: the command may have done its work meanwhile."""
    if _coming and not _told:
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(threading.main_thread().ident or 0, _coming)
        else:
            signal.raise_signal(_coming)


def _importing(frame: Any) -> bool:
    """Whether a module is being loaded where the signal was heard."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


@contextmanager
def finishing() -> Iterator[None]:
    """Let a first signal that comes where it can be :func:`held` only be noted meanwhile.

    For a command that then ends early with a usable result.
    """
    global _may_hold
    before, _may_hold = _may_hold, True
    try:
        yield
    finally:
        _may_hold = before


@contextmanager
def held() -> Iterator[None]:
    """Ask :func:`stopped` meanwhile, often: a first signal is only noted, where it may be held."""
    global _holds
    before, _holds = _holds, _may_hold
    try:
        yield
    finally:
        _holds = before


@contextmanager
def ending() -> Iterator[None]:
    """Do what is left after a stop: its signal, which may still come once more, raises nothing."""
    with held() if stopped() else nullcontext():
        yield


def _raise_again(problem: Any) -> None:
    """Interrupt once more where Python dropped the interrupt, as it does in a finaliser."""
    global _heard
    if _heard and issubclass(problem.exc_type, KeyboardInterrupt):
        number, _heard = _heard, 0
        _soon(number)
    else:
        sys.__unraisablehook__(problem)


def _tell(error: ParsimonyError) -> None:
    """Write the line without the buffers that the interrupt may have left in any state."""
    as_json = "--json" in sys.argv
    text = json.dumps({"error": error.to_dict()}) if as_json else f"error: {error}"
    os.write(1 if as_json else 2, f"{text}\n".encode(errors="replace"))


def stopped() -> bool:
    """Whether a signal has come."""
    return bool(_heard or _coming)


def reported() -> None:
    """The line is written, or the command has done its work: from here on a signal only ends it."""
    global _told
    sys.stdout.flush()
    _told = True


@contextmanager
def interruptible(kept: str | Callable[[], str] = NOTHING_LOST) -> Iterator[None]:
    """Turn Ctrl-C into an error, and let that of a full disk say as well how to go on.

    Parameters
    ----------
    kept
        What was kept and how to go on; a function is asked when it happens.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted.now(kept if isinstance(kept, str) else kept()) from None
    except CannotWrite as error:
        if kept is not NOTHING_LOST:
            error.remedy = f"{error.remedy}; {kept if isinstance(kept, str) else kept()}"
        raise


def run(main: Callable[[], None]) -> None:
    """Call the command line; an interrupt that comes before it can answer is answered here."""
    try:
        listen()
        main()
    except BaseException as error:
        # An import that was cut off can fail in other ways than by the interrupt itself.
        if isinstance(error, SystemExit) or not (stopped() or isinstance(error, KeyboardInterrupt)):
            raise
        interrupted = Interrupted.now()
        _tell(interrupted)
        reported()
        raise SystemExit(interrupted.exit_code) from None
