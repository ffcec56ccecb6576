"""Every verb that writes, disturbed: nothing is lost, and nothing half-written stays.

    python benchmarks/interruptions.py [VERB ...] [--moments 2] [--seed 0]

Each verb runs undisturbed first. Then, in a folder of its own each time, it is killed (SIGKILL) or
stopped (SIGTERM) at random moments, meets a full disk (no file may grow beyond a limit, as
``ulimit -f`` sets it), a read-only folder, or a second process with the same command. After every
disturbance the same command, with ``--resume`` where it has one, runs to its end, and what it has
written is compared with the undisturbed result, byte by byte but for times and paths. ``lost`` says
what differed, ``left`` which temporary files or locks stayed.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from common import RESULTS, record

ROOT = Path(__file__).resolve().parents[1]
RUNS = ROOT / "tests" / "fixtures" / "runs_0_1"
ENTITIES = (RUNS / "rules" / "data" / "entities.txt").read_text().splitlines()
#: differ between equal runs: times, and where they are
FREE = {"summary.json", "ledger.json", "log.jsonl", "checksums.json", "search.json", "config.toml",
        "trials.jsonl", "symbols.png", "report.html", ".parsimony.json"}  # fmt: skip


@dataclass
class Verb:
    """A command, what it writes, and whether it goes on with --resume."""

    words: list[str]
    output: str
    resume: bool = False
    largest: int = 2000  # bytes that a file may have on the full disk
    files: dict[str, str] = field(default_factory=dict)
    setup: Callable[[Path], None] | None = None


def _undated(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime = 0
    return member


def _mirror(folder: Path) -> None:
    """A mirror with one archive; the cache is a folder of the test."""
    source = folder / "mirror"
    source.mkdir()
    data = folder / "tiny"
    data.mkdir()
    for split, count in (("train", 4000), ("valid", 40), ("test", 40)):
        rows = [f"e{i % 97}\tr{i % 3}\te{(i * 7 + 1) % 97}\n" for i in range(count)]
        (data / f"{split}.txt").write_text("".join(dict.fromkeys(rows)))
    with (
        gzip.GzipFile(source / "kg_umls.tar.gz", "wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        archive.add(data, "umls", filter=_undated)
    content = (source / "kg_umls.tar.gz").read_bytes()
    entry = {"name": "umls", "file": "kg_umls.tar.gz", "bytes": len(content), "licence": "none",
             "sha256": hashlib.sha256(content).hexdigest()}  # fmt: skip
    (source / "manifest.json").write_text(json.dumps({"datasets": [entry]}))
    shutil.rmtree(data)


def _ratings() -> str:
    draw = random.Random(0)
    rows = [
        f"u{u},i{i},{draw.randint(1, 5)}\n" for u in range(60) for i in draw.sample(range(40), 12)
    ]
    return "user,item,rating\n" + "".join(rows)


def _molecules() -> str:
    chains = ["C" * n + tail for n in range(1, 13) for tail in ("O", "N", "Cl", "S", "C(=O)O", "F")]
    rows = []
    for smiles in chains:
        labels = [int("O" in smiles), int("N" in smiles), int("Cl" in smiles), int("S" in smiles),
                  int(len(smiles) > 7), int("F" in smiles)]  # fmt: skip
        rows.append(smiles + "," + ",".join(map(str, labels)) + "\n")
    return "smiles,a,b,c,d,e,f\n" + "".join(rows)


VERBS = {
    "fit link": Verb(["fit", "royal", "--method", "complex", "--epochs", "6", "--set", "dim=32",
                      "--out", "run"], "run", True, 20_000),
    "fit ratings": Verb(["fit", "ratings.csv", "--method", "coldnas", "--task", "coldstart",
                         "--epochs", "3", "--out", "run"], "run", True, 3000,
                        {"ratings.csv": _ratings()}),
    "fit molecules": Verb(["fit", "chains.csv", "--task", "molecules", "--method", "tanimoto",
                           "--out", "run"], "run", True, 1000, {"chains.csv": _molecules()}),
    "fit ddi": Verb(["fit", "cyp", "--method", "mlp", "--epochs", "2", "--out", "run"],
                    "run", True, 20_000),
    "search": Verb(["search", "royal", "--trials", "3", "--set", "dim=8", "--set", "epochs=2",
                    "--set", "per_round=3", "--set", "threads=1", "--compare", "1",
                    "--out", "run"], "run", True, 1500),
    "predict --queries": Verb(
        ["predict", str(RUNS / "rules"), "--queries", "asked.csv", "--out", "answers.parquet"],
        "answers.parquet", False, 2000,
        {"asked.csv": "head,relation,tail\n" + f"{ENTITIES[0]},cousin,?\n" * 4000}),
    "explain": Verb(
        ["explain", str(RUNS / "rules"), "--head", ENTITIES[0], "--relation", "cousin", "--tail",
         ENTITIES[1], "--html", "why.html", "--dot", "why.dot"], "why.*", False, 400),
    "adapt": Verb(["adapt", str(RUNS / "means"), "--support", str(RUNS / "ratings_support.csv"),
                   "--predict", str(RUNS / "ratings_asked.csv"), "--out", "adapted.csv"],
                  "adapted.csv", False, 20),
    "rules": Verb(["rules", "royal", "--out", "rules.txt"], "rules.txt", False, 500),
    "report": Verb(["report", str(RUNS / "rules"), "--out", "page.html"], "page.html", False, 5000),
    "export": Verb(["export", str(RUNS / "complex"), "--out", "vectors.txt"], "vectors.txt", False,
                   500),
    "ddi screen": Verb(["ddi", "screen", str(RUNS / "neighbours"), "--drug", "ritonavir", "--out",
                        "partners.csv"], "partners.csv", False, 500),
    "datasets get": Verb(["datasets", "get", "umls", "--mirror", "mirror"], "cache", False, 1000,
                         {}, _mirror),
}  # fmt: skip


def prepared(verb: Verb) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="parsimony-"))
    for name, text in verb.files.items():
        (folder / name).write_text(text)
    if verb.setup is not None:
        verb.setup(folder)
    return folder


def start(verb: Verb, folder: Path, *, again: bool = False, limit: int | None = None) -> Any:
    def child() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    words = [*verb.words, *(["--resume"] if again and verb.resume else []), "--json", "--quiet"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if verb.setup is not None:
        environment |= {"PARSIMONY_CACHE": str(folder / "cache"), "PARSIMONY_DATA": ""}
    return subprocess.Popen([sys.executable, "-m", "parsimony", *words], cwd=folder, text=True,
                            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            preexec_fn=child)  # fmt: skip


def finish(process: Any) -> tuple[int, dict[str, Any]]:
    out, err = process.communicate(timeout=600)
    try:
        return process.returncode, json.loads(out)
    except ValueError:
        return process.returncode, {"error": {"type": "none", "message": err[-200:]}}


def result(verb: Verb, folder: Path) -> dict[str, str]:
    """Digests of what was written, but for what tells times and paths."""
    found = {}
    for top in folder.glob(verb.output):
        for path in sorted([top] if top.is_file() else top.rglob("*")):
            inside = path.relative_to(folder)
            private = any(part.startswith(".") or part == "checkpoints" for part in inside.parts)
            if path.is_file() and path.name not in FREE and not private:
                found[str(inside)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def left(folder: Path) -> list[str]:
    """Temporary files, locks and folders of shards."""
    odd = (".tmp", ".lock", ".parts")
    return [str(path.relative_to(folder)) for path in folder.rglob("*")
            if path.name.endswith(odd) or path.name.startswith(".making-")]  # fmt: skip


def disturbed(verb: Verb, kind: str, seconds: float, draw: random.Random) -> dict[str, Any]:
    """One disturbance and what came of the next undisturbed run."""
    folder = prepared(verb)
    found: dict[str, Any] = {}
    try:
        if kind in ("SIGKILL", "SIGTERM"):
            at = draw.uniform(0.3, 1.0) * seconds
            process = start(verb, folder)
            try:
                process.wait(at)
            except subprocess.TimeoutExpired:
                process.send_signal(getattr(signal, kind))
            found |= {"after_seconds": round(at, 2)}
            found["exit"], said = finish(process)
        elif kind == "full disk":
            found["exit"], said = finish(start(verb, folder, limit=verb.largest))
            found["error"] = said.get("error", {}).get("type")
        elif kind == "read-only":
            target = folder / verb.output.replace("*", "html")
            target.parent.mkdir(exist_ok=True)
            os.chmod(folder, 0o555)
            writable = os.access(folder, os.W_OK)
            found["exit"], said = finish(start(verb, folder))
            os.chmod(folder, 0o755)
            found["error"] = said.get("error", {}).get("type")
            if writable:
                found["note"] = "the superuser may write everywhere"
        else:
            both = [start(verb, folder) for _ in range(2)]
            ended = [finish(process) for process in both]
            found["exit"] = [code for code, _ in ended]
            found["error"] = [said.get("error", {}).get("type") for _, said in ended]
        found["left_by_it"] = left(folder) if kind != "SIGKILL" else []
        if not (result(verb, folder) and kind in ("two writers", "read-only")) and (
            found["exit"] != 0
        ):
            found["exit_again"], said = finish(start(verb, folder, again=True))
            if found["exit_again"]:
                found["error_again"] = said.get("error")
        found["left"], found["result"] = left(folder), result(verb, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def interruptions(names: list[str], moments: int, seed: int) -> list[dict[str, Any]]:
    rows = []
    for name in names or list(VERBS):
        verb, draw = VERBS[name], random.Random(f"{seed} {name}")
        folder = prepared(verb)
        finish(start(verb, folder))  # the first compiles kernels
        shutil.rmtree(folder)
        folder, begin = prepared(verb), time.perf_counter()
        code, said = finish(start(verb, folder))
        seconds = time.perf_counter() - begin
        right = result(verb, folder)
        shutil.rmtree(folder)
        if code or not right:
            rows.append({"verb": name, "kind": "undisturbed", "error": said.get("error")})
            print(json.dumps(rows[-1]), file=sys.stderr)
            continue
        kinds = [kind for kind in ("SIGKILL", "SIGTERM") for _ in range(moments)]
        for kind in [*kinds, "full disk", "read-only", "two writers"]:
            row = disturbed(verb, kind, seconds, draw)
            now = row.pop("result")
            lost = sorted(path for path in right | now if right.get(path) != now.get(path))
            rows.append({"verb": name, "kind": kind, **row, "lost": lost})
            print(json.dumps(rows[-1]), file=sys.stderr)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """A row for each verb and kind."""
    lines = [
        f"# Interruptions, {date.today().isoformat()}",
        "",
        "`python benchmarks/interruptions.py`: exit codes of the disturbed process; what was",
        "lost after the command was repeated; what was left behind.",
        "",
        "| verb | disturbance | exit | error | lost | left |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row["verb"], row["kind"], row.get("exit", ""), row.get("error") or "",
                 ", ".join(row.get("lost", [])) or "nothing",
                 ", ".join(row.get("left", [])) or "nothing"]  # fmt: skip
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verbs", nargs="*", metavar="VERB", help=f"of: {', '.join(VERBS)}")
    parser.add_argument("--moments", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows = interruptions(arguments.verbs, arguments.moments, arguments.seed)
    record("interruptions", rows)
    (RESULTS / "interruptions.md").write_text(table(rows))
    if any(row.get("lost") or row.get("left") or row["kind"] == "undisturbed" for row in rows):
        sys.exit("something was lost or left behind")


if __name__ == "__main__":
    main()
