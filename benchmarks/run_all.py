"""The long runs of ``runs.toml``, one after another: ``python benchmarks/run_all.py [NAME…]``.

What has a result is skipped, what was interrupted goes on. A run's folder is ``runs/NAME``, its
result ``benchmarks/results/NAME.json``; ``benchmarks/results/README.md`` lists them all.
"""

import json
import shlex
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

from results_table import write_table

from parsimony.run import write_atomic


def read_runs(path: Path) -> list[dict[str, Any]]:
    """Return the entries of the list, one for each seed."""
    return [
        run if seed is None
        else {**run, "name": f"{run['name']}-{seed}", "command": f"{run['command']} --seed {seed}"}
        for run in tomllib.loads(path.read_text(encoding="utf-8"))["run"]
        for seed in run.get("seeds", [None])
    ]  # fmt: skip


def record(run: Path, entry: dict[str, Any]) -> dict[str, Any]:
    """Return what a finished run folder says of itself, without its table of relations."""
    config = tomllib.loads((run / "config.toml").read_text(encoding="utf-8"))
    config["data"] = {key: config["data"].get(key) for key in ("name", "hash")}
    fit, ledger, metrics = (
        json.loads((run / f"{name}.json").read_bytes()) for name in ("summary", "ledger", "metrics")
    )
    splits = {split: metrics.get(split) or {} for split in ("valid", "test")}
    for found in splits.values():
        found.pop("per_relation", None)
    fit = {key: fit.get(key) for key in ("parameters", "epochs", "best_epoch", "seconds")}
    told = {"date": date.today().isoformat(), "config": config, "fit": fit, "ledger": ledger}
    return {"name": entry["name"], "command": entry["command"], **told, **splits}


def main(names: list[str], here: Path = Path(__file__).parent) -> None:
    runs, results = read_runs(here / "runs.toml"), here / "results"
    for entry in runs:
        file, folder = results / f"{entry['name']}.json", Path("runs", entry["name"])
        done = file.exists() and json.loads(file.read_bytes())["command"] == entry["command"]
        if done or (names and entry["name"] not in names):
            continue
        print(f"{entry['name']}: {entry['command']}", flush=True)
        parsimony = [sys.executable, "-m", "parsimony"]
        words = [*shlex.split(entry["command"])[1:], "--out", str(folder), "--resume", "--quiet"]
        if subprocess.run(parsimony + words).returncode == 0:
            for split in ("valid", "test"):
                subprocess.run([*parsimony, "evaluate", str(folder), "--split", split, "--quiet"])
            write_atomic(file, json.dumps(record(folder, entry), indent=1) + "\n")
    write_table(runs, results)


if __name__ == "__main__":
    main(sys.argv[1:])
