"""``--server URL``: what the verb prints by itself, from a server that has read the run."""

from __future__ import annotations

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from parsimony.cli import app

RUNS = Path(__file__).resolve().parents[1] / "fixtures" / "runs_0_1"
TOKEN = "a-token-of-some-length"
QUESTION = ["--head", "Victoria_of_Wales", "--relation", "cousin"]
FACT = [*QUESTION, "--tail", "Alexandra_of_Greece_1870"]
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


def said(*words, code=0):
    found = CliRunner().invoke(app, list(map(str, words)))
    assert found.exit_code == code, found.output
    return found.stdout


@pytest.fixture(scope="module")
def address():
    from parsimony.web.serving import Serving

    serving = Serving.open([RUNS / "rules"], port=0, token=TOKEN)
    thread = threading.Thread(target=serving.run)
    thread.start()
    yield serving.base
    serving.server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setenv("PARSIMONY_TOKEN", TOKEN)


def test_the_output_is_the_same(address, tmp_path):
    for words in (["predict", "RUN", *QUESTION, "--top", 4, "--drop-known", "--json"],
                  ["explain", "RUN", *FACT, "--side", "head", "--seed", 3, "--json"],
                  ["explain", "RUN", *FACT]):  # fmt: skip
        own = said(*(RUNS / "rules" if word == "RUN" else word for word in words))
        there = said(*("rules" if word == "RUN" else word for word in words), "--server", address)
        assert there == own
    read, asked = tmp_path / "read.csv", tmp_path / "asked.csv"
    own = said("predict", RUNS / "rules", *QUESTION, "--out", read)
    there = said("predict", "rules", *QUESTION, "--out", asked, "--server", address)
    assert asked.read_text() == read.read_text()
    assert there.splitlines()[:-1] == own.splitlines()[:-1]
    assert there.rstrip().endswith(f"--server {address}")  # why the first: by the same server
    page = tmp_path / "why.html"
    said("explain", "rules", *FACT, "--html", page, "--server", address)
    assert "<html" in page.read_text()


def test_a_second_opinion_by_the_verb_and_by_the_server(address):
    words = [*FACT, "--second-opinion", "--json"]
    own = json.loads(said("explain", RUNS / "rules", *words))["second_opinion"]
    there = json.loads(said("explain", "rules", *words, "--server", address))["second_opinion"]
    assert own == there and own["kinds"]
    assert [kind["p"] for kind in own["kinds"]] == sorted(kind["p"] for kind in own["kinds"])
    assert all(0 < kind["p"] <= kind["q"] <= 1 for kind in own["kinds"])
    assert "A second opinion" in said("explain", RUNS / "rules", *FACT, "--second-opinion")


def test_errors_are_those_of_the_run_or_say_what_is_with_the_server(address, monkeypatch):
    def error(*words, code=2):
        return json.loads(said(*words, "--json", code=code))["error"]

    wrong = ["--head", "Viktoria_of_Wales", "--relation", "cousin"]
    own = error("predict", RUNS / "rules", *wrong)
    assert error("predict", "rules", *wrong, "--server", address) == own
    missing = error("predict", "nix", *QUESTION, "--server", address)
    assert missing["type"] == "MissingRun" and "rules" in missing["remedy"]
    for option in ("--knowledge", "--queries"):
        needs = error("predict", "rules", option, "x.txt", *QUESTION, "--server", address)
        assert "needs the run itself" in needs["message"]
    assert error("predict", "rules", *QUESTION, "--server", "nix")["type"] == "InvalidParameter"
    nobody = error("explain", "rules", *FACT, "--server", "http://127.0.0.1:9")
    assert nobody["type"] == "NoServer" and "127.0.0.1:9" in nobody["message"]
    monkeypatch.setenv("PARSIMONY_TOKEN", "another-token-it-is")
    refused = error("predict", "rules", *QUESTION, "--server", address)
    assert "token" in refused["message"] and "PARSIMONY_TOKEN" in refused["remedy"]


def what_is_said_of(answer, verb="predict", words=QUESTION):
    """The message where a server of another kind answers."""

    class Other(BaseHTTPRequestHandler):
        def do_POST(self):
            answer(self)

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        printed = said(verb, "rules", *words, "--server", address, "--json", code=2)
        thread.join(5)
    return json.loads(printed)["error"]["message"]


def test_another_kind_of_server_is_said_to_be_none():
    def elsewhere(handler):
        handler.send_response(302)
        handler.send_header("Location", "http://192.0.2.1/")  # is not followed: it has the token
        handler.end_headers()
        handler.wfile.write(b"<html>")

    assert "no server of runs" in what_is_said_of(elsewhere)


@pytest.mark.parametrize(
    ("verb", "told"),
    [
        ("predict", {"hello": "world"}),
        ("predict", {"query": {"relation": "r"}, "answers": [], "notes": []}),
        ("predict", {"query": {"head": "h", "relation": "r"}, "answers": [{}], "notes": []}),
        ("explain", {}),
        ("explain", {"query": {"head": "h", "relation": "r", "tail": "t"}, "score": 1.0,
                     "paths": [], "rules": [], "notes": [], "faithfulness": {"verdict": "no"}}),
    ],
)  # fmt: skip
def test_json_of_another_form_is_said_to_be_none(verb, told):
    def other(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(json.dumps(told).encode())

    words = QUESTION if verb == "predict" else FACT
    assert "not what a server of runs does" in what_is_said_of(other, verb, words)


def test_a_reply_without_end_is_not_read_to_its_end(monkeypatch):
    monkeypatch.setattr("parsimony.cli.remote._MOST", 1 << 20)
    monkeypatch.setenv("PARSIMONY_TOKEN", f"{TOKEN}\n")  # as of a file
    given = []

    def endless(handler):
        given.append(handler.headers["Authorization"])
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):  # it hangs up
            for _ in range(64):
                handler.wfile.write(b" " * (1 << 20))

    assert "more than 1 MiB" in what_is_said_of(endless)
    assert given == [f"Bearer {TOKEN}"]
