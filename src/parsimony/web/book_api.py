"""The routes of a run's book: read, edit, add, forget, measure, save."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from parsimony.web import models as m
from parsimony.web.api import Limit, Text, gone, service_of
from parsimony.web.book_edits import EditedBook
from parsimony.web.replies import json_reply, not_modified, tag_of

__all__ = ["router"]

T = TypeVar("T")
router = APIRouter(prefix="/api/v1/runs/{run}/book", responses={400: {"model": m.Failure}})


async def _book(request: Request, run: str) -> EditedBook:
    served = service_of(request).run(run)
    served.asking("rules")  # the same runs have both
    return await _read(request, run, lambda: served.book)


async def _read(request: Request, run: str, work: Callable[[], T]) -> T:
    """Do what asks no model."""
    desk = service_of(request).run(run).desk
    return await desk.ask(lambda ticket: work(), gone(request), lane="read")


@router.get("", response_model=m.BookShown)
async def book(
    request: Request, run: str, relation: Text | None = None, q: Text = "",
    sort: Text = "confidence", offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Limit = 100,
) -> Response:  # fmt: skip
    """The book with the edits."""
    found = await _book(request, run)
    tag = tag_of(service_of(request).run(run), found.version)
    if (same := not_modified(request, tag)) is not None:
        return same
    shown = await _read(request, run, lambda: found.shown(relation, q, sort, offset, limit))
    return json_reply(shown, tag)


@router.post("/entries", response_model=m.BookEntry, status_code=201)
async def add(request: Request, run: str, entry: m.EntryText) -> Response:
    """Add an entry, measured on the training facts."""
    found = await _book(request, run)
    return json_reply(await _read(request, run, lambda: found.add(entry.text)), status=201)


@router.put("/entries/{id}", response_model=m.BookEntry)
async def change(request: Request, run: str, id: str, entry: m.EntryText) -> Response:
    """Put another entry in the place of one."""
    found = await _book(request, run)
    return json_reply(await _read(request, run, lambda: found.add(entry.text, id)))


@router.delete("/entries/{id}")
async def forget(request: Request, run: str, id: str) -> Response:
    """Leave an entry out, or take one in again that was left out."""
    found = await _book(request, run)
    return json_reply(await _read(request, run, lambda: found.forget(id)))


@router.post("/measure", response_model=m.Measured)
async def measure(request: Request, run: str, entry: m.EntryText) -> Response:
    """Measure an entry without adding it."""
    found = await _book(request, run)
    return json_reply(await _read(request, run, lambda: found.measure(entry.text)))


@router.get("/file")
async def file(request: Request, run: str) -> Response:
    """The book as a file that ``fit --knowledge`` takes."""
    found = await _book(request, run)
    content = await _read(request, run, found.file)
    headers = {"content-disposition": 'attachment; filename="book.toml"'}
    return Response(content, 200, headers, "application/toml")
