"""Who may ask, from where, how much and how fast."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from parsimony.web.app import create_app
from parsimony.web.gauges import Gauges
from parsimony.web.guard import COOKIE, Guard
from parsimony.web.waiting import Limits

TOKEN = "a-token-of-some-length"
RUNS = "/api/v1/runs"


@pytest.fixture
def guarded(service):
    # not entered: its end would close the runs that other tests ask
    return TestClient(
        create_app(service, token=TOKEN, hosts=["*", "lab.example"]),
        base_url="http://127.0.0.1:8765", follow_redirects=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8765"}, 200),
        ({"Host": "[::1]:8765"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:8765"}, 403),
        ({"Host": "10.0.0.7"}, 403),
        ({"Host": "[::1"}, 403),
        ({"Origin": "http://127.0.0.1:8765"}, 200),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, 403),
        (
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate",
             "Sec-Fetch-Dest": "document"},
            200,
        ),
        (
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate",
             "Sec-Fetch-Dest": "iframe"},
            403,
        ),
    ],
)  # fmt: skip
def test_hosts_and_sites(client, headers, status):
    reply = client.get(RUNS, headers=headers)
    assert reply.status_code == status
    assert "script-src 'self'" in reply.headers["content-security-policy"]
    assert "unsafe" not in reply.headers["content-security-policy"]
    if status == 403:
        assert reply.json()["error"]["remedy"]


def test_a_form_of_another_site_cannot_post(client):
    body, kind = '{"head": "x", "relation": "y"}', {"Content-Type": "text/plain"}
    reply = client.post(f"{RUNS}/redgnn/predict", content=body, headers=kind)
    assert reply.status_code == 415


def test_the_token_is_asked_for(guarded):
    assert guarded.get(RUNS).status_code == 401
    for given in (TOKEN[:-1], TOKEN + "a", "", "é"):
        found = guarded.get(RUNS, headers={"Authorization": f"Bearer {given}".encode()})
        assert found.status_code == 401
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert guarded.get(RUNS, headers=bearer).status_code == 200
    assert guarded.get(RUNS, headers={**bearer, "Host": "10.0.0.7:8765"}).status_code == 200
    assert guarded.get(RUNS, headers={**bearer, "Host": "lab.example"}).status_code == 200
    assert guarded.get(RUNS, headers={**bearer, "Host": "evil.example"}).status_code == 403


def test_a_browser_brings_the_token_once(guarded):
    found = guarded.get(f"{RUNS}?token={TOKEN}&a=b")
    assert (found.status_code, found.headers["location"]) == (303, f"{RUNS}?a=b")
    cookie = found.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    held = {"Cookie": f"{COOKIE}={TOKEN}"}
    guarded.cookies.clear()
    assert guarded.get(RUNS, headers=held).status_code == 200
    assert guarded.get(f"{RUNS}?token=wrong").status_code == 401
    away = guarded.get(f"//evil.example?token={TOKEN}")
    assert not away.headers.get("location", "/").startswith("//")
    guarded.cookies.clear()


def asked(limits, chunks, length=None):
    """Send a body through a guard, message by message; a number is a wait in seconds."""

    async def app(scope, receive, send):
        body = (await receive())["body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(len(body)).encode()})

    left, sent = list(chunks), []

    async def receive():
        while left and isinstance(left[0], float):
            await asyncio.sleep(left.pop(0))
        if not left:
            return {"type": "http.disconnect"}
        part = left.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(left)}

    async def send(message):
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    if length is not None:
        headers.append((b"content-length", length))
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"",
             "headers": headers}  # fmt: skip
    asyncio.run(Guard(app, limits=limits, gauges=Gauges())(scope, receive, send))
    return sent[0]["status"], sent[1]["body"]


def test_bodies_are_cut():
    limits = replace(Limits(), body=10, body_seconds=0.05)
    assert asked(limits, [b"12345", b"67890"]) == (200, b"10")
    assert asked(limits, [b"12345", b"678901"])[0] == 413
    assert asked(limits, [b""], length=b"11")[0] == 413
    assert asked(limits, [b""], length=b"many")[0] == 400
    status, body = asked(limits, [b"12345", 5.0, b"1"])
    assert status == 408 and json.loads(body)["error"]["message"]


def test_no_name_reaches_the_file_system(client):
    for path in ("..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e", "..", "redgnn%00", "redgnn/../rules"):
        for end in ("", "/report", "/book/file"):
            reply = client.get(f"{RUNS}/{path}{end}")
            assert reply.status_code in (200, 404), reply.text
            if reply.status_code == 200:  # an address that the client itself made shorter
                assert str(reply.url.path).startswith((f"{RUNS}/rules", RUNS))


def test_names_stay_text(client):
    name = "<b>bold"
    reply = client.get(f"{RUNS}/{name}")
    assert reply.headers["content-type"] == "application/json" and reply.status_code == 404
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert json.loads(reply.text)["error"]["message"] == f"no run {name!r} is served"
