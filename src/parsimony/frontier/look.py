"""How the figures of a frontier look: colours of both themes, two widths, ticks, and files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np

__all__ = ["LOOKS", "WHITE", "Look", "plain_axes", "saved", "ticks"]


@dataclass(frozen=True)
class Look:
    """Colours, and the width in inches."""

    paper: str = "#ffffff"
    ink: str = "#23211d"
    muted: str = "#6d6960"
    rule: str = "#e3dfd6"
    knowledge: str = "#2a5d8f"
    scaled: str = "#a65a12"
    width: float = 9.6

    @property
    def wide(self) -> bool:
        """Whether it is for more than a phone."""
        return self.width > 6

    def of(self, side: str) -> str:
        """The colour of a side."""
        return self.knowledge if side == "knowledge" else self.scaled


#: of a file of its own
WHITE = Look()
_LIGHT = Look("#fcfbf8")  # the papers of pages
_DARK = Look("#17181a", "#e7e4dc", "#a19c91", "#34363a", "#86b6e6", "#e9ab6b")
_NARROW = 3.7
#: by name: for light and dark pages, wide and narrow ones
LOOKS = {
    "light": _LIGHT, "dark": _DARK, "light-narrow": replace(_LIGHT, width=_NARROW),
    "dark-narrow": replace(_DARK, width=_NARROW),
}  # fmt: skip

_FEWEST, _MOST = 3, 8


def ticks(low: float, high: float) -> list[float]:
    """Round numbers of an interval on a logarithm, three to eight of them.

    Powers of ten and their multiples where they are enough, else evenly spaced round numbers.
    """
    from matplotlib.ticker import MaxNLocator

    exponents = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    found: list[float] = []
    for multiples in ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 5, 7)):
        able = [m * 10.0**e for e in exponents for m in multiples]
        found = [value for value in able if low <= value <= high]
        if len(found) >= _FEWEST:
            return found[:: -(-len(found) // _MOST)]
    even = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [float(value) for value in even if low <= value <= high] or found


def plain_axes(axes: Any, look: Look, size: float) -> None:
    """No frame, a light grid below the marks, labels in a muted colour."""
    axes.set_facecolor(look.paper)
    axes.tick_params(which="both", colors=look.muted, labelsize=size, length=0)
    axes.grid(color=look.rule, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)


def saved(figure: Any, form: str) -> bytes:
    """Return the figure as an image, the same bytes for the same figure."""
    from matplotlib import rc_context

    drawn = BytesIO()
    metadata = {"Date": None} if form == "svg" else {}
    with rc_context({"svg.hashsalt": "parsimony", "svg.fonttype": "none"}):
        figure.savefig(
            drawn, format=form, dpi=160, metadata=metadata, facecolor=figure.get_facecolor()
        )
    return drawn.getvalue()
