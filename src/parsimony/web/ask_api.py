"""The routes that ask a model: answers and reasons, of links, drugs, molecules and ratings."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from parsimony.decoding.strict_json import json_text, plain
from parsimony.errors import ParsimonyError
from parsimony.web import models as m
from parsimony.web.api import Limit, Text, given, gone, service_of
from parsimony.web.replies import json_reply, not_modified, table_reply, tag_of

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", responses={400: {"model": m.Failure}})
Form = Literal["json", "csv", "parquet"]


class QuestionInAddress(m.Question):
    """A question in an address, and as what its answer is sent.

    ``hide_known`` is of a file: known answers among the first ``top`` are left out of it, and
    counted by the ranks of the others.
    """

    format: Form = "json"
    hide_known: bool = False


async def asked(request: Request, run: str, verb: str, question: dict[str, Any]) -> Any:
    """Ask a run in its thread."""
    served = service_of(request).run(run)
    work = served.asking(verb)
    return await served.desk.ask(
        lambda ticket: work(question, ticket), gone(request), lane=served.lane(verb)
    )


async def replied(
    request: Request, run: str, verb: str, question: dict[str, Any], form: Form = "json",
    hide_known: bool = False,
) -> Response:  # fmt: skip
    """Ask a run, unless who asks has the answer already."""
    served = service_of(request).run(run)
    tag = tag_of(served)
    if request.method == "GET" and (same := not_modified(request, tag)) is not None:
        return same
    found = await asked(request, run, verb, question)
    if form == "json":
        return json_reply(found, tag)
    rows = [row for row in _rows(found) if not hide_known or row["known"] == "no"]
    return table_reply(rows, form, f"{run}-{verb}", tag)


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


# ---- answers and reasons ---------------------------------------------------------------------


@router.get("/runs/{run}/predict", response_model=m.Answered)
async def predict_get(
    request: Request, run: str, question: Annotated[QuestionInAddress, Query()]
) -> Response:
    """The best answers to a question."""
    return await replied(
        request, run, "predict", given(question), question.format, question.hide_known
    )


@router.post("/runs/{run}/predict", response_model=m.Answered)
async def predict(request: Request, run: str, question: m.Question) -> Response:
    """The best answers to a question."""
    return await replied(request, run, "predict", given(question))


@router.post("/runs/{run}/predict/batch")
async def batch(request: Request, run: str, questions: m.Batch) -> Response:
    """A line of JSON for every question, as soon as it is answered; an error is a line, too."""
    served = service_of(request).run(run)
    work = served.asking("predict")

    async def lines() -> AsyncIterator[bytes]:
        for question in questions.questions:
            try:
                value = await served.desk.ask(functools.partial(work, given(question)))
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
    return await replied(request, run, "explain", given(question))


@router.post("/runs/{run}/explain", response_model=m.Explained)
async def explain(request: Request, run: str, question: m.Explain) -> Response:
    """Why an answer gets its score."""
    return await replied(request, run, "explain", given(question))


@router.post("/runs/{run}/strike", response_model=m.StrikeFound)
async def strike(request: Request, run: str, question: m.Strike) -> Response:
    """The answers without some evidence, beside those with it."""
    return await replied(request, run, "strike", given(question))


@router.post("/runs/{run}/what-else", response_model=m.WhatElseFound)
async def what_else(request: Request, run: str, question: m.WhatElse) -> Response:
    """What else a kind of path leads to."""
    return await replied(request, run, "what-else", given(question))


@router.post("/runs/{run}/counterfactual", response_model=m.CounterfactualFound)
async def counterfactual(request: Request, run: str, question: m.Counterfactual) -> Response:
    """The few facts that hold up an answer."""
    return await replied(request, run, "counterfactual", given(question))


@router.post("/runs/{run}/bring-in", response_model=m.CounterfactualFound)
async def bring_in(request: Request, run: str, question: m.BringIn) -> Response:
    """The few facts that would bring in a wanted answer."""
    return await replied(request, run, "bring-in", given(question))


@router.post("/runs/{run}/second-opinion", response_model=m.SecondOpinionFound)
async def second_opinion(request: Request, run: str, question: m.SecondOpinion) -> Response:
    """Kinds of paths that degrees do not explain; no model is asked."""
    return await replied(request, run, "second-opinion", given(question))


@router.get("/runs/{run}/similar", response_model=m.Similar)
async def similar(request: Request, run: str, entity: Text, limit: Limit = 10) -> Response:
    """Entities like another one."""
    return await replied(request, run, "similar", {"entity": entity, "limit": limit})


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
    return await replied(request, run, "pair", given(question))


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
    return await replied(request, run, "add-drug", given(question))


@router.post("/runs/{run}/adapt")
async def adapt(request: Request, run: str, question: m.Adapt) -> Response:
    """Predictions from a few labelled molecules, or from a user's ratings."""
    return await replied(request, run, "adapt", given(question))
