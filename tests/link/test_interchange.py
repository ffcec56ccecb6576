"""Graphs of other libraries become data with the same facts, and go back."""

from __future__ import annotations

import os
from dataclasses import replace
from types import SimpleNamespace

import networkx
import numpy as np
import pytest

import parsimony
from parsimony.errors import EmptySplit, FormatError, UsageError
from parsimony.graph import Vocabulary
from parsimony.link.data import SPLITS, LinkData
from parsimony.link.interchange import (
    from_networkx,
    from_pyg,
    from_pykeen,
    to_networkx,
    to_pyg,
    write_folder,
)


@pytest.fixture(scope="module")
def royal():
    return parsimony.load("royal")


def facts(data, *splits):
    entity, relation = data.entities.names, data.relations.names
    rows = np.concatenate([data.triples(split) for split in splits or SPLITS]).tolist()
    return sorted((entity[h], relation[r], entity[t]) for h, r, t in rows)


# ---- NetworkX ------------------------------------------------------------------------------------


def test_networkx_and_back(royal):
    graph = to_networkx(royal)
    assert graph.number_of_edges() == len(facts(royal))
    assert graph.nodes["Leopold_I_of_Belgium"]["label"] == royal.label("Leopold_I_of_Belgium")
    back = from_networkx(graph, name="royal")
    assert facts(back) == facts(royal)
    assert back.entities == Vocabulary(sorted(royal.entities), "entity")
    assert back.notes[0].startswith("split 80/10/10 with seed 0")
    assert facts(from_networkx(to_networkx(royal, ["train"]))) == facts(royal, "train")


def test_networkx_is_split_as_a_file_is(royal, tmp_path):
    """The same facts, whether they come as a file or as a graph."""
    path = tmp_path / "royal.tsv"
    path.write_text("".join("\t".join(fact) + "\n" for fact in facts(royal)))
    graph = networkx.MultiDiGraph()
    for head, relation, tail in facts(royal):
        graph.add_edge(head, tail, relation)  # the key names it
    read, taken = parsimony.load(path, columns=("1", "2", "3")), from_networkx(graph)
    assert [len(read.triples(s)) for s in SPLITS] == [len(taken.triples(s)) for s in SPLITS]
    assert facts(read) == facts(taken)


def test_an_undirected_edge_is_a_fact_in_each_direction():
    graph = networkx.complete_graph(6)
    graph.add_edge(3, 3)
    networkx.set_edge_attributes(graph, "near", "kind")
    found = facts(from_networkx(graph, relation="kind"))
    others = [(a, b) for a in range(6) for b in range(6) if a != b]
    assert found == sorted((str(a), "near", str(b)) for a, b in [*others, (3, 3)])


def test_a_graph_that_says_too_little_is_refused():
    graph = networkx.MultiDiGraph([("a", "b")])
    with pytest.raises(FormatError, match="edge 'a' – 'b' has no attribute 'relation'"):
        from_networkx(graph)
    with pytest.raises(EmptySplit):
        from_networkx(networkx.DiGraph())
    with pytest.raises(FormatError, match="two nodes"):
        from_networkx(networkx.Graph([(1, 2), ("1", 2)]))


# ---- PyG: by the fields that it documents --------------------------------------------------------


def test_pyg_and_back(royal):
    fields = to_pyg(royal)
    n = len(royal.train)
    assert fields["edge_index"].shape == (2, 2 * n)
    assert (fields["edge_type"][n:] == fields["edge_type"][:n] + royal.n_relations).all()
    assert (fields["edge_index"][:, n:] == fields["edge_index"][:, :n].flip(0)).all()
    back = from_pyg(
        SimpleNamespace(**fields), entities=royal.entities, relations=royal.relations, name="royal"
    )
    for split in SPLITS:
        assert (back.triples(split) == royal.triples(split)).all()
    assert back.entities == royal.entities


def test_pyg_without_a_split_or_names():
    pairs = [(a, b) for a in range(6) for b in range(6) if a != b]
    heads, tails = zip(*pairs, *pairs, strict=True)  # every edge twice
    edges = SimpleNamespace(edge_index=[heads, tails], edge_type=[0] * 2 * len(pairs), num_nodes=7)
    data = from_pyg(edges)
    assert facts(data) == sorted((str(a), "0", str(b)) for a, b in pairs)
    assert data.n_entities == 7
    with pytest.raises(UsageError, match="no edge_index with edge_type"):
        from_pyg(SimpleNamespace(edge_index=[[0], [1]]))


