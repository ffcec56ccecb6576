"""SIGKILL at ten random moments of a training; resumed, it must end with the same files.

    python benchmarks/kill_test.py [DATA] [--epochs 4] [--kills 10] [--seed 0]

One training runs through. Another is killed again and again and taken up with ``--resume``: the
moments are spread over the epochs and over the evaluation and writing after the last one. A moment
at which it had ended already counts for nothing: the moments that are left are drawn anew in
another training. At the end metrics.json, the model and the configuration of each are compared
byte by byte with the first.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import record

COMPARED = ("metrics.json", "model.safetensors", "config.toml")


def command(data: str, run: Path, epochs: int, more: list[str]) -> list[str]:
    """A training that begins or goes on."""
    return [sys.executable, "-m", "parsimony", "fit", data, "--out", str(run),
            "--epochs", str(epochs), "--quiet", "--resume", *more]  # fmt: skip


def epochs_logged(run: Path) -> int:
    log = run / "log.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0


def follow(words: list[str], run: Path, epochs: int) -> list[float]:
    """Run to the end: seconds from the start to every epoch's end and to the process's."""
    begin = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    marks: list[float] = []
    while process.poll() is None:
        while len(marks) < min(epochs_logged(run), epochs):
            marks.append(time.perf_counter() - begin)
        time.sleep(0.02)
    if process.returncode:
        sys.exit(f"the training failed with exit code {process.returncode}")
    return [*marks, time.perf_counter() - begin]


def kill(words: list[str], run: Path, epoch: int, delay: float) -> bool:
    """Kill ``delay`` seconds after ``epoch`` epochs were logged; False where it had ended."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    while epochs_logged(run) < epoch and process.poll() is None:
        time.sleep(0.01)
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def kill_test(
    data: str, epochs: int, kills: int, seed: int, more: list[str] | None = None
) -> dict[str, Any]:
    """Compare a training that was killed with one that was not."""
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        straight = Path(folder) / "straight"
        marks = follow(command(data, straight, epochs, more or []), straight, epochs)
        trainings: list[Path] = []
        moments: list[dict[str, Any]] = []
        while len(moments) < kills:
            killed = Path(folder) / f"killed-{len(trainings) + 1}"
            trainings.append(killed)
            words = command(data, killed, epochs, more or [])
            # Sorted: a training cannot be killed before a moment that it has passed.
            for epoch in sorted(draw.randrange(epochs + 1) for _ in range(kills - len(moments))):
                span = marks[epoch] - (marks[epoch - 1] if epoch else 0.0)
                seconds = round(draw.uniform(0, span), 3)
                if not kill(words, killed, epoch, seconds):
                    break
                moments.append({"training": len(trainings), "epochs_logged": epoch,
                                "seconds_after": seconds})  # fmt: skip
                print(json.dumps(moments[-1]), file=sys.stderr)
            follow(words, killed, epochs)
        digest = {
            name: [hashlib.sha256((run / name).read_bytes()).hexdigest() for run in
                   (straight, *trainings)]
            for name in COMPARED
        }  # fmt: skip
        metrics = json.loads((trainings[-1] / "metrics.json").read_text())
    return {
        "data": data,
        "epochs": epochs,
        "kills": len(moments),
        "trainings": len(trainings),
        "moments": moments,
        "same": {name: len(set(sums)) == 1 for name, sums in digest.items()},
        "sha256": {name: sums[0] for name, sums in digest.items()},
        "test_mrr": metrics.get("test", {}).get("metrics", {}).get("mrr"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", nargs="?", default="family")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    result = kill_test(**vars(arguments))
    record("kill_test", result)
    if not all(result["same"].values()):
        sys.exit("the killed training ended differently")


if __name__ == "__main__":
    main()
