"""What the files of every run must look like; a file of another form is refused when it is read."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from annotated_types import Ge, Len, Lt
from pydantic import BaseModel, ConfigDict
from typing_extensions import TypedDict

__all__ = ["FORMS", "Checkpoint", "Count", "LogLine", "RunConfig"]

_OPEN = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)
Count: TypeAlias = Annotated[int, Ge(0), Lt(2**53)]
_Amount: TypeAlias = Annotated[float, Ge(0)]
_Measures: TypeAlias = dict[str, float | None]
_Interval: TypeAlias = Annotated[list[float], Len(2, 2)]


class _Origin(TypedDict):
    """The data of a run."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]
    name: str
    source: str
    hash: str


class _Needed(TypedDict):
    __pydantic_config__ = _OPEN  # type: ignore[misc]
    method: str
    task: str
    data: _Origin
    parameters: dict[str, Any]


class RunConfig(_Needed, total=False):
    """config.toml of a method's run."""

    options: dict[str, Any]
    protocol: str


class _Relation(TypedDict):
    """The measures of a relation."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]
    relation: str
    n_queries: Count


class _Stratum(TypedDict):
    """The measures of a stratum of link prediction."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]
    stratum: str
    n_queries: Count
    mrr: float
    interval: _Interval


class _Split(TypedDict, total=False):
    """What evaluation of a split found."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]
    split: str
    setting: str
    policy: str
    metrics: _Measures
    optimistic: _Measures
    pessimistic: _Measures
    interval: dict[str, _Interval]
    n_queries: Count
    users: Count
    episodes: Count
    per_relation: list[_Relation]
    strata: dict[str, _Measures] | dict[str, list[_Stratum]]


class _Cost(TypedDict, total=False):
    """ledger.json."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]
    parameters: Count
    labels: Count
    flops: _Amount
    cpu_seconds: _Amount
    wall_seconds: _Amount
    peak_memory_bytes: Count
    hardware: str
    products: str


class _Summary(TypedDict, total=False):
    """summary.json."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]
    run: str | None
    method: str
    parameters: Count
    description_bytes: Count
    epochs: Count
    best_epoch: Count
    ended: str
    valid: _Measures
    seconds: _Amount
    notes: list[str]
    time_budget: _Amount | None
    total_seconds: _Amount


class _Structure(TypedDict, total=False):
    """A symbol or a formula in knowledge.toml."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]
    name: str
    rows: list[str]
    positions: list[str]
    latex: str


class _Knowledge(TypedDict, total=False):
    """knowledge.toml."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]
    rules: list[str]
    symbol: _Structure
    formula: _Structure


class _Finalist(TypedDict):
    """A row of the comparison in search.json."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]
    name: str
    parameters: Count
    epochs: Count
    seconds: _Amount


class _Search(TypedDict):
    """search.json."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]
    found: str
    best: dict[str, str | float | list[str] | None]
    trials: Count
    algorithm: str
    ladder: list[list[float]]
    named: dict[str, dict[str, float]]
    predictor: dict[str, Any] | None
    rungs: list[dict[str, Any]]
    exhausted: bool
    seconds: dict[str, _Amount]
    notes: list[str]
    comparison: list[_Finalist]


class _Record(TypedDict):
    """An epoch in a checkpoint."""

    __pydantic_config__ = ConfigDict(strict=True, extra="allow")  # type: ignore[misc]
    epoch: Count
    seconds: _Amount


class Checkpoint(TypedDict, total=False):
    """What of a checkpoint is JSON; a measure in it may be NaN."""

    __pydantic_config__ = ConfigDict(strict=True, extra="allow")  # type: ignore[misc]
    format: int
    phase: str
    cost: _Cost
    epoch: Count
    best_epoch: Count
    best: float | None
    updates: Count
    seconds: _Amount
    history: list[_Record]


class LogLine(BaseModel):
    """A line of log.jsonl: an epoch, or a choice that was tried."""

    model_config = _OPEN
    __pydantic_extra__: dict[str, bool | float | str | None]
    epoch: Annotated[int, Ge(0), Lt(2**31)] | None = None
    time: float | None = None
    loss: float | None = None
    seconds: float | None = None


#: name of a file → its form
FORMS: dict[str, Any] = {
    "metrics.json": dict[str, _Split],
    "ledger.json": _Cost,
    "summary.json": _Summary,
    "knowledge.toml": _Knowledge,
    "search.json": _Search,
}
