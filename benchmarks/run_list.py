"""The list of long runs, ``benchmarks/runs.toml``: read and checked.

[[run]]
name = "family-redgnn"
command = "parsimony fit family --method redgnn --time-budget 9m"
priority = 1            # smaller first; then the order of the file
limit = "10m"           # wall time in all; 90m where it is left out, and never more
seeds = [0, 1, 2]       # three runs, family-redgnn-0 …, with --seed 0 …
target = 0.988          # MRR to reach, and the published one: for the table alone
published = 0.992
resumable = true        # takes --resume; parsimony fit does without saying so
"""

from __future__ import annotations

import re
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parsimony.errors import FormatError, InvalidParameter, MissingFile, UnknownParameter, suggest
from parsimony.run import parse_duration

MOST = 90 * 60.0
_KEYS = {
    "name": str, "command": str, "priority": int, "limit": str, "seeds": list,
    "target": float, "published": float, "resumable": bool,
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One run: a command, and how long it may take."""

    name: str
    command: str
    priority: int = 9
    limit: float = MOST
    resumable: bool = False
    target: float | None = None
    published: float | None = None
    group: str = ""  # the entry in the file; several seeds share it

    @property
    def trains(self) -> bool:
        """Whether it writes a run folder, to be evaluated afterwards."""
        return shlex.split(self.command)[:2] == ["parsimony", "fit"]


def read_entries(path: Path) -> list[Entry]:
    """Read all runs in the order in which they are to be executed.

    Raises
    ------
    MissingFile, FormatError, UnknownParameter, InvalidParameter
        No such file, or not such a list; says which entry.
    """
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8")).get("run", [])
    except FileNotFoundError:
        raise MissingFile("no list of runs", where=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"not TOML: {error}", where=str(path)) from None
    entries: list[Entry] = []
    for number, row in enumerate(rows, 1):
        entries += _expand(row, f"{path.name}: run {row.get('name', number)}")
    names = [entry.name for entry in entries]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise FormatError(f"two runs are named {', '.join(sorted(twice))}", where=str(path))
    return sorted(entries, key=lambda entry: entry.priority)


def _expand(row: dict[str, Any], where: str) -> list[Entry]:
    for key, value in row.items():
        if key not in _KEYS:
            raise UnknownParameter(
                f"unknown key {key!r}", remedy=suggest(key, _KEYS) or ", ".join(_KEYS), where=where
            )
        if type(value) is not _KEYS[key]:
            raise InvalidParameter(
                f"{key} must be a {_KEYS[key].__name__}. Got {value!r}", where=where
            )
    missing = {"name", "command"} - row.keys()
    if missing:
        raise FormatError(f"no {' and no '.join(sorted(missing))}", where=where)
    if not re.fullmatch(r"\w[\w.-]*", row["name"]):
        raise InvalidParameter("a name is letters, digits, '_', '-' and '.'", where=where)
    try:
        words = shlex.split(row["command"])
    except ValueError as error:
        raise InvalidParameter(f"not a command: {error}", where=where) from None
    if words[:1] not in (["parsimony"], ["python"]):
        raise InvalidParameter("a command begins with parsimony or python", where=where)
    own = {"--out", "--resume", "--json"} & set(words)
    if own and words[1:2] == ["fit"]:
        raise InvalidParameter(f"{', '.join(sorted(own))}: the queue's to set", where=where)
    if any(word.startswith("/") or "=/" in word for word in words):
        raise InvalidParameter("a command names no absolute path", where=where)
    try:
        limit = parse_duration(row["limit"]) if "limit" in row else MOST
    except InvalidParameter as error:
        raise InvalidParameter(error.message, remedy=error.remedy, where=where) from None
    if limit > MOST:
        raise InvalidParameter("a run may take 90m at most", where=where)
    common = {key: row[key] for key in ("priority", "target", "published") if key in row}
    common |= {"limit": limit, "group": row["name"]}
    common["resumable"] = row.get("resumable", words[1:2] == ["fit"])
    if not all(type(seed) is int for seed in row.get("seeds", [])):
        raise InvalidParameter("seeds must be integers", where=where)
    if "seeds" not in row:
        return [Entry(row["name"], row["command"], **common)]
    return [
        Entry(f"{row['name']}-{seed}", f"{row['command']} --seed {seed}", **common)
        for seed in row["seeds"]
    ]
