"""The long runs of ``runs.toml``, one after another.

    python benchmarks/run_queue.py run [NAME…] [--background] [--fresh]
    python benchmarks/run_queue.py status [--json]

``run`` skips what has finished, goes on with what was killed and stops what exceeds its limit.
Each run leaves ``benchmarks/results/NAME.json``; its run folder and log are in
``runs/queue/NAME/``. ``status`` writes ``benchmarks/results/README.md``; what was not run stands
there as not run. (Not called queue.py: beside the other scripts that would hide Python's own.)
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from run_list import Entry, read_entries
from run_table import describe, write_readme

from parsimony.errors import ParsimonyError, RunExists, UnknownParameter, suggest
from parsimony.run import write_atomic
from parsimony.run.cost import processor
from parsimony.run.lock import FolderLock

HEARTBEAT = 5.0  # seconds between two notes of the time used: what a kill -9 can lose
GRACE = 30.0  # seconds between the request to stop and the kill
SPLITS = ("valid", "test")


@dataclass(frozen=True)
class Places:
    """Where the queue reads and writes."""

    root: Path

    @property
    def list(self) -> Path:
        """The list of runs."""
        return self.root / "benchmarks" / "runs.toml"

    @property
    def results(self) -> Path:
        """Recorded results; they belong to the repository."""
        return self.root / "benchmarks" / "results"

    @property
    def work(self) -> Path:
        """Run folders, logs and states; they do not."""
        return self.root / "runs" / "queue"

    def result(self, entry: Entry) -> dict[str, Any] | None:
        """The recorded result of an entry."""
        return _read_json(self.results / f"{entry.name}.json")

    def state(self, entry: Entry) -> dict[str, Any] | None:
        """What is known of an entry that has begun."""
        return _read_json(self.work / entry.name / "state.json")


# ---- running ---------------------------------------------------------------------------------


def run_all(places: Places, names: list[str], *, fresh: bool = False) -> int:
    """Execute what is not finished; returns the number of failures.

    The list is read anew before each run, so that it may be edited meanwhile.
    """
    places.work.mkdir(parents=True, exist_ok=True)
    places.results.mkdir(parents=True, exist_ok=True)
    lock = FolderLock(places.work)
    try:
        lock.acquire()
    except RunExists as error:
        # The lock's own words are about run folders.
        raise RunExists(
            error.message.replace("is writing to this run folder", "is executing the queue"),
            remedy="see: python benchmarks/run_queue.py status",
        ) from None
    tried: set[str] = set()
    failures = 0
    try:
        _require_known(names, read_entries(places.list))
        while True:
            waiting = [
                entry
                for entry in read_entries(places.list)
                if entry.name not in tried
                and (not names or {entry.name, entry.group} & set(names))
                and (fresh or not _finished(places.result(entry), entry))
            ]
            if not waiting:
                return failures
            entry = waiting[0]
            tried.add(entry.name)
            _say(f"{entry.name}: {entry.command}")
            result = execute(places, entry, fresh=fresh)
            write_atomic(places.results / f"{entry.name}.json", json.dumps(result, indent=1) + "\n")
            write_readme(places.results, read_entries(places.list), places)
            failures += result["status"] == "failed"
            _say(f"{entry.name}: {describe(result)}")
    finally:
        lock.release()


def execute(places: Places, entry: Entry, *, fresh: bool = False) -> dict[str, Any]:
    """Execute one entry, or go on with it, and collect its result."""
    folder = places.work / entry.name
    state = places.state(entry)
    if state is not None and (fresh or state["command"] != entry.command):
        _move_aside(folder)
        state = None
    folder.mkdir(parents=True, exist_ok=True)
    state = state or {"command": entry.command, "attempts": 0, "seconds": 0.0}
    arguments = _arguments(shlex.split(entry.command))
    if entry.trains:
        # A folder without a checkpoint starts afresh, so that --resume is always right.
        arguments += ["--out", str((folder / "run").relative_to(places.root))]
        arguments += ["--resume", "--json", "--quiet"]
    elif entry.resumable and state["attempts"]:
        arguments.append("--resume")
    state["attempts"] += 1
    code = _limited(arguments, places, folder, state, entry.limit)
    output = _last_json((folder / "out").read_text(encoding="utf-8", errors="replace"))
    result: dict[str, Any] = {
        "name": entry.name,
        "command": entry.command,
        "date": date.today().isoformat(),
        "commit": _commit(places.root),
        "hardware": processor(),
        "status": {None: "stopped at its limit", 0: "finished"}.get(code, "failed"),
        "seconds": round(state["seconds"], 1),
        "limit": entry.limit,
        "attempts": state["attempts"],
    }
    if result["status"] == "failed":
        result["error"] = _error(output, folder, code)
    elif entry.trains:
        try:
            result |= _of_run(places, folder / "run", output, finished=code == 0)
        except ParsimonyError as error:
            result |= {"status": "failed", "error": str(error)}
    elif code == 0:
        result["result"] = output
    return {**_without_places(result, places.root), "command": entry.command}


def _limited(
    arguments: list[str], places: Places, folder: Path, state: dict[str, Any], limit: float
) -> int | None:
    """Execute a command for what is left of its limit: its exit code, None where it was stopped.

    The state keeps the seconds used, so that an interrupted queue does not give them twice.
    """
    before, begin = state["seconds"], time.monotonic()

    def note(status: str) -> float:
        state["seconds"] = before + time.monotonic() - begin
        write_atomic(folder / "state.json", json.dumps(state | {"status": status}) + "\n")
        return limit - float(state["seconds"])

    if note("running") <= 0:
        (folder / "out").touch()
        return None
    with (folder / "out").open("wb") as out, (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            arguments, cwd=places.root, stdin=subprocess.DEVNULL, stdout=out, stderr=log,
            start_new_session=True, preexec_fn=_prepare_child,
        )  # fmt: skip
        try:
            while (left := note("running")) > 0:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = process.wait(min(left, HEARTBEAT))
                    note("ended")
                    return code
            _stop(process)
            note("stopped")
            return None
        except BaseException:
            _stop(process)
            note("interrupted")
            raise


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a process group to stop, then end it."""
    for sign, patience in ((signal.SIGINT, GRACE), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            return


def _prepare_child() -> None:
    """Let the command be stopped politely, and let Linux kill it when the queue is killed.

    A shell's ``&`` leaves interrupts ignored; and after a kill -9 of the queue the next one would
    run beside the orphan.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def _arguments(words: list[str]) -> list[str]:
    """Return the words of a command with this very Python behind them."""
    first = [sys.executable, "-m", "parsimony"] if words[0] == "parsimony" else [sys.executable]
    return first + words[1:]


def _move_aside(folder: Path) -> None:
    """Keep what an earlier command made, under another name."""
    number = 1
    while (target := folder.with_name(f"{folder.name}.old{number}")).exists():
        number += 1
    folder.rename(target)


# ---- results ---------------------------------------------------------------------------------


def _of_run(
    places: Places, run: Path, fitted: dict[str, Any] | None, *, finished: bool
) -> dict[str, Any]:
    """Configuration, bill and evaluation of a run folder; how far it came, where it was stopped."""
    with contextlib.suppress(FileNotFoundError):
        config = tomllib.loads((run / "config.toml").read_text(encoding="utf-8"))
        data = {key: config.get("data", {}).get(key) for key in ("name", "hash")}
        kept = {key: config[key] for key in ("method", "protocol", "parameters") if key in config}
        config = {"data": data, **kept}
        if not finished:
            return {"config": config, "last_epoch": _last_epoch(run)}
        found = {split: _evaluate(places, run, split) for split in SPLITS}
        keys = ("parameters", "epochs", "best_epoch", "seconds")
        fit = {key: (fitted or {}).get(key) for key in keys}
        return {"config": config, "fit": fit, "ledger": _read_json(run / "ledger.json"), **found}
    return {}


def _evaluate(places: Places, run: Path, split: str) -> dict[str, Any] | None:
    """Return what ``parsimony evaluate --json`` prints, without the table of relations."""
    command = _arguments(["parsimony", "evaluate", str(run.relative_to(places.root))])
    done = subprocess.run(
        [*command, "--split", split, "--json", "--quiet"],
        cwd=places.root, capture_output=True, text=True, check=False,
        preexec_fn=_prepare_child,
    )  # fmt: skip
    result = _last_json(done.stdout) or {"error": {"message": done.stderr.strip()[-300:]}}
    if "error" not in result:
        result.pop("per_relation", None)  # metrics.json of the run folder has it
        return result
    if result["error"].get("type") == "EmptySplit":
        return None
    raise ParsimonyError(f"evaluating {split}: {result['error']['message']}")


def _last_epoch(run: Path) -> dict[str, Any] | None:
    with contextlib.suppress(FileNotFoundError, IndexError, ValueError):
        entry: dict[str, Any] = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
        entry.pop("time", None)
        return entry
    return None


def _last_json(text: str) -> Any:
    """Read an output that is JSON as a whole, or whose last line is."""
    lines = text.strip().splitlines()
    for part in (text, *lines[-1:]):
        with contextlib.suppress(ValueError):
            return json.loads(part)
    return lines[-1][-300:] if lines else None


def _error(output: Any, folder: Path, code: int | None) -> str:
    if isinstance(output, dict) and isinstance(output.get("error"), dict):
        parts = output["error"]
        return "; ".join(filter(None, (parts.get("message"), parts.get("remedy"))))
    lines = (folder / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"exit code {code}" + (f": {lines[-1][-300:]}" if lines else "")


def _without_places(value: Any, root: Path) -> Any:
    """Remove this machine's folders from every text: a record is to be read elsewhere."""
    if isinstance(value, dict):
        return {key: _without_places(item, root) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_places(item, root) for item in value]
    if not isinstance(value, str):
        return value
    value = value.replace(f"{root}/", "").replace(str(root), ".")
    return re.sub(r"(?<![\w./:\\-])/(?:[^\s/'\",;:()]+/)+", "…/", value)


def _commit(root: Path) -> str | None:
    """Return the commit that ran; with a + where tracked files differ from it."""

    def git(*words: str) -> str | None:
        with contextlib.suppress(OSError):
            done = subprocess.run(
                ["git", *words], cwd=root, capture_output=True, text=True, check=False
            )
            return done.stdout.strip() if done.returncode == 0 else None
        return None

    head = git("rev-parse", "--short", "HEAD")
    changed = git("status", "--porcelain", "--untracked-files=no", "--", "src")
    return head and head + ("+" if changed else "")


def _finished(result: dict[str, Any] | None, entry: Entry) -> bool:
    """Whether a result stands: it finished, or was stopped at the limit that it still has."""
    if result is None or result.get("command") != entry.command:
        return False
    stopped = result["status"] == "stopped at its limit"
    return result["status"] == "finished" or (stopped and result["limit"] >= entry.limit)


def _require_known(names: list[str], entries: list[Entry]) -> None:
    known = sorted({e.name for e in entries} | {e.group for e in entries})
    for name in names:
        if name not in known:
            raise UnknownParameter(
                f"no run is named {name!r}", remedy=suggest(name, known) or "see runs.toml"
            )


def _read_json(path: Path) -> dict[str, Any] | None:
    with contextlib.suppress(FileNotFoundError, ValueError):
        value = json.loads(path.read_bytes())
        return value if isinstance(value, dict) else None
    return None


# ---- the command line ------------------------------------------------------------------------


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def _start_in_background(places: Places, arguments: list[str]) -> None:
    places.work.mkdir(parents=True, exist_ok=True)
    log = places.work / "queue.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, __file__, *(word for word in arguments if word != "--background")],
            stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True,
        )  # fmt: skip
    print(f"process {process.pid} executes the queue; log: {log.relative_to(places.root)}")


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="execute what is not finished")
    run.add_argument("names", nargs="*", metavar="NAME", help="these only")
    run.add_argument("--background", action="store_true", help="return at once")
    run.add_argument("--fresh", action="store_true", help="again, from the beginning")
    status = verbs.add_parser("status", help="write and print the table")
    status.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    places = Places(asked.root.resolve())
    try:
        if asked.verb == "status":
            table = write_readme(places.results, read_entries(places.list), places)
            print(json.dumps(table.as_json()) if asked.json else table.as_text())
            return 0
        if asked.background:
            read_entries(places.list)  # a wrong list is told here, not in a log
            _start_in_background(places, arguments)
            return 0
        return 1 if run_all(places, asked.names, fresh=asked.fresh) else 0
    except ParsimonyError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted; the next `run` goes on", file=sys.stderr)
        return 130


def _as_interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _as_interrupt)
    sys.exit(main())
