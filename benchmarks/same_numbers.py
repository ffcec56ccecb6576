"""Every method, trained for a few steps with fixed seeds: are its numbers still the same?

Uses the command line alone, so that one script measures any two states of the code:

    python benchmarks/same_numbers.py --src OLD/src --out before.json
    python benchmarks/same_numbers.py --out after.json
    python benchmarks/same_numbers.py --compare before.json after.json

The comparison is a Markdown table; it exits with 1 where any number differs by more than
``--tolerance``, or any text. A row "…, resumed" was stopped and taken up again: it must equal the
row of its name in the same file. About four minutes on two idle cores, with compiled kernels.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from small_data import write_molecules, write_ratings

TOLERANCE = 1e-6
#: of a result: how long it took, where it lies, how it is worded
UNSTABLE = {
    "seconds", "queries_per_second", "seconds_per_task", "run", "time_budget",
    "notes", "weighing", "parts_note", "path_order",
}  # fmt: skip
#: made of the same scores as the metrics beside them: three quarters of the file
DETAILS = {"calibration", "strata", "per_relation", "abstention", "optimistic", "pessimistic"}

Flat = dict[str, float | str | None]

LINK = ("predict", "--head", "Leopold_I_of_Belgium", "--relation", "uncle", "--top", "5")
WHY_LINK = ("explain", "--head", "George_IV_of_the_United_Kingdom", "--relation", "uncle",
            "--tail", "Mary_Adelaide_of_Cambridge")  # fmt: skip
PAIR = ("ddi", "predict", "--drug", "warfarin", "--drug", "amiodarone")
WHY_PAIR = ("explain", "--head", "warfarin", "--tail", "amiodarone")
MOLECULES = ("adapt", "--support", "support.csv", "--predict", "asked.csv")
USER = ("adapt", "--support", "ratings_support.csv", "--predict", "ratings_asked.csv")


@dataclass(frozen=True)
class Case:
    """One training: a row of the table.

    Attributes
    ----------
    settings
        ``--set`` values.
    asked
        Verbs that the finished run answers.
    epochs
        Of ``fit``.
    first
        Limits of a first part, which is then resumed.
    verb
        ``fit``, or another verb that makes a run.
    """

    data: str
    method: str
    settings: str = ""
    asked: tuple[tuple[str, ...], ...] = ()
    epochs: int | None = None
    first: tuple[str, ...] = ()
    verb: tuple[str, ...] = ("fit",)

    def words(self, *limits: str) -> list[str]:
        """The command that makes the run."""
        words = [*self.verb, self.data]
        if self.method:
            words += ["--method", self.method]
        for setting in self.settings.split():
            words += ["--set", setting]
        epochs = () if self.epochs is None else ("--epochs", str(self.epochs))
        return [*words, *(limits or epochs)]


def cases() -> dict[str, Case]:
    """All rows: the 31 methods, variants that take other ways through training, searches."""
    link, pair = (LINK, WHY_LINK), (PAIR, WHY_PAIR)
    reasoner = "dim=16 n_layers=3 threads=1"
    vectors = "dim=16 batch=128 threads=1"
    found = {
        "redgnn": Case("royal", "redgnn", reasoner, link, 3),
        "adaprop": Case("royal", "adaprop", f"{reasoner} top_k=30", link, 2),
        "rules": Case("royal", "rules", "", link),
        "bilinear": Case(
            "royal", "bilinear", f"{vectors} symbol=SimplE reciprocal=true", (LINK,), 3
        ),
    }
    for method in ("complex", "distmult", "simple", "analogy", "transe", "rotate"):
        asked = link if method == "complex" else (LINK,)
        found[method] = Case("royal", method, vectors, asked, 4)
    emergnn = "dim=16 batch=64 threads=1"
    found |= {
        "neighbours": Case("cyp", "neighbours", "", (PAIR,)),
        "emergnn": Case("cyp", "emergnn", emergnn, pair, 3),
        "mlp": Case("cyp", "mlp", "hidden=32", (PAIR,), 3),
        "prior": Case("cyp", "prior", "", (PAIR,)),
        "ensemble": Case(
            "cyp", "ensemble", 'members=[{method="mlp"},{method="neighbours"}]', (PAIR,), 2
        ),
        "walks": Case("cyp", "walks", "signatures=300 iterations=20", pair),
    }
    shots = "shots=[3,1] episodes=3"
    for method in ("tanimoto", "fingerprint-ridge", "fingerprint-lr", "fingerprint-rf"):
        trees = " trees=20" if method == "fingerprint-rf" else ""
        found[method] = Case("chains.csv", method, shots + trees, (MOLECULES,))
    encoder = f"{shots} encoder=random layers=2 width=16 steps=6 every=2"
    relation = f"{encoder} dim=8 edge_dim=8"
    found |= {
        # "auto" without the public sets: an encoder is pre-trained on these molecules.
        "ridge": Case(
            "chains.csv", "ridge", encoder.replace("random", "auto"), (MOLECULES,)
        ),
        "prototype": Case("chains.csv", "prototype", f"{encoder} dim=8", (MOLECULES,)),
        "par": Case("chains.csv", "par", relation, (MOLECULES,)),
        "pacia": Case("chains.csv", "pacia", relation, (MOLECULES,)),
        "multitask": Case(
            "chains.csv", "multitask", f"{shots} hidden=16 batch=64 networks=2", (MOLECULES,), 4
        ),
    }  # fmt: skip
    user = "support=10"
    network = f"{user} dim=8 hidden=[16,8,8] context=8"
    found |= {
        "coldnas": Case("ratings.csv", "coldnas", f"{network} formula=FiLM", (USER,), 6),
        "film": Case("ratings.csv", "film", network, (USER,), 4),
    }
    for method in ("means", "popularity", "evidence", "ridge-head"):
        found[method] = Case("ratings.csv", method, user, (USER,))
    for name, first in (
        ("redgnn", ("--epochs", "2")),
        ("complex", ("--epochs", "2")),
        ("emergnn", ("--epochs", "2")),
        ("mlp", ("--epochs", "2")),
    ):
        whole = found[name]
        found[f"{name}, resumed"] = Case(
            whole.data, method=whole.method, settings=whole.settings, asked=whole.asked[:1],
            epochs=whole.epochs, first=first,
        )  # fmt: skip
    found |= {
        "redgnn, averaged": Case(
            "royal", "redgnn", f"{reasoner} average=0.9 mask_answers=true", (), 2
        ),
        "complex, sampled and averaged": Case(
            "royal", "complex", f"{vectors} negatives=16 average=0.5 every=2", (), 6
        ),
        "emergnn, published form": Case("cyp", "emergnn", f"{emergnn} form=published", (), 2),
        "mlp, averaged": Case("cyp", "mlp", "hidden=32 average=0.9 every=2", (), 4),
        "multitask, epochs chosen": Case(
            "chains.csv", "multitask", f"{shots} hidden=16 batch=64 most_epochs=6"
        ),
        "coldnas, two members": Case("ratings.csv", "coldnas", f"{network} members=2", (), 2),
        "search, greedy": Case(
            "royal", "", "dim=16 epochs=4 per_round=3 threads=1",
            verb=("search", "--trials", "6"),
        ),
        "search, supernet": Case(
            "royal", "", "dim=16 epochs=3 threads=1",
            verb=("search", "--trials", "5", "--algorithm", "supernet"),
        ),
        "search, modulation": Case(
            "ratings.csv", "", f"{user} dim=8 epochs=3",
            verb=("search", "--space", "modulation", "--trials", "5"),
        ),
    }  # fmt: skip
    return found


class Commands:
    """Types commands of one state of the code, one thread each, in a folder of their own."""

    def __init__(self, source: Path, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PARSIMONY_")},
            "PYTHONPATH": str(source),
            "PARSIMONY_CACHE": str(folder / "cache"),
            **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
        }

    def type(self, *words: str) -> Any:
        """Run one command and return its JSON."""
        command = [sys.executable, "-m", "parsimony", *words, "--json", "--quiet"]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def measure(self, name: str, case: Case) -> dict[str, Flat]:
        """Train, and return what was measured and answered."""
        out = "".join(c if c.isalnum() else "-" for c in name)
        place = ["--out", out]
        if case.first:
            self.type(*case.words(*case.first), *place)
            place.append("--resume")
        summary = self.type(*case.words(), *place)
        found: dict[str, Flat] = {"summary": flat(summary)}
        metrics = json.loads((self.folder / out / "metrics.json").read_text())
        found |= {split: flat(metrics[split]) for split in metrics}
        for words in case.asked:
            verbs = words[:2] if words[0] == "ddi" else words[:1]
            answer = self.type(*verbs, out, *words[len(verbs) :])
            found[" ".join(verbs)] = flat(answer)
        if case.first:
            found["evaluate"] = flat(self.type("evaluate", out))
            if changed := different(found["test"], found["evaluate"], TOLERANCE):
                raise RuntimeError(f"{name}: read again, the test is another: {changed}")
            del found["evaluate"]
        return found


def flat(value: Any, path: str = "") -> Flat:
    """Return the leaves of a result by their path, times and places left out."""
    if isinstance(value, dict):
        parts: Iterator[tuple[str, Any]] = (
            (str(k), v) for k, v in value.items() if k not in UNSTABLE | DETAILS
        )
    elif isinstance(value, list):
        parts = ((str(i), v) for i, v in enumerate(value))
    else:
        return {path: value if value is None or isinstance(value, str) else float(value)}
    found: Flat = {}
    for key, part in parts:
        found |= flat(part, f"{path}.{key}" if path else key)
    return found


def different(before: Flat, after: Flat, tolerance: float) -> dict[str, str]:
    """Return the leaves that differ, and how."""
    found = {}
    for key in {**before, **after}:
        if key not in before or key not in after:
            found[key] = "only after" if key in after else "only before"
        elif not gap(before[key], after[key]) <= tolerance:
            found[key] = f"{before[key]} → {after[key]}"
    return found


def gap(a: float | str | None, b: float | str | None) -> float:
    """How far two leaves are apart; infinitely where one is no number and they differ."""
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b)
    return 0.0 if a == b else math.inf


def compare(before: dict[str, Any], after: dict[str, Any], tolerance: float) -> int:
    """Print the table; return 1 where anything differs."""
    print("| method | metric | before | after | max abs difference |")
    print("| --- | --- | --- | --- | --- |")
    wrong: list[str] = []
    for name in {**before, **after}:
        if name not in before or name not in after:
            wrong.append(f"{name}: only {'after' if name in after else 'before'}")
            continue
        old, new = before[name], after[name]
        for part in {**old, **new}:
            a, b = old.get(part, {}), new.get(part, {})
            changed = different(a, b, tolerance)
            wrong += [f"{name}, {part}, {key}: {how}" for key, how in changed.items()]
            gaps = [gap(a[key], b[key]) for key in a if key in b]
            worst = f"{max(gaps, default=0.0):.1e}"
            shown = next((k for k in a if k.startswith("metrics.") and k in b), None)
            if shown:
                print(f"| {name} | {part} {shown.removeprefix('metrics.')} | {a[shown]} | "
                      f"{b[shown]} | {worst} of {len(gaps)} numbers |")  # fmt: skip
            else:
                print(f"| {name} | {part} | {len(a)} values | {len(b)} values | {worst} |")
    print(f"\n{len(wrong)} values differ by more than {tolerance:g}.")
    for line in wrong:
        print(f"- {line}")
    return int(bool(wrong))


def resumed_is_whole(found: dict[str, Any]) -> list[str]:
    """Return what differs between a resumed training and the uninterrupted one."""
    wrong = []
    for name in found:
        whole, comma, _ = name.partition(", resumed")
        if comma and whole in found:
            for part, values in found[name].items():
                changed = different(found[whole].get(part, {}), values, TOLERANCE)
                wrong += [f"{name}, {part}, {key}: {how}" for key, how in changed.items()]
    return wrong


def run(source: Path, only: Sequence[str], jobs: int, keep: Path | None) -> dict[str, Any]:
    """Measure all cases, or those whose name holds one of the words."""
    wanted = {n: c for n, c in cases().items() if not only or any(word in n for word in only)}
    folder = keep or Path(tempfile.mkdtemp(prefix="same-numbers-"))
    folder.mkdir(exist_ok=True)
    write_molecules(folder / "molecules")
    write_ratings(folder)
    for path in (folder / "molecules").iterdir():
        path.rename(folder / path.name)
    commands = Commands(source, folder)

    def one(item: tuple[str, Case]) -> tuple[str, dict[str, Flat]]:
        begin = time.perf_counter()
        try:
            found = commands.measure(*item)
        except RuntimeError as error:  # the other rows are wanted all the same
            print(error, file=sys.stderr)
            found = {}
        print(f"{item[0]}: {time.perf_counter() - begin:.1f} s", file=sys.stderr, flush=True)
        return item[0], found

    try:
        with ThreadPoolExecutor(jobs) as pool:
            return dict(pool.map(one, wanted.items()))
    finally:
        if keep is None:
            shutil.rmtree(folder)


def main() -> int:
    here = Path(__file__).resolve()
    parser = argparse.ArgumentParser(description="Are the numbers of all methods still the same?")
    parser.add_argument("--src", type=Path, default=here.parents[1] / "src", help="the code")
    parser.add_argument("--out", type=Path, help="where the numbers go")
    parser.add_argument("--compare", nargs=2, type=Path, metavar=("A.json", "B.json"))
    parser.add_argument("--tolerance", type=float, default=TOLERANCE)
    parser.add_argument("--only", nargs="*", default=(), help="parts of the names of rows")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="an empty folder that the runs stay in")
    given = parser.parse_args()
    if given.compare:
        before, after = (json.loads(path.read_text())["result"] for path in given.compare)
        return compare(before, after, given.tolerance)
    found = run(given.src.resolve(), given.only, given.jobs, given.keep)
    if given.out:
        record = {
            "command": "python benchmarks/same_numbers.py",
            "date": date.today().isoformat(),
            "hardware": f"{platform.machine()}, {os.cpu_count()} processors",
            "torch": version("torch"),
            "result": found,
        }
        given.out.write_text(json.dumps(record, indent=0) + "\n")
    wrong = resumed_is_whole(found) + [f"{name}: failed" for name in found if not found[name]]
    print("\n".join(wrong) or f"{len(found)} rows; every resumed training equals the whole one")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
