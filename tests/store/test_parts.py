"""What is counted in parts, or read off stored edges, is what is counted in memory."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsimony.graph import KnowledgeGraph, parts
from parsimony.link import strata
from parsimony.link.audit import audit, render
from parsimony.link.ingesting import ingest
from parsimony.link.leaks import all_facts, find_overlaps
from parsimony.link.loading import load
from parsimony.link.popularity import popularity_counts, popularity_ranks
from parsimony.link.task import Filter, GraphFilter, LinkTask


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """One graph from its file and from its store: an inverse, a symmetric relation, a hub."""
    folder, drawn = tmp_path_factory.mktemp("both"), np.random.default_rng(0)
    a, b = drawn.integers(40, size=(2, 150))
    rows = [(f"e{x}", "r", f"e{y}") for x, y in zip(a, b, strict=True)]
    rows += [(t, "inverse", h) for h, _, t in rows]
    rows += [(f"e{x}", "like", f"e{y}") for x, y in zip(b[:80], a[:80], strict=True)]
    rows += [(t, "like", h) for h, r, t in rows if r == "like"]
    rows += [("hub", f"s{i % 3}", f"e{i % 40}") for i in range(200)]
    path = folder / "facts.tsv"
    path.write_text("".join("\t".join(row) + "\n" for row in rows))
    ingest([path], folder / "store")
    return load(path), load(folder / "store")


def test_every_fact_is_in_one_part_with_all_of_its_node():
    drawn = np.random.default_rng(0)
    triples = drawn.integers(0, 20, (300, 3)).astype(np.int32)
    cut = [*parts.by_node(triples, lambda rows: rows[:, 2], 20, most=40)]
    assert len(cut) > 5
    assert sorted(map(tuple, np.concatenate(cut))) == sorted(map(tuple, triples))
    assert sum(len(np.unique(part[:, 2])) for part in cut) == len(np.unique(triples[:, 2]))
    assert parts.relation_counts(triples, 20).tolist() == np.bincount(triples[:, 1]).tolist()


@given(st.integers(0, 2**32), st.integers(1, 60), st.sampled_from([0, 16]), st.sampled_from([2, 8]))
def test_parts_in_the_order_of_nodes_and_of_facts(seed, most, bits, together):
    drawn = np.random.default_rng(seed)
    triples = (25 * drawn.random((200, 3)) ** 3).astype(np.int32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_BUCKETS", bits or 3)
        patch.setattr(parts, "_TOGETHER", together)
        patch.setattr(parts, "blocks", partial(parts.blocks, size=30))
        cut = [*parts.by_node(triples, lambda rows: rows[:, 0], 25, most=most)]
    nodes = [set(part[:, 0]) for part in cut if len(part)]
    assert all(max(one) < min(other) for one, other in pairwise(nodes))
    for part in cut:
        own = np.isin(triples[:, 0], part[:, 0])
        assert np.array_equal(part, triples[own])
    assert sum(map(len, cut)) == 200
    if bits:  # a part of more facts is that of a single node
        assert all(len({*part[:, 0]}) == 1 for part in cut if len(part) > most)


@given(st.integers(0, 2**32), st.sampled_from([1, 3, 22]))
def test_what_a_fact_states(seed, slots):
    drawn = np.random.default_rng(seed)
    triples = drawn.integers(0, 30, (150, 3)).astype(np.int32)
    keys = drawn.integers(0, 900, drawn.integers(0, 60))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_SLOTS", slots)
        patch.setattr(parts, "blocks", partial(parts.blocks, size=40))
        found = parts.stated(keys, triples, lambda f: f[:, 0].astype(np.int64) * 30 + f[:, 2])
    pairs = {30 * int(h) + int(t) for h, _, t in triples}
    assert found.tolist() == [int(key) in pairs for key in keys]


def test_overlaps_and_popularity_in_parts(both, monkeypatch):
    data, task = both[0], LinkTask(both[0])
    whole = find_overlaps(all_facts(data)), popularity_counts(data.graph)
    ranks = popularity_ranks(task.queries("test"))
    assert {overlap.kind for overlap in whole[0]} == {"duplicate", "inverse", "symmetric"}
    monkeypatch.setattr(parts, "PART", 30)
    assert find_overlaps(all_facts(data)) == whole[0]
    for one, other in zip(popularity_counts(data.graph), whole[1], strict=True):
        assert np.array_equal(one, other)
    for one, other in zip(popularity_ranks(task.queries("test")), ranks, strict=True):
        assert np.array_equal(one, other)


def test_the_same_audit(both, monkeypatch):
    expected = audit(both[0])
    monkeypatch.setattr(parts, "PART", 30)
    found = audit(both[1])
    for key in ("counts", "degrees", "relations", "overlaps", "leaks", "unseen", "popularity"):
        assert found[key] == expected[key], key
    assert found["store"]["checked"]
    assert expected["store"] is None
    assert "agree with their checksums" in render(found)


@given(st.integers(0, 2**32))
def test_known_answers_off_the_edges(both, seed):
    data, stored = both
    drawn, n = np.random.default_rng(seed), data.n_relations
    head = drawn.integers(data.n_entities, size=8).astype(np.int32)
    relation = drawn.integers(2 * n, size=8).astype(np.int32)
    more = np.concatenate([data.valid, data.test])
    plain = Filter(np.concatenate([data.train, more]), data.n_entities, n)
    for found, expected in zip(
        GraphFilter(stored.graph, more)(head, relation), plain(head, relation), strict=True
    ):
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)


def test_known_answers_go_to_another_process(both):
    data, stored = both
    known = LinkTask(stored).training_answers
    there, expected = Filter.of(known.arrays(), data.n_relations), LinkTask(data).training_answers
    for name, array in expected.arrays().items():
        assert np.array_equal(there.arrays()[name], array)


def test_the_same_queries(both):
    for split in ("valid", "test"):
        one, other = (LinkTask(data).queries(split) for data in both)
        for name in ("head", "relation", "answer_ptr", "answer", "known_ptr", "known"):
            assert np.array_equal(getattr(one, name), getattr(other, name))


def test_distances_of_a_large_graph_are_left_out(both, monkeypatch):
    queries = LinkTask(both[0]).queries("test")
    expected = strata.strata_of(queries)
    monkeypatch.setattr(strata, "LARGE", 10)
    found = strata.strata_of(queries)
    assert {*expected} - {*found} == {"distance"}
    for kind in found:
        assert all(np.array_equal(found[kind][name], expected[kind][name]) for name in found[kind])


def test_a_graph_without_facts_has_no_popularity():
    empty = KnowledgeGraph(np.zeros((0, 3), np.int32), 3, 1)
    assert [len(each) for each in popularity_counts(empty)] == [0, 0]
