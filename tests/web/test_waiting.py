"""Questions that take time: they end where nobody waits, and let others pass."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from dataclasses import replace

import pytest

from parsimony.errors import UsageError
from parsimony.run.steps import step_done, stepping
from parsimony.web.jobs import Jobs
from parsimony.web.turns import Turns
from parsimony.web.waiting import Busy, Desk, Left, Limits, Ticket, TooLong


@pytest.fixture
def desk():
    found = Desk(replace(Limits(), waiting=2))
    yield found
    found.close()


def endless(started, ended):
    """Work that ends only where its ticket says so."""

    def work(ticket):
        started.set()
        try:
            while True:
                step_done()
                time.sleep(0.001)
        finally:
            ended.set()

    return work


def test_a_question_is_answered_or_fails_as_its_work_does(desk):
    def wrong(ticket):
        raise UsageError("no")

    assert asyncio.run(desk.ask(lambda ticket: 1)) == 1
    with pytest.raises(UsageError, match="no"):
        asyncio.run(desk.ask(wrong, lane="long"))
    assert desk.waiting == 0 and not desk.turns.wanted
    desk.turns.take(long=False)


def test_the_time_of_a_question_is_limited(desk):
    started, ended = threading.Event(), threading.Event()
    with pytest.raises((TooLong, Busy)):  # by whether it came to begin
        ticket = Ticket(0.05, desk.turns, long=True)
        asyncio.run(desk.ask(endless(started, ended), lane="long", ticket=ticket))
    assert not started.is_set() or ended.wait(5)
    assert asyncio.run(desk.ask(lambda ticket: 2)) == 2


def test_a_question_ends_where_the_asker_leaves(desk):
    started, ended = threading.Event(), threading.Event()

    async def gone():
        while not started.is_set():
            await asyncio.sleep(0.001)

    with pytest.raises(Left):
        asyncio.run(desk.ask(endless(started, ended), gone, lane="long"))
    assert ended.wait(5)


@pytest.mark.parametrize("lane", ["reason", "long", "job"])
def test_an_answer_passes_what_takes_long_however_much_of_it_there_is(lane):
    desk, n = Desk(Limits()), 8  # more than there are threads
    started, ended = [threading.Event() for _ in range(n)], threading.Event()

    async def all_of_them():
        work = [endless(each, ended) for each in started]
        long = [asyncio.ensure_future(desk.ask(each, lane=lane)) for each in work]
        while not started[1].is_set():
            await asyncio.sleep(0.001)
        answers = [await desk.ask(lambda ticket, i=i: i) for i in range(20)]
        read = await desk.ask(lambda ticket: "read", lane="read")
        assert not ended.is_set()
        for each in long:
            each.cancel()
        await asyncio.gather(*long, return_exceptions=True)
        return answers, read

    assert asyncio.run(all_of_them()) == (list(range(20)), "read")
    assert ended.wait(5)
    desk.close()


def test_short_and_long_take_turns_and_none_waits_for_two_of_the_others():
    turns, order = Turns(), []
    turns.take(long=True)

    def asker(name, long):
        def ask():
            turns.take(long=long)
            order.append(name)
            turns.give_back()

        thread = threading.Thread(target=ask)
        thread.start()
        while sum(map(len, turns._lines)) < len(threads) + 1:
            time.sleep(0.001)
        threads.append(thread)

    threads = []
    for name in ("long 1", "long 2", "long 3", "short 1", "short 2"):
        asker(name, name.startswith("long"))
    turns.give_back()
    for thread in threads:
        thread.join(5)
    assert order == ["short 1", "long 1", "short 2", "long 2", "long 3"]


def test_who_gives_up_waiting_for_a_turn_leaves_the_line():
    turns = Turns()
    turns.take(long=False)

    def given_up():
        raise TooLong("no")

    with pytest.raises(TooLong):
        turns.take(long=True, look=given_up)
    assert not turns.wanted
    turns.give_back()
    turns.take(long=True)


def test_too_many_are_turned_away(desk):
    started, ended = threading.Event(), threading.Event()

    async def many():
        work = endless(started, ended)
        waiting = [asyncio.ensure_future(desk.ask(work, lane="long")) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await desk.ask(lambda ticket: 1)
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(many())
    assert desk.waiting == 0


def test_who_cannot_have_an_answer_in_time_is_told_when_to_ask_again():
    """By how long such questions took: at once, or where the time ends before its turn."""
    desk = Desk(replace(Limits(), quick=0.2))
    started, end = threading.Event(), threading.Event()

    def deaf(ticket):
        started.set()
        end.wait(5)

    async def asked():
        first = asyncio.ensure_future(desk.ask(deaf, ticket=Ticket(60, desk.turns)))
        while not started.is_set():
            await asyncio.sleep(0.001)
        second = Ticket(0.05, desk.turns)
        waiting = asyncio.ensure_future(desk.ask(lambda ticket: 1, ticket=second))
        await asyncio.sleep(0)
        assert desk.before(second) == 1
        with pytest.raises(Busy, match="1 question is before") as late:
            await waiting
        desk._took("answer", 3.0)
        with pytest.raises(Busy) as at_once:
            await desk.ask(lambda ticket: 1)
        assert await desk.ask(lambda ticket: 2, lane="reason", ticket=Ticket(60, None)) == 2
        end.set()
        await first
        return late.value.again, at_once.value.again

    assert asyncio.run(asked()) == (1, 6)  # 3 s each, of which 0.2 may be waited
    desk.close()


def test_over_http_busy_says_when_to_ask_again(client, service, monkeypatch):
    monkeypatch.setattr(service.run("rules").desk, "limits", replace(Limits(), waiting=0))
    body = dict(zip(("head", "relation", "tail"), FACT, strict=True))
    busy = client.post("/api/v1/runs/rules/explain", json=body)
    assert busy.status_code == 429 and int(busy.headers["retry-after"]) >= 1
    assert "ask again in" in busy.json()["error"]["remedy"]


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
    for _ in range(6000):  # a minute, or more on a busy machine
        found = ask(f"jobs/{job['id']}")
        if found["state"] not in ("waiting", "running"):
            break
        time.sleep(0.01)
    assert found["result"] == ask("runs/redgnn/predict", body["body"])
    assert client.delete(f"/api/v1/jobs/{job['id']}").status_code == 200
    assert ask(f"jobs/{job['id']}", status=404)["error"]["type"] == "NoSuchJob"
    ask("jobs", body | {"body": {"head": 3}}, 422)


# ---- the steps of the models -----------------------------------------------------------------


class Enough(UsageError):
    """Raised at a step."""


def steps_until_the_end(work):
    """How many steps some work has, after ending it at each of the first few."""

    def after(most):
        count = itertools.count(1)

        def between():
            if next(count) == most:
                raise Enough("enough")

        with stepping(between):
            work()
        return next(count) - 1

    for most in (1, 2, 3):
        with pytest.raises(Enough):
            after(most)
    return after(0)


FACT = ("Victoria_of_Wales", "cousin", "Alexandra_of_Greece_1870")


@pytest.mark.parametrize("run", ["redgnn", "rules"])
def test_an_explanation_ends_at_the_next_step_and_leaves_the_run_as_it_was(service, run):
    model = service.run(run).model
    before = model.predict(FACT[0], FACT[1])
    assert steps_until_the_end(lambda: model.explain(*FACT)) > 5
    assert model.predict(FACT[0], FACT[1]) == before


def test_others_may_ask_between_the_steps_of_a_question(service):
    """Whatever stands in the model's buffers by then, both get what they get alone."""
    for run in ("redgnn", "rules"):
        model = service.run(run).model
        alone, other = model.explain(*FACT), model.predict(FACT[2], FACT[1])
        asked = []

        def between(model=model, asked=asked):
            with stepping(lambda: None):
                asked.append(model.predict(FACT[2], FACT[1]))

        with stepping(between):
            assert model.explain(*FACT).to_dict(full=True) == alone.to_dict(full=True)
        assert asked and all(each == other for each in asked)


