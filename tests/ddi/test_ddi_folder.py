"""Folders of drug pairs: read, saved, and every wrong row named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.ddi.small_pairs import families, write_ddi_folder

from parsimony.ddi.data import DDIData
from parsimony.ddi.folder import load_ddi, load_ddi_folder
from parsimony.errors import (
    EmptySplit,
    FormatError,
    InvalidParameter,
    MissingFile,
    ParsimonyError,
    UnknownDataset,
    UnknownDrug,
    UnknownRelation,
)

pytestmark = pytest.mark.usefixtures("cache")


def test_a_folder_comes_back(tmp_path):
    data = families()
    read = load_ddi_folder(write_ddi_folder(data, tmp_path / "families"))
    assert read.content_hash == data.content_hash
    read.save(tmp_path / "kept")
    again = DDIData.load(tmp_path / "kept")
    assert again.content_hash == data.content_hash
    assert again.names == data.names
    np.testing.assert_array_equal(again.pairs["test_S1"], data.pairs["test_S1"])


def test_drugs_by_any_name():
    data = families()
    assert data.drug("OL3") == data.drug("x03") == data.drug("drug ol3") == 3
    assert data.sentence(3, 1, 12) == "Drug ol3 does 1 to Drug amine2."
    with pytest.raises(UnknownDrug, match="aspirin"):
        data.drug("aspirin")


WRONG = [
    ("drugs.tsv", "name\tsmiles\nx\tC\n", FormatError, "no column 'id'", "drugs.tsv:1"),
    ("drugs.tsv", "id\tname\nol1\n", FormatError, "1 column,", "drugs.tsv:2"),
    ("drugs.tsv", "id\nol1\nol1\n", FormatError, "occurs twice", "drugs.tsv:3"),
    ("drugs.tsv", "id\tname\tname\nol1\ta\tb\n", FormatError, "'name' twice", "drugs.tsv:1"),
    ("drugs.tsv", "id\tname\nol1\ta\n \tb\n", FormatError, "no id", "drugs.tsv:3"),
    ("drugs.tsv", "id\tname\nol1\ta\0\n", FormatError, "a NUL", "drugs.tsv:2"),
    ("fingerprints.txt", f"ol1\t{'0' * 256}\n" * 2, FormatError, "'ol1' twice", "ts.txt:2"),
    ("fingerprints.txt", "ol1\tzz\n", FormatError, "not 1,024 bits", "fingerprints.txt:1"),
    ("train.txt", "ol0 ol1 t0\nol0 ol2\u2028 t0\n", UnknownDrug, "ol2", "train.txt:2"),
    ("relations.tsv", "id\ntemplate\n", FormatError, "no column 'template'", "relations.tsv:1"),
    ("relations.tsv", "id\ttemplate\n", FormatError, "no rows", "relations.tsv"),
    ("train.txt", "ol0 ol1 t0\nol0 oll t0\n", UnknownDrug, "'oll'", "train.txt:2"),
    ("train.txt", "ol0 ol1 t0\nol0 ol2 t77\n", UnknownRelation, "'t77'", "train.txt:2"),
    ("train.txt", "ol0 ol1 t0\nol0 ol2\n", FormatError, "2 columns,", "train.txt:2"),
    ("train.txt", "ol0 ol1 t0\nol2 ol2 t0\n", FormatError, "with itself", "train.txt:2"),
    ("train.txt", "ol0\tol1\tt0\nol0 ol2 t0\n", FormatError, "1 column,", "train.txt:2"),
    ("train.txt", "", EmptySplit, "no training pairs", "train.txt"),
    ("test_S1.txt", "ol0 ol4 t0 extra\n", FormatError, "4 columns,", "test_S1.txt:1"),
]


@pytest.mark.parametrize(("name", "text", "error", "says", "where"), WRONG)
def test_wrong_files_are_named(tmp_path, name, text, error, says, where):
    folder = write_ddi_folder(families(), tmp_path / "families")
    (folder / name).write_text(text)
    with pytest.raises(ParsimonyError, match=says) as caught:
        load_ddi_folder(folder)
    assert type(caught.value) is error
    assert str(caught.value.where).endswith(where)
    assert caught.value.remedy


def test_several_splits_must_be_named(tmp_path):
    folder = write_ddi_folder(families(), tmp_path / "families")
    (folder / "random").mkdir()
    for path in folder.glob("*.txt"):
        path.rename(folder / "random" / path.name)
    assert load_ddi_folder(folder, split="random").name == "families/random"
    with pytest.raises(InvalidParameter, match="several splits"):
        load_ddi_folder(folder)
    with pytest.raises(InvalidParameter, match="no split 'rndom'") as caught:
        load_ddi_folder(folder, split="rndom")
    assert "random" in caught.value.remedy


def test_names_that_are_none(tmp_path):
    with pytest.raises(UnknownDataset) as caught:
        load_ddi("drugbank-dd")
    assert "drugbank-ddi" in caught.value.remedy
    with pytest.raises(InvalidParameter, match="link"):
        load_ddi("family")
    folder = write_ddi_folder(families(), tmp_path / "families")
    for path in (*folder.glob("valid*"), *folder.glob("test*")):
        path.unlink()
    with pytest.raises(MissingFile, match="neither valid"):
        load_ddi_folder(folder)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.sampled_from(["drugs.tsv", "relations.tsv", "train.txt", "test_S1.txt", "fingerprints.txt"]),
    st.binary(max_size=60) | st.text('id\tname ol01t,"\n\r\0\u2028', max_size=60),
)
def test_any_content_is_read_or_named(tmp_path, name, content):
    folder = tmp_path / "families"
    if not folder.exists():
        write_ddi_folder(families(), folder)
    before = (folder / name).read_bytes() if (folder / name).exists() else None
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        load_ddi_folder(folder)
    except ParsimonyError as error:
        assert error.remedy and name in str(error.where)
    finally:
        (folder / name).unlink()
        if before is not None:
            (folder / name).write_bytes(before)


def test_several_rows_of_a_pair_are_noted(tmp_path):
    from parsimony import fit

    folder = write_ddi_folder(families(), tmp_path / "mine")
    _, plain = fit(str(folder), method="prior", parameters={"setting": "S1"})
    assert not any("several rows" in note for note in plain["notes"])
    path = folder / "train.txt"
    first = path.read_text().splitlines()[0]
    a, b, kind = first.split(" ")
    other = "t7" if kind != "t7" else "t6"
    path.write_text(path.read_text() + f"{a} {b} {other}\n{first}\n")
    _, summary = fit(str(folder), method="prior", parameters={"setting": "S1"})
    (note,) = (note for note in summary["notes"] if "several rows" in note)
    assert "each row is trained by itself, as a pair of one type" in note
    assert note.startswith("1 pair of train with several rows (3 in all, of which 1 repeat ")
