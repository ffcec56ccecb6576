"""Mangled inputs for every reader and every file of a run, see benchmarks/fuzz.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "fuzz.py"


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
def test_a_mangled_input_is_answered_or_refused(part, tmp_path):
    pytest.importorskip("rdkit")
    out = tmp_path / "fuzz.json"
    words = ["--n", "250", "--first", str(250 * part), "--out", str(out)]
    subprocess.run([sys.executable, str(SCRIPT), *words], capture_output=True, check=False)
    told = json.loads(out.read_text())
    assert told["cases"] == 250
    assert told["failures"] == []
