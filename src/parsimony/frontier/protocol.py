"""The protocol of a frontier: all that is decided before its first run, in ``frontier.toml``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import tomli_w

from parsimony.decoding import checked, parse_toml
from parsimony.decoding.strict_json import json_text
from parsimony.errors import CorruptRun, LedgerMismatch
from parsimony.frontier.axes import Axis
from parsimony.frontier.row import Subject

__all__ = ["PROTOCOL", "Protocol", "agreed", "described", "read_protocol"]

PROTOCOL = "frontier.toml"
SHARES = (0.01, 0.03, 0.1, 0.3, 1.0)
#: share of the labels that the headline of the labels axis is about
HEADLINE_SHARE = 0.1
_STOP = (
    "each method's own number of epochs and its patience on validation; a training that the clock "
    "ended first is listed and is in no law"
)
_ANALYSIS = (
    "size and family of either side are chosen on validation; the law is fitted to test errors; "
    "sizes beyond the least validation error are left out where it rises for good; the two largest "
    "sizes are held out, predicted and compared; 1,000 nested bootstrap draws, 95 %; nothing is "
    "said beyond ten times the largest trained size, nor beyond it where the error follows no law "
    "or rises"
)
#: fields that say how long, and not what
_OF_THE_CLOCK = ("budgets", "expected")


@dataclass(frozen=True)
class Protocol:
    """What is run, and how it will be judged.

    Attributes
    ----------
    data, data_hash, task
        Name or path, hash of the content, and how it is opened.
    families
        Name, side and sizes of each, as text that a reader can follow.
    seeds, shares
        Of every size.
    trials
        Trials of tuning for each size, the same for all.
    budgets
        Wall seconds, one for each time that the frontier was begun or gone on with; None: no limit.
    expected
        Seconds of a run, as they were measured for the plan, by family and size; of those that were
        not, none.
    """

    data: str
    data_hash: str
    task: Subject
    axis: Axis
    families: list[dict[str, Any]]
    seeds: list[int]
    shares: list[float]
    trials: int
    headline_share: float = 1.0
    stop_rule: str = _STOP
    analysis: str = _ANALYSIS
    budgets: list[float] = field(default_factory=list)
    expected: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """Of all that decides what is run: not of budgets and expected times."""
        held = {n: v for n, v in _without_none(asdict(self)).items() if n not in _OF_THE_CLOCK}
        return hashlib.sha256(json_text(held, sort_keys=True).encode()).hexdigest()

    @property
    def text(self) -> str:
        """As it stands in the file."""
        held = _without_none(asdict(self)) | {"hash": self.hash}
        return tomli_w.dumps(held)


def described(families: Sequence[Any]) -> list[dict[str, Any]]:
    """Families as a protocol names them."""
    return [
        {
            "name": family.name, "side": family.side, "about": family.about,
            "sizes": [
                {
                    "label": size.label, "method": size.method, "settings": dict(size.settings),
                    "tuned": list(size.tuned),
                }
                for size in family.sizes
            ],
        }
        for family in families
    ]  # fmt: skip


def agreed(protocol: Protocol, folder: Path) -> Protocol:
    """Return the protocol of a folder with the budget of another part added.

    Raises
    ------
    LedgerMismatch
        The folder has another one.
    CorruptRun
        Its file is damaged.
    """
    if not (folder / PROTOCOL).exists():
        return protocol
    before = read_protocol(folder)
    if before.hash != protocol.hash:
        was, now = (_without_none(asdict(each)) for each in (before, protocol))
        changed = [name for name in now if was.get(name) != now[name] and name not in _OF_THE_CLOCK]
        raise LedgerMismatch(
            f"the protocol is another one: {', '.join(changed)} changed",
            remedy="repeat the first command with --resume, or choose another --out",
            where=str(folder / PROTOCOL),
        )
    return replace(before, budgets=[*before.budgets, *protocol.budgets])


def read_protocol(folder: Path) -> Protocol:
    """Return the protocol of a folder.

    Raises
    ------
    CorruptRun
        It is damaged, or was changed by hand: its hash says so.
    """
    path = folder / PROTOCOL
    how: dict[str, Any] = {"error": CorruptRun, "remedy": "restore it, or choose another --out"}
    found = parse_toml(path.read_text(encoding="utf-8"), str(path), **how)
    told = found.pop("hash", None)
    protocol = checked(Protocol, found, str(path), **how)
    if told != protocol.hash:
        raise CorruptRun(
            "it was changed after it was written: its hash is another one",
            remedy=how["remedy"], where=str(path),
        )  # fmt: skip
    return protocol


def _without_none(value: Any) -> Any:
    """TOML has no null: what is None is left out."""
    if isinstance(value, dict):
        return {key: _without_none(each) for key, each in value.items() if each is not None}
    if isinstance(value, (list, tuple)):
        return [_without_none(each) for each in value]
    return value
