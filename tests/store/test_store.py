"""A graph store holds what the same files hold in memory, whole or not at all."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace as replaced

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsimony.decoding.blocks import BLOCK, read_blocks
from parsimony.errors import (
    CannotWrite,
    ChecksumMismatch,
    DataError,
    EmptySplit,
    FormatError,
    InvalidParameter,
    MissingFile,
    RunExists,
    UnknownEntity,
    UnknownRelation,
)
from parsimony.graph.names import fold
from parsimony.link import ingesting
from parsimony.link.data import SPLITS, LinkData
from parsimony.link.ingesting import ingest
from parsimony.link.loading import load
from parsimony.store import GraphStore, arranging, dictionary, is_store, writing
from parsimony.store.names import MappedNames

NAMES = ["a", "b", "Z", "é", "e\u0301", "日本", "x y", "𝔘", "\ufeffq", '"quoted', "-1", "007"]


def rows(seed, n, n_names=30):
    drawn = np.random.default_rng(seed)
    names = [*NAMES, *(f"e{i}" for i in range(n_names))]
    heads = (len(names) * drawn.random(n) ** 3).astype(int)
    tails, relations = drawn.integers(len(names), size=n), drawn.integers(3, size=n)
    return [(names[h], f"r{r}", names[t]) for h, r, t in zip(heads, relations, tails, strict=True)]


def write(path, facts, blank=()):
    lines = ["\t".join(fact) for fact in facts]
    for at in blank:
        lines.insert(at % (len(lines) + 1), "")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def small_blocks(*given, size, **more):
    return read_blocks(*given, size=300 if size == BLOCK else size, **more)


def stored(*paths, out, **how):
    ingest(paths, out, **how)
    return load(out)


def same(data, expected):
    assert data.content_hash == expected.content_hash
    assert data.graph.content_hash == expected.graph.content_hash
    for split in SPLITS:
        assert np.array_equal(data.triples(split), expected.triples(split))
    for mapped, own in zip(data.graph.digraph, expected.graph.digraph, strict=True):
        assert mapped.dtype == own.dtype
        assert np.array_equal(mapped, own)
    assert np.array_equal(data.graph.degrees, expected.graph.degrees)
    assert data.entities == expected.entities
    assert expected.entities == data.entities
    assert data.relations == expected.relations
    assert [*data.entities] == [*expected.entities]
    for i in (0, len(data.entities) // 2, len(data.entities) - 1):
        name = expected.entities.name(i)
        assert (data.entities.name(i), data.entities.index(name)) == (name, i)


# ---- the same as in memory -------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    n=st.integers(60, 400),
    split_seed=st.integers(0, 9),
    blank=st.lists(st.integers(0, 500), max_size=4),
    narrow=st.booleans(),
)
def test_the_same_as_in_memory(tmp_path_factory, seed, n, split_seed, blank, narrow):
    folder = tmp_path_factory.mktemp("store")
    path = write(folder / "facts.tsv", rows(seed, n), blank)
    with pytest.MonkeyPatch.context() as patch:
        if narrow:  # many blocks of facts, many ranges of nodes
            patch.setattr(writing, "_ROWS", 17)
            patch.setattr(arranging, "_NODES", 2)
            patch.setattr(dictionary, "_FEWEST", 3)
            patch.setattr(dictionary, "_HELD", 100)
            patch.setattr("parsimony.graph.formats.read_blocks", small_blocks)
        memory = 800 if narrow else None
        data = stored(path, out=folder / "out", seed=split_seed, memory=memory)
    expected = load(path, seed=split_seed)
    same(data, expected)
    several = "times" in "".join(note for note in data.notes if "exceed the memory" in note)
    assert several == narrow
    assert {note for note in data.notes if "exceed the memory" not in note} <= {*expected.notes}
    assert sum("repeated rows" in note for note in data.notes) == sum(
        "repeated rows" in note for note in expected.notes
    )


@pytest.mark.parametrize("suffix", [".tsv.gz", ".tsv.zst", ".csv", ".csv.gz", ".parquet", ".txt"])
def test_every_format(tmp_path, suffix):
    facts = rows(3, 200)
    expected = load(write(tmp_path / "plain.tsv", facts))
    path, frame = tmp_path / f"facts{suffix}", pl.DataFrame(facts, ["h", "r", "t"], orient="row")
    if suffix == ".parquet":
        frame.write_parquet(path)
    else:
        comma = ".csv" in suffix
        text = frame.write_csv(separator="," if comma else "\t", include_header=comma,
                               quote_style="necessary" if comma else "never").encode()  # fmt: skip
        if suffix.endswith(".gz"):
            text = gzip.compress(text)
        if suffix.endswith(".zst"):
            text = pytest.importorskip("backports.zstd").compress(text)
        path.write_bytes(text)
    data = stored(path, out=tmp_path / "out")
    same(data, expected)
    assert data.name == "facts"
    same(load(path), expected)  # packed files need no store
    assert load(path).name == "facts"


def test_several_files_and_cells_in_quotes_over_blocks(tmp_path, monkeypatch):
    facts = [*rows(0, 300), ('said "no", twice', "r0", "two\nlines"), ("two\nlines", "r1", "a")]
    frame = pl.DataFrame(facts, ["head", "relation", "tail"], orient="row")
    frame.write_csv(tmp_path / "whole.csv")
    frame[:150].write_csv(tmp_path / "one.csv")
    frame[150:].write_csv(tmp_path / "two.csv")
    monkeypatch.setattr("parsimony.graph.formats.read_blocks", small_blocks)
    data = stored(tmp_path / "one.csv", tmp_path / "two.csv", out=tmp_path / "out")
    same(data, load(tmp_path / "whole.csv"))


def test_a_folder_keeps_its_splits(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    facts = list(dict.fromkeys(rows(5, 400)))
    for split, part in zip(SPLITS, (facts[:-60], facts[-60:-20], facts[-20:]), strict=True):
        write(folder / f"{split}.txt", part)
    same(stored(folder, out=tmp_path / "out"), load(folder))
    (folder / "redgnn_split.json").write_text('{"n_facts": 5}')
    (tmp_path / "own_ind").mkdir()
    data = stored(folder, out=tmp_path / "other")
    assert data.n_facts is None
    assert data.notes[0] == "not read into the store: redgnn_split.json, own_ind"
    for split in SPLITS:
        (folder / f"{split}.txt").rename(folder / f"{split}2id.txt")
    with pytest.raises(FormatError, match="OpenKE"):
        ingest([folder], tmp_path / "ids")


def test_what_train_lacks_is_refused_or_noted_as_for_files(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    facts = list(dict.fromkeys(rows(5, 400)))
    parts = facts[:-40], [*facts[-40:-20], ("new", "r9", "a")], facts[-20:]
    for split, part in zip(SPLITS, parts, strict=True):
        write(folder / f"{split}.txt", part)
    errors = []
    for read in (lambda: ingest([folder], tmp_path / "out"), lambda: load(folder)):
        with pytest.raises(UnknownRelation, match="'r9' has no fact in train") as caught:
            read()
        errors.append((caught.value.where, caught.value.remedy))
    assert errors[0] == errors[1]
    assert errors[0][0].endswith("valid.txt:21")
    (folder / "relations.txt").write_text("r0\nr1\nr2\nr9\n")
    notes = stored(folder, out=tmp_path / "out").notes
    assert "not read into the store: relations.txt" in notes
    assert {note for note in load(folder).notes if "in train" in note} <= {*notes}
    assert sum("in train" in note for note in notes) == 2


def test_little_is_held_out_of_a_large_graph(tmp_path):
    data = stored(write(tmp_path / "f.tsv", rows(1, 900, 60)), out=tmp_path / "out", held_out=7)
    assert (len(data.valid), len(data.test)) == (7, 7)
    assert len(np.unique(data.train[:, [0, 2]])) == data.n_entities
    assert "7 facts for validation and 7 for test" in data.notes[0]


def test_columns_by_counts(tmp_path, monkeypatch):
    facts = [(h, t, r) for h, r, t in rows(2, 300)]
    path = write(tmp_path / "f.tsv", facts)
    same(stored(path, out=tmp_path / "out"), load(path))
    monkeypatch.setattr(ingesting, "_LOOKED_AT", 1000)
    notes = stored(path, out=tmp_path / "other").notes
    assert any("judged by the first" in note and "--columns 1,3,2" in note for note in notes)


# ---- names -----------------------------------------------------------------------------------


def test_names(tmp_path):
    data = stored(write(tmp_path / "f.tsv", rows(1, 300)), out=tmp_path / "out")
    names = data.entities
    assert "nobody" not in names
    assert 3 not in names
    with pytest.raises(UnknownEntity, match="nobody"):
        names.index("nobody")
    with pytest.raises(UnknownEntity, match="unknown"):
        names.index("\udcff", notes=[])  # a byte of a command line that is no UTF-8
    notes = []
    assert names.name(names.index("E7", notes=notes)) == "e7"
    assert "taken for" in notes[0]
    with pytest.raises(UnknownEntity, match="spelled alike"):
        names.index("É", notes=[])
    assert names.ids["e7"] == names.index("e7")
    assert {**names.ids} == {name: i for i, name in enumerate(names)}
    assert names.names[1:3] == [*names][1:3]
    assert names.names[-1] == [*names][-1]
    with pytest.raises(IndexError):
        names.names[len(names)]
    assert hash(names) == hash(load(tmp_path / "f.tsv").entities)


@given(st.lists(st.text(st.sampled_from("aAbB01.ä \u00a0İ"), min_size=1), unique=True, max_size=8))
def test_spellings_are_found_without_a_table_as_with_one(names):
    names = sorted(names, key=str.encode)
    text = [name.encode() for name in names]
    offsets = np.concatenate([[0], np.cumsum([*map(len, text)], dtype=np.int64)])
    mapped = MappedNames(offsets, np.frombuffer(b"".join(text), np.uint8))
    for folded in {*map(fold, names), "a", "1"}:
        meant = [i for i, name in enumerate(names) if fold(name) == folded]
        assert [i for i in mapped.spelled(folded) if fold(mapped[i]) == folded] == meant


def test_a_misspelt_name_among_many(tmp_path):
    facts = [(f"Q{i}", "r", f"Q{i + 1}") for i in range(30_000)]
    names = stored(write(tmp_path / "f.tsv", facts), out=tmp_path / "out").entities
    with pytest.raises(UnknownEntity) as caught:
        names.index("Q1234x")
    assert "did you mean 'Q1234'?" in caught.value.remedy
    assert "30,001 entities known" in caught.value.remedy
    assert names.index(" q777", notes=[]) == names.index("Q777")


# ---- whole or not at all ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    ingest([write(folder / "f.tsv", rows(1, 300))], folder / "store")
    return folder / "store"


def copy_of(made, tmp_path):
    GraphStore.open(made).put(tmp_path / "copy")
    return tmp_path / "copy"


def replace(path, content):
    path.unlink()  # not the shared file itself
    path.write_bytes(content)


def test_a_file_cut_off_missing_or_of_another_type(made, tmp_path):
    store = copy_of(made, tmp_path)
    file = store / "digraph.fact.npy"
    content = file.read_bytes()
    replace(file, content[:-1])
    with pytest.raises(FormatError, match="expected"):
        load(store)
    replace(file, content.replace(b"<i4", b"<f4"))
    with pytest.raises(FormatError):
        load(store)
    replace(file, content.replace(b"<i4", b"|O4"))  # objects would be unpickled
    with pytest.raises(FormatError):
        load(store)
    file.unlink()
    with pytest.raises(MissingFile):
        load(store)


def test_a_flipped_byte_is_found_on_request_and_before_a_walk(made, tmp_path):
    store = copy_of(made, tmp_path)
    file = store / "digraph.neighbour.npy"
    content = bytearray(file.read_bytes())
    content[-1] = 0x7F  # an id far out of range
    replace(file, bytes(content))
    data = load(store)
    with pytest.raises(ChecksumMismatch, match="checksum") as caught:
        data.store.verify()
    assert caught.value.where.endswith("digraph.neighbour.npy")
    with pytest.raises(FormatError, match="out of the graph"):
        data.graph.digraph  # noqa: B018


def test_a_name_that_is_no_text(made, tmp_path):
    store = copy_of(made, tmp_path)
    for file in ("entities.text.npy", "relations.text.npy"):
        content = (store / file).read_bytes()
        replace(store / file, content[:-1] + b"\xff")
        with pytest.raises(FormatError, match="not UTF-8") as caught:
            [*load(store).entities]
        assert caught.value.where.endswith(file)
        replace(store / file, content)


@pytest.mark.parametrize("split", SPLITS)
def test_a_fact_out_of_range_is_found_before_it_is_followed(made, tmp_path, split):
    store = copy_of(made, tmp_path)
    content = bytearray((store / f"{split}.npy").read_bytes())
    content[-1] = 0x7F
    replace(store / f"{split}.npy", bytes(content))
    with pytest.raises(FormatError, match="ids out of range") as caught:
        load(store).graph.digraph  # noqa: B018
    assert caught.value.where.endswith(f"{split}.npy")


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2}, {"n_entities": 10**12}, {"n_entities": -1}, {"facts": {"train": 1}},
        {"files": {}}, {"hashes": {"data": "x"}}, {"name": 3}, {"n_relations": 1},
    ],
)  # fmt: skip
def test_a_manifest_that_is_none(made, tmp_path, change):
    store = copy_of(made, tmp_path)
    told = json.loads((store / "store.json").read_text()) | change
    replace(store / "store.json", json.dumps(told).encode())
    with pytest.raises(DataError):
        load(store)


def test_what_is_there_stays(made, tmp_path):
    path = write(tmp_path / "f.tsv", rows(1, 300))
    with pytest.raises(RunExists, match="something already"):
        ingest([path], made)
    (tmp_path / "empty").mkdir()
    assert is_store(ingest([path], tmp_path / "empty")["store"])


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a\tr\tb\n" * 40 + "a\tr\n", ":41"),
        ("a\tr\tb\n\na\t\tb\n", ":3"),
        ("a\tr\tb\n\xff\n", ":2"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_left(tmp_path, text, where):
    path = tmp_path / "f.tsv"
    path.write_bytes(text.encode("latin1"))
    with pytest.raises(DataError) as caught:
        ingest([path], tmp_path / "out")
    assert caught.value.where == f"{path}{where}"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["f.tsv"]


def test_a_disk_that_just_holds_the_store_is_enough(tmp_path, monkeypatch):
    """Rows and bytes read are of the same blocks."""
    path = write(tmp_path / "f.tsv", [(f"h{i % 2}", "r", f"t{i // 2:03d}") for i in range(400)])
    monkeypatch.setattr("parsimony.graph.formats.read_blocks", small_blocks)
    usage = shutil.disk_usage(tmp_path)._replace(free=400 * 50)
    monkeypatch.setattr(ingesting.shutil, "disk_usage", lambda _: usage)
    assert is_store(ingest([path], tmp_path / "out")["store"])
    monkeypatch.setattr(ingesting.shutil, "disk_usage", lambda _: usage._replace(free=400 * 30))
    with pytest.raises(CannotWrite, match="the disk has"):
        ingest([path], tmp_path / "other")


def test_damaged_packing_empty_files_and_narrow_memory(tmp_path):
    content = gzip.compress(("a\tr\tb\n" * 5000).encode())
    (tmp_path / "cut.tsv.gz").write_bytes(content[:-9])
    with pytest.raises(FormatError, match="cut off"):
        ingest([tmp_path / "cut.tsv.gz"], tmp_path / "out")
    (tmp_path / "text.tsv.gz").write_text("a\tr\tb\n")
    with pytest.raises(FormatError, match="not packed by gzip"):
        ingest([tmp_path / "text.tsv.gz"], tmp_path / "out")
    (tmp_path / "none.tsv").write_text("\n")
    with pytest.raises(EmptySplit):
        ingest(tmp_path / "none.tsv", tmp_path / "out")
    with pytest.raises(InvalidParameter, match="no files"):
        ingest([], tmp_path / "out")
    (tmp_path / "f.nt.gz").write_bytes(gzip.compress(b"<http://a> <http://r> <http://b> .\n"))
    with pytest.raises(FormatError, match="unpack it first"):
        ingest([tmp_path / "f.nt.gz"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_killed_while_writing(tmp_path):
    """What a kill leaves is no store; the next try removes it."""
    path = write(tmp_path / "f.tsv", rows(1, 300))
    code = (
        "import sys, time\nfrom parsimony.store import writing\n"
        "wait = lambda *_: (print('there', flush=True), time.sleep(60))\n"
        "writing.StoreWriter._write_digraph = wait\n"
        "from parsimony.link.ingesting import ingest\n"
        f"ingest([{str(path)!r}], {str(tmp_path / 'out')!r})"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=os.environ)
    assert child.stdout.readline() == b"there\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert not (tmp_path / "out").exists()
    assert len([*tmp_path.glob(".out.*.tmp")]) == 1
    other = tmp_path / ".out.v2.0a1b2c3d.tmp"  # of another store, which is being written
    other.mkdir()
    assert "an earlier ingestion was killed" in ingest([path], tmp_path / "out")["notes"][1]
    assert is_store(tmp_path / "out")
    assert [*tmp_path.glob(".out.*.tmp")] == [other]


# ---- as data of a run ------------------------------------------------------------------------


def test_saved_with_a_run_without_being_copied(made, tmp_path):
    data = load(made)
    data.save(tmp_path / "data")
    again = LinkData.load(tmp_path / "data")
    same(again, data)
    assert os.path.samefile(tmp_path / "data" / "train.npy", made / "train.npy")


def test_other_data_are_those_of_no_store(made, tmp_path):
    data = load(made)
    assert replaced(data, registered=True).store is data.store
    other = replaced(data, valid=data.valid[:1])
    assert other.store is None
    assert other.content_hash != data.content_hash
    assert replaced(data, n_facts=3).store is None
    other.save(tmp_path / "data")
    again = LinkData.load(tmp_path / "data")
    assert again.content_hash == other.content_hash
    assert again.entities == data.entities
