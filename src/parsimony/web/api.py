"""The routes under ``/api/v1`` (docs/http.md)."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from parsimony.decoding.strict_json import json_text, plain
from parsimony.errors import ParsimonyError
from parsimony.web import models as m
from parsimony.web.jobs import Jobs
from parsimony.web.replies import download, json_reply, not_modified, table_reply, tag_of
from parsimony.web.served import Served, Service

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", responses={400: {"model": m.Failure}})
Form = Literal["json", "csv", "parquet"]
Limit = Annotated[int, Query(ge=1, le=m.MOST_TOP)]
Text = Annotated[str, Query(max_length=2000)]


class QuestionInAddress(m.Question):
    """A question in an address, and as what its answer is sent."""

    format: Form = "json"


def service_of(request: Request) -> Service:
    """The runs of the application."""
    found: Service = request.app.state.service
    return found


def gone(request: Request) -> Callable[[], Awaitable[None]]:
    """A function that returns when the asker has left; the body was read before."""

    async def left() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    return left


async def asked(request: Request, run: str, verb: str, question: dict[str, Any]) -> Any:
    """Ask a run in its thread."""
    served = service_of(request).run(run)
    work = served.asking(verb)
    return await served.desk.ask(
        lambda ticket: work(question, ticket), gone(request), long=served.takes_long(verb)
    )


async def replied(
    request: Request, run: str, verb: str, question: dict[str, Any], form: Form = "json"
) -> Response:
    """Ask a run, unless who asks has the answer already."""
    served = service_of(request).run(run)
    tag = tag_of(served)
    if request.method == "GET" and (same := not_modified(request, tag)) is not None:
        return same
    found = await asked(request, run, verb, question)
    if form == "json":
        return json_reply(found, tag)
    return table_reply(_rows(found), form, f"{run}-{verb}", tag)


def _rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of an answer as a table, with what a reader has to know of each."""
    caution = {"caution": found["caution"]} if "caution" in found else {}
    if "partners" in found:
        return [
            {"rank": k, "drug": row["drug"], "id": row["id"], "drug1": row["order"][0],
             "drug2": row["order"][1], "type": row["type"], "probability": row["probability"],
             "text": row["text"], "reason": row["reason"],
             "known": [f"{fact['text']} ({fact['split']})" for fact in row["known"]], **caution}
            for k, row in enumerate(found["partners"], start=1)
        ]  # fmt: skip
    about = found["about"]
    return [
        {**found["query"], "rank": k, **row, "label": about[row["entity"]]["label"],
         "known": about[row["entity"]]["known"]}
        for k, row in enumerate(found["answers"], start=1)
    ]  # fmt: skip


def _given(question: Any) -> dict[str, Any]:
    values: dict[str, Any] = question.model_dump(exclude_none=True, exclude={"format"})
    return values


# ---- runs ------------------------------------------------------------------------------------


@router.get("/runs", response_model=m.Runs)
async def runs(request: Request) -> Response:
    """All runs that are served."""
    from parsimony.version import __version__

    service = service_of(request)
    rows = [served.shown() for served in service.runs.values()]
    return json_reply({"runs": rows, "version": __version__})


async def _read(request: Request, run: str, work: Callable[[Served], Any]) -> Response:
    """What is read of a run without its model."""
    served = service_of(request).run(run)
    tag = tag_of(served)
    if (same := not_modified(request, tag)) is not None:
        return same
    return json_reply(await service_of(request).read(lambda: work(served)), tag)


@router.get("/runs/{run}", response_model=m.Card)
async def card(request: Request, run: str) -> Response:
    """What is known of a run: measures, cost, parameters, calibration."""
    return await _read(request, run, Served.card)


@router.get("/runs/{run}/history")
async def history(request: Request, run: str) -> Response:
    """The learning curve."""
    return await _read(request, run, lambda s: {"history": list(s.folder.history())})


@router.get("/runs/{run}/report")
async def report(request: Request, run: str) -> Response:
    """The report as one file."""
    served = service_of(request).run(run)

    def work(ticket: Any) -> bytes:
        path = served.folder.path / "report.html"
        if path.is_file():
            return path.read_bytes()
        from parsimony.report.run import run_info, run_page

        page = run_page(run_info(served.path, estimator=served.model))
        return page.encode("utf-8", errors="replace")

    page = await served.desk.ask(work, gone(request), long=True)
    return Response(page, 200, download(f"{run}.html"), "text/html; charset=utf-8")


