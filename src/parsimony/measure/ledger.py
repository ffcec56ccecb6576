"""The bill of a run: parameters, labels, FLOPs, seconds and memory, over all its resumed parts."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def processor() -> str:
    """Model of the processor and number of cores this process may use."""
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    return f"{model}, {os.cpu_count()} cores"


def peak_memory() -> int:
    """Peak resident memory of this process in bytes.

    Linux keeps ``ru_maxrss`` over fork and exec, so a child would report its parent's peak.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class Ledger:
    """Accumulate what a run costs.

    Parameters
    ----------
    parameters
        Trained numbers, all ensemble members counted.
    labels
        Labelled facts that training sees.
    previous
        ``as_dict()`` of the part that this one resumes.
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

    def add(self, *, flops: float = 0.0) -> None:
        """Count floating-point operations."""
        self.flops += flops

    def as_dict(self) -> dict[str, Any]:
        """Return the bill so far."""
        return {
            "parameters": self.parameters,
            "labels": self.labels,
            "flops": self.flops,
            "cpu_seconds": self._cpu + time.process_time(),
            "wall_seconds": self._wall + time.perf_counter(),
            "peak_memory_bytes": max(self._memory, peak_memory()),
            "hardware": processor(),
        }
