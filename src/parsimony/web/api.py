"""The routes under ``/api/v1`` (docs/http.md) that ask no model, and jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from parsimony.run.steps import step_done
from parsimony.web import models as m
from parsimony.web.fit_progress import heats, race_curves
from parsimony.web.frontiers import Frontiers
from parsimony.web.jobs import Jobs
from parsimony.web.replies import download, json_reply, not_modified, tag_of
from parsimony.web.served import Served, Service

__all__ = ["Limit", "Text", "given", "gone", "router", "service_of"]

router = APIRouter(prefix="/api/v1", responses={400: {"model": m.Failure}})
Limit = Annotated[int, Query(ge=1, le=m.MOST_TOP)]
Text = Annotated[str, Query(max_length=2000)]


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


def given(question: Any) -> dict[str, Any]:
    """What was asked, without what was left out."""
    values: dict[str, Any] = question.model_dump(
        exclude_none=True, exclude={"format", "hide_known"}
    )
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
    """What is read of a run without its model; its folder may be measured again meanwhile."""
    served = service_of(request).run(run)

    def found(ticket: Any) -> Response:
        tag = tag_of(served, served.sealed())
        same = not_modified(request, tag)
        return json_reply(work(served), tag) if same is None else same

    return await served.desk.ask(found, gone(request), lane="read")


@router.get("/runs/{run}", response_model=m.Card)
async def card(request: Request, run: str) -> Response:
    """What is known of a run: measures, cost, parameters, calibration."""
    return await _read(request, run, Served.card)


@router.get("/runs/{run}/history")
async def history(request: Request, run: str) -> Response:
    """The learning curve; of a run that a race chose also its methods and their curves."""

    def work(served: Served) -> dict[str, Any]:
        folder = served.folder.path
        return {"history": list(served.folder.history()), "heats": heats(folder, running=False),
                "curves": race_curves(folder)}  # fmt: skip

    return await _read(request, run, work)


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

    page = await served.desk.ask(work, gone(request), lane="long")
    return Response(page, 200, download(f"{run}.html"), "text/html; charset=utf-8")


@router.get("/table")
async def table(request: Request) -> Response:
    """The runs as a table: data, method, measures, cost."""
    from parsimony.run.listing import run_row

    service = service_of(request)

    def work() -> list[dict[str, Any]]:
        found = []
        for id, served in list(service.runs.items()):
            step_done()
            found.append({**run_row(served.path), "run": id})
        return found

    return json_reply({"runs": await service.read(work, gone(request))})


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

    def work() -> dict[str, Any]:  # of the runs read anew, so that no turn is needed
        found = compare_runs([served.path for served in chosen], split=split)
        for row, served in zip(found["runs"], chosen, strict=True):
            row["run"] = served.id
        return found

    return json_reply(await service.read(work, gone(request), long=True))


# ---- frontiers -------------------------------------------------------------------------------


@router.get("/frontiers", response_model=m.FrontiersListed)
async def frontiers(request: Request) -> Response:
    """The frontiers that are served, and what each found."""
    found: Frontiers = request.app.state.frontiers
    return json_reply({"frontiers": await service_of(request).read(found.shown)})


@router.get("/frontiers/{id}/figure.svg")
async def frontier_figure(request: Request, id: str) -> Response:
    """The drawing of a frontier."""
    found: Frontiers = request.app.state.frontiers
    svg = await service_of(request).read(lambda: found.figure(id))
    return Response(svg, 200, {"cache-control": "private, no-cache"}, "image/svg+xml")


@router.get("/frontiers/{id}/page")
async def frontier_page(request: Request, id: str) -> Response:
    """The page of a frontier, as one file."""
    found: Frontiers = request.app.state.frontiers
    page = await service_of(request).read(lambda: found.page(id))
    return Response(page, 200, download(f"{id}.html"), "text/html; charset=utf-8")


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


@router.get("/molecule.svg")
async def molecule(
    request: Request,
    smiles: Annotated[str, Query(min_length=1, max_length=2000)],
    shares: Annotated[str, Query(max_length=8000)] = "",
) -> Response:
    """The drawing of a molecule, its atoms coloured by shares from -1 to 1 by comma."""
    from parsimony.web.drawing import molecule_svg

    svg = await service_of(request).read(lambda: molecule_svg(smiles, shares), gone(request))
    return Response(svg, 200, {"cache-control": "private, max-age=3600"}, "image/svg+xml")


# ---- jobs ------------------------------------------------------------------------------------

_BODIES: dict[str, Any] = {
    "strike": m.Strike, "counterfactual": m.Counterfactual, "bring-in": m.BringIn,
    "second-opinion": m.SecondOpinion, "what-else": m.WhatElse, "explain": m.Explain,
    "predict": m.Question,
}  # fmt: skip


@router.post("/jobs", response_model=m.JobShown, status_code=202)
async def start_job(request: Request, job: m.JobAsked) -> Response:
    """Start a question that takes long."""
    served = service_of(request).run(job.run)
    question, work = given(_BODIES[job.ask].model_validate(job.body)), served.asking(job.ask)
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
