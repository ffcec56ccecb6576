"""Record a finished run folder as the result of an entry of ``runs.toml``.

    python benchmarks/record_run.py RUN NAME [--anyway]

For trainings that were not started by the queue. The folder's data, method and parameters must be
those that the entry's command resolves to; with ``--anyway`` the differences are recorded too.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from run_list import Entry, read_entries
from run_queue import Places
from run_table import describe, write_readme

from parsimony.base import resolve
from parsimony.cli.options import parse_settings
from parsimony.datasets import registry
from parsimony.errors import ParsimonyError, UnknownParameter, UsageError, suggest
from parsimony.link.data import LinkData
from parsimony.link.task import LinkTask
from parsimony.run import RunFolder, write_atomic

#: They change the time, not the result.
_FREE = {"threads", "eval_batch"}


def expected(entry: Entry, data: LinkData) -> dict[str, Any]:
    """Data, method and parameters that the entry's command resolves to on ``data``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--method", default="redgnn")
    parser.add_argument("--set", action="append", dest="settings")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    asked, _ = parser.parse_known_args(shlex.split(entry.command)[2:])
    values = {"seed": asked.seed} | parse_settings(asked.settings)
    estimator: Any = resolve(asked.method)(**values)
    # A folder of an older version does not say that its name is registered.
    data = replace(data, registered=asked.data in registry.names())
    task = LinkTask(data, str(values.get("protocol", "redgnn")))
    config = estimator.prepare(task, epochs=asked.epochs)
    return {"data": asked.data, "method": asked.method, **config["parameters"]}


def record_run(path: Path, entry: Entry, *, anyway: bool = False) -> dict[str, Any]:
    """Return the result of a sealed run folder in the queue's format.

    Raises
    ------
    UsageError
        It is another training than the entry's.
    """
    run = RunFolder.open(path)
    config = run.config
    wanted = expected(entry, LinkData.load(path / "data"))
    # A folder of an older version lacks the parameters that came since; they had no effect there.
    defaults = resolve(config["method"]).Parameters().model_dump(exclude_none=True)
    found = {"data": config["data"]["name"], "method": config["method"]}
    found |= defaults | config["parameters"]
    differs = {
        key: [wanted.get(key), found.get(key)]
        for key in sorted(({*wanted, *found}) - _FREE)
        if wanted.get(key) != found.get(key)
    }
    if differs and not anyway:
        told = ", ".join(f"{key}: {a!r} → {b!r}" for key, (a, b) in differs.items())
        raise UsageError(f"{path.name} is not {entry.name}: {told}", remedy="--anyway records it")
    metrics, ledger, summary = (
        run.read_json(f"{name}.json") for name in ("metrics", "ledger", "summary")
    )
    splits: dict[str, Any] = {}
    for split in ("valid", "test"):
        kept = dict(metrics.get(split) or {})
        kept.pop("per_relation", None)
        splits[split] = kept or None
    ended = (path / "metrics.json").stat().st_mtime
    keys = ("parameters", "epochs", "best_epoch", "seconds")
    return {
        "name": entry.name,
        "command": entry.command,
        "date": datetime.fromtimestamp(ended).date().isoformat(),
        "hardware": ledger["hardware"],
        "status": "finished",
        "seconds": round(ledger["wall_seconds"], 1),
        "limit": entry.limit,
        "recorded": "from a finished run folder",
        **({"over_limit": True} if ledger["wall_seconds"] > entry.limit else {}),
        **({"differs_from_command": differs} if differs else {}),
        "config": {
            "data": {key: config["data"].get(key) for key in ("name", "hash")},
            **{key: config[key] for key in ("method", "protocol", "parameters") if key in config},
        },
        "fit": {key: summary.get(key) for key in keys},
        "ledger": ledger,
        **splits,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--anyway", action="store_true", help="though it was another command")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    asked = parser.parse_args()
    places = Places(asked.root.resolve())
    try:
        entries = read_entries(places.list)
        entry = next((entry for entry in entries if entry.name == asked.name), None)
        if entry is None:
            raise UnknownParameter(
                f"no run is named {asked.name!r}",
                remedy=suggest(asked.name, [entry.name for entry in entries]) or "see runs.toml",
            )
        result = record_run(asked.run, entry, anyway=asked.anyway)
        places.results.mkdir(parents=True, exist_ok=True)
        write_atomic(places.results / f"{entry.name}.json", json.dumps(result, indent=1) + "\n")
        write_readme(places.results, entries, places)
        over = ", over its limit" if result.get("over_limit") else ""
        print(f"{entry.name}: {describe(result)}{over}")
    except ParsimonyError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
