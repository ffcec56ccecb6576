"""The table of long runs: what was measured, how far the others came, what was not run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from run_list import Entry

from parsimony.errors import RunExists
from parsimony.run import write_atomic
from parsimony.run.lock import FolderLock

_HEAD = """# Measured results

Written by `python benchmarks/run_queue.py status` from `benchmarks/runs.toml` and the JSON files
beside this page; `make bench-queue` executes what is missing. Filtered ranking, realistic rank,
epoch selected on validation; in brackets the 95 % bootstrap interval over queries.
"""


class _Places(Protocol):
    work: Path

    def result(self, entry: Entry) -> dict[str, Any] | None: ...
    def state(self, entry: Entry) -> dict[str, Any] | None: ...


@dataclass(frozen=True)
class Row:
    """One run: its entry, what is recorded of it, and how it stands."""

    entry: Entry
    status: str
    result: dict[str, Any]

    def metric(self, split: str, name: str = "mrr") -> float | None:
        """A measured metric, None where there is none."""
        found = self.result.get(split)
        return found["metrics"][name] if self.status == "finished" and found else None


@dataclass(frozen=True)
class Table:
    """All runs of the list."""

    rows: Sequence[Row]
    others: Sequence[tuple[str, dict[str, Any]]]

    def as_json(self) -> dict[str, Any]:
        """``{"runs": [{"name", "status", "test_mrr", …}]}``."""
        return {
            "runs": [
                {
                    "name": row.entry.name,
                    "status": row.status,
                    "valid_mrr": row.metric("valid"),
                    "test_mrr": row.metric("test"),
                    "target": row.entry.target,
                    "seconds": row.result.get("seconds"),
                }
                for row in self.rows
            ]
        }

    def as_text(self) -> str:
        """For a terminal."""
        width = max((len(row.entry.name) for row in self.rows), default=0)
        lines = []
        for row in self.rows:
            mrr = row.metric("test")
            told = describe(row.result) if row.status == "finished" else row.status
            reached = _reached(mrr, row.entry.target)
            lines.append(f"{row.entry.name:<{width}}  {told}{reached and f'  ({reached})'}")
        return "\n".join(lines) or "no runs are listed"

    def as_markdown(self) -> str:
        """For benchmarks/results/README.md."""
        head = ["run", "test MRR", "H@1", "H@10", "valid MRR", "at least", "published",
                "epochs", "fit, min", "peak, GiB", "date"]  # fmt: skip
        trained = [_markdown(head), _markdown(["---"] * len(head))]
        trained += [_markdown(_cells(row)) for row in self.rows if row.entry.trains]
        trained += [_markdown(cells) for cells in self._means()]
        parts = [_HEAD, "\n".join(trained)]
        parts += self._list("Chosen on validation", self._chosen())
        commands = [f"`{r.entry.name}`: `{r.entry.command}`" for r in self.rows if r.entry.trains]
        parts += self._list("Commands", commands)
        plain = [
            f"`{r.entry.name}`: `{r.entry.command}` – {r.status}"
            for r in self.rows
            if not r.entry.trains
        ]
        plain += [f"[{name}]({name}): `{entry.get('command')}`" for name, entry in self.others]
        parts += self._list("Other measurements", plain)
        machines = {
            str(r.result.get("ledger", {}).get("hardware") or r.result["hardware"])
            for r in self.rows
            if r.status == "finished"
        }
        parts += self._list("Machines", sorted(machines))
        return "\n\n".join(part.strip("\n") for part in parts) + "\n"

    @staticmethod
    def _list(title: str, lines: Sequence[str]) -> list[str]:
        return [f"## {title}", "\n".join(f"- {line}" for line in lines)] if lines else []

    def _means(self) -> list[list[str]]:
        """One line an entry whose several seeds have all finished."""
        lines = []
        for group in dict.fromkeys(row.entry.group for row in self.rows):
            rows = [row for row in self.rows if row.entry.group == group]
            found = [row.metric("test") for row in rows]
            values = [value for value in found if value is not None]
            if len(rows) < 2 or len(values) < len(rows):
                continue
            mean = sum(values) / len(values)
            text = f"{mean:.4f} [{min(values):.4f}, {max(values):.4f}]"
            name = f"**{group}**, mean [range] of {len(rows)} seeds"
            lines.append([name, text + _mark(mean, rows[0].entry.target), *[""] * 9])
        return lines

    def _chosen(self) -> list[str]:
        """For each dataset with several finished methods, the one better on validation."""
        lines = []
        trained = [row for row in self.rows if row.metric("valid") is not None]
        for data in dict.fromkeys(row.result["config"]["data"]["name"] for row in trained):
            rows = [row for row in trained if row.result["config"]["data"]["name"] == data]
            if len({row.result["config"]["method"] for row in rows}) < 2:
                continue
            best = max(rows, key=lambda row: row.metric("valid") or 0.0)
            test = best.metric("test")
            told = f", test MRR {test:.4f}" if test is not None else ""
            lines.append(f"{data}: `{best.entry.name}`{told}{_mark(test, best.entry.target)}")
        return lines


def describe(result: dict[str, Any]) -> str:
    """One line about a recorded result."""
    text = f"{result['status']}, {result['seconds'] / 60:.1f} min"
    if result["status"] == "failed":
        return f"{text}: {result['error']}"
    for split in ("valid", "test"):
        if result.get(split):
            text += f", {split} MRR {result[split]['metrics']['mrr']:.4f}"
    last = result.get("last_epoch")
    if last:
        text += f", epoch {last.get('epoch')}, validation MRR {last.get('valid_mrr', 0.0):.4f}"
    return text


def write_readme(results: Path, entries: Sequence[Entry], places: _Places) -> Table:
    """Write README.md of the results folder; returns the table."""
    alive = _queue_is_alive(places.work)
    rows = [_row(entry, places, alive) for entry in entries]
    own = {f"{entry.name}.json" for entry in entries}
    others = []
    for path in sorted(results.glob("*.json")) if results.is_dir() else ():
        value = json.loads(path.read_bytes())
        if path.name not in own and isinstance(value, dict):
            others.append((path.name, value))
    table = Table(rows, others)
    results.mkdir(parents=True, exist_ok=True)
    write_atomic(results / "README.md", table.as_markdown())
    return table


def _row(entry: Entry, places: _Places, alive: bool) -> Row:
    result, state = places.result(entry) or {}, places.state(entry)
    if state is not None and state["command"] == entry.command:
        used = f"{state['seconds'] / 60:.1f} of {entry.limit / 60:.0f} min used"
        if alive and state["status"] == "running":
            return Row(entry, f"running, {used}", result)
        if state["status"] in ("running", "interrupted"):
            return Row(entry, f"interrupted, {used}", result)
    if not result:
        return Row(entry, "not run", result)
    if result.get("command") != entry.command:
        return Row(entry, "not run since its command changed", {})
    status = result["status"]
    return Row(entry, status if status == "finished" else describe(result), result)


def _queue_is_alive(work: Path) -> bool:
    if not (work / FolderLock.NAME).exists():
        return False
    lock = FolderLock(work)
    try:
        lock.acquire()
    except RunExists:
        return True
    lock.release()
    return False


def _cells(row: Row) -> list[str]:
    mrr = row.metric("test")
    if mrr is None:
        goals = [_goal(row.entry.target), _goal(row.entry.published)]
        return [row.entry.name, row.status, "", "", "", *goals, *[""] * 4]
    result = row.result
    low, high = result["test"]["interval"]["mrr"]
    fit, ledger = result["fit"], result.get("ledger") or {}
    return [
        row.entry.name,
        f"{mrr:.4f} [{low:.4f}, {high:.4f}]{_mark(mrr, row.entry.target)}",
        _number(row.metric("test", "hits@1")),
        _number(row.metric("test", "hits@10")),
        _number(row.metric("valid")),
        _goal(row.entry.target),
        _goal(row.entry.published),
        f"{fit['epochs']}, best {fit['best_epoch']}",
        f"{(fit['seconds'] or 0) / 60:.1f}",
        f"{ledger.get('peak_memory_bytes', 0) / 2**30:.2f}",
        result["date"],
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _goal(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _reached(mrr: float | None, target: float | None) -> str:
    if mrr is None or target is None:
        return ""
    # As it is printed: a target of three digits is met by what rounds to it.
    return "reached" if round(mrr, 4) >= target else f"below {target:g}"


def _mark(mrr: float | None, target: float | None) -> str:
    reached = _reached(mrr, target)
    return {"": "", "reached": " ✓"}.get(reached, " ✗")


def _markdown(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
