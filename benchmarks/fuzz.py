"""Mangled inputs for every reader and every file of a run: an answer or a clear error.

    python benchmarks/fuzz.py --n 20000 --out benchmarks/results/fuzz.json
    python benchmarks/fuzz.py --only 'run redgnn' --n 500          # one target
    python benchmarks/fuzz.py --case 1234 --keep FOLDER            # one input again, and look at it

First every input is tried undamaged. Then each case takes one, damages it (bytes, lines, tokens,
the tree of a JSON or TOML file, shape, type and values of an array), seals a run again, and types a
command. It fails where a command

* ends with another exit code than 0, 1 or 2, or prints a traceback,
* prints something else than one strict JSON object,
* takes more than 20 seconds (--seconds) or the process more than 2 GiB,
* or leaves a temporary file behind.

Exit 1 is a training that diverged, or a list of which some entries are unknown.

Case ``i`` of a seed is the same on every machine.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import multiprocessing
import multiprocessing.connection
import os
import random
import resource
import shlex
import shutil
import sys
import tarfile
import tempfile
import threading
import time
import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "benchmarks")]

SECONDS = 20.0
MEMORY = 2 << 30
RUNS = ROOT / "tests" / "fixtures" / "runs_0_1"
QUIET = ("--json", "--quiet")

TOKENS = [
    "", " ", "\t", "\n", "\r\n", ",", '"', "'", '""', '"a\nb"', "\\", "#", ";", "=", "?", "*",
    "[", "]", "{", "}", "<", ">", "<a>", "_:b", "^^", "@en", ".", "\x00", "\x1b]52;c;eA==\x07",
    "=1+1", "\x7f",
    "\ufeff", "\u202e", "\u2028", "\x85", "\xa0", "e\u0301", "é", "日本", "😀", "\\ud800",
    "\\u0000", "\\U00110000", "nan", "NaN", "inf", "-Infinity", "null", "None", "true", "0",
    "-0", "-1", "1.0",
    "01", "1e39", "1e999", "-1e-400", "2147483648", "9223372036854775808", "1" * 400, "1" * 5000,
    "x" * 70000, "[" * 3000, "{" * 3000, "(" * 3000, "[[" * 40, "C" * 3000, "C1CC", "../../x",
    "a/../b", "/etc/passwd", "<-", ":-", "X", "Y", "user,item,rating", "smiles",
    "head\trelation\ttail",
    "2024-01-01", "1970-01-01T00:00:00Z", "%s", "{0}", "{{", "</script>", "0x10", "1_000", "٣",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**70), 10**400, 0.5, 1e300, "", "x", "nan",
    "../x", "x" * 5000, "\x1b[2J", [], {}, [[]], [1, "a"], {"a": None}, [None] * 3, {"": {}},
    float("nan"),
    float("inf"),
]  # fmt: skip


# ---- damage ----------------------------------------------------------------------------------


def damaged(path: Path, rng: random.Random) -> bytes:
    """Return the bytes of a file, damaged in a way that fits its kind."""
    data = path.read_bytes()
    ways: list[Callable[[bytes, random.Random], bytes]] = [of_bytes]
    suffix = path.suffix
    if suffix in (".json", ".jsonl"):
        ways = [of_json, of_json, of_json, of_text, of_bytes]
    elif suffix == ".toml":
        ways = [of_toml, of_toml, of_text, of_bytes]
    elif suffix == ".npy":
        ways = [of_array, of_array, of_array, of_bytes]
    elif suffix == ".safetensors":
        ways = [of_tensors, of_tensors, of_tensors, of_bytes]
    elif suffix == ".parquet":
        ways = [of_parquet, of_parquet, of_bytes]
    elif b"\0" not in data[:1000]:
        ways = [of_text, of_text, of_text, of_lines, of_lines, of_bytes]
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        try:
            data = rng.choice(ways)(data, rng)
        except Exception:
            data = of_bytes(data, rng)
    return data


def of_bytes(data: bytes, rng: random.Random) -> bytes:
    raw = bytearray(data)
    way = rng.randrange(6)
    at = rng.randrange(len(raw) + 1)
    if way == 0:
        del raw[at:]
    elif way == 1:
        raw[at:at] = rng.randbytes(rng.choice((1, 4, 100)))
    elif way == 2:
        del raw[at : at + rng.choice((1, 8, 200))]
    elif way == 3:
        raw[at:at] = raw[at // 2 : at]
    elif way == 4:
        packed = gzip.compress(data, mtime=0)
        wide = data.decode("latin1").encode("utf-16")
        raw = bytearray(rng.choice((b"", b"\xff\xfe" + data, packed, wide, b"PK\x03\x04" + data)))
    else:
        for _ in range(rng.choice((1, 3, 20))):
            if raw:
                raw[rng.randrange(len(raw))] = rng.randrange(256)
    return bytes(raw)


def of_text(data: bytes, rng: random.Random) -> bytes:
    text = data.decode("utf-8", "surrogateescape")
    spots = [i for i, c in enumerate(text) if c in '\t,"\n =[]{}<>.:'] or [0]
    at = rng.choice((rng.choice(spots), rng.randrange(len(text) + 1)))
    end = min([i for i in spots if i > at], default=at)
    new = rng.choice(TOKENS)
    way = rng.randrange(3)
    if way == 0:
        text = text[:at] + new + text[at:]
    elif way == 1:
        text = text[: at + 1] + new + text[end:]
    else:
        text = text.replace(text[at : at + 1] or "a", new[:20], rng.choice((1, 3, 1000)))
    return text[: 4 << 20].encode("utf-8", "surrogatepass" if rng.random() < 0.1 else "replace")


def of_lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    way = rng.randrange(7)
    if way == 0:
        lines[i] = b"\n"
    elif way == 1:
        lines[i] = lines[j]
    elif way == 2:
        lines[i], lines[j] = lines[j], lines[i]
    elif way == 3:
        lines = lines[:i]
    elif way == 4:
        lines = lines[i:]
    elif way == 5:
        lines[i] = lines[i].rstrip(b"\n")
    else:
        lines = [line.replace(b"\n", rng.choice((b"\r\n", b"\r"))) for line in lines]
    return b"".join(lines)


def of_tree(value: Any, rng: random.Random) -> Any:
    """Change one node of a tree of dictionaries and lists."""
    places: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        node = waiting.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node))
        for key in keys:
            places.append((node, key))
            if isinstance(node[key], (dict, list)):
                waiting.append(node[key])
    if not places or rng.random() < 0.05:
        return rng.choice(VALUES)
    node, key = rng.choice(places)
    way = rng.randrange(5)
    if way == 0:
        del node[key]
    elif way == 1 and isinstance(node, dict):
        node[rng.choice(("x", "", "é", key + "x"))] = node.pop(key)
    elif way == 2:
        other, name = rng.choice(places)
        if (isinstance(other, dict) and name in other) or (
            isinstance(other, list) and name < len(other)
        ):
            node[key] = other[name]
    elif way == 3 and isinstance(node[key], (int, float)):
        node[key] = rng.choice((-1, 2, 1000, 1e9, -0.5)) * (node[key] or 1)
    else:
        node[key] = rng.choice(VALUES)
    return value


def of_json(data: bytes, rng: random.Random) -> bytes:
    lines = data.decode().strip().split("\n")
    try:
        return json.dumps(of_tree(json.loads(data), rng)).encode() + b"\n"
    except ValueError:
        i = rng.randrange(len(lines))
        lines[i] = json.dumps(of_tree(json.loads(lines[i]), rng))
        return "\n".join(lines).encode() + b"\n"


def of_toml(data: bytes, rng: random.Random) -> bytes:
    import tomli_w

    return tomli_w.dumps(of_tree(tomllib.loads(data.decode()), rng)).encode()


def other_array(array: Any, rng: random.Random) -> Any:
    import numpy as np

    array = np.array(array)
    way = rng.randrange(7)
    if way == 0:
        return array[: len(array) // 2] if array.ndim else np.zeros(3)
    if way == 1:
        return array.reshape(-1) if rng.random() < 0.5 else array[None]
    if way == 2:
        return array.astype(
            rng.choice(("float32", "int64", "int8", "uint64", "S4", "bool", "complex64"))
        )
    if way == 3:
        return np.concatenate([array, array]) if array.ndim else np.zeros((2, 2))
    if way == 4:
        return np.zeros(rng.choice(((0,), (0, 3), (5,), (2, 2, 2))), array.dtype)
    flat = array.reshape(-1)
    if len(flat):
        bad: Any = rng.choice((-1, 2**31 - 1, 10**6, 0))
        if flat.dtype.kind == "f":
            bad = rng.choice((float("nan"), float("inf"), -1e38, 1e38, 0.0))
        spots = [rng.randrange(len(flat)) for _ in range(rng.choice((1, 3, 1000)))]
        with np.errstate(all="ignore"):
            flat[spots] = np.array(bad).astype(flat.dtype)
    return array


def of_array(data: bytes, rng: random.Random) -> bytes:
    import numpy as np

    stream = io.BytesIO()
    np.save(stream, other_array(np.load(io.BytesIO(data)), rng))
    return stream.getvalue()


def of_tensors(data: bytes, rng: random.Random) -> bytes:
    from safetensors.numpy import load, save

    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    tensors = load(data)
    name = rng.choice(sorted(tensors))
    if rng.random() < 0.2:
        del tensors[name]
    else:
        tensors[name] = other_array(tensors[name], rng)
    return save(tensors, header.get("__metadata__"))


def of_parquet(data: bytes, rng: random.Random) -> bytes:
    import polars as pl

    frame = pl.read_parquet(io.BytesIO(data))
    name = rng.choice(frame.columns)
    kinds: list[Any] = [
        pl.Int64,
        pl.Float32,
        pl.Binary,
        pl.Categorical,
        pl.List(pl.String),
        pl.Boolean,
    ]
    way = rng.randrange(5)
    if way == 0:
        frame = frame.drop(name)
    elif way == 1:
        frame = frame.rename({name: rng.choice(TOKENS)[:50]})
    elif way == 2:
        frame = frame.with_columns(pl.col(name).hash().alias(name))
    elif way == 3:
        frame = frame.with_columns(
            pl.col(name).cast(pl.String).cast(rng.choice(kinds), strict=False)
        )
    else:
        frame = frame.with_columns(
            pl.lit(rng.choice((None, float("nan"), "", 1e39, "x"))).alias(name)
        )
    stream = io.BytesIO()
    frame.write_parquet(stream)
    return stream.getvalue()


# ---- targets ---------------------------------------------------------------------------------


@dataclass
class Target:
    """A valid input and what is done with it.

    Parameters
    ----------
    source
        A file or folder, copied before each case.
    commands
        What is typed: INPUT is the copy, one of the commands a case.
    files
        Names of the files that may be damaged; all by default.
    sealed
        The input is a run, sealed again after the damage.
    """

    source: Path
    commands: tuple[str, ...]
    files: tuple[str, ...] = ("**/*",)
    sealed: bool = False


def targets(corpus: Path) -> dict[str, Target]:
    """Write the valid inputs and return the targets by name."""
    import polars as pl
    from small_data import write_cyp_part, write_molecules, write_ratings, write_royal_part

    royal = write_royal_part(corpus / "royal_part", facts=200)
    drugs = write_cyp_part(corpus / "cyp_part", drugs=30)
    write_molecules(corpus / "molecules", lengths=2)
    write_ratings(corpus / "ratings", users=20, items=12, rated=8)
    facts = [line.split("\t") for line in (royal / "train.txt").read_text().splitlines()]
    files = corpus / "files"
    files.mkdir()
    named = [(h, r, t) for h, r, t in facts[:150]]
    (files / "facts.tsv").write_text("".join("\t".join(row) + "\n" for row in named))
    (files / "facts.txt").write_text("".join(" ".join(row) + "\n" for row in named))
    (files / "facts.csv").write_text(
        "id,head,relation,tail\n"
        + "".join(f'{i},"{h}",{r},"{t}"\n' for i, (h, r, t) in enumerate(named))
    )
    frame = pl.DataFrame(named, schema=["head", "relation", "tail"], orient="row")
    frame.write_parquet(files / "facts.parquet")
    spelled = [tuple(name.encode("ascii", "ignore").decode() for name in row) for row in named]
    triples = [f"<urn:e:{h}> <urn:r:{r}> <urn:e:{t}> .\n" for h, r, t in spelled]
    labels = [f'<urn:e:{h}> <urn:r:label> "{h}"@en .\n' for h, _, _ in spelled[:9]]
    (files / "facts.nt").write_text("".join(triples + labels))
    (files / "facts.ttl").write_text("@prefix e: <urn:e:> .\n" + "".join(triples + labels))
    (files / "facts.rdf").write_text(
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:r="urn:r:">\n'
        + "".join(
            f'<rdf:Description rdf:about="urn:e:{h}"><r:{r} rdf:resource="urn:e:{t}"/>'
            "</rdf:Description>\n"
            for h, r, t in spelled
        )
        + "</rdf:RDF>\n"
    )
    rated = corpus / "ratings" / "ratings.csv"
    pl.read_csv(rated).write_parquet(files / "ratings.parquet")
    a, *_, b = sorted({r for _, r, _ in facts})
    (files / "rules.txt").write_text(
        f"# two rules\n0.75  9/12  {a}(X,Y) <- {b}(X,A), {a}(A,Y)\n{b}(X,Y) <- {b}(Y,X)\n"
    )
    first = facts[0]
    (files / "queries.tsv").write_text(
        f"head\trelation\ttail\n{first[0]}\t{first[1]}\t?\n?\t{first[1]}\t{first[2]}\n"
    )
    (files / "candidates.txt").write_text(f"{first[0]}\n{first[2]}\n")
    (files / "new_drug.toml").write_text(
        'name = "newdrugin"\nsmiles = "CC(=O)Oc1ccccc1C(=O)O"\n\n'
        '[[facts]]\nrelation = "inhibits_strongly"\nentity = "CYP3A4"\n'
    )
    (files / "symbol.toml").write_text(
        'symbol = """\n 1  0  0  0\n 0  2  0  0\n 0  0  3  0\n 0  0  0 -4\n"""\n'
    )
    mirror = corpus / "mirror"
    mirror.mkdir()
    _write_archive(mirror, royal)
    audit = ("audit INPUT",)
    asked = json.loads((RUNS / "redgnn.json").read_text())["asked"]
    link = next(iter(asked))
    found: dict[str, Target] = {
        f"facts {suffix}": Target(files / f"facts.{suffix}", (*audit, "rules INPUT --max-length 1"))
        for suffix in ("tsv", "txt", "csv", "parquet", "nt", "ttl", "rdf")
    }
    found["columns"] = Target(files / "facts.csv", ("audit INPUT --columns tail,relation,head",))
    found["dataset folder"] = Target(royal, audit)
    found["rules"] = Target(files / "rules.txt", (f"apply INPUT {royal}",))
    fit = "--epochs 1 --set dim=4 --set threads=1 --out out"
    found["symbol"] = Target(
        files / "symbol.toml", (f"fit {royal} --method bilinear --symbol INPUT {fit}",)
    )
    found["queries"] = Target(
        files / "queries.tsv",
        tuple(
            f"predict {RUNS / 'rules'} --queries INPUT --out out.{s}" for s in ("parquet", "csv")
        ),
    )
    found["candidates"] = Target(
        files / "candidates.txt",
        (f"{link.replace('RUN', str(RUNS / 'rules'))} --candidates INPUT",),
    )
    means = "fit INPUT --task coldstart --method means --set support=3 --out out"
    found["ratings csv"] = Target(rated, (means, means.replace(" --task coldstart", ""), *audit))
    found["ratings parquet"] = Target(files / "ratings.parquet", (means,))
    found["pairs folder"] = Target(drugs, ("fit INPUT --task ddi --method prior --out out",))
    found["new drug"] = Target(
        files / "new_drug.toml", (f"ddi add-drug {RUNS / 'walks'} --file INPUT",)
    )
    # Molecules are read where RDKit is installed.
    few = "fit INPUT --task molecules --method tanimoto --set shots=[2] --set episodes=1 --out out"
    table = corpus / "molecules" / "chains.csv"
    found["molecules"] = Target(corpus / "molecules", (few.replace("INPUT", "INPUT/chains.csv"),))
    found["molecules csv"] = Target(table, (few.replace(" --task molecules", ""),))
    for name, run in (("molecules", "tanimoto"), ("ratings", "means")):
        prefix = "" if name == "molecules" else "ratings_"
        support, ask = (str(RUNS / f"{prefix}{part}.csv") for part in ("support", "asked"))
        typed = f"adapt {RUNS / run} --support {support} --predict {ask}"
        found[f"{name} support"] = Target(Path(support), (typed.replace(support, "INPUT"),))
        found[f"{name} asked"] = Target(
            Path(ask), (typed.replace(ask, "INPUT"), typed.replace(ask, "INPUT") + " --out out.csv")
        )
    found["mirror"] = Target(mirror, ("datasets get umls --mirror INPUT",))
    for record in sorted(RUNS.glob("*.json")):
        told = json.loads(record.read_text())
        questions = [words.replace("RUN", "INPUT") for words in told.get("asked", ())]
        resume = f"{told['command']} --out INPUT --resume"
        commands = ["evaluate INPUT", "report INPUT", *questions]
        if "asked" not in told:
            commands = [resume, resume, "evaluate INPUT"]
        found[f"run {record.stem}"] = Target(
            record.with_suffix(""), tuple(commands), sealed="asked" in told
        )
    return found


def _write_archive(mirror: Path, folder: Path) -> None:
    import hashlib

    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        tar.add(folder, "umls")
    data = stream.getvalue()
    (mirror / "kg_umls.tar.gz").write_bytes(data)
    told = {"name": "umls", "file": "kg_umls.tar.gz", "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(), "licence": "CC0"}  # fmt: skip
    (mirror / "manifest.json").write_text(json.dumps({"datasets": [told]}))


# ---- cases -----------------------------------------------------------------------------------


def prepare(target: Target, folder: Path, rng: random.Random | None) -> str:
    """Copy and damage an input into ``folder``; return the command to type.

    Without a generator nothing is damaged, and the command is the first one.
    """
    copy = folder / target.source.name
    if target.source.is_dir():
        shutil.copytree(target.source, copy)
        paths = sorted({p for glob in target.files for p in copy.glob(glob) if p.is_file()})
    else:
        shutil.copy(target.source, copy)
        paths = [copy]
    name = str(copy.relative_to(folder))
    if rng is None:
        return target.commands[0].replace("INPUT", name)
    seal = "checksums.json"
    paths = [path for path in paths if path.name != seal or rng.random() < 0.2]
    path = rng.choice(paths)
    way = rng.random()
    if len(paths) > 1 and way < 0.05:
        path.unlink()
    elif len(paths) > 1 and way < 0.1:
        path.write_bytes(rng.choice(paths).read_bytes())
    else:
        path.write_bytes(damaged(path, rng))
    if target.source.name == "mirror" and path.name.endswith(".gz"):
        # The manifest fits the damaged archive: what is inside is looked at.
        import hashlib

        told = json.loads((copy / "manifest.json").read_text())
        data = path.read_bytes() if path.exists() else b""
        told["datasets"][0] |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        (copy / "manifest.json").write_text(json.dumps(told))
    if target.sealed and path.name != seal and rng.random() < 0.95:
        from parsimony.run.seal import seal as seal_again

        for sums in sorted(copy.rglob(seal), key=lambda p: -len(p.parts)):
            seal_again(sums.parent)
    return rng.choice(target.commands).replace("INPUT", name)


def strict(text: str) -> Any:
    """Parse JSON, refusing NaN and infinity."""

    def refuse(name: str) -> None:
        raise ValueError(f"{name} in JSON")

    return json.loads(text, parse_constant=refuse)


def check(command: str, folder: Path) -> tuple[str, str]:
    """Type a command; return how it ended and what is wrong with that, or ""."""
    from typer.testing import CliRunner

    from parsimony.cli import app

    words = [*shlex.split(command), *QUIET]
    result = CliRunner().invoke(app, words)
    ended = f"exit {result.exit_code}"
    if result.exit_code not in (0, 1, 2):
        return ended, f"{ended}: {result.output[-2000:]}"
    if "Traceback" in result.stderr or "a bug in Parsimony" in result.stdout:
        return ended, f"traceback: {result.stderr[-3000:]}"
    try:
        value = strict(result.stdout)
    except ValueError as error:
        return ended, f"not JSON ({error}): {result.stdout[-500:]!r}"
    # An entry of a list that is unknown is told beside the answers to the others.
    partial = result.exit_code == 1 and isinstance(value, dict) and bool(value.get("unknown"))
    if not isinstance(value, dict) or (result.exit_code > 0) != ("error" in value or partial):
        return ended, f"{ended}, but printed {result.stdout[:500]!r}"
    if partial:
        return f"{ended} some unknown", ""
    if result.exit_code == 1 and value["error"]["type"] != "TrainingDiverged":
        return ended, f"exit 1: {value['error']}"
    left = [p for p in folder.rglob("*") if p.name.endswith(".tmp") or p.name.startswith(".unpack")]
    if left:
        return ended, f"left behind: {[str(p.relative_to(folder)) for p in left]}"
    return ended if not result.exit_code else f"{ended} {value['error']['type']}", ""


def worker(
    pipe: multiprocessing.connection.Connection, found: dict[str, Target], scratch: Path
) -> None:
    """Do the cases that the pipe names, until it names none."""
    import functools

    import torch
    from typer import testing

    # A process that types one command builds the tree of verbs once; so does this one.
    testing._get_command = functools.cache(testing._get_command)
    torch.set_num_threads(1)
    sys.setrecursionlimit(1000)
    os.environ["PARSIMONY_CACHE"] = str(scratch / "cache")
    for key in ("PARSIMONY_DATA", "PARSIMONY_MIRROR"):
        os.environ.pop(key, None)
    check("methods", Path.cwd())  # imports take their time on a busy machine
    pipe.send("ready")
    while (case := pipe.recv()) is not None:
        name, seed = case
        folder = scratch / "case"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        os.chdir(folder)
        command = prepare(found[name], folder, None if seed is None else random.Random(seed))
        pipe.send(("typed", command))
        pipe.send(("done", *check(command, folder)))
        shutil.rmtree(scratch / "cache" / "datasets", ignore_errors=True)
        pipe.send(("memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))


class Worker:
    """A process that does cases; killed and started anew when it hangs or grows."""

    def __init__(self, found: dict[str, Target], scratch: Path) -> None:
        self.found, self.scratch = found, scratch
        self.context = multiprocessing.get_context("spawn")  # Polars does not survive a fork
        self.process: Any = None

    def start(self) -> None:
        self.pipe, other = self.context.Pipe()
        self.process = self.context.Process(target=worker, args=(other, self.found, self.scratch))
        self.process.start()
        other.close()
        self.pipe.recv()

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process = None

    def do(self, name: str, seed: str | None, limit: float = SECONDS) -> tuple[str, str, str]:
        """Return what was typed, how it ended, and what was wrong."""
        if self.process is None:
            self.start()
        command = ended = wrong = ""
        end = time.monotonic() + limit
        try:
            self.pipe.send((name, seed))
            while True:
                if not self.pipe.poll(max(0.0, end - time.monotonic())):
                    self.stop()
                    return command, "hang", f"more than {limit:.0f} s"
                kind, *rest = self.pipe.recv()
                if kind == "typed":
                    command = rest[0]
                elif kind == "done":
                    ended, wrong = rest
                else:
                    break
        except (EOFError, OSError):
            code = self.process.exitcode
            self.stop()
            return command, "died", f"the process died ({code})"
        if rest[0] > MEMORY:
            self.stop()
            wrong = wrong or f"{rest[0] / 2**30:.1f} GiB"
        return command, ended, wrong


def fuzz(
    n: int, seed: int, only: str | None = None, first: int = 0, jobs: int = 1,
    limit: float = SECONDS,
) -> dict[str, Any]:  # fmt: skip
    """Do ``n`` cases, the targets in turn; return what happened."""
    scratch = Path(tempfile.mkdtemp(prefix="fuzz-"))
    began = time.monotonic()
    failures: list[dict[str, Any]] = []
    took: list[tuple[float, str]] = []
    ended: Counter[str] = Counter()
    try:
        found = targets(scratch / "corpus")
        names = [name for name in found if only is None or only in name]
        hand = Worker(found, scratch / "undamaged")
        for name in names:  # kernels are compiled, and what is damaged below is right
            command, end, wrong = hand.do(name, None, 600.0)
            # The unfinished runs are of a version whose checkpoints nobody resumes any more.
            if end != "exit 0" and not end.endswith("CheckpointVersionError"):
                failures.append({"case": -1, "target": name, "command": command,
                                 "wrong": wrong or end})  # fmt: skip
        hand.stop()
        waiting = iter(range(first, first + n))
        lock = threading.Lock()

        def work(number: int) -> None:
            hand = Worker(found, scratch / str(number))
            try:
                while True:
                    with lock:
                        i = next(waiting, None)
                    if i is None:
                        return
                    name, since = names[i % len(names)], time.monotonic()
                    command, end, wrong = hand.do(name, f"{seed}:{i}", limit)
                    with lock:
                        took.append((time.monotonic() - since, command))
                        ended[end] += 1
                        if wrong:
                            failures.append(
                                {"case": i, "target": name, "command": command, "wrong": wrong}
                            )
                            print(f"case {i} ({name}): {command}\n  {wrong}", file=sys.stderr)
                        if len(took) % 1000 == 0:
                            spent = time.monotonic() - began
                            print(
                                f"{len(took):,} cases, {len(failures)} failed, {spent:.0f} s",
                                file=sys.stderr, flush=True,
                            )  # fmt: skip
            finally:
                hand.stop()

        threads = [threading.Thread(target=work, args=(k,)) for k in range(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    words = f"--n {n} --seed {seed}" + (f" --only {only!r}" if only else "")
    return {
        "command": f"python benchmarks/fuzz.py {words} --jobs {jobs}",
        "date": date.today().isoformat(),
        "cases": n,
        "targets": len(names),
        "failures": sorted(failures, key=lambda failure: int(failure["case"])),
        "ended": dict(ended.most_common()),
        "slowest": max(took)[:2],
        "seconds": round(time.monotonic() - began),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="targets whose name contains this")
    parser.add_argument("--jobs", type=int, default=1, help="cases at a time")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of a case, at most")
    parser.add_argument("--case", type=int, help="do one case and print what it printed")
    parser.add_argument("--keep", type=Path, help="with --case: a folder for the damaged input")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    if asked.case is not None:
        return one(asked)
    result = fuzz(asked.n, asked.seed, asked.only, asked.first, asked.jobs, asked.seconds)
    text = json.dumps(result, indent=1) + "\n"
    if asked.out:
        asked.out.write_text(text)
    print(text)
    return 1 if result["failures"] else 0


def one(asked: argparse.Namespace) -> int:
    folder = asked.keep or Path(tempfile.mkdtemp(prefix="fuzz-"))
    folder.mkdir(parents=True, exist_ok=True)
    found = targets(folder.resolve() / "corpus")
    names = [name for name in found if asked.only is None or asked.only in name]
    name = names[asked.case % len(names)]
    (folder / "case").mkdir()
    os.chdir(folder / "case")
    command = prepare(found[name], Path.cwd(), random.Random(f"{asked.seed}:{asked.case}"))
    print(f"cd {Path.cwd()}; parsimony {command}")
    ended, wrong = check(command, Path.cwd())
    print(ended, wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
