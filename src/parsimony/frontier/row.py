"""A run of the frontier: one method at one size, with one seed on one part of the labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le
from pydantic import ConfigDict

__all__ = ["Row", "Side", "Status", "Stratum", "Subject", "Tuned"]

Side = Literal["knowledge", "scaled"]
Status = Literal["done", "failed", "out of time"]
_Share = Annotated[float, Gt(0), Le(1)]
_Amount = Annotated[float, Ge(0)]


@dataclass(frozen=True)
class Subject:
    """What all runs of a frontier are run on; small, so that it can be sent to another process.

    Attributes
    ----------
    data
        A registered name or a path.
    kind
        Kind of problem, as :mod:`parsimony.problems` names it.
    options
        Of the task, as ``--set`` takes them.
    seed
        Of the split of a single file.
    thinned
        Whether the walked graph loses the same facts that the labels lose; else it is kept.
    """

    data: str
    kind: str
    options: dict[str, Any] = field(default_factory=dict)
    mirror: str | None = None
    columns: tuple[str, str, str] | None = None
    seed: int = 0
    thinned: bool = False


@dataclass(frozen=True)
class Tuned:
    """Settings that were tuned for one size on one part of the labels, and what that cost.

    Attributes
    ----------
    settings
        What differs from the settings of the size.
    trials
        How many trainings were compared on validation; 0 where nothing was tuned.
    flops, processor_seconds
        Of all of them together.
    why
        Why there were fewer trials than asked for; "" where there were not.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    trials: int = 0
    flops: float = 0.0
    processor_seconds: float = 0.0
    why: str = ""


@dataclass(frozen=True)
class Stratum:
    """A part of the test queries: what its queries have as mean metric, and how many there are."""

    value: float
    n: int


@dataclass(frozen=True)
class Row:
    """What came of a run; costs include those of tuning its size.

    Attributes
    ----------
    family, side, size
        Of whom, on which side, and the label of the size within the family.
    method, settings
        As ``parsimony fit`` takes them; ``settings`` are all that were given, tuned ones included.
    seed, labels_share
        ``labels_share`` is the fraction of the training labels.
    labels
        Training labels that were used.
    parameters, parameters_without_tables
        Trained numbers; and those that are in no table with a row for each entity (drug, user).
        For rules and formulas: the numbers that they hold.
    flops
        Floating-point operations, counted; None where the method cannot be counted.
    processor_seconds
        Over all threads: training, and tuning or search; without the final measurement.
    bits_int8, bits_float16
        Stored size: weights at 8 or 16 bits each, and the knowledge as compressed text.
    graph_bits
        Compressed size of the graph that the method walks when it answers; 0 where it walks none.
    error_loss
        Mean negative log-likelihood of the test labels, in nats; None where the method has none.
    metric, value, value_valid
        What is measured (such as ``mrr``), on test and on validation; the larger the better, at
        most 1.
    values
        ``.npy`` file beside the row with one number per test query (pair, task, user), float32, in
        an order that all rows of the frontier share, and whose mean is ``value``; None where the
        metric is no mean over queries.
    strata
        Parts of the test queries by name, such as "relation: rare".
    status, why
        "done"; else what happened, in words. A run that is not done has NaN nowhere: its numbers
        are 0.
    trials
        Tuning trials behind its settings.
    notes
        What was reduced, sampled or guessed.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)

    family: str
    side: Side
    size: str
    method: str
    settings: dict[str, Any]
    seed: int
    labels_share: _Share
    metric: str
    labels: int = 0
    parameters: int = 0
    parameters_without_tables: int = 0
    flops: _Amount | None = None
    processor_seconds: _Amount = 0.0
    bits_int8: _Amount = 0.0
    bits_float16: _Amount = 0.0
    graph_bits: _Amount = 0.0
    error_loss: float | None = None
    value: float = 0.0
    value_valid: float = 0.0
    values: str | None = None
    strata: dict[str, Stratum] = field(default_factory=dict)
    status: Status = "done"
    why: str = ""
    trials: int = 0
    seconds: _Amount = 0.0
    notes: list[str] = field(default_factory=list)
