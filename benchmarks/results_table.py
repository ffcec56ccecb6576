"""The page of results: ``benchmarks/results/README.md``, from the records beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HEAD = """# Measured results

Written by `python benchmarks/run_all.py` (`make bench-runs`) from `benchmarks/runs.toml` and the
JSON files beside this page. Filtered ranking, realistic rank, epoch selected on validation; in
brackets the 95 % bootstrap interval over queries; ✓ and ✗ say whether the target is reached.
"""
COLUMNS = ("run", "test MRR", "H@1", "H@10", "valid MRR", "target", "published", "epochs",
           "fit, min", "peak, GiB", "date")  # fmt: skip


def cells(run: dict[str, Any], result: dict[str, Any] | None) -> list[str]:
    goals = [f"{run[key]:g}" if key in run else "" for key in ("target", "published")]
    if result is None or not result.get("test"):
        return [run["name"], "not run" if result is None else "", "", "", "", *goals, *[""] * 4]
    test, fit, ledger = result["test"], result["fit"], result["ledger"]
    mrr, (low, high) = test["metrics"]["mrr"], test["interval"]["mrr"]
    valid = result.get("valid")  # a graph may have none
    return [
        run["name"],
        f"{mrr:.4f} [{low:.4f}, {high:.4f}]{mark(mrr, run)}",
        f"{test['metrics']['hits@1']:.4f}",
        f"{test['metrics']['hits@10']:.4f}",
        f"{valid['metrics']['mrr']:.4f}" if valid else "",
        *goals,
        f"{fit['epochs']}, best {fit['best_epoch']}",
        f"{(fit['seconds'] or 0) / 60:.1f}",
        f"{ledger['peak_memory_bytes'] / 2**30:.2f}",
        result["date"],
    ]


def mark(mrr: float, run: dict[str, Any]) -> str:
    # As it is printed: a target of three digits is met by what rounds to it.
    return "" if "target" not in run else " ✓" if round(mrr, 4) >= run["target"] else " ✗"


def means(runs: list[dict[str, Any]], results: dict[str, Any]) -> list[list[str]]:
    """One line for each entry of several seeds, all of which have run."""
    lines = []
    for command in dict.fromkeys(run["command"].split(" --seed ")[0] for run in runs):
        seeds = [run for run in runs if run["command"].startswith(f"{command} --seed ")]
        found = [results[run["name"]]["test"]["metrics"]["mrr"] for run in seeds
                 if run["name"] in results]  # fmt: skip
        if seeds and len(found) == len(seeds):
            mean, name = sum(found) / len(found), seeds[0]["name"].rsplit("-", 1)[0]
            lines.append([
                f"**{name}**, mean [range] of {len(seeds)} seeds",
                f"{mean:.4f} [{min(found):.4f}, {max(found):.4f}]{mark(mean, seeds[0])}",
                *[""] * 9,
            ])  # fmt: skip
    return lines


def write_table(runs: list[dict[str, Any]], folder: Path) -> None:
    found = {path.stem: json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))}
    rows = [cells(run, found.get(run["name"])) for run in runs] + means(runs, found)
    table = [list(COLUMNS), ["---"] * len(COLUMNS), *rows]
    own = {run["name"] for run in runs}
    parts = [
        HEAD + "\n" + "\n".join(f"| {' | '.join(row)} |" for row in table),
        "## Commands\n\n" + "\n".join(f"- `{run['name']}`: `{run['command']}`" for run in runs),
    ]
    others = [
        f"- [{name}.json]({name}.json): `{value.get('command')}`"
        for name, value in found.items()
        if name not in own and isinstance(value, dict)
    ]
    parts += ["## Other measurements\n\n" + "\n".join(others)] if others else []
    (folder / "README.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