# ---- PyKEEN: by the fields that it documents, and by itself --------------------------------------


def factory(data, split):
    return SimpleNamespace(
        mapped_triples=data.triples(split),
        entity_to_id={name: i for i, name in enumerate(data.entities)},
        relation_to_id={name: i for i, name in enumerate(data.relations)},
    )


def test_pykeen_factories(royal):
    parts = [factory(royal, split) for split in SPLITS]
    back = from_pykeen(*parts, name="royal")
    assert back.relations == royal.relations and facts(back, "test") == facts(royal, "test")
    parts[0].create_inverse_triples = True
    with pytest.raises(UsageError, match="inverse"):
        from_pykeen(*parts)


@pytest.mark.skipif(not os.environ.get("PARSIMONY_TUTORIALS"), reason="make tutorials")
@pytest.mark.filterwarnings("ignore")
def test_pykeen_itself(royal, tmp_path):
    triples = pytest.importorskip("pykeen.triples")
    folder = write_folder(royal, tmp_path / "royal")
    first = triples.TriplesFactory.from_path(folder / "train.txt")
    rest = [
        triples.TriplesFactory.from_path(
            folder / f"{split}.txt", entity_to_id=first.entity_to_id,
            relation_to_id=first.relation_to_id,
        )
        for split in ("valid", "test")
    ]  # fmt: skip
    back = from_pykeen(first, *rest)
    for split in SPLITS:
        assert facts(back, split) == facts(royal, split)


# ---- folders -------------------------------------------------------------------------------------


def test_a_written_folder_is_read_as_it_was(royal, tmp_path):
    back = parsimony.load(write_folder(royal, tmp_path / "royal"))
    for split in SPLITS:
        assert (back.triples(split) == royal.triples(split)).all()
    assert back.entities == royal.entities and back.relations == royal.relations


def test_an_inductive_sibling_is_written_beside_it(tmp_path):
    relations, rows = Vocabulary(["likes"], "relation"), [np.array([[0, 0, i]]) for i in range(3)]
    pair = [
        LinkData(name, Vocabulary(of, "entity"), relations, *rows)
        for name, of in (("d", ["a", "b", "x"]), ("d_ind", ["c", "d", "x"]))
    ]
    back = parsimony.load(write_folder(replace(pair[0], inductive=pair[1]), tmp_path / "d"))
    assert back.inductive is not None
    assert facts(back) == facts(pair[0]) and facts(back.inductive) == facts(pair[1])


def test_a_name_that_text_cannot_hold_is_refused(tmp_path):
    names, likes = Vocabulary(["a\tb", "c"], "entity"), Vocabulary(["likes"], "relation")
    data = LinkData("d", names, likes, np.array([[0, 0, 1]]), np.empty((0, 3)), np.empty((0, 3)))
    with pytest.raises(FormatError, match="has a tab"):
        write_folder(data, tmp_path / "d")
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("name", ["", "\ufeffa", "a\ud800", "a\rb"])
def test_a_name_that_does_not_come_back_is_refused(name, tmp_path):
    names, likes = Vocabulary([name, "c"], "entity"), Vocabulary(["likes"], "relation")
    data = LinkData("d", names, likes, np.array([[0, 0, 1]]), np.empty((0, 3)), np.empty((0, 3)))
    with pytest.raises(FormatError, match="is empty, or has"):
        write_folder(data, tmp_path / "d")


def test_names_of_pyg_may_be_an_array_and_numbers_of_pykeen_have_no_gap(royal):
    fields = SimpleNamespace(**to_pyg(royal))
    back = from_pyg(fields, entities=np.array(royal.entities.names), relations=royal.relations)
    assert back.entities == royal.entities
    parts = [factory(royal, split) for split in SPLITS]
    first = royal.entities.name(0)
    parts[0].entity_to_id[first] = royal.n_entities
    with pytest.raises(UsageError, match="not numbered"):
        from_pykeen(*parts)
