"""``parsimony serve`` as a person starts it: a program asks, a signal ends it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from typer.testing import CliRunner

from parsimony.cli import app

ROOT = Path(__file__).resolve().parents[2]
RUNS = ROOT / "tests" / "fixtures" / "runs_0_1"
TOKEN = "a-token-of-some-length"


@pytest.fixture
def server():
    words = ["serve", str(RUNS / "rules"), "--port", "0", "--token", TOKEN, "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "parsimony", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ},
    ) as process:  # fmt: skip
        yield process, json.loads(process.stdout.readline())
        process.kill()


def test_the_client_of_the_docs_and_a_graceful_stop(server, capsys):
    process, told = server
    base, _, token = told["address"].partition("/?token=")
    assert token == TOKEN and told["runs"] == ["rules"] and told["pid"] == process.pid
    text = (ROOT / "docs" / "http.md").read_text()
    code = re.search(r"```python\n(.*?)```", text, flags=re.S)[1]
    code = code.replace('ask(base, "runs")', 'ask(base, "runs", token=token)')
    code = code.replace('"top": 3})', '"top": 3}, token)')
    names = {"base": base, "token": token, "head": "Victoria_of_Wales", "relation": "cousin"}
    exec(code, names)
    printed = capsys.readouterr().out
    assert len(names["found"]["answers"]) == 3 and "Alexandra" in printed
    with pytest.raises(HTTPError) as refused:
        urlopen(f"{base}/api/v1/runs", timeout=30)
    with refused.value:
        assert refused.value.code == 401
    asked = Request(f"{base}/healthz", headers={"Authorization": f"Bearer {TOKEN}"})
    with urlopen(asked, timeout=30) as reply:
        assert reply.read() == b"ok\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert "Traceback" not in process.stderr.read()


def test_small_answers_are_not_held_back():
    """Else every answer waits some 40 ms for the asker's acknowledgement of its head."""
    from parsimony.web.serving import _listen

    async def asked():
        taken = asyncio.get_running_loop().create_future()
        listening = _listen("127.0.0.1", 0)
        server = await asyncio.start_server(lambda r, w: taken.set_result(w), sock=listening)
        async with server:
            _, own = await asyncio.open_connection(*listening.getsockname())
            writer = await taken
            held = writer.get_extra_info("socket").getsockopt(
                socket.IPPROTO_TCP, socket.TCP_NODELAY
            )
            for each in (own, writer):
                each.close()
        return held

    assert asyncio.run(asked()) == 1


def test_what_others_can_reach_asks_for_a_token():
    def refused(*words):
        found = CliRunner().invoke(app, ["serve", str(RUNS / "rules"), *words, "--json"])
        assert found.exit_code == 2
        return json.loads(found.stdout)["error"]

    assert "token" in refused("--host", "0.0.0.0")["message"]
    assert "16 letters" in refused("--token", "short")["message"]
    assert "cannot listen" in refused("--host", "203.0.113.7", "--token", TOKEN)["message"]
    assert refused("--edits", str(ROOT / "pyproject.toml"))["type"] == "NotAFile"
