"""What an error advises is done, and then it works.

Each row of ``remedies.txt`` causes an error through the real command line (or the Python interface,
where only that reaches it), finds the advice in the error, follows it, and types what it says.
The last test reads the sources: advice that names a command, an option, a variable or a file to
edit has a row here, or a reason why it cannot be tried everywhere.
"""

from __future__ import annotations

import ast
import functools
import http.server
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from string import Template

import pytest
from typer.testing import CliRunner

import parsimony
from parsimony.cli import app
from parsimony.errors import ParsimonyError
from parsimony.run.lock import FolderLock

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "parsimony"
OLD = ROOT / "tests" / "fixtures" / "runs_0_1"
sys.path.insert(0, str(ROOT / "benchmarks"))
from small_data import write_cyp_part, write_molecules, write_ratings, write_royal_part  # noqa: E402

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="the table is written for a POSIX shell"),
    pytest.mark.filterwarnings(
        "ignore::FutureWarning",  # names of old runs
        # of the connection that the refused request leaves to the collector
        "ignore:.*socket:pytest.PytestUnraisableExceptionWarning",
    ),
]

#: what many lines share; the fixture ``made`` adds folders and names
WORDS = {
    "VECTORS": "--method distmult --set dim=8 --set batch=128 --set threads=1 --epochs 1",
    "BILINEAR": "--method bilinear --set dim=8 --set batch=128 --set threads=1 --epochs 1",
    "WALK": "--method redgnn --set dim=4 --set n_layers=2 --set batch=50 --set threads=1",
    "EMERGNN": "--method emergnn --set dim=2 --set batch=64 --set hidden=2 --set threads=1 "
    "--epochs 1",
    "MEANS": "--method means --set support=6",
    "SHOTS": "--method tanimoto --set shots=[2] --set episodes=2",
    "PAR": "--set layers=1 --set width=4 --set steps=2 --set every=2 --set dim=4 --set edge_dim=4",
    "FOUND": "--set dim=8 --set epochs=1 --set threads=1 --set per_round=2 --trials 2 --compare 0",
    "FILMS": "--set support=6 --set epochs=1 --set dim=4 --set hidden=[4,4,4] --set context=4",
    "ZEROS": "0" * 6000,
}


@dataclass(frozen=True)
class Row:
    """One remedy of ``remedies.txt``: where it stands, its words, its cause, and what follows it.

    The first line of a row is the source below ``src/parsimony`` and the whole remedy. ``<`` writes
    the input (of the shell's words, ``parsimony`` alone is run in this process), ``!`` causes the
    error, ``+`` edits files as the remedy says, and each ``>`` is a way on that works; ``?`` says
    by a word which error is the next step. ``py:`` begins an expression of Python.
    """

    at: str
    says: str
    parts: dict[str, list[str]]


def _rows() -> Iterator[Row]:
    for block in (ROOT / "tests" / "remedies.txt").read_text(encoding="utf-8").split("\n\n"):
        first, *lines = block.strip().split("\n")
        at, _, says = first.partition(": ")
        parts: dict[str, list[str]] = {mark: [] for mark in "<!+>?"}
        for line in lines:
            parts[line[0]].append(line[2:])
        yield Row(at, says, parts)


ROWS = list(_rows())


# ---- what the rows use -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Iterator[dict[str, str]]:
    """Small data and runs, and the names that the rows use for them."""
    data, runs = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("runs")
    write_royal_part(data / "facts")
    write_cyp_part(data / "pairs")
    write_molecules(data / "molecules", lengths=2)
    write_ratings(data, users=30, items=24, rated=18)
    for table in [*data.glob("*.csv"), *data.glob("molecules/*.csv")]:
        table.write_bytes(table.read_bytes().replace(b"\r\n", b"\n"))
    facts = [
        line.split("\t") for line in (OLD / "redgnn/data/entities.txt").read_text().split("\n")
    ]
    rows = [line.split("\t") for line in (data / "facts/train.txt").read_text().splitlines()]
    head, relation, tail = rows[0]
    assert [head] in facts
    _write_tables(data, rows)
    _write_pairs(data)
    for name, words in {"labels": "labels --method prior", "known": "complete --method prior",
                        "pairs": "pairs --method prior"}.items():  # fmt: skip
        _type(f"fit {data}/{words} --out {runs}/{name}")
    first, second, _ = (data / "pairs/test_S1.txt").read_text().split("\n")[0].split("\t")
    serve = functools.partial(Silent, directory=data / "mirror")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {
        "URL": f"http://127.0.0.1:{server.server_port}",
        "DATA": str(data), "RUNS": str(runs), "OLD": str(OLD), "A": first, "B": second,
        "HEAD": shlex.quote(head), "REL": shlex.quote(relation), "TAIL": shlex.quote(tail),
        "BAD": os.fsdecode(b"\xff"),
    }  # fmt: skip
    server.shutdown()
    server.server_close()


