"""Questions that take time: they end where nobody waits, and let others pass."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from parsimony.errors import UsageError
from parsimony.web.jobs import Jobs
from parsimony.web.waiting import Busy, Desk, Left, Limits, TooLong


@pytest.fixture
def desk():
    with ThreadPoolExecutor(2) as long:
        found = Desk(replace(Limits(), waiting=2), long)
        yield found
        found.close()


def endless(started, ended):
    """Work that ends only where its ticket says so."""

    def work(ticket):
        started.set()
        try:
            while True:
                ticket.check()
                time.sleep(0.001)
        finally:
            ended.set()

    return work


def test_a_question_is_answered_or_fails_as_its_work_does(desk):
    def wrong(ticket):
        raise UsageError("no")

    assert asyncio.run(desk.ask(lambda ticket: 1)) == 1
    with pytest.raises(UsageError, match="no"):
        asyncio.run(desk.ask(wrong, long=True))
    assert desk.waiting == 0 and desk.lock.acquire(blocking=False)


def test_the_time_of_a_question_is_limited(desk):
    started, ended = threading.Event(), threading.Event()
    with pytest.raises(TooLong):
        asyncio.run(desk.ask(endless(started, ended), long=True, seconds=0.05))
    assert ended.wait(5)
    assert asyncio.run(desk.ask(lambda ticket: 2)) == 2


def test_a_question_ends_where_the_asker_leaves(desk):
    started, ended = threading.Event(), threading.Event()

    async def gone():
        while not started.is_set():
            await asyncio.sleep(0.001)

    with pytest.raises(Left):
        asyncio.run(desk.ask(endless(started, ended), gone, long=True))
    assert ended.wait(5)


def test_a_quick_question_passes_a_long_one(desk):
    started, ended = threading.Event(), threading.Event()

    async def both():
        long = asyncio.ensure_future(desk.ask(endless(started, ended), long=True, seconds=30))
        while not started.is_set():
            await asyncio.sleep(0.001)
        quick = await desk.ask(lambda ticket: "quick")
        assert not ended.is_set()
        long.cancel()
        return quick

    assert asyncio.run(both()) == "quick"
    assert ended.wait(5)


def test_too_many_are_turned_away(desk):
    started, ended = threading.Event(), threading.Event()

    async def many():
        work = endless(started, ended)
        waiting = [asyncio.ensure_future(desk.ask(work, long=True)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await desk.ask(lambda ticket: 1)
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(many())
    assert desk.waiting == 0


def test_a_job_is_looked_at_and_cancelled(desk):
    started, ended = threading.Event(), threading.Event()

    async def jobs():
        kept = Jobs()
        done = kept.start(desk, lambda ticket: {"a": 1})["id"]
        long = kept.start(desk, endless(started, ended))["id"]
        while kept.shown(done)["state"] == "running" or not started.is_set():
            await asyncio.sleep(0.001)
        assert kept.shown(done)["result"] == {"a": 1}
        assert kept.shown(long)["state"] == "running"
        assert kept.cancel(long)["state"] == "cancelled"
        while not ended.is_set():
            await asyncio.sleep(0.001)
        kept.cancel(done)
        with pytest.raises(UsageError, match="no such job"):
            kept.shown(done)

    asyncio.run(jobs())


def test_a_job_that_was_cancelled_stays_so(desk):
    started, end = threading.Event(), threading.Event()

    def deaf(ticket):
        started.set()
        end.wait(5)
        return {"a": 1}

    async def jobs():
        kept = Jobs()
        id = kept.start(desk, deaf)["id"]
        while not started.is_set():
            await asyncio.sleep(0.001)
        kept.cancel(id)
        end.set()
        await kept._jobs[id].task
        return kept.shown(id)

    shown = asyncio.run(jobs())
    assert (shown["state"], shown["result"]) == ("cancelled", None)


def test_jobs_over_http(ask, client):
    body = {"run": "redgnn", "ask": "predict",
            "body": {"head": "Victoria_of_Wales", "relation": "cousin"}}  # fmt: skip
    job = ask("jobs", body, 202)
    for _ in range(1000):
        found = ask(f"jobs/{job['id']}")
        if found["state"] != "running":
            break
        time.sleep(0.01)
    assert found["result"] == ask("runs/redgnn/predict", body["body"])
    assert client.delete(f"/api/v1/jobs/{job['id']}").status_code == 200
    assert ask(f"jobs/{job['id']}", status=404)["error"]["type"] == "NoSuchJob"
    ask("jobs", body | {"body": {"head": 3}}, 422)
