"""The sources of a background graph: names and folders joined by a plus that folders may hold."""

from __future__ import annotations

import os

import pytest
from tests.ddi.small_pairs import families, write_ddi_folder

from parsimony.ddi.background import load_background
from parsimony.ddi.folder import load_ddi
from parsimony.errors import InvalidParameter

ODD = ["a+b", "+", "a%20b", "#x", "[1]", "a*b", "what?", "{0}", "two words", "it's", 'say "x"',
       "line\nfeed", "~", "a+hetionet", "hetionet+b"]  # fmt: skip


def graph(folder, name):
    folder.mkdir(parents=True)
    (folder / "train.txt").write_text(f"X04\tbinds\t{name}\n")
    return str(folder)


@pytest.mark.parametrize("name", ODD)
def test_a_folder_of_any_name_has_its_own_graph(tmp_path, name):
    folder = write_ddi_folder(families(), tmp_path / name)
    graph(folder / "background", "P")
    data = load_ddi(folder)
    assert load_background(data, data.graph).entities.names[-1] == "P"


def test_several_folders_with_a_plus(tmp_path):
    one, two = graph(tmp_path / "a+b", "P"), graph(tmp_path / "a", "Q")
    found = load_background(families(), f"{two}+{one}")
    assert set(found.entities.names[-2:]) == {"P", "Q"}


@pytest.mark.parametrize("given", ["", "+", "no+such", "none+crcc", "FOLDER+", "+FOLDER"])
def test_what_is_no_source_is_refused(tmp_path, given):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "train.txt").write_text("X04\tbinds\tP\n")
    folder = graph(tmp_path / "f", "P")
    old = os.getcwd()
    os.chdir(tmp_path / "here")
    try:
        with pytest.raises(InvalidParameter, match="no background graph"):
            load_background(families(), given.replace("FOLDER", folder))
    finally:
        os.chdir(old)


def test_the_facts_of_an_external_id_are_those_of_every_drug_that_has_it(tmp_path):
    import dataclasses

    data = families()
    external = list(data.external_ids)
    external[5] = "X04"
    folder = graph(tmp_path / "g", "P")
    found = load_background(dataclasses.replace(data, external_ids=tuple(external)), folder)
    assert sorted(found.triples.tolist()) == [[4, 0, 30], [5, 0, 30]]
