"""One file a task: its data, protocol and metrics; ``audit`` looks at a dataset before any task."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parsimony.tasks.link import LinkTask

__all__ = ["LinkTask"]


def __getattr__(name: str) -> Any:
    if name != "LinkTask":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.link").LinkTask
