"""The application: routes, pages, errors, and the guard in front of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from parsimony.errors import InvalidParameter, ParsimonyError
from parsimony.version import __version__
from parsimony.web import api, ask_api, book_api, fit_api
from parsimony.web.docs_page import docs_page
from parsimony.web.fits import Fits
from parsimony.web.frontiers import Frontiers
from parsimony.web.gauges import Gauges
from parsimony.web.guard import Guard
from parsimony.web.jobs import Jobs
from parsimony.web.replies import error_reply, json_reply
from parsimony.web.served import Service
from parsimony.web.site import add_pages

__all__ = ["create_app"]


def create_app(
    service: Service, *, token: str | None = None, hosts: Iterable[str] = (),
    fits: Fits | None = None, frontiers: Frontiers | None = None,
) -> FastAPI:  # fmt: skip
    """Make the application of some runs.

    Parameters
    ----------
    service
        The runs.
    token, hosts
        See :class:`parsimony.web.guard.Guard`.
    fits
        Those that can be started; None: none can.
    frontiers
        Those that are shown.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        app.state.jobs.close()
        if fits is not None:
            fits.close()
        service.close()

    app = FastAPI(
        title="Parsimony", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan,
        openapi_url="/api/v1/openapi.json",
        description="Trained runs: answers with reasons. Predicted, not stated.",
    )  # fmt: skip
    gauges = Gauges()
    app.state.service, app.state.jobs, app.state.gauges = service, Jobs(), gauges
    app.state.fits, app.state.frontiers = fits, frontiers or Frontiers(())
    app.include_router(api.router)
    app.include_router(ask_api.router)
    app.include_router(book_api.router)
    app.include_router(fit_api.router)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        waiting = {id: served.desk.waiting for id, served in service.runs.items()}
        return PlainTextResponse(gauges.text(waiting))

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        return PlainTextResponse("ok\n")

    @app.get("/api/v1/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(docs_page(app.openapi()))

    add_pages(app)
    _add_errors(app)
    app.add_middleware(
        Guard,
        limits=service.limits, gauges=gauges, token=token, hosts=tuple(hosts),
    )  # fmt: skip
    return app


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(ParsimonyError)
    async def ours(request: Request, error: ParsimonyError) -> Response:
        return error_reply(error)

    @app.exception_handler(RequestValidationError)
    async def form(request: Request, error: RequestValidationError) -> Response:
        return _of_another_form(error.errors())

    @app.exception_handler(ValidationError)
    async def job_form(request: Request, error: ValidationError) -> Response:
        return _of_another_form(error.errors())

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> Response:
        names = {404: "no such address", 405: "the address does not take this method"}
        message = names.get(error.status_code, str(error.detail))
        value = {"type": "UsageError", "message": message, "remedy": "see /api/v1/docs"}
        reply = json_reply({"error": value}, status=error.status_code)
        reply.headers.update(error.headers or {})
        return reply

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> Response:
        value = {"type": type(error).__name__, "message": "the question failed",
                 "remedy": "this is a bug in Parsimony: please report it"}  # fmt: skip
        return json_reply({"error": value}, status=500)


def _of_another_form(errors: Iterable[Any]) -> Response:
    """Say of the first field that is wrong what it takes."""
    first = next(iter(errors), {"loc": (), "msg": "another form"})
    place = ".".join(str(part) for part in first["loc"])[:200]
    error = InvalidParameter(f"{place}: {first['msg']}"[:1000], remedy="see /api/v1/docs")
    return json_reply({"error": error.to_dict()}, status=422)
