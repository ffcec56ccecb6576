"""Test facts among the training facts, and repeated ones: noted by fit and evaluate."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.link.test_edge_graphs import data

from parsimony import datasets
from parsimony.link.rules.method import RuleReasoner
from parsimony.link.task import LinkTask
from parsimony.pipeline import fit

SPLITS = ("train", "valid", "test")


@pytest.fixture
def folder(tmp_path):
    """150 training facts; 33 test rows: 20 of train, 10 new ones, three of these twice."""
    rng = np.random.default_rng(1)
    facts = np.unique(np.stack([rng.integers(0, n, 600) for n in (30, 2, 30)], axis=1), axis=0)
    facts = rng.permutation(facts)
    train, new = facts[:150], facts[150:160]
    parts = {
        "train": train,
        "valid": train[:20],
        "test": np.concatenate([train[50:70], new, new[:3]]),
    }
    home = tmp_path / "data"
    home.mkdir()
    for split, rows in parts.items():
        lines = [f"e{h}\tr{r}\te{t}\n" for h, r, t in rows.tolist()]
        (home / f"{split}.txt").write_text("".join(lines))
    return home


def test_fit_and_evaluate_tell(folder, tmp_path):
    model, summary = fit(str(folder), "rules", out=tmp_path / "run")
    measured = model.evaluate("test")
    assert measured["n_queries"] == 60
    for notes in (summary["notes"], measured["notes"]):
        assert "3 repeated rows of test count once" in notes
        assert any(
            note.startswith("warning: 20 of the 30 facts of test are training") for note in notes
        )
    assert any("20 of the 20 facts of valid" in note for note in summary["notes"])


def test_a_repeated_row_changes_no_measure(folder):
    whole = datasets.load(folder)
    once = dataclasses.replace(whole, test=np.unique(whole.test, axis=0))
    model = RuleReasoner(aggregation="max", smoothing=1, max_length=2, max_rules=100)
    first, second = (model.fit(LinkTask(part)).evaluate("test") for part in (whole, once))
    assert first["n_queries"] == second["n_queries"] == 60
    assert first["metrics"] == pytest.approx(second["metrics"])  # summed in another order


@pytest.mark.parametrize("protocol", ["redgnn", "grail"])
def test_an_inductive_pair_that_shares_its_facts_by_name(protocol):
    facts = [(0, 0, 1), (1, 0, 2), (2, 0, 3)]
    other = data(facts[:1], facts[1:2], [*facts[2:], *facts[2:], (3, 0, 0)], name="made")
    whole = data([*facts, (3, 0, 1)], [(1, 0, 3)], [(0, 0, 2)], inductive=other)
    notes = LinkTask(whole, protocol).notes_of("test")
    n = 3 if protocol == "redgnn" else 2
    assert any(
        note.startswith(f"warning: {n - 1} of the {n} facts of test are training") for note in notes
    )
    assert "1 repeated row of test counts once" in notes
