"""The examples run as they stand, but for the epochs of a training: one is enough here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import parsimony

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        pytest.param("answers_with_reasons", "MRR 0.", marks=pytest.mark.slow),
        ("rules_by_hand", "uncle(X,Y) <- brother(X,A), father(A,Y)"),
        ("own_graph", "town10"),
    ],
)
def test_example(name, says, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(parsimony.__file__).parents[1])}
    code = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8").replace("epochs=8", "epochs=1")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert says in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_every_example_is_run():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {
        "answers_with_reasons", "rules_by_hand", "own_graph",
    }  # fmt: skip
