"""The routes of fits: start, watch, stop, go on, serve what came of one."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from parsimony.errors import UsageError
from parsimony.web import models as m
from parsimony.web.api import service_of
from parsimony.web.fits import Fits
from parsimony.web.replies import json_reply

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/fits", responses={400: {"model": m.Failure}})


class FitsAreOff(UsageError):
    """The server was not told where to write runs."""

    status = 403


def _fits(request: Request) -> Fits:
    found: Fits | None = request.app.state.fits
    if found is None:
        raise FitsAreOff(
            "this server starts no fits", remedy="start it with --fits FOLDER, where they write"
        )
    return found


@router.get("", response_model=m.FitsListed)
async def listed(request: Request) -> Response:
    """All fits, and what can be started; ``enabled`` is false where the server starts none."""
    if request.app.state.fits is None:
        return json_reply({"enabled": False, "data": [], "fits": [], "most": 0, "memory": 0})
    return json_reply(await service_of(request).read(_fits(request).listed))


@router.post("", response_model=m.FitShown, status_code=202)
async def start(request: Request, asked: m.FitAsked) -> Response:
    """Start a fit."""
    fits = _fits(request)
    return json_reply(await service_of(request).read(lambda: fits.start(asked)), status=202)


@router.get("/{id}", response_model=m.FitShown)
async def shown(request: Request, id: str) -> Response:
    """How a fit stands: its curve, its race, the end of its log, the time left."""
    fits = _fits(request)
    return json_reply(await service_of(request).read(lambda: fits.shown(id)))


@router.delete("/{id}", response_model=m.FitShown)
async def stop(request: Request, id: str) -> Response:
    """Stop a fit: it writes what it has learned as a run; a second time it ends at once."""
    fits = _fits(request)
    return json_reply(await service_of(request).read(lambda: fits.stop(id)))


@router.post("/{id}/resume", response_model=m.FitShown, status_code=202)
async def resume(request: Request, id: str) -> Response:
    """Go on with a fit that was stopped or killed."""
    fits = _fits(request)
    return json_reply(await service_of(request).read(lambda: fits.resume(id)), status=202)


@router.post("/{id}/serve", response_model=m.RunShown)
async def serve(request: Request, id: str) -> Response:
    """Serve the run of a fit that has ended, beside the others."""
    fits, service = _fits(request), service_of(request)

    def load() -> object:
        return service.run(fits.serve(id, lambda run: service.add(run).id)).shown()

    return json_reply(await service.read(load, long=True))
