"""The pages: what a browser is given beside the interface under ``/api/v1``.

A page is a form and an empty place; its script asks the interface as any program does. All of it is
read once from the package: no part of an address reaches the file system.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import PurePath
from typing import TYPE_CHECKING

from parsimony.pages.templating import resource, style_hash
from parsimony.version import __version__

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.responses import Response

__all__ = ["PAGES", "add_pages", "page_policy"]

#: Address → template.
PAGES = {
    "/": "runs",
    "/ask": "ask",
    "/why": "why",
    "/drugs": "drugs",
    "/add-drug": "add_drug",
    "/knowledge": "knowledge",
    "/molecules": "molecules",
    "/ratings": "ratings",
    "/fits": "fits",
}
_SHARED = {  # with the reports
    "style.css": "templates/style.css",
    "graph.js": "templates/graph.js",
    "cytoscape.min.js": "vendor/cytoscape.min.js",
}
_MEDIA = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


@cache
def page_policy() -> str:
    """Return the Content-Security-Policy of the pages: nothing inline, nothing from elsewhere."""
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self' {style_hash()}; "
        "img-src 'self' blob: data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


@cache
def rendered() -> dict[str, str]:
    """Render every page by its address."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("parsimony.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return {
        path: made.get_template(f"{name}.html.j2").render(version=__version__)
        for path, name in PAGES.items()
    }


@cache
def static() -> dict[str, tuple[bytes, str, str]]:
    """Read every script and style sheet by name, with its media type and its ETag."""
    folder = files("parsimony.web").joinpath("static")
    held = {item.name: item.read_bytes() for item in folder.iterdir() if item.is_file()}
    held |= {name: resource(path).encode() for name, path in _SHARED.items()}
    return {
        name: (content, _MEDIA[PurePath(name).suffix], _tag(content))
        for name, content in held.items()
    }


def _tag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()}"'


def add_pages(app: FastAPI) -> None:
    """Add the routes of the pages to an application."""
    from fastapi import Request
    from starlette.responses import HTMLResponse
    from starlette.responses import Response as Plain

    headers = {"Content-Security-Policy": page_policy(), "Cache-Control": "no-cache"}

    def show(path: str) -> None:
        async def page() -> Response:
            return HTMLResponse(rendered()[path], headers=headers)

        app.add_api_route(path, page, include_in_schema=False, response_model=None)

    for path in PAGES:
        show(path)

    async def asset(name: str, request: Request) -> Response:
        held = static().get(name)
        if held is None:
            return Plain(status_code=404)
        content, media, tag = held
        kept = {"ETag": tag, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
        if request.headers.get("if-none-match") == tag:
            return Plain(status_code=304, headers=kept)
        return Plain(content, media_type=media, headers=kept)

    asset.__annotations__ = {"name": str, "request": Request}
    app.add_api_route("/static/{name}", asset, include_in_schema=False, response_model=None)
