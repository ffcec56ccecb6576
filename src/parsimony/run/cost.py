"""The cost report of a run, summed over all resumptions."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any


@cache
def processor() -> str:
    """Return the processor model and the number of cores that this process may use."""
    model = platform.processor() or platform.machine()
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    cores = own_cores()
    return f"{model}, {cores} {'core' if cores == 1 else 'cores'}"


def own_cores() -> int:
    """Return how many cores this process may run on: a job of a cluster has a part of a node's."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def usable_cores() -> int:
    """Return how many of them it is to use: ``OMP_NUM_THREADS`` may say fewer, as for torch."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return min(own_cores(), int(asked)) if asked.isdecimal() and int(asked) else own_cores()


def resident_memory() -> int:
    """Return the resident memory of this process in bytes; the peak where only that is known."""
    return _status("VmRSS:") or peak_memory()


def peak_memory() -> int:
    """Return the peak resident memory of this process in bytes; 0 where it is not available."""
    # First VmHWM: ru_maxrss keeps the parent's size across fork and exec.
    if known := _status("VmHWM:"):
        return known
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(name: str) -> int:
    """A number of bytes that Linux tells of this process; 0 elsewhere."""
    found = [line for line in _lines("/proc/self/status") if line.startswith(name)]
    return int(found[0].split()[1]) * 1024 if found else 0


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


class Cost:
    """Accumulates the cost of a run from the moment it is created.

    Parameters
    ----------
    parameters
        Number of trained parameters, including all ensemble members.
    labels
        Number of labelled facts used in training.
    previous
        ``as_dict()`` of the part of the run that is resumed.

    Attributes
    ----------
    products
        The form of small products, where the method has such (:mod:`parsimony.kernels.products`).
    """

    def __init__(
        self, parameters: int, labels: int, previous: Mapping[str, Any] | None = None
    ) -> None:
        previous = previous or {}
        self.parameters, self.labels = parameters, labels
        self.flops = float(previous.get("flops", 0.0))
        self._wall = float(previous.get("wall_seconds", 0.0)) - time.perf_counter()
        self._cpu = float(previous.get("cpu_seconds", 0.0)) - time.process_time()
        self._memory = int(previous.get("peak_memory_bytes", 0))
        self.products = ""
        self._before = {name: str(previous.get(name, "")) for name in ("hardware", "products")}

    def add(self, *, flops: float = 0.0) -> None:
        """Count floating-point operations."""
        self.flops += flops

    def as_dict(self) -> dict[str, Any]:
        """Return the cost so far.

        CPU seconds are summed over all threads of this process; memory is the peak resident
        memory of the process, including imports and data.
        """
        found = {
            "parameters": self.parameters,
            "labels": self.labels,
            "flops": self.flops,
            "cpu_seconds": self._cpu + time.process_time(),
            "wall_seconds": self._wall + time.perf_counter(),
            "peak_memory_bytes": max(self._memory, peak_memory()),
            "hardware": self._all("hardware", processor()),
        }
        products = self._all("products", self.products)
        return found | ({"products": products} if products else {})

    def _all(self, name: str, now: str) -> str:
        """What a run had before and has now: one resumed on another machine lists both."""
        return " + ".join(dict.fromkeys(filter(None, [*self._before[name].split(" + "), now])))
