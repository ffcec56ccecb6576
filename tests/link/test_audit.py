"""The audit against slow counting, on graphs made to leak."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsimony.graph import KnowledgeGraph, Vocabulary
from parsimony.link.audit import audit, render
from parsimony.link.data import LinkData
from parsimony.link.leaks import all_facts, find_overlaps, leaked
from parsimony.link.popularity import popularity_ranks
from parsimony.link.task import LinkTask


def dataset(train, valid, test, n_entities, relations, **more):
    names = Vocabulary([f"e{i}" for i in range(n_entities)])
    parts = [np.array(part, dtype=np.int32).reshape(-1, 3) for part in (train, valid, test)]
    return LinkData("made", names, Vocabulary(relations, "relation"), *parts, **more)


@st.composite
def datasets(draw):
    n_entities, n_relations = draw(st.integers(2, 7)), draw(st.integers(1, 3))
    triple = st.tuples(
        st.integers(0, n_entities - 1),
        st.integers(0, n_relations - 1),
        st.integers(0, n_entities - 1),
    )
    parts = [draw(st.lists(triple, min_size=1, max_size=n)) for n in (25, 6, 6)]
    return dataset(*parts, n_entities, [f"r{i}" for i in range(n_relations)])


def slow_ranks(data):
    """Greater and equal counts of every (query, answer), by looking at every candidate."""
    n = data.n_relations
    both = [
        [(h, r, t) for h, r, t in part.tolist()] + [(t, r + n, h) for h, r, t in part.tolist()]
        for part in (data.train, data.valid, data.test)
    ]
    known = set().union(*map(set, both))
    found = []
    for head, relation, answer in set(both[2]):
        facts = [t for _, r, t in both[0] if r == relation]
        score = [facts.count(e) for e in range(data.n_entities)]
        others = [
            e for e in range(data.n_entities) if e != answer and (head, relation, e) not in known
        ]
        greater = sum(score[e] > score[answer] for e in others)
        equal = sum(score[e] == score[answer] for e in others)
        found.append((head, relation, answer, greater, equal))
    return sorted(found)


@settings(max_examples=80)
@given(datasets())
def test_popularity_ranks_agree_with_slow_ones(data):
    queries = LinkTask(data).queries("test")
    greater, equal = popularity_ranks(queries)
    of_answer = np.repeat(np.arange(len(queries)), np.diff(queries.answer_ptr))
    found = zip(
        queries.head[of_answer].tolist(),
        queries.relation[of_answer].tolist(),
        queries.answer.tolist(),
        greater.tolist(),
        equal.tolist(),
        strict=True,
    )
    assert sorted(found) == slow_ranks(data)


@settings(max_examples=80)
@given(datasets(), st.sampled_from([0.5, 0.8, 1.0]))
def test_overlaps_agree_with_sets(data, threshold):
    facts = {
        tuple(row) for part in ("train", "valid", "test") for row in data.triples(part).tolist()
    }
    pairs = {r: {(h, t) for h, q, t in facts if q == r} for r in range(data.n_relations)}
    expected = set()
    for r in pairs:
        for s in pairs:
            if r < s and pairs[r] and pairs[s]:
                shared = len(pairs[r] & pairs[s])
                if shared and shared >= threshold * max(len(pairs[r]), len(pairs[s])):
                    expected.add(("duplicate", r, s, shared))
            proper = {x: {p for p in pairs[x] if p[0] != p[1]} for x in (r, s)}
            if r <= s and proper[r] and proper[s]:
                shared = len(proper[r] & {(t, h) for h, t in proper[s]})
                if shared and shared >= threshold * max(len(proper[r]), len(proper[s])):
                    expected.add(("symmetric" if r == s else "inverse", r, s, shared))
    found = find_overlaps(all_facts(data), threshold)
    assert {(o.kind, o.first, o.second, o.shared) for o in found} == expected


def leaky():
    """``parent`` mirrors ``child``, ``kin`` is symmetric, ``son`` repeats ``child``."""
    relations = ["child", "parent", "kin", "son", "odd"]
    child = [(i, 0, i + 1) for i in range(10)]
    train = child + [(t, 1, h) for h, _, t in child] + [(h, 3, t) for h, _, t in child]
    for h, t in ((0, 5), (1, 6), (2, 7), (3, 8)):
        train += [(h, 2, t), (t, 2, h)]
    train += [(12, 1, 11), (20, 2, 21), (13, 3, 14), (0, 4, 1), (0, 4, 1), (9, 4, 9)]
    valid = [(11, 0, 12)]
    test = [(11, 0, 12), (21, 2, 20), (13, 0, 14), (0, 0, 1), (22, 4, 0), (14, 4, 13)]
    return dataset(train, valid, test, 24, relations)


def test_overlaps_and_leaks_of_a_leaky_set():
    data = leaky()
    overlaps = find_overlaps(data.graph)  # of train alone: one split suffices here
    name = data.relations.name
    assert {(o.kind, name(o.first), name(o.second)) for o in overlaps} == {
        ("duplicate", "child", "son"),
        ("inverse", "child", "parent"),
        ("inverse", "parent", "son"),
        ("symmetric", "kin", "kin"),
    }
    marks = leaked(data.test, data.graph, overlaps)
    assert marks["exact"].tolist() == [False, False, False, True, False, False]
    assert marks["inverse"].tolist() == [True, True, False, True, False, False]
    assert marks["duplicate"].tolist() == [False, False, True, True, False, False]
    assert marks["linked"].tolist() == [True, True, True, True, False, True]


def test_the_report():
    report = audit(leaky())
    assert json.loads(json.dumps(report)) == report
    counts = report["counts"]
    assert (counts["entities"], counts["train"], counts["valid"], counts["test"]) == (24, 44, 1, 6)
    assert counts["repeated_rows"] == {"train": 1, "valid": 0, "test": 0}
    assert counts["self_loops"] == 1
    assert counts["valid_in_test"] == 1
    assert report["leaks"]["test"] == {
        "facts": 6,
        "exact": 1,
        "inverse": 3,
        "duplicate": 2,
        "linked": 5,
    }
    assert report["unseen"]["test"] == {"entities": 1, "relations": 0, "facts": 1}
    (odd,) = [row for row in report["relations"] if row["relation"] == "odd"]
    assert (odd["train"], odd["subjects"], odd["objects"]) == (3, 2, 2)
    assert (odd["objects_per_subject"], odd["subjects_per_object"]) == (1.0, 1.0)
    assert report["degrees"]["isolated"] == 7
    popularity = report["popularity"]
    assert popularity["n_queries"] == 12
    assert popularity["pessimistic"]["mrr"] <= popularity["metrics"]["mrr"]
    assert popularity["metrics"]["mrr"] <= popularity["optimistic"]["mrr"]
    expected = [1 / (1 + greater + equal / 2) for *_, greater, equal in slow_ranks(leaky())]
    assert popularity["metrics"]["mrr"] == pytest.approx(np.mean(expected))


def test_the_text():
    text = render(audit(leaky()))
    for part in (
        "made: 24 entities, 5 relations, 44 / 1 / 6 facts",
        "repeated rows: 1 in train",
        "inverse: child ~ parent",
        "symmetric: kin",
        "test given away by train: itself 1 (16.7%), by an inverse 3 (50.0%)",
        "test without a training fact: 1 entities, 0 relations, in 1 facts",
        "degree-only baseline, test, 12 queries: MRR 0.",
    ):
        assert part in text
    assert "no duplicate, inverse or symmetric" in render(
        audit(dataset([(0, 0, 1)], [(1, 0, 2)], [(2, 0, 1)], 3, ["r"]))
    )


def test_an_inductive_pair_is_described_twice():
    test_graph = dataset([(0, 0, 1), (1, 0, 2)], [(2, 0, 0)], [(0, 0, 2)], 3, ["r"])
    data = dataset([(0, 0, 1)], [(1, 0, 0)], [(1, 0, 1)], 5, ["r"], inductive=test_graph)
    report = audit(data)
    assert report["inductive"]["counts"]["train"] == 2
    assert report["inductive"]["shared_entities"] == 3
    # The final test of RED-GNN's protocol: valid and test of the test graph, both directions.
    assert report["popularity"]["n_queries"] == 4
    assert "test graph, 3 entities shared with the training graph" in render(report)


def test_a_graph_without_overlaps():
    assert find_overlaps(KnowledgeGraph(np.zeros((0, 3), np.int32), 2, 1)) == []
