"""Which form of a small product this machine does fastest: measured once, kept in the cache.

The register tile of :mod:`parsimony.kernels.dense` was shaped on one processor, and libraries
differ as well. At the first use every form is timed for a few milliseconds, on one thread, at the
shapes of RED-GNN; what was found is kept under the processor, the versions of what compiles and
multiplies, and the number of cores. ``PARSIMONY_PRODUCTS`` fixes the forms instead: ``tile``,
``wide`` or ``blas``, or two of them, of small products and of large ones (``tile,blas``).
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
from llvmlite import binding

from parsimony.datasets.archive import cache_folder
from parsimony.decoding import checked, read_json
from parsimony.decoding.strict_json import json_text
from parsimony.errors import InvalidParameter, ParsimonyError, suggest
from parsimony.kernels.dense import FORMS, TILE, Form, constant, form, product
from parsimony.run.atomic import write_atomic
from parsimony.run.cost import processor

__all__ = ["VARIABLE", "Measured", "chosen", "measured", "one_blas_thread"]

VARIABLE = "PARSIMONY_PRODUCTS"
#: how much faster another form has to be than the tile: so that noise decides nothing
GAIN = 1.1
#: rows, width and columns of the products of a step: x · W and the gradient xᵀ · d
SHAPES = {"small": ((96, 48, 144), (144, 96, 48)), "large": ((1024, 48, 48), (48, 1024, 48))}
ROUNDS, SECONDS = 12, 3e-4  # of a form; of one round
#: of the thread, so that other work on the machine counts less; on Windows that one is too coarse
clock = time.perf_counter if os.name == "nt" else time.thread_time

Rates = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Measured:
    """The form of small products and of large ones.

    Attributes
    ----------
    small, large
        Names of :data:`parsimony.kernels.dense.FORMS`.
    rates
        10⁹ operations a second, by size and form; empty where the forms are fixed.
    """

    small: str
    large: str
    rates: Rates

    @property
    def name(self) -> str:
        """The form, or both."""
        return self.small if self.small == self.large else f"{self.small},{self.large}"

    @property
    def form(self) -> Form:
        """What kernels take."""
        return form(self.small, self.large)


def chosen() -> Form:
    """The form of this process's products, as kernels take it."""
    return measured().form


def measured() -> Measured:
    """The forms of this process's products, and the rates by which they were chosen.

    Raises
    ------
    InvalidParameter
        ``PARSIMONY_PRODUCTS`` names no form.
    """
    return _measured(os.environ.get(VARIABLE, ""))


@cache
def _measured(fixed: str) -> Measured:
    if fixed:
        return _fixed(fixed)
    path = cache_folder() / "products" / f"{_machine()}.json"
    with suppress(ParsimonyError, OSError, KeyError, ValueError):  # absent, or damaged: measured
        return _fastest(checked(Rates, read_json(path)))
    rates = {size: _rates(size) for size in SHAPES}
    with suppress(ParsimonyError, OSError):  # a cache that cannot be written: measured every time
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json_text(rates, indent=1) + "\n")
    return _fastest(rates)


def _fixed(text: str) -> Measured:
    names = [part.strip() for part in text.split(",")]
    for name in names:
        if name not in FORMS or len(names) > 2:
            raise InvalidParameter(
                f"{VARIABLE} is {text!r}",
                remedy=suggest(name, FORMS) or f"one or two of {', '.join(FORMS)}",
            )
    return Measured(names[0], names[-1], {})


def _fastest(rates: Rates) -> Measured:
    def best(size: str) -> str:
        found = max(rates[size], key=lambda name: rates[size][name])
        return found if rates[size][found] > GAIN * rates[size]["tile"] else "tile"

    small, large = best("small"), best("large")
    constant(FORMS[small]), constant(FORMS[large])  # KeyError of a file of another version
    return Measured(small, large, rates)


def _machine() -> str:
    """What a measurement holds for, hashed."""
    packages = {name: version(name) for name in ("numba", "llvmlite", "scipy", "numpy")}
    features = binding.get_host_cpu_features().flatten()
    of = [processor(), binding.get_host_cpu_name(), features, packages, sorted(FORMS)]
    return hashlib.sha256(json_text(of).encode()).hexdigest()[:32]


def _names() -> list[str]:
    """The forms that can be fast here."""
    wide = binding.get_host_cpu_features().get("avx512f", False)
    return [name for name in FORMS if name != "wide" or wide]


def _rates(size: str) -> dict[str, float]:
    """10⁹ operations a second of every form: the fastest of several rounds, taken in turns."""
    rng = np.random.default_rng(0)
    arrays = [
        tuple(rng.standard_normal(shape, np.float32) for shape in ((n, k), (k, m), (n, m)))
        for n, k, m in SHAPES[size]
    ]
    # The gradient's left factor is a transposed one, as in a step.
    arrays[1] = (np.asfortranarray(arrays[1][0]), *arrays[1][1:])
    operations = 2.0 * sum(x.size * matrix.shape[1] for x, matrix, _ in arrays)
    best = dict.fromkeys(_names(), np.inf)
    with _one_thread():
        for name in best:  # compiled, and the library's buffers made
            _seconds(form(name, name), arrays, 1)
        once = _seconds(TILE, arrays, 3) / 3
        repeats = max(int(SECONDS / once), 1)
        for _ in range(ROUNDS):
            for name in best:
                seconds = _seconds(form(name, name), arrays, repeats) / repeats
                best[name] = min(best[name], seconds)
    return {name: round(operations / seconds / 1e9, 2) for name, seconds in best.items()}


def _seconds(how: Form, arrays: list[tuple[Any, ...]], repeats: int) -> float:
    begin = clock()
    for _ in range(repeats):
        for x, matrix, out in arrays:
            product(how, x, matrix, out)
    return clock() - begin


@cache
def _controller() -> Any:
    import scipy.linalg.cython_blas  # noqa: F401 - so that its library is found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def _one_thread() -> Iterator[None]:
    with _controller().limit(limits=1, user_api="blas"):
        yield


def one_blas_thread() -> AbstractContextManager[None]:
    """Let SciPy's BLAS multiply on the calling thread: who calls it runs on all cores already."""
    library = "blas" in (measured().small, measured().large)
    return _one_thread() if library else nullcontext()
