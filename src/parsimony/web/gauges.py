"""Counts of a server in the text form that Prometheus reads."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter

from parsimony.run.cost import resident_memory

__all__ = ["Gauges"]

_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Gauges:
    """Requests by route and status, their seconds, and how many run now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets = [0] * (len(_BOUNDS) + 1)
        self._seconds, self.running = 0.0, 0

    def begin(self) -> None:
        """A request has come."""
        with self._lock:
            self.running += 1

    def end(self, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        with self._lock:
            self.running -= 1
            self._requests[route, status] += 1
            self._buckets[bisect_left(_BOUNDS, seconds)] += 1
            self._seconds += seconds

    def text(self, waiting: dict[str, int]) -> str:
        """All of them; ``waiting`` counts the questions of each run that are being answered."""
        with self._lock:
            requests, buckets = sorted(self._requests.items()), list(self._buckets)
            seconds, running = self._seconds, self.running
        lines = ["# TYPE parsimony_requests_total counter"]
        lines += [
            f'parsimony_requests_total{{route="{_quoted(route)}",status="{status}"}} {n}'
            for (route, status), n in requests
        ]
        lines.append("# TYPE parsimony_request_seconds histogram")
        total = 0
        for bound, n in zip((*_BOUNDS, "+Inf"), buckets, strict=True):
            total += n
            lines.append(f'parsimony_request_seconds_bucket{{le="{bound}"}} {total}')
        lines += [
            f"parsimony_request_seconds_sum {seconds:.6f}",
            f"parsimony_request_seconds_count {total}",
            "# TYPE parsimony_requests_running gauge",
            f"parsimony_requests_running {running}",
            "# TYPE parsimony_questions_waiting gauge",
            *(f'parsimony_questions_waiting{{run="{_quoted(r)}"}} {n}' for r, n in waiting.items()),
            "# TYPE parsimony_resident_memory_bytes gauge",
            f"parsimony_resident_memory_bytes {resident_memory():.0f}",
        ]
        return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
