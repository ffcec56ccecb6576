"""Verbs that ask a running server instead of reading the run: ``--server URL``."""

from __future__ import annotations

import http.client
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlsplit

import typer

from parsimony import errors
from parsimony.errors import InvalidParameter, ParsimonyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from parsimony.explain import Explanation

__all__ = ["TOKEN", "Remote", "Server", "refuse_with_server"]

TOKEN = "PARSIMONY_TOKEN"
_SECONDS = 150  # the server's own limits are below
_MOST = 64 << 20  # bytes of a reply
_REMEDY = "leave --server out to read the run itself"

Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        help="Ask the run of that name at a running parsimony serve instead of reading it; "
        f"{TOKEN} in the environment is its token.",
    ),
]


class NoServer(UsageError):
    """Nothing answers at the address, or something else than a server of runs."""


class Remote:
    """A run at a running server.

    Parameters
    ----------
    address
        Of the server, as ``parsimony serve`` prints it.
    run
        The run's folder, or its name there.

    Raises
    ------
    InvalidParameter
        No address.
    """

    def __init__(self, address: str, run: Path) -> None:
        self.address, self.run = address, run.name or str(run.resolve().name)
        try:
            parts = urlsplit(address)
            self._host, self._port = parts.hostname or "", parts.port
        except ValueError:
            parts, self._host = urlsplit(""), ""
        if parts.scheme not in ("http", "https") or not self._host:
            raise InvalidParameter(
                f"--server {address!r} is no address of a server",
                remedy="for example --server http://127.0.0.1:8765",
            )
        self._path, self._safe = parts.path.rstrip("/"), parts.scheme == "https"

    def ask(self, verb: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask the run; the errors are those of the server.

        Raises
        ------
        NoServer
            Nothing answers there, or not as a server of runs does.
        ParsimonyError
            What the server says is wrong, of the same class as without it.
        """
        from parsimony.decoding.strict_json import json_text
        from parsimony.web import models as m

        given = {key: value for key, value in body.items() if value is not None}
        forms: dict[str, type[BaseModel]] = {"predict": m.Answered, "explain": m.Explained}
        found = self._sent("POST", f"/{verb}", json_text(given).encode())
        return self._checked(forms.get(verb, m.SecondOpinionFound), found)

    def card(self) -> dict[str, Any]:
        """What the server knows of the run."""
        from parsimony.web.models import Card

        return self._checked(Card, self._sent("GET", "", b""))

    def explanation(self, found: Mapping[str, Any]) -> Explanation:
        """The explanation that a server sent.

        Raises
        ------
        NoServer
            What it sent is none.
        """
        from parsimony.explain import Explanation

        try:
            return Explanation.from_dict(found)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise self._foreign(f"{type(error).__name__}: {error}") from None

    def _checked(self, form: type[BaseModel], found: dict[str, Any]) -> dict[str, Any]:
        from parsimony.decoding import checked

        try:
            checked(form, found, error=NoServer)
        except NoServer as error:
            raise self._foreign(error.message) from None
        return found

    def _foreign(self, reason: str) -> NoServer:
        return NoServer(
            f"what {self.address} answers is not what a server of runs does: {reason}"[:500],
            remedy=_REMEDY,
        )

    def _sent(self, method: str, rest: str, body: bytes) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        if token := os.environ.get(TOKEN, "").strip():  # a line break would end in an error
            headers["Authorization"] = f"Bearer {token}"
        kind = http.client.HTTPSConnection if self._safe else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=_SECONDS)
        path = f"{self._path}/api/v1/runs/{quote(self.run, safe='')}{rest}"
        try:
            connection.request(method, path, body, headers)
            with connection.getresponse() as reply:
                status, text = reply.status, _read(reply)
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise NoServer(f"no answer from {self.address}: {reason}", remedy=_REMEDY) from None
        finally:
            connection.close()
        return self._understood(status, text)

    def _understood(self, status: int, text: bytes) -> dict[str, Any]:
        from parsimony.decoding import parse_json

        try:
            found = parse_json(text, error=NoServer)
        except NoServer:
            found = None
        told = found.get("error") if isinstance(found, dict) else None
        if status == 200 and isinstance(found, dict):
            return found
        if not isinstance(told, dict):
            raise NoServer(
                f"what answers at {self.address} (status {status}) is no server of runs",
                remedy=_REMEDY,
            )
        if status == 401:
            raise NoServer(
                f"the server at {self.address} asks for its token",
                remedy=f"export {TOKEN}=… with the token that it was started with",
            )
        kind = getattr(errors, str(told.get("type")), ParsimonyError)
        known = isinstance(kind, type) and issubclass(kind, ParsimonyError)
        message, remedy = str(told.get("message", "")), str(told.get("remedy", ""))
        raise (kind if known else ParsimonyError)(
            message, remedy=remedy, where=str(told["where"]) if told.get("where") else None
        )


def _read(reply: http.client.HTTPResponse) -> bytes:
    """The body, if it comes within the time, and is not larger than any answer."""
    end, found = time.monotonic() + _SECONDS, bytearray()
    while part := reply.read1(1 << 16):
        found += part
        if len(found) > _MOST:
            raise ValueError(f"it sends more than {_MOST >> 20} MiB")
        if time.monotonic() > end:
            raise ValueError(f"it sends for more than {_SECONDS} s")
    return bytes(found)


def refuse_with_server(**given: object) -> None:
    """Refuse options that need the run itself.

    Raises
    ------
    UsageError
    """
    for name, value in given.items():
        if value:
            raise UsageError(
                f"--{name.replace('_', '-')} needs the run itself, not a server", remedy=_REMEDY
            )
