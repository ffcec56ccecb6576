"""A bar in the output of a notebook's cell: it needs nothing beside the kernel itself."""

from __future__ import annotations

import time
from html import escape
from typing import Any

from parsimony.visible import visible

__all__ = ["NotebookBar"]

_EVERY = 0.2  # seconds between two looks of it


class NotebookBar:
    """A bar that is shown when made, and cleared by :meth:`clear`.

    Parameters
    ----------
    total
        Number of items.
    label
        Description of the step.
    """

    def __init__(self, total: int, label: str) -> None:
        from IPython.display import display

        self.total, self.label, self._began = total, label, time.monotonic()
        self._last = self._began
        self._handle: Any = display(_Html(self.html(0, "")), display_id=True)

    def show(self, done: int, note: str) -> None:
        """Show how many items are done, beside a note; not more often than an eye follows."""
        now = time.monotonic()
        if now - self._last >= _EVERY or done >= self.total:
            self._last = now
            self._handle.update(_Html(self.html(done, note)))

    def html(self, done: int, note: str) -> str:
        """The bar as HTML: label, count, time that is left, note."""
        spent = time.monotonic() - self._began
        left = spent / done * (self.total - done) if done else 0.0
        words = [self.label, f"{done:,}/{self.total:,}"]
        words += [f"{left:.0f} s left"] if 0 < done < self.total else []
        words += [note] if note else []
        return (
            '<div style="font-family:monospace;font-size:13px">'
            f'<progress max="{max(self.total, 1)}" value="{done}" style="width:16em"></progress> '
            f"{escape(visible(' · '.join(words)))}</div>"
        )

    def clear(self) -> None:
        """Leave nothing behind."""
        self._handle.update(_Html(""))


class _Html:
    """What a notebook shows as HTML."""

    def __init__(self, text: str) -> None:
        self._text = text

    def _repr_html_(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return ""
