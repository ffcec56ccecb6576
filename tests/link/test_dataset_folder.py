"""Dataset folders, inductive pairs, labels, and the saved form."""

from __future__ import annotations

import numpy as np
import pytest
from tests.datasets.dataset_files import TRAIN, write_folder

from parsimony.errors import (
    FormatError,
    InvalidParameter,
    MissingFile,
    UnknownEntity,
    UnknownRelation,
)
from parsimony.link.data import LinkData
from parsimony.link.loading import load

pytestmark = pytest.mark.usefixtures("cache")


def test_without_lists_names_are_sorted(tmp_path):
    data = load(write_folder(tmp_path / "small"))
    assert data.name == "small"
    assert data.entities.names == ("anna", "bert", "cleo")
    assert data.relations.names == ("knows", "likes")
    assert data.train.tolist() == [[0, 0, 1], [1, 0, 2], [2, 1, 0]]
    assert (len(data.valid), len(data.test)) == (1, 1)
    assert data.train.dtype == np.int32
    assert not data.train.flags.writeable
    assert data.notes == ()
    assert data.label("anna") == data.label(0) == "anna"
    assert len(data.graph) == 3
    assert data.triples("valid") is data.valid
    with pytest.raises(InvalidParameter, match="no split 'dev'"):
        data.triples("dev")


def test_lists_give_the_ids(tmp_path):
    folder = write_folder(
        tmp_path / "small",
        entities__txt="cleo\nbert\nanna\nnobody\n",
        relations__txt="likes\r\nknows\r\n",
    )
    data = load(folder)
    assert data.entities.names == ("cleo", "bert", "anna", "nobody")
    assert data.relations.names == ("likes", "knows")
    assert data.train[0].tolist() == [2, 1, 1]


def test_spaces_separate_where_the_first_line_has_no_tab(tmp_path):
    folder = write_folder(tmp_path / "small")
    for split in ("train", "valid", "test"):
        path = folder / f"{split}.txt"
        path.write_text(path.read_text().replace("\t", " "))
    assert load(folder).content_hash == load(write_folder(tmp_path / "tabs")).content_hash


def test_repeated_rows_are_kept(tmp_path):
    data = load(write_folder(tmp_path / "small", train=TRAIN + TRAIN[:1]))
    assert len(data.train) == 4


def test_unseen_entities_are_counted(tmp_path):
    folder = write_folder(
        tmp_path / "small", test=[("dora", "likes", "anna"), ("emil", "knows", "dora")]
    )
    assert load(folder).notes == ("2 entities of test have no fact in train",)


def test_test_only_relations(tmp_path):
    folder = write_folder(tmp_path / "small", test=[("anna", "knovs", "bert")])
    with pytest.raises(UnknownRelation, match=r"test\.txt:1: .*'knovs' has no fact") as caught:
        load(folder)
    assert "did you mean 'knows'" in caught.value.remedy
    assert "relations.txt" in caught.value.remedy
    (folder / "relations.txt").write_text("knows\nlikes\nknovs\n")
    (note,) = load(folder).notes
    assert note.startswith("warning: 1 relation of test without a fact in train (knovs)")


def test_inductive_pair(tmp_path):
    write_folder(tmp_path / "set", entities__txt="anna\nbert\ncleo\n")
    write_folder(
        tmp_path / "set_ind",
        train=[("xena", "likes", "yan")],
        valid=[("yan", "likes", "xena")],
        test=[("xena", "knows", "yan")],
    )
    data = load(tmp_path / "set")
    assert data.inductive is not None
    assert data.inductive.name == "set_ind"
    assert data.inductive.relations == data.relations
    assert data.inductive.entities.names == ("xena", "yan")
    # "knows" has no fact in the test graph; that is the point of an inductive set.
    assert data.inductive.test.tolist() == [[0, 0, 1]]
    with pytest.raises(UnknownRelation, match="list all relations"):
        load(tmp_path / "set_ind")


def test_the_test_graph_has_no_relations_of_its_own(tmp_path):
    write_folder(tmp_path / "set")
    write_folder(tmp_path / "set_ind", train=[("xena", "hates", "yan")])
    with pytest.raises(UnknownRelation, match=r"set_ind/train\.txt:1: unknown relation 'hates'"):
        load(tmp_path / "set")


def test_n_facts(tmp_path):
    folder = write_folder(tmp_path / "small", redgnn_split__json='{"n_facts": 2, "n_query": 1}')
    assert load(folder).n_facts == 2
    for wrong in ('{"n_facts": 4}', "[]", '{"n_facts": "2"}', "{"):
        (folder / "redgnn_split.json").write_text(wrong)
        with pytest.raises(FormatError, match=r"redgnn_split\.json: .*1 … 3"):
            load(folder)


@pytest.mark.parametrize(
    ("file", "content", "labels"),
    [
        (
            "entity_names__tsv",
            "mid\tname\tlabel\tdescription\nanna\tAnna_A\tAnna Amalia\tduchess\nbert\tBert_B\t\t\n",
            {"anna": "Anna Amalia", "bert": "Bert B", "cleo": "cleo"},
        ),
        (
            "entity_names__tsv",
            "anna\tAnna\nbert\tSame\ncleo\tSame\nnobody\tSame\n",
            {"anna": "Anna", "bert": "Same (bert)", "cleo": "Same (cleo)"},
        ),
        (
            "entity_text__tsv",
            "anna\tland_reform, a redistribution of land, of sorts\nbert\tphytology\n",
            {"anna": "land reform", "bert": "phytology", "cleo": "cleo"},
        ),
    ],
)
def test_labels(tmp_path, file, content, labels):
    data = load(write_folder(tmp_path / "small", **{file: content}))
    assert {name: data.label(name) for name in data.entities} == labels
    assert data.label(0) == labels["anna"]
    with pytest.raises(UnknownEntity, match="did you mean 'anna'"):
        data.label("ana")


def test_save_and_load(tmp_path):
    write_folder(
        tmp_path / "set",
        entity_names__tsv="anna\tAnna\n",
        redgnn_split__json='{"n_facts": 2}',
        test=[("dora", "likes", "anna")],
    )
    write_folder(tmp_path / "set_ind", train=[("xena", "likes", "yan")])
    data = load(tmp_path / "set")
    data.save(tmp_path / "saved")
    again = LinkData.load(tmp_path / "saved")
    assert again.content_hash == data.content_hash
    assert isinstance(again.train.base, np.memmap)
    for name in ("name", "entities", "relations", "n_facts", "notes", "source"):
        assert getattr(again, name) == getattr(data, name)
    assert dict(again.entity_names) == {"anna": "Anna"}
    assert again.inductive.content_hash == data.inductive.content_hash
    (tmp_path / "saved" / "meta.json").write_text('{"format": 9}')
    with pytest.raises(FormatError, match="dataset format 9, expected 1"):
        LinkData.load(tmp_path / "saved")


def test_the_hash_sees_every_part(tmp_path):
    parts = [
        write_folder(tmp_path / "a"),
        write_folder(tmp_path / "b", train=TRAIN[::-1]),
        write_folder(tmp_path / "c", entities__txt="bert\nanna\ncleo\n"),
        write_folder(tmp_path / "d", redgnn_split__json='{"n_facts": 2}'),
        write_folder(tmp_path / "e"),
    ]
    write_folder(tmp_path / "e_ind")
    assert len({load(folder).content_hash for folder in parts}) == 5


def test_a_folder_without_splits_is_no_dataset(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(MissingFile, match="no dataset folder"):
        load(tmp_path)
