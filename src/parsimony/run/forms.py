"""What the files of every run must look like; a file of another form is refused when it is read."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from annotated_types import Ge, Len, Lt
from pydantic import BaseModel, ConfigDict
from typing_extensions import TypedDict

__all__ = ["FORMS", "Count", "LogLine", "RunConfig"]

_OPEN = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)
Count: TypeAlias = Annotated[int, Ge(0), Lt(2**53)]
_Amount: TypeAlias = Annotated[float, Ge(0)]
_Measures: TypeAlias = dict[str, float | None]
_Interval: TypeAlias = Annotated[list[float | None], Len(2, 2)]


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


class _Split(TypedDict, total=False):
    """What evaluation of a split found."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]
    split: str
    setting: str
    policy: str
    metrics: _Measures
    optimistic: _Measures
    pessimistic: _Measures
    interval: dict[str, _Interval | None]
    n_queries: Count
    users: Count
    episodes: Count
    per_relation: list[dict[str, str | float | None]]
    strata: dict[str, _Measures]


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


class _Summary(TypedDict, total=False):
    """summary.json."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]
    run: str | None
    method: str
    parameters: Count
    epochs: Count
    best_epoch: Count
    ended: str
    valid: _Measures
    seconds: _Amount
    notes: list[str]
    time_budget: _Amount | None


class _Knowledge(TypedDict, total=False):
    """knowledge.toml."""

    __pydantic_config__ = _OPEN  # type: ignore[misc]
    rules: list[str]
    symbol: dict[str, Any]
    formula: dict[str, Any]


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
}
