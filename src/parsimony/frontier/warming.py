"""Compile a method's kernels before its cost is counted, on embedded data of its kind."""

from __future__ import annotations

import contextlib
import time

from parsimony.datasets import registry
from parsimony.errors import ParsimonyError
from parsimony.frontier.families import Size
from parsimony.problems import open_task
from parsimony.search.method_trial import MethodTrial

__all__ = ["is_shaped", "warm", "warming_seconds"]

#: methods whose kernels are compiled for a shape, and the settings that make it
_SHAPED, _SHAPE = ("redgnn", "adaprop", "emergnn"), ("dim", "attention_dim")
#: of learning, once the kernels are there
_SECONDS = 1.0
#: seconds that compiling for a shape is thought to take before one was seen
_COMPILING = 30.0
#: what another method is thought to take of the slowest that was seen
_OTHER = 0.25
_Shape = tuple[tuple[str, int], ...]
#: what is compiled in this process, and how long it took
_warmed: dict[tuple[str, str, _Shape], float] = {}


def is_shaped(size: Size) -> bool:
    """Whether kernels are compiled for this size alone."""
    return size.method in _SHAPED


def warming_seconds(size: Size, kind: str) -> float:
    """What :func:`warm` is thought to take, by what was seen in this process."""
    if _key(size, kind) in _warmed:
        return 0.0
    slowest = max(_warmed.values(), default=0.0)  # says how busy the machine is
    if not is_shaped(size):
        return _OTHER * slowest
    seen = [took for (method, *_), took in _warmed.items() if method == size.method]
    return max(seen, default=_COMPILING)


def warm(size: Size, kind: str, left: float | None = None) -> bool:
    """Train a method for an epoch on small embedded data, once in this process and for each shape.

    Compiling takes longer than a small training, is done once a machine, and says nothing of a
    method. Kinds without embedded data are left as they are.

    Parameters
    ----------
    left
        Seconds of the budget; None: no limit. Compiling cannot be interrupted.

    Returns
    -------
    bool
        False where compiling would, by what was seen, take longer than is left: nothing was done.
    """
    key = _key(size, kind)
    if key in _warmed:
        return True
    if left is not None and left < warming_seconds(size, kind):
        return False
    begin = time.perf_counter()
    _train(*key)
    _warmed[key] = time.perf_counter() - begin
    return True


def _key(size: Size, kind: str) -> tuple[str, str, _Shape]:
    shape: _Shape = ()
    if is_shaped(size):
        shape = tuple((n, size.settings[n]) for n in _SHAPE if n in size.settings)
    return size.method, kind, shape


def _train(method: str, kind: str, shape: _Shape) -> None:
    entries = (registry.entry(name) for name in registry.names())
    found = next((each for each in entries if each.embedded and each.kind == kind), None)
    if found is None:
        return
    with contextlib.suppress(ParsimonyError):  # the run itself will say what is wrong
        task = open_task(kind, found.name).unregistered()
        MethodTrial(task, method, dict(shape)).trained({}, 0, 1, _SECONDS)
