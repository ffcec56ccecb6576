"""The pages: what a browser is given beside the interface under ``/api/v1``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["add_pages"]


def add_pages(app: FastAPI) -> None:
    """Add the routes of the pages to an application; ``app.state.served`` has the runs."""
