"""The note says how a file was split, and what the measures rest on."""

from __future__ import annotations

import pytest

from parsimony import datasets
from parsimony.link.audit import audit, render
from parsimony.link.single_file import split_note
from parsimony.link.task import LinkTask


def test_a_graph_that_can_spare_two_facts(tmp_path):
    # Pairs that only know each other, and four facts that join such pairs.
    pairs = [(2 * i, 2 * i + 1) for i in range(98)] + [(0, 7), (9, 12), (20, 31), (44, 55)]
    path = tmp_path / "sparse.tsv"
    path.write_text("".join(f"e{a}\tr\te{b}\n" for a, b in pairs))
    data = datasets.load(path)
    assert len(data.valid) == len(data.test) > 0
    held = 2 * len(data.test)
    assert "instead of 80/10/10" in data.notes[0]
    assert f"only {held} of 102 facts could be held out" in data.notes[0]
    notes = LinkTask(data).notes
    assert f"warning: the measures of test rest on {held} queries: mind their interval" in notes
    assert f"note: {data.notes[0]}" in render(audit(data))


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ((80, 10, 10), "split 80/10/10 with seed 0, every"),
        ((801, 100, 100), "split 80/10/10 with seed 0, every"),
        ((100, 1, 1), "split 98/1/1 instead of 80/10/10 with seed 0: only 2 of 102 facts"),
        ((346, 2, 2), "split 99/0.6/0.6 instead of 80/10/10 with seed 0: only 4 of 350 facts"),
        ((21, 2, 2), "split 84/8/8 instead of 80/10/10 with seed 0: 25 facts do not divide"),
    ],
)
def test_the_shares_are_those_cut(counts, says):
    assert split_note(*counts, seed=0).startswith(says)
