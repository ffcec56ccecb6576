"""Compile a method's kernels before its cost is counted, on embedded data of its kind."""

from __future__ import annotations

import contextlib
from functools import cache

from parsimony.datasets import registry
from parsimony.errors import ParsimonyError
from parsimony.frontier.families import Size
from parsimony.problems import open_task
from parsimony.search.method_trial import MethodTrial

__all__ = ["warm"]

#: methods whose kernels are compiled for a shape, and the settings that make it
_SHAPED, _SHAPE = ("redgnn", "adaprop", "emergnn"), ("dim", "attention_dim")
#: of learning, once the kernels are there
_SECONDS = 1.0


def warm(size: Size, kind: str) -> None:
    """Train a method for an epoch on small embedded data, once in this process and for each shape.

    Compiling takes longer than a small training, is done once a machine, and says nothing of a
    method. Kinds without embedded data are left as they are.
    """
    shape = {n: size.settings[n] for n in _SHAPE if n in size.settings}
    _warmed(size.method, kind, tuple(shape.items()) if size.method in _SHAPED else ())


@cache
def _warmed(method: str, kind: str, shape: tuple[tuple[str, int], ...]) -> None:
    entries = (registry.entry(name) for name in registry.names())
    found = next((each for each in entries if each.embedded and each.kind == kind), None)
    if found is None:
        return
    with contextlib.suppress(ParsimonyError):  # the run itself will say what is wrong
        task = open_task(kind, found.name).unregistered()
        MethodTrial(task, method, dict(shape)).trained({}, 0, 1, _SECONDS)
