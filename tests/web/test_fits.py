"""Fits that are started over the interface: real processes, which are watched, stopped, served."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the web extra is not installed")

from parsimony.web import fit_progress as progress

BASE = "http://127.0.0.1:8765"
RUNS = Path(__file__).resolve().parents[1] / "fixtures" / "runs_0_1"


@pytest.fixture
def fits(tmp_path):
    """A service of its own, as fits are added to it; a client of it, and its fits."""
    import warnings

    from fastapi.testclient import TestClient

    from parsimony.web.app import create_app
    from parsimony.web.fits import Fits
    from parsimony.web.known_data import KnownData
    from parsimony.web.served import Service

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # names of old runs
        service = Service([RUNS / name for name in ("redgnn", "tanimoto")])
    made = Fits(tmp_path / "fits", KnownData(service))
    app = create_app(service, fits=made)
    with TestClient(app, base_url=BASE, raise_server_exceptions=False) as client:
        yield client, made


def until(client, id, *states, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = client.get(f"/api/v1/fits/{id}").json()
        if found["state"] in states and (found["state"] != "running" or found["history"]):
            return found
        time.sleep(0.1)
    raise AssertionError(found)


def test_a_fit_is_watched_stopped_served_and_gone_on_with(fits, tmp_path):
    client, made = fits
    asked = {"data": "royal", "method": "distmult", "epochs": 100_000, "seconds": 600,
             "settings": {"dim": 4, "patience": 100_000}}  # fmt: skip
    begun = client.post("/api/v1/fits", json=asked)
    assert begun.status_code == 202, begun.text
    id = begun.json()["id"]
    found = until(client, id, "running", "failed")
    assert f"--memory {made.memory}" in " ".join(made._fits[id].process.args)  # by its formula
    assert found["epochs"] == 100_000 and 0 < found["seconds_left"] <= 600
    assert found["history"][-1]["loss"] > 0 and not found["usable"]
    assert client.post(f"/api/v1/fits/{id}/serve").status_code == 400
    assert client.delete(f"/api/v1/fits/{id}").json()["state"] in ("stopping", "stopped")
    found = until(client, id, "stopped")
    assert found["usable"] and found["valid"]["mrr"] > 0 and found["error"] is None
    run = client.post(f"/api/v1/fits/{id}/serve").json()
    assert run["id"] == id and run["method"] == "distmult"
    question = {"head": "Victoria_of_Wales", "relation": "cousin", "top": 3}
    answers = client.post(f"/api/v1/runs/{id}/predict", json=question).json()["answers"]
    assert len(answers) == 3
    assert client.post(f"/api/v1/fits/{id}/resume").status_code == 400  # it is served

    from parsimony.web.fits import Fits
    from parsimony.web.known_data import KnownData
    from parsimony.web.served import Service

    # A server that was started again, and one that was given the run as well.
    later = Fits(tmp_path / "fits", KnownData(Service([])))
    (row,) = later.listed()["fits"]
    assert row["state"] == "stopped" and row["resumable"] and row["seconds"] > 0
    (row,) = Fits(tmp_path / "fits", made.data).listed()["fits"]
    assert row["served"] == id and not row["resumable"]
    before = found["epoch"]
    later.resume(id)
    end = time.monotonic() + 120
    while (later.shown(id)["epoch"] or 0) <= before and time.monotonic() < end:
        time.sleep(0.1)
    assert later.shown(id)["epoch"] > before
    later.close()  # waits a moment; on a busy machine the fit takes longer to write its run
    while later.shown(id)["state"] != "stopped" and time.monotonic() < end:
        time.sleep(0.1)
    assert later.shown(id)["state"] == "stopped" and later.shown(id)["usable"]


def test_a_fit_that_cannot_be_says_why(fits):
    client, made = fits
    asked = {"data": "royal", "method": "distmult", "settings": {"no_such_thing": 3}}
    id = client.post("/api/v1/fits", json=asked).json()["id"]
    end = time.monotonic() + 120
    while made._fits[id].ended is None and time.monotonic() < end:
        time.sleep(0.05)
    assert made._fits[id].ended is not None  # its time stands still, though nobody looked
    found = until(client, id, "failed")
    assert "no_such_thing" in found["error"]["message"] and not found["usable"]


def test_a_fit_that_takes_more_memory_than_it_may_is_ended(fits):
    client, made = fits
    made.memory = 10**8  # less than the libraries take
    asked = {"data": "royal", "method": "distmult"}
    id = client.post("/api/v1/fits", json=asked).json()["id"]
    assert client.get("/api/v1/fits").json()["memory"] == 10**8
    found = until(client, id, "failed")
    assert "GB that a fit may take here" in found["error"]["message"]
    assert found["memory"] == 10**8 and found["resumable"]


def recorded(folder, id, process):
    """A fit as a server has noted it down before it was killed."""
    from parsimony.web.processes import mark_of

    (folder / ".fits").mkdir()
    note = {"asked": {"data": "royal"}, "began": time.time(), "spent": 0.0,
            "pid": process.pid, "mark": mark_of(process.pid)}  # fmt: skip
    (folder / ".fits" / f"{id}.json").write_text(json.dumps(note))


@pytest.mark.parametrize("code", ["", "x = bytearray(1 << 28);"], ids=["stopped", "too large"])
def test_a_fit_of_a_server_that_was_killed_is_found_again_watched_and_stopped(code, tmp_path):
    from parsimony.web.fits import Fits
    from parsimony.web.known_data import KnownData
    from parsimony.web.served import Service

    words = [sys.executable, "-c", f"import time; {code} time.sleep(600)"]
    with subprocess.Popen(words) as process:
        recorded(tmp_path, "left", process)
        made = Fits(tmp_path, KnownData(Service([])), 10**9 if not code else 10**8)
        assert made.shown("left")["state"] == "running" or code
        if not code:
            made.stop("left")
    assert process.returncode < 0
    made._fits["left"].watched.join(20)
    row = made.shown("left")
    assert row["state"] == ("failed" if code else "stopped") and row["resumable"]
    assert ("more than the 0.1 GB" in row["error"]["message"]) if code else row["error"] is None
    (again,) = Fits(tmp_path, KnownData(Service([]))).listed()["fits"]
    assert again["state"] == "stopped"  # another process may have that number by now


def test_what_a_run_of_a_table_is_learned_from_again_is_split_as_it_was(tmp_path):
    from parsimony import fit
    from parsimony.problems import kind_of
    from parsimony.web.known_data import KnownData
    from parsimony.web.models import FitAsked
    from parsimony.web.served import Service

    table = tmp_path / "facts.tsv"
    table.write_text("".join(f"e{i % 7}\tr{i % 2}\te{i % 11}\n" for i in range(60)))
    first, _ = fit(str(table), "degree", out=tmp_path / "run", seed=5)
    data = KnownData(Service([tmp_path / "run"]))
    place, *_ = data.words(FitAsked(data="run run", method="degree", seed=9))
    assert place == str(tmp_path / "run") and kind_of(place) == "link"
    assert "split as there" in data.known["run run"].summary
    again, _ = fit(place, "degree", seed=9)
    assert again.task_.data.content_hash == first.task_.data.content_hash
    other, _ = fit(str(table), "degree", seed=9)
    assert other.task_.data.content_hash != first.task_.data.content_hash


def test_only_what_the_server_knows_is_learned_from(fits, tmp_path):
    client, made = fits
    (tmp_path / "secret.csv").write_text("a,b,c\n")

    def status(**asked):
        return client.post("/api/v1/fits", json=asked).status_code

    for data in (str(tmp_path / "secret.csv"), "../secret.csv", "no such", "", "--help", "run x"):
        assert status(data=data) == 400
    assert status(data="royal", method="emergnn") == 400  # of another kind
    assert status(data="royal", method="../x") == 400
    for settings in ({"encoder": "/etc/passwd"}, {"--out": 3}, {"dim": [1]}, {"Dim": 1}):
        assert status(data="royal", settings=settings) == 422
    assert status(data="royal", out="/tmp/x") == 422
    assert client.get("/api/v1/fits/..%2Fsecret.csv").status_code == 404
    elsewhere = {"Origin": "http://example.org"}
    refused = client.post("/api/v1/fits", json={"data": "royal"}, headers=elsewhere)
    assert refused.status_code == 403
    assert made.listed()["fits"] == []
    offered = {each["name"]: each for each in made.listed()["data"]}
    assert {"redgnn", "rules"} <= set(offered["royal"]["methods"])


def test_a_server_without_a_folder_for_them_starts_none(client, ask):
    assert ask("fits") == {"enabled": False, "data": [], "fits": [], "most": 0, "memory": 0}
    refused = client.post("/api/v1/fits", json={"data": "royal"})
    assert refused.status_code == 403 and "--fits" in refused.json()["error"]["remedy"]


def test_damaged_records_and_summaries_hide_no_other_fit(tmp_path):
    from parsimony.web.fits import Fits
    from parsimony.web.known_data import KnownData
    from parsimony.web.served import Service

    records = tmp_path / ".fits"
    records.mkdir()
    for id, began in (("one", "1.0"), ("two", "2.0"), ("three", '"x"')):
        (records / f"{id}.json").write_text(
            f'{{"asked": {{"data": "royal"}}, "began": {began}, "spent": 0.0}}'
        )
    (tmp_path / "two").mkdir()
    for name in ("checksums.json", "summary.json"):
        (tmp_path / "two" / name).write_text("{")
    made = Fits(tmp_path, KnownData(Service([])))
    assert [row["id"] for row in made.listed()["fits"]] == ["two", "one"]


def test_a_process_that_cannot_be_started_takes_no_time(tmp_path, monkeypatch):
    from parsimony.web.fits import Fits
    from parsimony.web.known_data import KnownData
    from parsimony.web.served import Service

    (tmp_path / ".fits").mkdir()
    (tmp_path / ".fits" / "one.json").write_text(
        '{"asked": {"data": "royal"}, "began": 1.0, "spent": 0.0}'
    )
    made = Fits(tmp_path, KnownData(Service([])))

    def refused(*args, **kwargs):
        raise BlockingIOError("no more processes")

    with monkeypatch.context() as patch:
        patch.setattr("parsimony.web.fits.subprocess.Popen", refused)
        with pytest.raises(BlockingIOError):
            made.resume("one")
    assert not made._fits["one"].running and made._fits["one"].seconds == 0  # it did not begin


def test_a_run_that_two_ask_for_is_served_once(tmp_path):
    from parsimony.web.fits import Fits
    from parsimony.web.known_data import KnownData
    from parsimony.web.served import Service

    (tmp_path / ".fits").mkdir()
    (tmp_path / ".fits" / "one.json").write_text(
        '{"asked": {"data": "royal"}, "began": 1.0, "spent": 0.0}'
    )
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "checksums.json").write_text("{}")
    made, read, second = Fits(tmp_path, KnownData(Service([]))), [], threading.Event()

    def add(run):
        read.append(run)
        second.wait(0.2)  # until the other one asks, if it is let
        return f"one-{len(read)}"

    def ask(k):
        if k:
            second.set()
        return made.serve("one", add)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(ask, range(2))) == ["one-1", "one-1"]
    assert read == [tmp_path / "one"]


def test_a_long_curve_is_sent_thinned():
    history = [{"epoch": epoch} for epoch in range(1, 2502)]
    sent = progress.thinned(history)
    assert (
        len(sent) <= 1000
        and sent[-1] == history[-1]
        and sent == sorted(sent, key=lambda row: row["epoch"])
    )
    assert progress.thinned(history[:1000]) == history[:1000] and progress.thinned([]) == []


def test_what_a_search_tried_are_no_methods_of_a_race():
    search = Path(__file__).parents[1] / "fixtures" / "runs_0_1" / "search"
    assert (search / "search" / "trials.jsonl").is_file()
    assert progress.heats(search, running=False) == progress.race_curves(search) == []


def test_a_race_is_read_while_it_goes_on(tmp_path):
    from parsimony.search.heat import Heat
    from parsimony.search.heat_store import HeatStore

    subject = {"space": "race", "methods": ["degree", "rules", "redgnn"]}
    runs = tmp_path / "search" / "runs"
    runs.mkdir(parents=True)
    (runs.parent / "trials.jsonl").touch()
    assert progress.heats(tmp_path, running=True) == []  # it is being begun
    (runs.parent / "trials.jsonl").unlink()
    with HeatStore(tmp_path, subject, resume=False, seed=0) as store:
        store.keep("degree", 1, Heat(np.array([0.25, 0.2, 0.3]), 0, seconds=2.0), 2.0)
        store.keep("rules", 1, Heat(np.zeros(1), seconds=1.0, error="no rule"), 3.0)
        for method in ("degree", "redgnn"):
            (runs / method).mkdir(parents=True)
            (runs / method / "config.toml").write_text("[parameters]\nepochs = 10\n")
        found = {row["method"]: row for row in progress.heats(tmp_path, running=True)}
    assert found["degree"]["valid"] == 0.25 and found["degree"]["heats"] == 1
    assert found["rules"]["valid"] is None and found["rules"]["state"] == "no rule"
    assert found["redgnn"]["state"] == "training" and found["redgnn"]["heats"] == 0
    log = runs / "redgnn" / "log.jsonl"
    log.write_text('{"time": 1.0, "epoch": 4, "loss": 2.0, "seconds": 3.0}\n{"time": 2.0, "ep')
    history, most, method = progress.curve(tmp_path)
    assert [row["epoch"] for row in history] == [4] and (most, method) == (10, "redgnn")
    assert progress.time_left(history, most, None, 5.0) == 18.0
    assert progress.time_left(history, most, 15.0, 5.0) == 10.0
    assert progress.time_left([], None, None, 5.0) is None
