"""One file a task: its data, protocol and metrics; ``audit`` looks at a dataset before any task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.tasks.link import LinkTask

__all__ = ["LinkTask"]

__getattr__ = lazy(__name__, {"LinkTask": "link"})
