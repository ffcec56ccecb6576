"""What stands before every request: who may ask, from where, how much, and how fast.

A page of another site can make a browser send requests to this machine; so the Host that is named,
the site that asks and, where one is set, the token are looked at before anything else is.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from parsimony.decoding.strict_json import json_text
from parsimony.web.gauges import Gauges
from parsimony.web.waiting import Limits

__all__ = ["COOKIE", "Guard"]

COOKIE = "parsimony_token"
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Refused(Exception):
    """A request that is not passed on: its status and its error."""

    def __init__(self, status: int, type: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"type": type, "message": message, "remedy": remedy}


class Guard:
    """Middleware of the whole application.

    Parameters
    ----------
    app
        What is guarded.
    token
        That every request has to bring, as ``Authorization: Bearer`` or as a cookie; None: none.
    hosts
        Names and addresses by which the server is called, beside those of loopback; "*" takes every
        address in numbers and the machine's name.
    """

    def __init__(
        self, app: App, *, limits: Limits, gauges: Gauges, token: str | None = None,
        hosts: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self.app, self.limits, self.gauges = app, limits, gauges
        self._token = None if token is None else token.encode()
        self._hosts = {*_LOOPBACK, *(host.lower() for host in hosts)}

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begin, status, sent = time.perf_counter(), 500, False

        async def answer(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status, sent = message["status"], True
                have = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((k.encode(), v.encode()) for k, v in _HEADERS.items()
                      if k.encode() not in have),
                ]  # fmt: skip
            await send(message)

        self.gauges.begin()
        try:
            headers = {
                k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]
            }
            self._require_host(headers)
            self._require_same_site(headers, scope["method"])
            if await self._logged_in(scope, headers, answer):
                return
            self._require_token(headers)
            inner = await self._with_body(headers, receive, scope["method"])
            await self.app(scope, inner, answer)
        except Refused as error:
            if not sent:
                await _reply(answer, error.status, {"error": error.error})
        finally:
            self.gauges.end(_route(scope), status, time.perf_counter() - begin)

    # ---- who -------------------------------------------------------------------------------

    def _require_host(self, headers: dict[str, str]) -> None:
        host = _hostname(headers.get("host", ""))
        known = host in self._hosts or ("*" in self._hosts and _own(host))
        if not known:
            raise Refused(
                403, "UsageError", "this server is not called by that name",
                "use the address that it printed when it started",
            )  # fmt: skip

    def _require_same_site(self, headers: dict[str, str], method: str) -> None:
        """Refuse what a page of another site sends; a link that is followed may come from there."""
        refused = Refused(
            403, "UsageError", "the request comes from a page of another site",
            "ask from a page of this server, or from a program",
        )  # fmt: skip
        site, followed = headers.get("sec-fetch-site"), method in ("GET", "HEAD") and (
            headers.get("sec-fetch-mode") == "navigate"
            and headers.get("sec-fetch-dest") == "document"
        )  # fmt: skip
        if site in ("cross-site", "same-site") and not followed:
            raise refused
        origin = headers.get("origin")
        if origin is not None:
            try:
                asked = urlsplit(origin).netloc.lower()
            except ValueError:
                raise refused from None
            if not asked or asked != headers.get("host", "").lower():
                raise refused

    async def _logged_in(
        self, scope: MutableMapping[str, Any], headers: dict[str, str], send: Send
    ) -> bool:
        """Answer ``GET …?token=…`` with a cookie and the address without the token."""
        query = scope["query_string"].decode("latin-1")
        if self._token is None or scope["method"] != "GET" or "token=" not in query:
            return False
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=200)
        given = dict(pairs).get("token", "")
        if not self._is(given):
            return False
        rest = urlencode([(k, v) for k, v in pairs if k != "token"])
        path = "/" + scope["path"].lstrip("/\\")  # "//host" would lead elsewhere
        where = path.encode("utf-8", "surrogatepass").decode("latin-1") if path.isascii() else "/"
        where = "".join(c for c in where if c.isprintable()) + f"?{rest}" * bool(rest)
        cookie = f"{COOKIE}={given}; Path=/; HttpOnly; SameSite=Strict"
        await _reply(send, 303, {}, {"location": where, "set-cookie": cookie})
        return True

    def _is(self, given: str) -> bool:
        own = given.encode("utf-8", "surrogatepass")
        return self._token is not None and hmac.compare_digest(own, self._token)

    def _require_token(self, headers: dict[str, str]) -> None:
        if self._token is None:
            return
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            try:
                found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
            except CookieError:
                found = None
            given = "" if found is None else found.value
        if not self._is(given.strip()):
            raise Refused(
                401, "UsageError", "this server asks for its token",
                "send it as the header Authorization: Bearer TOKEN, or open the address with "
                "the token that was printed when it started",
            )  # fmt: skip

    # ---- how much ----------------------------------------------------------------------------

    async def _with_body(self, headers: dict[str, str], receive: Receive, method: str) -> Receive:
        """Read the body within the limits; what is returned gives it once, then what follows."""
        limit = self.limits.body
        large = Refused(
            413, "UsageError", f"the body is larger than {limit:,} bytes", "ask for less at a time"
        )
        try:
            announced = int(headers.get("content-length", "0"))
        except ValueError:
            raise Refused(400, "UsageError", "no length of a body", "send a number") from None
        if announced > limit:
            raise large
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                more, size = True, 0
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refused(499, "UsageError", "the asker has left", "ask again")
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > limit:
                        raise large
                    more = message.get("more_body", False)
        except TimeoutError:
            raise Refused(
                408, "UsageError", "the body did not come in time", "send it at once"
            ) from None
        body = b"".join(parts)
        if body and method not in ("GET", "HEAD") and not _is_json(headers):
            raise Refused(
                415, "UsageError", "the body is not said to be JSON",
                "send the header Content-Type: application/json",
            )  # fmt: skip
        given = False

        async def once() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        return once


def _is_json(headers: dict[str, str]) -> bool:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json"


def _hostname(host: str) -> str:
    """The name in a Host header, without port and brackets; "" where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _own(host: str) -> bool:
    """Whether a host is an address in numbers, which no foreign name can lead to, or this one."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host in (socket.gethostname().lower(), socket.getfqdn().lower())
    return True


def _route(scope: MutableMapping[str, Any]) -> str:
    """The route as it was declared, so that counts do not grow with what is asked."""
    return getattr(scope.get("route"), "path", "other")


async def _reply(
    send: Send, status: int, value: dict[str, Any], headers: dict[str, str] | None = None
) -> None:
    body = json_text(value).encode() if value else b""
    lines = {"content-type": "application/json", "content-length": str(len(body)),
             "connection": "close", **(headers or {})}  # fmt: skip
    if status < 400:
        del lines["connection"]
    await send({
        "type": "http.response.start", "status": status,
        "headers": [(k.encode(), v.encode("latin-1", "replace")) for k, v in lines.items()],
    })  # fmt: skip
    await send({"type": "http.response.body", "body": body})
