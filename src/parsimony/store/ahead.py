"""Reading ahead: what comes next is made while the last is being worked on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["ahead"]

Item = TypeVar("Item")
_END = object()


def ahead(items: Iterable[Item], most: int = 1) -> Iterator[Item]:
    """Yield some items, which a thread of its own makes; errors come where they would come.

    Parameters
    ----------
    items
        Whose next item takes long, outside of Python's lock.
    most
        Items that are made, or being made, beside the one that was yielded last.
    """
    source = iter(items)
    with ThreadPoolExecutor(1) as thread:
        coming = deque(thread.submit(next, source, _END) for _ in range(most))
        try:
            while (item := coming.popleft().result()) is not _END:
                coming.append(thread.submit(next, source, _END))
                yield item  # type: ignore[misc]
        finally:
            for each in coming:
                each.cancel()