def test_a_screen_ends_at_the_next_step(service):
    served = service.run("walks")
    drug = served.questions.names()[0]
    ticket = Ticket(60, None)
    assert (
        steps_until_the_end(lambda: served.questions.partners({"drug": drug, "top": 6}, ticket)) > 5
    )


def test_a_question_over_its_time_lets_the_run_go(client, service, monkeypatch):
    """Over HTTP: the next question to the run is answered, and the first one has ended."""
    served = service.run("rules")
    ended = threading.Event()

    def endless_explain(*args, **kwargs):
        try:
            while True:
                step_done()
                time.sleep(0.001)
        finally:
            ended.set()

    monkeypatch.setattr(served.desk, "limits", replace(Limits(), quick=2.0))
    monkeypatch.setattr(served.model, "explain", endless_explain)
    body = dict(zip(("head", "relation", "tail"), FACT, strict=True))
    slow = client.post("/api/v1/runs/rules/explain", json=body)
    assert slow.status_code == 504 and slow.json()["error"]["type"] == "TooLong"
    assert ended.wait(5) and not served.desk.turns.wanted
    monkeypatch.undo()
    assert client.post("/api/v1/runs/rules/explain", json=body).status_code == 200


def test_reading_has_a_limit_too(client, service, monkeypatch):
    served = service.run("rules")
    monkeypatch.setattr(served.desk, "limits", replace(Limits(), quick=1.0))
    end = threading.Event()
    monkeypatch.setattr(served.questions, "entities", lambda *args: end.wait(5))
    reply = client.get("/api/v1/runs/rules/entities")
    end.set()
    assert reply.status_code == 504
    monkeypatch.setattr(served.desk, "limits", replace(Limits(), waiting=0))
    assert client.get("/api/v1/runs/rules/types").status_code == 429
