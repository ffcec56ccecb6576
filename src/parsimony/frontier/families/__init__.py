"""Who runs at which sizes: two families of methods for every kind of problem.

Neither side gets the presets of a registered dataset: every size is tuned by the same number of
trials, over the parameters that its family names, from the same defaults as on a stranger's data.
"""

from __future__ import annotations

from collections.abc import Callable

from parsimony.errors import UnknownParameter
from parsimony.frontier.families.family import Family, Size
from parsimony.frontier.families.links import links
from parsimony.frontier.families.molecules import molecules
from parsimony.frontier.families.pairs import pairs
from parsimony.frontier.families.ratings import ratings
from parsimony.problems import problem

__all__ = ["Family", "Size", "families"]

_OF: dict[str, Callable[[], list[Family]]] = {
    "link": links, "ddi": pairs, "molecules": molecules, "coldstart": ratings,
}  # fmt: skip


def families(kind: str, *, sizes: int | None = None) -> tuple[Family, ...]:
    """Return the families of a kind of problem, those driven by knowledge first.

    Parameters
    ----------
    kind
        As :mod:`parsimony.problems` names it.
    sizes
        At most so many of each, ≥ 1.

    Raises
    ------
    UnknownParameter
        No such kind, or one without families.
    """
    problem(kind)
    if kind not in _OF:
        raise UnknownParameter(f"there are no families for task {kind!r}")
    found = tuple(_OF[kind]())
    return found if sizes is None else tuple(family.thinned(sizes) for family in found)
