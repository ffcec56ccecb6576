"""Mangled inputs for every reader and every file of a run, see benchmarks/fuzz.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "fuzz.py"


@pytest.mark.slow
def test_a_mangled_input_is_answered_or_refused(tmp_path):
    pytest.importorskip("rdkit")
    out = tmp_path / "fuzz.json"
    words = ["--n", "150", "--seconds", "300", "--out", str(out)]  # of a busy machine
    subprocess.run([sys.executable, str(SCRIPT), *words], capture_output=True, check=False)
    told = json.loads(out.read_text())
    assert told["cases"] == 150
    assert told["failures"] == []
