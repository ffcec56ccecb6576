"""Link prediction: from a graph of facts to answers with reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.link.data import LinkData
    from parsimony.link.task import LinkTask

__all__ = [
    "LinkData",
    "LinkTask",
]

__getattr__ = lazy(
    __name__,
    {
        "LinkData": "data",
        "LinkTask": "task",
    },
)
