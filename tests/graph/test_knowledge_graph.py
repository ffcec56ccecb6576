"""The graph against slow counting, on random multigraphs with loops and isolated nodes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsimony.errors import FormatError, InvalidParameter, MissingFile
from parsimony.graph import KnowledgeGraph, Vocabulary


@st.composite
def graphs(draw):
    n_entities = draw(st.integers(1, 8))
    n_relations = draw(st.integers(1, 3))
    triple = st.tuples(
        st.integers(0, n_entities - 1),
        st.integers(0, n_relations - 1),
        st.integers(0, n_entities - 1),
    )
    rows = draw(st.lists(triple, max_size=30))
    return KnowledgeGraph(np.array(rows, dtype=np.int64).reshape(-1, 3), n_entities, n_relations)


def edges_of(adjacency, node):
    part = slice(adjacency.indptr[node], adjacency.indptr[node + 1])
    return list(
        zip(
            adjacency.neighbour[part].tolist(),
            adjacency.relation[part].tolist(),
            adjacency.fact[part].tolist(),
            strict=True,
        )
    )


@given(graphs())
def test_adjacency_lists_every_fact_in_order(graph):
    rows = list(enumerate(graph.triples.tolist()))
    shift = graph.n_relations
    for node in range(graph.n_entities):
        forward = [(t, r, i) for i, (h, r, t) in rows if h == node]
        backward = [(h, r, i) for i, (h, r, t) in rows if t == node]
        assert edges_of(graph.csr, node) == forward
        assert edges_of(graph.csc, node) == backward
        both = forward + [(h, r + shift, i) for h, r, i in backward]
        assert edges_of(graph.digraph, node) == both
        assert graph.degrees[node] == len(both)
    assert graph.digraph.n_edges == 2 * len(graph)
    assert graph.digraph.n_nodes == graph.n_entities


@given(graphs())
def test_types_and_immutability(graph):
    for adjacency in (graph.csr, graph.csc, graph.digraph):
        assert adjacency.indptr.dtype == np.int64
        assert all(array.dtype == np.int32 for array in adjacency[1:])
        assert not any(array.flags.writeable for array in adjacency)
    assert graph.triples.dtype == np.int32
    with pytest.raises(ValueError, match="read-only"):
        graph.triples[...] = 0


@pytest.mark.parametrize("mmap", [True, False])
def test_save_and_load(tmp_path, mmap):
    triples = np.array([[0, 0, 1], [2, 1, 0], [2, 1, 2]])
    entities = Vocabulary(["a", "b\n", "c"])
    relations = Vocabulary(["r", "s"], "relation")
    graph = KnowledgeGraph(triples, 3, 2, entities, relations)
    graph.save(tmp_path / "graph")
    again = KnowledgeGraph.load(tmp_path / "graph", mmap=mmap)
    assert again.content_hash == graph.content_hash
    assert (again.entities, again.relations) == (entities, relations)
    assert np.array_equal(again.digraph.neighbour, graph.digraph.neighbour)
    mapped = isinstance(again.triples.base, np.memmap) or isinstance(again.triples, np.memmap)
    assert mapped == mmap


def test_hash_depends_on_counts_and_triples():
    triples = np.array([[0, 0, 1]])
    hashes = {
        KnowledgeGraph(triples, 2, 1).content_hash,
        KnowledgeGraph(triples, 3, 1).content_hash,
        KnowledgeGraph(triples, 2, 2).content_hash,
        KnowledgeGraph(triples[:, ::-1], 2, 1).content_hash,
    }
    assert len(hashes) == 4


@pytest.mark.parametrize(
    ("triples", "message"),
    [
        ([[0, 0, 2]], "tail id 2 is outside 0 … 1"),
        ([[-1, 0, 1]], "head id -1"),
        ([[0, 1, 1]], "relation id 1"),
        ([[0, 0]], "shape"),
        ([0, 0, 1], "shape"),
    ],
)
def test_wrong_triples(triples, message):
    with pytest.raises(InvalidParameter, match=message):
        KnowledgeGraph(np.array(triples), 2, 1)


def test_wrong_vocabulary():
    with pytest.raises(InvalidParameter, match="1 entity names for 2 ids"):
        KnowledgeGraph(np.zeros((0, 3)), 2, 1, Vocabulary(["a"]))


def test_loading_a_damaged_folder(tmp_path):
    KnowledgeGraph(np.array([[0, 0, 1]]), 2, 1).save(tmp_path)
    (tmp_path / "triples.npy").write_bytes(b"nonsense")
    with pytest.raises(FormatError, match=r"triples\.npy"):
        KnowledgeGraph.load(tmp_path)
    (tmp_path / "graph.json").write_text("[]")
    with pytest.raises(FormatError, match=r"graph\.json"):
        KnowledgeGraph.load(tmp_path)
    with pytest.raises(MissingFile):
        KnowledgeGraph.load(tmp_path / "absent")


@pytest.mark.parametrize("seed", range(5))
def test_rows_that_state_a_fact_are_the_same_with_the_edges_and_without(seed):
    random = np.random.default_rng(seed)
    triples = np.stack([random.integers(0, n, 60) for n in (5, 2, 5)], 1).astype(np.int32)
    scanned, indexed = (KnowledgeGraph(triples, 6, 2) for _ in range(2))
    assert indexed.digraph is not None
    for fact in itertools.product(range(6), range(2), range(6)):
        expected = np.flatnonzero((triples == fact).all(1)).tolist()
        assert scanned.rows_of(fact).tolist() == indexed.rows_of(fact).tolist() == expected
