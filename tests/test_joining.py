"""A method and a dataset of somebody else's package: the verbs and the contract take them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import parsimony
from parsimony import methods, problems, testing
from parsimony.errors import UsageError

TOYS = Path(__file__).parents[1] / "examples" / "contributing"
SOURCE = Path(parsimony.__file__).parents[1]

ASKED = ("--head", "dan", "--relation", "grandparent")
#: what is typed, and what is said
TYPED = (
    (["methods"], "frequency"),
    (["datasets", "list"], "three families"),
    (["fit", "toy", "--method", "frequency", "--out", "run"], "parsimony evaluate run"),
    (["evaluate", "run", "--json"], '"mrr"'),
    (["explain", "run", *ASKED, "--tail", "finn"], "finn"),
    (["predict", "run", *ASKED], "cleo"),
)
CHECK = """
import contextlib, io, json, sys
from pathlib import Path
from parsimony import methods, problems, testing
from parsimony.cli import app
for words, says in json.loads(sys.argv[2]):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert app(words, standalone_mode=False) == 0, words
    assert says in out.getvalue(), (words, out.getvalue())
task = problems.open_task("link", "toy")
case = testing.Case(
    methods.resolve("frequency"), task, Path(sys.argv[1]), {"smoothing": 0.5},
    ("dan", "grandparent", "finn"), lambda model: model.predict(head="dan", relation="grandparent"),
)
testing.check_estimator(case)
print("kept", len(testing.CHECKS))
"""


@pytest.fixture
def package(tmp_path):
    """A folder as pip would leave it: two modules and what declares their entry points."""
    site = tmp_path / "site"
    info = site / "toy-1.0.dist-info"
    info.mkdir(parents=True)
    method = (TOYS / "toy_method.py").read_text()
    (site / "toy_method.py").write_text(method.replace("@register\n", ""))
    graph = tmp_path / "graph"
    graph.mkdir()
    sys.path.insert(0, str(TOYS))
    try:
        from toy_dataset import FACTS
    finally:
        sys.path.remove(str(TOYS))
    for split, facts in FACTS.items():
        (graph / f"{split}.txt").write_text("".join("\t".join(fact) + "\n" for fact in facts))
    (site / "toy_data.py").write_text(
        "from parsimony.datasets.registry import Entry\n"
        f"TOY = Entry('toy', 'link', 'three families', 'CC0', folder={str(graph)!r})\n"
    )
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[parsimony.methods]\nfrequency = toy_method:Frequency\n"
        "[parsimony.datasets]\ntoy = toy_data:TOY\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SOURCE), str(site)])}

    def run(code, *words):
        return subprocess.run(
            [sys.executable, "-c", code, *words], cwd=tmp_path, env=environment,
            capture_output=True, text=True,
        )  # fmt: skip

    return run


def test_a_package_adds_a_method_and_a_dataset(package, tmp_path):
    checked = package(CHECK, str(tmp_path / "checks"), json.dumps(TYPED))
    assert checked.stdout.split() == ["kept", str(len(testing.CHECKS))], checked.stderr


def test_toys_are_short():
    for name in ("toy_method.py", "toy_dataset.py"):
        lines = [line for line in (TOYS / name).read_text().splitlines() if line.strip()]
        assert len(lines) <= 30


def test_the_decorator_registers_a_class_once(tmp_path):
    sys.path.insert(0, str(TOYS))
    try:
        import toy_dataset
        import toy_method
    finally:
        sys.path.remove(str(TOYS))
    assert methods.resolve("frequency") is toy_method.Frequency
    assert "frequency" in methods.names("link")
    assert methods.register(toy_method.Frequency) is toy_method.Frequency
    with pytest.raises(UsageError, match="redgnn"):
        methods.register(type("Other", (toy_method.Frequency,), {"method": "redgnn"}))
    task = problems.open_task("link", toy_dataset.toy(tmp_path))
    assert 0 < toy_method.Frequency().fit(task).score() <= 1
    methods._joined.pop("frequency")
