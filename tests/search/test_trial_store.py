"""The trial store survives kills and refuses what is not its own."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from parsimony.errors import CorruptRun, LedgerMismatch, RunExists
from parsimony.search.settings import Rung
from parsimony.search.trial import Trial
from parsimony.search.trials import TRIALS, TrialStore, read_trials

SUBJECT = {"space": "bilinear", "data": "abc", "trainer": {"lr": 0.5}}
ROW = Trial(
    structure="ü; 1", canonical="k", seed=0, epochs=5, dim=8, valid=0.25, seconds=1.5,
    parameters=10, ran=5, stage="search", origin="start", predicted=None, at=2.0,
)  # fmt: skip


def test_what_is_written_is_read(tmp_path):
    rows = [replace(ROW, canonical=f"k{i}", at=float(i)) for i in range(3)]
    with TrialStore(tmp_path / "run", SUBJECT) as store:
        for row in rows:
            store.append(row)
    with TrialStore(tmp_path / "run", SUBJECT, resume=True) as store:
        assert list(store) == rows
        assert store.find("k1", 0, Rung(8, 5)) == rows[1]
        assert store.find("k1", 0, Rung(8, 6)) is None
        assert store.find("k1", 0, Rung(8, 5, 0.5)) is None  # a part is another measurement
        assert store.find("k1", 0, Rung(8, 5, 1.0, 9.0)) is None  # and so is a limit


def test_rows_of_before_there_were_subgraphs_and_limits_have_neither(tmp_path):
    with TrialStore(tmp_path, SUBJECT) as store:
        store.append(ROW)
    path = tmp_path / TRIALS
    path.write_text(path.read_text().replace(', "entities": 1.0, "limit": null', ""))
    with TrialStore(tmp_path, SUBJECT, resume=True) as store:
        assert list(store) == [ROW]


@pytest.mark.parametrize("cut", [1, 10, 200])
def test_a_torn_line_is_cut_off(tmp_path, cut):
    with TrialStore(tmp_path, SUBJECT) as store:
        store.append(ROW)
        store.append(replace(ROW, canonical="other"))
    path = tmp_path / TRIALS
    path.write_bytes(path.read_bytes()[:-cut])
    with TrialStore(tmp_path, SUBJECT, resume=True) as store:
        assert list(store) == [ROW]
        store.append(replace(ROW, canonical="third"))
    with TrialStore(tmp_path, SUBJECT, resume=True) as store:
        assert [t.canonical for t in store] == ["k", "third"]


def test_a_torn_first_line_begins_anew(tmp_path):
    (tmp_path / TRIALS).write_bytes(b'{"ledger": 1, "spa')
    with TrialStore(tmp_path, SUBJECT, resume=True) as store:
        assert len(store) == 0
    with TrialStore(tmp_path, SUBJECT, resume=True):
        pass


def test_other_data_are_refused(tmp_path):
    with TrialStore(tmp_path, SUBJECT) as store:
        store.append(ROW)
    with pytest.raises(LedgerMismatch, match="data: 'abc' → 'xyz'"):
        TrialStore(tmp_path, {**SUBJECT, "data": "xyz"}, resume=True)
    other = {**SUBJECT, "trainer": {"lr": 0.5, "n3": 0.1}}
    with pytest.raises(LedgerMismatch, match=r"something else: trainer\.n3: None → 0\.1;"):
        TrialStore(tmp_path, other, resume=True)
    with pytest.raises(RunExists, match="--resume"):
        TrialStore(tmp_path, SUBJECT)
    with TrialStore(tmp_path, SUBJECT, resume=True):  # the lock was given back
        pass


@pytest.mark.parametrize("line", ["nonsense", "[]", '{"structure": "x"}'])
def test_a_damaged_line_is_named(tmp_path, line):
    with TrialStore(tmp_path, SUBJECT) as store:
        store.append(ROW)
    path = tmp_path / TRIALS
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(CorruptRun) as caught:
        TrialStore(tmp_path, SUBJECT, resume=True)
    assert caught.value.where == f"{path}:3"


@pytest.mark.parametrize(
    "field, value",
    [
        ("valid", "NaN"), ("valid", "Infinity"), ("valid", '"high"'), ("valid", "null"),
        ("dim", "0"), ("epochs", "-1"), ("seed", "[]"), ("canonical", "7"), ("entities", "2.5"),
        ("error", "true"), ("predicted", "NaN"),
    ],
)  # fmt: skip
def test_every_field_of_a_line_is_checked(tmp_path, field, value):
    with TrialStore(tmp_path, SUBJECT) as store:
        store.append(ROW)
    path = tmp_path / TRIALS
    head, line, _ = path.read_text().split("\n")
    row = json.loads(line) | {field: "ODD"}
    path.write_text(f"{head}\n{json.dumps(row)}\n".replace('"ODD"', value))
    for read in (lambda: TrialStore(tmp_path, SUBJECT, resume=True), lambda: read_trials(tmp_path)):
        with pytest.raises(CorruptRun) as caught:
            read()
        assert caught.value.where == f"{path}:2"
        assert "remove the line" in caught.value.remedy


def test_a_figure_that_the_measure_cannot_have_is_refused(tmp_path):
    """Earlier versions let scores that were NaN rank better than first: an MRR of 1.98."""
    with TrialStore(tmp_path, SUBJECT) as store:
        store.append(ROW)
        store.require_possible("mrr")
        store.append(replace(ROW, canonical="other", valid=1.98))
        with pytest.raises(CorruptRun, match=r"mrr is 1\.98"):
            store.require_possible("mrr")


def test_one_writer(tmp_path):
    with TrialStore(tmp_path, SUBJECT), pytest.raises(RunExists, match="writing"):
        TrialStore(tmp_path, SUBJECT, resume=True)