class Silent(http.server.SimpleHTTPRequestHandler):
    """A mirror on the web that logs nothing."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


def _write_tables(data: Path, rows: list[list[str]]) -> None:
    """The facts in other forms, and an archive of them."""
    from tests.cases.test_head_tail_relation_order import facts, written
    from tests.datasets.dataset_files import write_mirror

    from parsimony.datasets.registry import entry

    lines = ["subject,predicate,object", *(",".join(f'"{cell}"' for cell in row) for row in rows)]
    (data / "named.csv").write_text("\n".join(lines))
    (data / "nations.txt").write_text(written(facts(400, entities=14, relations=55), "htr"))
    (data / "nations_e.txt").write_text("\n".join("\té".join(row) for row in rows))
    (data / "graph.nt").write_text("".join(
        f"<urn:é{h}> <urn:{r}> <urn:é{t}> .\n" for h, r, t in facts(120)
    ))  # fmt: skip
    chains = data / "molecules" / "chains.csv"
    sets = {f"mol_fewshot/{name}.csv": chains for name in ("tox21", "sider", "toxcast", "muv")}
    splits = {f"umls/{path.name}": path for path in (data / "facts").iterdir()}
    write_mirror(
        data / "mirror",
        {"kg_umls.tar.gz": _packed(splits), entry("tox21").archive: _packed(sets)},
    )


def _packed(files: dict[str, Path]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, path in files.items():
            archive.add(path, name)
    return content.getvalue()


def _write_pairs(data: Path) -> None:
    """Drug pairs with several labels, and three drugs of which each pair is known."""
    labels = Path(shutil.copytree(data / "pairs", data / "labels"))
    kinds = [line.split("\t")[0] for line in (labels / "relations.tsv").read_text().split("\n")]
    rows = (labels / "train.txt").read_text().splitlines()
    first = rows[0].split("\t")
    others = [kind for kind in kinds[1:3] if kind != first[2]]
    (labels / "train.txt").write_text("\n".join(
        ["\t".join([*first[:2], f"{first[2]},{others[0]}"]), *rows[1:]]
    ))  # fmt: skip
    whole = data / "complete"
    whole.mkdir()
    (whole / "drugs.tsv").write_text("id\na\nb\nc\n")
    (whole / "relations.tsv").write_text(
        "id\ttemplate\n0\t#Drug1 meets #Drug2\n1\t#Drug1 hits #Drug2\n"
    )
    (whole / "train.txt").write_text("a\tb\t0\na\tc\t1\n")
    (whole / "test_S0.txt").write_text("b\tc\t0\n")


def _type(line: str) -> tuple[int, dict]:
    """Type a command, with variables in front as a shell has them."""
    words = shlex.split(line)
    variables = {}
    while words and re.match(r"[A-Z_]+=", words[0]):
        name, _, variables[name] = words.pop(0).partition("=")
    found = CliRunner().invoke(
        app, [*words, "--json", "--quiet"], env=variables, prog_name="parsimony"
    )
    try:
        return found.exit_code, json.loads(found.stdout)
    except ValueError:
        raise AssertionError(f"{line}\n{found.output}") from found.exception


def _unvalidated(protocol: str) -> parsimony.LinkTask:
    """Facts without validation, as no folder gives them, for entities that are new in test."""
    data = parsimony.load(os.environ["FACTS"])
    none = replace(data, valid=data.valid[:0])
    return parsimony.LinkTask(replace(none, inductive=data), protocol)


def _do(line: str) -> dict | None:
    """Type a command or evaluate Python; return the error, None where there is none."""
    if line.startswith("py:"):
        try:
            eval(line[3:], {"parsimony": parsimony, "unvalidated": _unvalidated})
        except ParsimonyError as error:
            return error.to_dict()
        return None
    code, found = _type(line)
    assert bool(code) == ("error" in found), found
    return found.get("error")


def _prepare(lines: str) -> None:
    """Run shell lines; those of ``parsimony`` in this process."""
    shell: list[str] = []
    for part in [*lines.split("; "), "parsimony"]:
        if not part.startswith("parsimony"):
            shell.append(part)
            continue
        if any(shell):
            subprocess.run(["sh", "-e", "-c", "; ".join(shell)], check=True)
        shell = []
        if part != "parsimony":
            assert _do(part.removeprefix("parsimony ")) is None


def _id(row: Row) -> str:
    return f"{row.at.removesuffix('.py')} {row.says[:40]}"


def test_a_run_that_another_process_writes(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fit = f"fit {made['DATA']}/facts --method rules --out"
    lock = FolderLock(tmp_path / "run")
    (tmp_path / "run").mkdir()
    lock.acquire()
    try:
        error = _do(f"{fit} run")
        assert error and error["remedy"] == "wait for it, or choose another --out"
        assert _do(f"{fit} another") is None
    finally:
        lock.release()
    assert _do(f"{fit} run") is None


@pytest.mark.parametrize("words", ["", "--epoch 3", "--seed x"])
def test_the_help_that_is_pointed_at(words):
    error = _do(f"fit {words}")
    assert error and error["remedy"] == "see: parsimony fit --help"
    shown = CliRunner().invoke(app, ["fit", "--help"])
    assert shown.exit_code == 0 and "--epochs" in shown.output


@pytest.mark.parametrize("row", ROWS, ids=_id)
def test_the_advice_works(row, made, tmp_path, monkeypatch, cache):
    if any("molecules" in line or "/par" in line for line in row.parts["!"]):
        pytest.importorskip("rdkit")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACTS", f"{made['DATA']}/facts")
    names = WORDS | made | {"TMP": str(tmp_path)}
    says = Template(row.says).safe_substitute(names)
    before, cause, mend, then, reaches = (
        [Template(line).safe_substitute(names) for line in lines] for lines in row.parts.values()
    )
    _prepare("; ".join(before))
    error = [_do(line) for line in cause][-1]
    assert error is not None, "nothing was refused"
    assert error["remedy"] == says, error
    assert any(_fits(remedy, row) for remedy in _remedies(SOURCE / row.at)), "not in this source"
    _prepare("; ".join(mend))
    for line in then:
        after = _do(line)
        if reaches:
            assert reaches[0] in json.dumps(after).lower()
        else:
            assert after is None, (says, line, after)


# ---- none is left out --------------------------------------------------------------------------

#: what a remedy that can be followed to the letter names
NAMES = re.compile(
    r"--[a-z]|\bparsimony[ .](?!in\b)|\biconv\b|gzip|PARSIMONY_|pip install|ray start|checkpoints"
)
#: source, words of the remedy → why no row can follow it on every machine
ELSEWHERE = {
    ("base/estimator.py", "name another --method"): "a method of another package",
    ("search/race.py", "a race selects on it; name a --method instead"): "data made in Python",
    ("search/race.py", "give more time, or name a method: --method rules"): "nothing is learned",
    ("answers.py", "pip install"): "a package to install",
    ("chem/cache.py", "pip install"): "a package to install",
    ("graph/rdf.py", "pip install"): "a package to install",
    ("ddi/mechanisms.py", "choose one by --set graph="): "drug pairs without a background graph",
    ("knowledge/ontology.py", "pip install"): "a package to install",
    ("link/interchange.py", "pip install"): "a package to install",
    ("molecules/fingerprint_methods.py", "pip install"): "a package to install",
    ("run/engine_ray.py", "pip install"): "a package to install",
    ("search/tpe.py", "pip install"): "a package to install",
    ("run/engine.py", "use fewer --workers"): "processes that are killed: tests/run/test_engine.py",
    ("training/workers.py", "leave --workers out under torchrun"): "a launcher",
    ("training/workers.py", "parsimony.training.workers.follow"): "a launcher",
    ("training/workers.py", "with fewer --workers"): "a machine without room for a process",
    ("training/crew.py", "--resume, with as many --workers"): "a process that was killed: "
    "tests/training/test_workers.py",
    ("run/engine_ray.py", "ray start --head"): "a cluster",
    ("run/engine_ray.py", "try again, or --engine local"): "a cluster",
    ("link/reasoning/torch_device.py", "--device cpu"): "a CUDA device that fails",
    ("datasets/archive.py", "PARSIMONY_CACHE to another folder"): "a full disk",
    ("link/ingesting.py", "write elsewhere: --out"): "a full disk",
    ("decoding/packed.py", "pip install"): "a package to install",
    ("datasets/archive.py", "PARSIMONY_CACHE to a writable"): "a cache that fails meanwhile",
    ("cli/command_group.py", "--set batch="): "a machine without memory",
    ("datasets/mirror.py", "PARSIMONY_CACHE"): "a cache that fails meanwhile",
    ("datasets/fetching.py", "PARSIMONY_CACHE"): "a cache that fails meanwhile",
    ("datasets/fetching.py", "give --mirror FOLDER"): "an archive that no public place has",
    ("datasets/fetching.py", "--accept-terms"): "a source with terms: test_sources.py",
    ("datasets/fetching.py", "check the connection"): "a source: test_sources.py",
    ("datasets/fetching.py", "fetch it again"): "a source that changed: test_sources.py",
    ("ddi/twosides.py", "--set split=random"): "the archive of TWOSIDES",
    ("search/supernet.py", "--algorithm"): "a space of its own: ours can all be trained so",
    ("base/estimator.py", "a lower --set lr="): "a method that does not look at its loss",
    ("metrics/guard.py", "lower lr (--set lr="): "a measure out of range of finite scores",
    ("web/extra.py", "pip install"): "a package to install",
    ("web/fit_api.py", "start it with --fits FOLDER"): "a server runs on: tests/web/test_fits.py",
    ("web/serving.py", "add --token TOKEN"): "a server runs on: tests/web/test_serve_verb.py",
    ("web/serving.py", "--port 0 takes a free one"): "a server runs on, as above",
    ("cli/remote.py", "for example --server"): "a server runs on: tests/web/test_remote.py",
    ("run/lock.py", "wait for it"): "test_a_run_that_another_process_writes",
    ("cli/command_group.py", " --help"): "test_the_help_that_is_pointed_at",
}


@dataclass(frozen=True)
class Remedy:
    """A remedy as the source has it, fields as ``{…}``."""

    at: str
    line: int
    text: str


def _texts(node: ast.AST, names: dict[str, list[ast.expr]]) -> Iterator[str]:
    """Every text that an expression can give; ``{}`` stands for a field."""
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.JoinedStr):
        yield "".join(
            str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values
        )  # fmt: skip
    elif isinstance(node, ast.IfExp):
        yield from (*_texts(node.body, names), *_texts(node.orelse, names))
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _texts(value, names)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        for left in _texts(node.left, names):
            yield from (left + right for right in _texts(node.right, names))
    elif isinstance(node, ast.BinOp):  # text * condition
        yield from ("", *_texts(node.left, names))
    elif isinstance(node, ast.Name):
        for value in names.get(node.id, []):
            yield from _texts(value, {k: v for k, v in names.items() if k != node.id})
        if node.id not in names:
            yield "{}"
    elif (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args
        and node.func.attr == "join"
    ):  # fmt: skip
        inner = node.args[0]
        yield from _texts(getattr(inner, "elt", inner), names)
    else:
        yield "{}"


@functools.cache
def _remedies(path: Path) -> list[Remedy]:
    """The remedies of a source file."""
    return list(_read_remedies(path))


def _read_remedies(path: Path) -> Iterator[Remedy]:
    tree, at = ast.parse(path.read_text()), path.relative_to(SOURCE).as_posix()
    names: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names.setdefault(node.targets[0].id, []).append(node.value)
    for node in ast.walk(tree):
        found: list[ast.expr] = []
        if isinstance(node, ast.keyword) and node.arg == "remedy":
            found = [node.value]
        elif isinstance(node, ast.Dict):
            found = [
                value for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant) and key.value == "remedy"
            ]  # fmt: skip
        for value in found:
            for text in _texts(value, names):
                yield Remedy(at, value.lineno, text)


def _fits(remedy: Remedy, row: Row) -> bool:
    """Whether a row is about a remedy of the source."""
    pattern = ".*".join(map(re.escape, remedy.text.split("{}")))
    return remedy.at == row.at and re.fullmatch(pattern, row.says) is not None


def test_no_remedy_is_left_out():
    every = [r for path in sorted(SOURCE.rglob("*.py")) for r in _remedies(path)]
    assert len(every) > 300
    missing = [
        f"{r.at}:{r.line}: {r.text}"
        for r in every
        if NAMES.search(r.text)
        and not any(_fits(r, row) for row in ROWS)
        and not any(at == r.at and words in r.text for at, words in ELSEWHERE)
    ]
    assert not missing, "\n".join(missing)
    for at, words in ELSEWHERE:
        assert any(r.at == at and words in r.text for r in every), (at, words)
