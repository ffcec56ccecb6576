"""The description length of a run: the bytes of its tensors, or of its rules as text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from parsimony.errors import CorruptRun
from parsimony.run.description import description_bytes, size_text
from parsimony.run.folder import RunFolder

OLD = Path(__file__).parents[1] / "fixtures" / "runs_0_1"
CONFIG = {"method": "m", "task": "link", "data": {"name": "", "source": "", "hash": ""}}


@pytest.mark.parametrize("name", ["redgnn", "means", "tanimoto", "transe"])
def test_the_bytes_of_the_tensors(name):
    run = RunFolder.open(OLD / name)
    tensors = run.load_model()
    # A file may be padded, by less than what its numbers are aligned to.
    assert 0 <= description_bytes(run) - sum(array.nbytes for array in tensors.values()) < 8


def test_names_do_not_count(tmp_path):
    sizes = []
    for name in ("w", "weight" * 9):
        with RunFolder.create(tmp_path / name, CONFIG) as run:
            run.save_model({name: np.zeros(10, np.float32)})
        sizes.append(description_bytes(run))
    assert sizes == [40, 40]


def test_rules_count_as_text():
    run = RunFolder.open(OLD / "rules")
    assert description_bytes(run) == len((OLD / "rules" / "rules.txt").read_bytes())


def test_a_model_that_is_missing_or_cut_off(tmp_path):
    with RunFolder.create(tmp_path / "run", CONFIG) as run:
        pass
    with pytest.raises(CorruptRun, match="missing"):
        description_bytes(run)
    (tmp_path / "run" / "model.safetensors").write_bytes(b"\xff" * 20)
    with pytest.raises(CorruptRun, match="cut off"):
        description_bytes(run)


def test_sizes_in_words():
    assert [size_text(n) for n in (0, 450, 3210, 1_234_567, 2e9)] == [
        "0 B", "450 B", "3.21 kB", "1.23 MB", "2 GB",
    ]  # fmt: skip
