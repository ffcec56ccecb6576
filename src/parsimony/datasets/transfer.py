"""One file over HTTP: limited in size, given up when it trickles, continued where it broke off."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from parsimony.errors import DownloadError

__all__ = ["Limited", "Progress", "continued", "explained", "transfer"]

Progress = Callable[[int, int], None]
_TIMEOUT = 30.0
# Bytes a second below which a transfer is given up, after the first _TIMEOUT seconds.
_SLOWEST = 1024
_CHUNK = 1 << 18
_RETRIES = 2  # of an interrupted transfer
_PAUSE = 1.0  # seconds before the first of them


class Limited:
    """A file that counts the bytes written and aborts a transfer that exceeds its limit."""

    def __init__(
        self,
        out: IO[bytes],
        limit: int | None,
        whose: str,
        where: str,
        progress: Progress | None = None,
        remedy: str = "use another mirror",
    ) -> None:
        self._out, self._limit, self._whose, self._where = out, limit, whose, where
        self._progress, self.done, self.total = progress, 0, limit or 0
        self._remedy = remedy
        self.received = 0  # of this transfer; what is done may have come by earlier ones
        self.refused = False  # it was too large
        self.abandoned = False  # nobody waits for this transfer any more

    def write(self, chunk: bytes) -> None:
        """Write some bytes, and tell of the progress."""
        if self.abandoned:
            raise BrokenPipeError("given up")
        self.received += len(chunk)
        self.done += len(chunk)
        self.require(self.done)
        self._out.write(chunk)
        if self._progress is not None:
            self._progress(self.done, self.total)

    def require(self, size: int) -> None:
        """Raise a DownloadError if a file of that size is too large."""
        if self._limit is not None and size > self._limit:
            self.refused = True
            raise DownloadError(
                f"more than the {self._limit:,} bytes {self._whose}",
                remedy=self._remedy,
                where=self._where,
            )

    def flush(self) -> None:
        """Do nothing: it is called after each chunk, which is too often."""


def transfer(
    url: str,
    out: Limited,
    whose: str = "the mirror",
    remedy: str = "check the address given as --mirror or PARSIMONY_MIRROR",
    **options: Any,
) -> None:
    """Fetch a file in a thread, so that a server that trickles is given up.

    Parameters
    ----------
    url
        http or https.
    out
        Receives the bytes.
    whose
        Who answers, in an error.
    remedy
        Of an answer that is an error.
    **options
        ``headers`` beside the usual, and ``hooks`` that look at a response.

    Raises
    ------
    DownloadError
        An answer that is an error, too many bytes, fewer than a kilobyte a second.
    OSError
        No connection, or one that broke off.
    """
    failures: list[Exception] = []

    def run() -> None:
        try:
            _get(url, out, whose, remedy, options)
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    started = time.monotonic()
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.2)
            spent = time.monotonic() - started
            if thread.is_alive() and spent > _TIMEOUT and out.received < spent * _SLOWEST:
                raise DownloadError(
                    f"{out.received:,} bytes in {spent:.0f} s, less than {_SLOWEST:,} a second",
                    remedy="try again later, or use another mirror or a local folder",
                    where=url,
                )
    finally:
        out.abandoned = thread.is_alive()
    if failures:
        raise failures.pop()


def _get(url: str, out: Limited, whose: str, remedy: str, options: dict[str, Any]) -> None:
    import pooch
    import requests

    # Without content encoding: a server that decompresses archives would change checksums.
    headers = {"Accept-Encoding": "identity", **options.pop("headers", {})}
    answers: list[Any] = []
    hooks = [lambda answer, *_, **__: answers.append(answer), *options.pop("hooks", [])]
    download = pooch.HTTPDownloader(
        timeout=_TIMEOUT, chunk_size=_CHUNK, headers=headers, hooks={"response": hooks}
    )
    try:
        download(url, out, None)
        stated, got = answers[-1].headers.get("Content-Length", ""), answers[-1].raw.tell()
        if stated.isdecimal() and got < int(stated):  # urllib3 before 2 says nothing of it
            raise requests.ConnectionError(f"{got:,} of {int(stated):,} bytes arrived")
    except requests.HTTPError as error:  # not worth retrying
        raise DownloadError(
            f"{whose} answered {str(error).split(' for url')[0]}", remedy=remedy, where=url
        ) from None
    finally:
        for answer in answers:
            answer.close()


@contextlib.contextmanager
def explained(url: str, whose: str, remedy: str) -> Iterator[None]:
    """Turn the errors of a connection into a DownloadError."""
    try:
        yield
    except (OSError, ValueError) as error:  # those of requests are OSErrors
        reason: BaseException = error
        while reason.__context__ is not None:  # the innermost has the shortest message
            reason = reason.__context__
        raise DownloadError(
            f"{whose} did not answer, or broke off ({reason})", remedy=remedy, where=url
        ) from None


def continued(
    url: str, path: Path, progress: Progress | None, *, remedy: str, limit: tuple[int, str, str]
) -> None:
    """Fetch a file to ``path``, going on from ``path.part`` where an earlier transfer broke off.

    A part is continued only if the server can say that the file is still the same (an ETag or a
    date of change, compared by ``If-Range``); else it begins anew. A transfer that breaks off is
    tried twice more; its part stays for the next time, unless it can be of no use.

    Parameters
    ----------
    url, path
        From where, and to where.
    progress
        Called with the bytes done and the total.
    remedy
        Of an answer that is an error.
    limit
        The most bytes that the file may have, whose limit that is, and what to do then.

    Raises
    ------
    DownloadError
        An answer that is an error, too many bytes, or a connection too slow.
    OSError
        No connection, or one that broke off; a full disk.
    """
    part, mark = path.with_name(path.name + ".part"), path.with_name(path.name + ".mark")
    for attempt in range(_RETRIES + 1):
        try:
            _once(url, part, mark, progress, remedy, limit)
            break
        except OSError:
            if attempt == _RETRIES:
                raise
            time.sleep(_PAUSE * 2**attempt)
        except DownloadError:
            if not part.stat().st_size:
                part.unlink()
                mark.unlink(missing_ok=True)
            raise
    part.replace(path)
    mark.unlink(missing_ok=True)


def _once(
    url: str, part: Path, mark: Path, progress: Progress | None, remedy: str,
    limit: tuple[int, str, str],
) -> None:  # fmt: skip
    known = mark.read_text(encoding="ascii") if mark.exists() and part.exists() else ""
    most, whose, too_large = limit
    with part.open("ab" if known else "wb") as file:
        out = Limited(file, most, whose, url, progress, too_large)
        out.done = file.tell()

        def look(answer: Any, *_: Any, **__: Any) -> None:
            """Begin anew where the server sends the whole file; remember which file it is."""
            if answer.status_code == 416:  # nothing is left, or the file is another now
                mark.unlink(missing_ok=True)
                raise OSError("the part does not fit the file")
            if answer.status_code not in (200, 206):
                return
            if answer.status_code == 200:
                file.seek(0)
                file.truncate()
                out.done = 0
            out.total = out.done + int(answer.headers.get("Content-Length") or 0)
            out.require(out.total)
            tag = answer.headers.get("ETag") or ""
            which = tag if tag.startswith('"') else answer.headers.get("Last-Modified") or ""
            if which.isascii():
                mark.write_text(which, encoding="ascii")

        headers = {"Range": f"bytes={out.done}-", "If-Range": known} if known else {}
        try:
            transfer(url, out, "the source", remedy, headers=headers, hooks=[look])
        except DownloadError:
            if out.refused:
                file.truncate(0)
            raise