@router.get("/table")
async def table(request: Request) -> Response:
    """The runs as a table: data, method, measures, cost."""
    from parsimony.run.listing import run_row

    service = service_of(request)
    rows = await service.read(
        lambda: [{**run_row(served.path), "run": id} for id, served in service.runs.items()]
    )
    return json_reply({"runs": rows})


@router.get("/compare", response_model=m.Comparison)
async def compare(
    request: Request,
    run: Annotated[list[m.Name], Query(min_length=2, max_length=10)],
    split: Literal["valid", "test"] = "test",
) -> Response:
    """Runs on the same data, question by question."""
    from parsimony.report.compare import compare_runs

    service = service_of(request)
    chosen = [service.run(id) for id in dict.fromkeys(run)]

    def work(ticket: Any) -> dict[str, Any]:
        found = compare_runs([served.path for served in chosen], split=split)
        for row, served in zip(found["runs"], chosen, strict=True):
            row["run"] = served.id
        return found

    return json_reply(await chosen[0].desk.ask(work, gone(request), long=True))


# ---- entities --------------------------------------------------------------------------------


@router.get("/runs/{run}/entities", response_model=m.Entities)
async def entities(
    request: Request, run: str, q: Text = "", type: Text | None = None, limit: Limit = 20
) -> Response:
    """Entities by a few letters of an id or a name."""
    return await _read(request, run, lambda s: s.questions.entities(q, type, limit))


@router.get("/runs/{run}/types")
async def types(request: Request, run: str, limit: Limit = 100) -> Response:
    """Types with the number of their entities, the largest first."""
    return await _read(
        request, run,
        lambda s: {"types": [{"name": name, "entities": len(found)}
                             for name, found in list(s.questions.typed.items())[:limit]]},
    )  # fmt: skip


@router.get("/runs/{run}/relations", response_model=m.Relations)
async def relations(request: Request, run: str, entity: Text | None = None) -> Response:
    """Relations; those that an entity has come first."""
    return await _read(request, run, lambda s: s.questions.relations(entity))


@router.get("/runs/{run}/facts")
async def facts(request: Request, run: str, entity: Text, limit: Limit = 100) -> Response:
    """Training facts of an entity."""
    return await _read(request, run, lambda s: s.questions.facts(entity, limit))


# ---- answers and reasons ---------------------------------------------------------------------


@router.get("/runs/{run}/predict", response_model=m.Answered)
async def predict_get(
    request: Request, run: str, question: Annotated[QuestionInAddress, Query()]
) -> Response:
    """The best answers to a question."""
    return await replied(request, run, "predict", _given(question), question.format)


@router.post("/runs/{run}/predict", response_model=m.Answered)
async def predict(request: Request, run: str, question: m.Question) -> Response:
    """The best answers to a question."""
    return await replied(request, run, "predict", _given(question))


@router.post("/runs/{run}/predict/batch")
async def batch(request: Request, run: str, questions: m.Batch) -> Response:
    """A line of JSON for every question, as soon as it is answered; an error is a line, too."""
    served = service_of(request).run(run)
    work = served.asking("predict")

    async def lines() -> AsyncIterator[bytes]:
        for question in questions.questions:
            try:
                value = await served.desk.ask(functools.partial(work, _given(question)))
            except ParsimonyError as error:
                value = {"error": error.to_dict()}
            yield json_text(plain(value), ensure_ascii=False).encode() + b"\n"

    headers = {"etag": tag_of(served), "cache-control": "no-store"}
    return StreamingResponse(lines(), headers=headers, media_type="application/x-ndjson")


@router.get("/runs/{run}/explain", response_model=m.Explained)
async def explain_get(
    request: Request, run: str, question: Annotated[m.Explain, Query()]
) -> Response:
    """Why an answer gets its score."""
    return await replied(request, run, "explain", _given(question))


@router.post("/runs/{run}/explain", response_model=m.Explained)
async def explain(request: Request, run: str, question: m.Explain) -> Response:
    """Why an answer gets its score."""
    return await replied(request, run, "explain", _given(question))


