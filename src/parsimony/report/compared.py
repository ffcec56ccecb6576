"""Runs of one problem measured on the same questions, as each problem's report module gives them.

The module of a problem's ``report`` has a function ``compared(estimators, split, *, seed, quiet)``
that returns a :class:`Compared`; what is a question, and which of its strata are of interest, is
the problem's business.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NotRequired, TypedDict

import numpy as np
import numpy.typing as npt

from parsimony.errors import UsageError

__all__ = ["Compared", "Relation", "Stratum", "Value", "require_same_questions"]


class Value(TypedDict):
    """A measure, or a difference of two, with its 95 % interval where there is one."""

    value: float
    interval: list[float] | None


class Stratum(TypedDict):
    """The headline measure of all runs on some of the questions; None where it has none."""

    stratum: str
    n: int
    values: list[Value | None]


class Relation(TypedDict):
    """MRR of all runs on the queries of a relation; of tail and head queries where there are."""

    relation: str
    n: int
    values: list[float]
    tail: NotRequired[list[float | None]]
    head: NotRequired[list[float | None]]


@dataclass(frozen=True, eq=False)
class Compared:
    """Runs measured on the same questions.

    Attributes
    ----------
    unit
        What is drawn in the bootstrap: "queries", "users" …
    n
        How many there are.
    headline
        The measure that decides, of which more is better.
    values
        For every run measure → value.
    gain
        Of two runs by number: measure → how much better the first is, paired.
    strata
        Kind of stratum → its strata.
    relations
        One entry per relation of link prediction.
    notes
        What is to be known of the data and the questions.
    """

    unit: str
    n: int
    headline: str
    values: Sequence[Mapping[str, Value]]
    gain: Callable[[int, int], Mapping[str, Value]]
    strata: Mapping[str, Sequence[Stratum]] = field(default_factory=dict)
    relations: Sequence[Relation] = ()
    notes: Sequence[str] = ()


def require_same_questions(
    asked: Sequence[Sequence[npt.NDArray[np.generic]]], options: Sequence[Mapping[str, Any]]
) -> None:
    """Refuse runs that are not asked the same, before any of them is measured.

    Parameters
    ----------
    asked
        For every run the arrays that say what it is asked.
    options
        For every run what config.toml holds of its task, to name what differs.

    Raises
    ------
    UsageError
        Two runs differ.
    """
    digests = [_digest(arrays) for arrays in asked]
    for digest, own in zip(digests, options, strict=True):
        if digest != digests[0]:
            raise UsageError(
                "the runs are asked different questions of the same data: "
                f"{_shown(options[0])} and {_shown(own)}",
                remedy="compare runs of the same split and options",
            )


def _digest(arrays: Sequence[npt.NDArray[np.generic]]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _shown(options: Mapping[str, Any]) -> str:
    flat = options.get("options", options)
    return ", ".join(f"{name}={value}" for name, value in flat.items()) or "no options"
