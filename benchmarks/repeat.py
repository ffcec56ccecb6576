"""Rows of the results again, by the command beside them: ``python benchmarks/repeat.py NAME…``.

A row is repeated if the new figure of the test split lies inside the recorded 95 % interval. Names
are those of ``runs.toml`` with their seed; ``results/repeated.json`` keeps what was found.
"""

import json
import shlex
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from run_all import read_runs

from parsimony.run import write_atomic
from parsimony.version import __version__

RESULTS = Path(__file__).parent / "results"
FILE = RESULTS / "repeated.json"


def repeat(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train a row anew, and compare it with what is recorded."""
    recorded = json.loads((RESULTS / f"{entry['name']}.json").read_bytes())["test"]
    parsimony = [sys.executable, "-m", "parsimony"]
    words = [*shlex.split(entry["command"])[1:], "--out", str(folder), "--quiet"]
    subprocess.run(parsimony + words, check=True)
    asked = [*parsimony, "evaluate", str(folder), "--split", "test", "--json", "--quiet"]
    found = json.loads(subprocess.run(asked, check=True, capture_output=True).stdout)
    summary = json.loads((folder / "summary.json").read_bytes())
    low, high = recorded["interval"]["mrr"]
    again = found["metrics"]["mrr"]
    return {
        "name": entry["name"], "command": entry["command"], "date": date.today().isoformat(),
        "version": __version__, "mrr": again, "recorded": recorded["metrics"]["mrr"],
        "interval": [low, high], "within": low <= again <= high,
        "epochs": summary["epochs"], "ended": summary["ended"],
    }  # fmt: skip


def main(names: list[str]) -> None:
    known = {entry["name"]: entry for entry in read_runs(Path(__file__).parent / "runs.toml")}
    kept = {row["name"]: row for row in json.loads(FILE.read_bytes())} if FILE.exists() else {}
    for name in names:
        with tempfile.TemporaryDirectory() as place:
            kept[name] = repeat(known[name], Path(place) / "run")
        write_atomic(FILE, json.dumps([kept[key] for key in sorted(kept)], indent=1) + "\n")
        print(json.dumps(kept[name]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