@router.post("/runs/{run}/strike", response_model=m.StrikeFound)
async def strike(request: Request, run: str, question: m.Strike) -> Response:
    """The answers without some evidence, beside those with it."""
    return await replied(request, run, "strike", _given(question))


@router.post("/runs/{run}/what-else", response_model=m.WhatElseFound)
async def what_else(request: Request, run: str, question: m.WhatElse) -> Response:
    """What else a kind of path leads to."""
    return await replied(request, run, "what-else", _given(question))


@router.post("/runs/{run}/counterfactual", response_model=m.CounterfactualFound)
async def counterfactual(request: Request, run: str, question: m.Counterfactual) -> Response:
    """The few facts that hold up an answer."""
    return await replied(request, run, "counterfactual", _given(question))


@router.get("/runs/{run}/rules", response_model=m.Rules)
async def rules(
    request: Request, run: str, relation: Text | None = None, q: Text = "", top: Limit = 100
) -> Response:
    """The rules of a run."""
    return await replied(request, run, "rules", {"relation": relation, "q": q, "top": top})


# ---- drugs, molecules, ratings ---------------------------------------------------------------


@router.get("/runs/{run}/pair")
async def pair_get(
    request: Request,
    run: str,
    drug: Annotated[list[m.Name], Query(min_length=2, max_length=2)],
    top: Limit = 5,
) -> Response:
    """How two drugs interact."""
    return await replied(request, run, "pair", {"drugs": drug, "top": top})


@router.post("/runs/{run}/pair")
async def pair(request: Request, run: str, question: m.Pair) -> Response:
    """How two drugs interact."""
    return await replied(request, run, "pair", _given(question))


@router.get("/runs/{run}/partners")
async def partners(
    request: Request, run: str, drug: Text, top: Limit = 20, drop_known: bool = False,
    format: Form = "json",
) -> Response:  # fmt: skip
    """All partners of a drug; a file has all of them, with reasons for the first ``top``."""
    question = {"drug": drug, "top": top, "drop_known": drop_known, "all": format != "json"}
    return await replied(request, run, "partners", question, format)


@router.post("/runs/{run}/add-drug")
async def add_drug(request: Request, run: str, question: m.NewDrug) -> Response:
    """The partners of a drug that is not in the data."""
    return await replied(request, run, "add-drug", _given(question))


@router.post("/runs/{run}/adapt")
async def adapt(request: Request, run: str, question: m.Adapt) -> Response:
    """Predictions from a few labelled molecules, or from a user's ratings."""
    return await replied(request, run, "adapt", _given(question))


@router.get("/molecule.svg")
async def molecule(
    request: Request,
    smiles: Annotated[str, Query(min_length=1, max_length=2000)],
    shares: Annotated[str, Query(max_length=8000)] = "",
) -> Response:
    """The drawing of a molecule, its atoms coloured by shares from -1 to 1 by comma."""
    from parsimony.web.drawing import molecule_svg

    svg = await service_of(request).read(lambda: molecule_svg(smiles, shares))
    return Response(svg, 200, {"cache-control": "private, max-age=3600"}, "image/svg+xml")


# ---- jobs ------------------------------------------------------------------------------------

_BODIES: dict[str, Any] = {
    "strike": m.Strike, "counterfactual": m.Counterfactual, "what-else": m.WhatElse,
    "explain": m.Explain, "predict": m.Question,
}  # fmt: skip


@router.post("/jobs", response_model=m.JobShown, status_code=202)
async def start_job(request: Request, job: m.JobAsked) -> Response:
    """Start a question that takes long."""
    served = service_of(request).run(job.run)
    question, work = _given(_BODIES[job.ask].model_validate(job.body)), served.asking(job.ask)
    jobs: Jobs = request.app.state.jobs
    return json_reply(jobs.start(served.desk, lambda ticket: work(question, ticket)), status=202)


@router.get("/jobs/{job}", response_model=m.JobShown)
async def job(request: Request, job: str) -> Response:
    """How a job stands, and its result."""
    return json_reply(request.app.state.jobs.shown(job))


@router.delete("/jobs/{job}", response_model=m.JobShown)
async def cancel_job(request: Request, job: str) -> Response:
    """Cancel a job."""
    return json_reply(request.app.state.jobs.cancel(job))
