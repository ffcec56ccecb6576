"""What a frontier measures size by: four axes, each with its ways of counting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from parsimony.errors import UnknownParameter, suggest
from parsimony.frontier.row import Row

__all__ = ["AXES", "Axis", "Measure", "measures_of", "require_axis"]

Axis = Literal["parameters", "labels", "compute", "bits"]


@dataclass(frozen=True)
class Measure:
    """A way of counting.

    Attributes
    ----------
    key, unit, words
        Its name in files, what its numbers count, and what it holds.
    of
        The amount of a run; None where it is not known.
    """

    key: str
    unit: str
    words: str
    of: Callable[[Row], float | None]

    def amount(self, row: Row) -> float:
        """What a run has, at least 1: what holds nothing at all has no place on a logarithm."""
        return max(float(self.of(row) or 0.0), 1.0)


AXES: dict[Axis, tuple[Measure, ...]] = {
    "parameters": (
        Measure(
            "parameters", "parameters", "trained parameters, entity tables included",
            lambda row: row.parameters,
        ),
        Measure(
            "parameters_without_tables", "parameters",
            "trained parameters without tables of entities",
            lambda row: row.parameters_without_tables,
        ),
    ),
    "labels": (Measure("labels", "labels", "training labels", lambda row: row.labels),),
    "compute": (
        Measure(
            "flops", "FLOPs", "floating-point operations, counted, tuning included",
            lambda row: row.flops,
        ),
        Measure(
            "processor_seconds", "processor seconds",
            "processor seconds of training, tuning and search included",
            lambda row: row.processor_seconds,
        ),
    ),
    "bits": (
        Measure(
            "bits_float16", "bits", "bits of weights at float16 and of compressed knowledge",
            lambda row: row.bits_float16,
        ),
        Measure(
            "bits_int8", "bits", "bits of weights at int8 and of compressed knowledge",
            lambda row: row.bits_int8,
        ),
        Measure(
            "bits_with_graph", "bits", "bits at float16, the walked graph charged as well",
            lambda row: row.bits_float16 + row.graph_bits,
        ),
    ),
}  # fmt: skip


def require_axis(name: str) -> Axis:
    """Return the axis of that name.

    Raises
    ------
    UnknownParameter
        There is none.
    """
    if name not in AXES:
        raise UnknownParameter(
            f"unknown axis {name!r}", remedy=suggest(name, AXES) or f"axes: {', '.join(AXES)}"
        )
    return name


def measures_of(axis: Axis, rows: Sequence[Row]) -> list[Measure]:
    """Return the ways of counting that all runs know, the one of the headline first."""
    done = [row for row in rows if row.status == "done"]
    return [m for m in AXES[axis] if all(m.of(row) is not None for row in done)]
