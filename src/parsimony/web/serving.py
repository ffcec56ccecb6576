"""A server from its address to its end: listens, answers, stops without cutting answers off."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import socket
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any
from urllib.parse import quote

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from parsimony.errors import InvalidParameter, UsageError
from parsimony.web.app import create_app
from parsimony.web.fits import Fits
from parsimony.web.frontiers import Frontiers
from parsimony.web.known_data import KnownData
from parsimony.web.served import Service
from parsimony.web.waiting import Limits

__all__ = ["Serving"]

_HEAD_SECONDS = 15.0  # within which a request's head has to be there
_GRACE = 5  # seconds that answers under way have when the server stops
_LEAST_TOKEN = 16


class _Connection(H11Protocol):
    """A connection that ends where the head of its first request does not come in time."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._slow = self.loop.call_later(_HEAD_SECONDS, self._end_if_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._slow.cancel()
        super().connection_lost(exc)

    def _end_if_slow(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


class _Server(uvicorn.Server):
    """Stops at the first Ctrl-C or SIGTERM and returns; at the second it ends at once."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            for number in before:
                signal.signal(number, self.handle_exit)
        except ValueError:  # not the main thread: who started it stops it
            before = {}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@dataclass
class Serving:
    """A server that is ready to run.

    Attributes
    ----------
    base, address
        Where it is found; ``address`` carries the token, if there is one.
    ids
        Of the runs.
    """

    server: uvicorn.Server
    listening: socket.socket
    base: str
    address: str
    ids: list[str]

    @classmethod
    def open(
        cls,
        runs: Sequence[Path],
        *,
        host: str = "127.0.0.1",
        port: int = 8765,
        token: str | None = None,
        edits: Path | None = None,
        fits: Path | None = None,
        memory: int | None = None,
        frontiers: Sequence[Path] = (),
        limits: Limits | None = None,
    ) -> Serving:
        """Read the runs, take the port, and make the application.

        Raises
        ------
        UsageError
            An address that others reach, without a token.
        InvalidParameter
            No address of this machine, a port that is taken, or a token that is short.
        MissingRun, CorruptRun, RunVersionError
            A run that cannot be read.
        """
        outside = not _is_loopback(host)
        if outside and token is None:
            raise UsageError(
                f"others can reach {host}: a server there asks for a token",
                remedy="add --token TOKEN, or leave --host out",
            )
        if token is not None and (len(token) < _LEAST_TOKEN or not _plain(token)):
            raise InvalidParameter(
                f"a token is {_LEAST_TOKEN} letters and digits or more",
                remedy="make one with: python -c 'import secrets; print(secrets.token_urlsafe())'",
            )
        listening = _listen(host, port)
        try:
            service = Service(runs, limits, edits)
            started = None if fits is None else Fits(fits, KnownData(service), memory)
            drawn = Frontiers(frontiers)
            service.warm()
        except BaseException:
            listening.close()
            raise
        hosts = ["*", host] if outside else [host]
        app = create_app(service, token=token, hosts=hosts, fits=started, frontiers=drawn)
        config = uvicorn.Config(
            app, http=_Connection, ws="none", loop="asyncio", lifespan="on", access_log=False,
            log_level="warning", server_header=False, timeout_keep_alive=15,
            timeout_graceful_shutdown=_GRACE, h11_max_incomplete_event_size=32_768,
            limit_concurrency=500,
        )  # fmt: skip
        shown = socket.gethostname() if host in ("0.0.0.0", "::", "") else host
        name = f"[{shown}]" if ":" in shown else shown
        base = f"http://{name}:{listening.getsockname()[1]}"
        address = f"{base}/" + (f"?token={quote(token, safe='')}" if token else "")
        return cls(_Server(config), listening, base, address, list(service.runs))

    def open_browser(self) -> None:
        """Open the page in a browser, once the server answers."""
        timer = Timer(0.5, webbrowser.open, [self.address])
        timer.daemon = True
        timer.start()

    def run(self) -> None:
        """Answer until a signal comes."""
        asyncio.run(self.server.serve(sockets=[self.listening]))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _plain(token: str) -> bool:
    return token.isascii() and all(c.isalnum() or c in "-_.~" for c in token)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(256)
    except (OSError, OverflowError, UnicodeError) as error:
        found.close()
        raise InvalidParameter(
            f"cannot listen on {host}, port {port}: {error}",
            remedy="take another port: --port 0 takes a free one",
        ) from None
    return found
