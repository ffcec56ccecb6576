"""A perfect inverse is found whatever the split is: overlaps are those of all splits."""

from __future__ import annotations

import numpy as np
import pytest

from parsimony import datasets
from parsimony.link.audit import audit, render
from parsimony.link.task import LinkTask


@pytest.fixture
def facts(tmp_path):
    rng = np.random.default_rng(0)
    pairs = {tuple(pair) for pair in rng.integers(0, 300, (700, 2)).tolist() if pair[0] != pair[1]}
    lines = [f"p{a}\tparent_of\tp{b}\np{b}\tchild_of\tp{a}\n" for a, b in sorted(pairs)[:600]]
    path = tmp_path / "facts.tsv"
    path.write_text("".join(lines))
    return path


@pytest.mark.parametrize("seed", range(12))
def test_found_at_every_seed(facts, seed):
    data = datasets.load(facts, seed=seed)
    train = set(map(tuple, data.train.tolist()))
    told = sum((t, 1 - r, h) in train for h, r, t in data.test.tolist())
    assert told > len(data.test) / 2
    report = audit(data)
    (overlap,) = report["overlaps"]
    assert overlap["kind"] == "inverse"
    assert overlap["shared"] == 600
    assert all(low > 0.98 and high == 1 for low, high in overlap["intervals"])
    assert report["leaks"]["test"]["inverse"] == told
    assert "inverse: " in render(report)
    assert any(
        note.startswith(f"warning: {told} of the {len(data.test)} facts of test are given away")
        for note in LinkTask(data).notes
    )
