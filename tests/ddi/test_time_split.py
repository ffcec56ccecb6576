"""A split by time holds out the newest drugs and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ddi.small_pairs import families, write_ddi_folder

from parsimony.ddi.folder import load_ddi, load_ddi_folder
from parsimony.ddi.task import DDIOptions, DDITask
from parsimony.ddi.time_split import split_by_time, years_of
from parsimony.errors import EmptySplit, InvalidParameter

pytestmark = pytest.mark.usefixtures("cache")


def test_a_year_is_read_from_any_date():
    dates = ["2000/04/12", "Approved Prior to Jan 1, 1982", "Not Found", "", "12345", "07-1999"]
    assert years_of(dates).tolist() == [2000, 1982, 0, 0, 0, 1999]


@given(st.integers(0, 10_000))
def test_every_pair_is_where_its_drugs_years_put_it(seed):
    draw = np.random.default_rng(seed)
    years = draw.choice([0, *range(1980, 1990)], 60)
    rows = np.unique(draw.integers(0, 60, (300, 3)).astype(np.int32), axis=0)
    rows = rows[rows[:, 0] != rows[:, 2]]
    pairs, (valid_from, test_from) = split_by_time(rows, years, seed=seed)
    assert valid_from < test_from
    for name, part in pairs.items():
        ends = years[part[:, [0, 2]]]
        tested, validated = ends >= test_from, (ends >= valid_from) & (ends < test_from)
        if name == "train" or name.endswith("S0"):
            assert (ends < valid_from).all()
            continue
        new = tested if name.startswith("test") else validated
        assert (new.sum(1) == int(name[-1])).all()
        assert ((ends < valid_from) | new).all()
    kept = np.concatenate(list(pairs.values()))
    assert len(np.unique(kept, axis=0)) == len(kept)
    side = (years >= valid_from).astype(int) + (years >= test_from)
    mixed = np.isin(np.sort(side[rows[:, [0, 2]]], axis=1) @ [1, 10], [21]).sum()
    assert len(kept) == len(rows) - mixed, "only pairs of a test and a validation drug are left out"


def test_too_few_years_are_an_error():
    with pytest.raises(EmptySplit, match="years of approval"):
        split_by_time(np.array([[0, 0, 1]], np.int32), np.array([1999, 2001]))


def test_a_users_folder_is_split_by_its_dates(tmp_path):
    folder = write_ddi_folder(families(), tmp_path / "mine")
    with pytest.raises(InvalidParameter, match="approval_date"):
        load_ddi_folder(folder, split="time")
    lines = (folder / "drugs.tsv").read_text().splitlines()
    dated = [f"{line}\t{1990 + i}" for i, line in enumerate(lines[1:])]
    (folder / "drugs.tsv").write_text("\n".join([lines[0] + "\tapproval_date", *dated]) + "\n")
    data = load_ddi_folder(folder, split="time")
    assert data.name == "mine/time"
    assert "approved from 2017" in data.notes[0]
    for setting in ("S0", "S1"):
        DDITask(data, DDIOptions(setting=setting))  # refuses a drug that is not new


@pytest.mark.data
@pytest.mark.parametrize("setting", ["S0", "S1", "S2"])
def test_drugbank_by_time_does_not_leak(archives, real_data, setting):
    data = load_ddi("drugbank-ddi", split="time", mirror=real_data)
    task = DDITask(data, DDIOptions(setting=setting))
    assert len(task.pairs("valid")) > 100 and len(task.pairs("test")) > 100
    assert any(note.startswith("split by time") for note in data.notes)
