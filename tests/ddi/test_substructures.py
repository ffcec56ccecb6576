"""A drug's formula as facts of the background graph."""

from __future__ import annotations

import pytest
from tests.ddi.small_pairs import families

import parsimony
from parsimony.ddi.background import load_background
from parsimony.ddi.substructures import HAS

pytest.importorskip("rdkit")


def test_drugs_of_a_family_share_its_group_and_no_other():
    data = families()
    graph = load_background(data, "substructures")
    assert list(graph.relations) == [HAS] and graph.n_drugs == data.n_drugs
    of = {drug: set() for drug in data.drugs}
    for h, _, t in graph.triples.tolist():
        of[graph.entities.name(h)].add(graph.labels[t])
    assert "carboxylic acids" in of["acid3"]
    assert of["ol3"] == of["ol5"] and "carboxylic acids" not in of["ol3"]


def test_they_join_other_sources():
    data = parsimony.open_task("ddi", "cyp", {}).data
    alone = load_background(data, "substructures")
    both = load_background(data, f"{data.graph}+substructures")
    own = load_background(data, data.graph)
    assert len(both.triples) == len(alone.triples) + len(own.triples)
