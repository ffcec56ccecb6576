"""Names and ids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsimony.errors import FormatError, UnknownEntity, UnknownRelation
from parsimony.graph import Vocabulary

names = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12), unique=True, max_size=20
)


@given(names=names)
def test_save_and_load_any_names(names, tmp_path_factory):
    path = tmp_path_factory.mktemp("vocabulary") / "entities.txt"
    vocabulary = Vocabulary(names)
    vocabulary.save(path)
    again = Vocabulary.load(path)
    assert again == vocabulary
    assert again.content_hash == vocabulary.content_hash
    assert path.read_bytes().count(b"\n") == len(names)


def test_look_up():
    vocabulary = Vocabulary(["anna", "bert"])
    assert len(vocabulary) == 2
    assert vocabulary.index("bert") == 1
    assert vocabulary.name(1) == "bert"
    assert "anna" in vocabulary
    assert "cleo" not in vocabulary
    assert list(vocabulary) == ["anna", "bert"]
    assert vocabulary.as_array().tolist() == ["anna", "bert"]
    assert vocabulary != Vocabulary(["bert", "anna"])
    assert vocabulary != Vocabulary(["anna", "bert"], "relation")
    with pytest.raises(IndexError):
        vocabulary.name(-1)
    with pytest.raises(IndexError):
        vocabulary.name(2)


def test_unknown_names_are_suggested():
    with pytest.raises(UnknownEntity, match="did you mean 'anna'"):
        Vocabulary(["anna", "bert"]).index("ana")
    with pytest.raises(UnknownRelation, match=r"q.txt:4: .*did you mean 'uncle'"):
        Vocabulary(["uncle"], "relation").index("unkle", where="q.txt:4")


def test_names_are_unique():
    with pytest.raises(FormatError, match="'a' occurs twice, as ids 0 and 2"):
        Vocabulary(["a", "b", "a"])


def test_hash_tells_kind_and_order_apart():
    hashes = {
        Vocabulary(["a", "b"]).content_hash,
        Vocabulary(["b", "a"]).content_hash,
        Vocabulary(["a", "b"], "relation").content_hash,
        Vocabulary(["a\nb"]).content_hash,
    }
    assert len(hashes) == 4


def test_a_damaged_quote_is_named(tmp_path):
    path = tmp_path / "entities.txt"
    path.write_text('fine\n"torn\n')
    with pytest.raises(FormatError, match=r"entities\.txt:2"):
        Vocabulary.load(path)
