"""Link prediction's protocols and filters against sets."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsimony.errors import EmptySplit, InvalidParameter
from parsimony.graph import Vocabulary
from parsimony.link.data import LinkData
from parsimony.link.task import Filter, LinkTask, both_directions, group_answers

N_RELATIONS = 3
RELATIONS = Vocabulary([f"r{i}" for i in range(N_RELATIONS)], "relation")


@st.composite
def facts(draw, n_entities, min_size=1):
    """(n, 3) triples, duplicates and self-loops among them."""
    triple = st.tuples(
        st.integers(0, n_entities - 1), st.integers(0, N_RELATIONS - 1),
        st.integers(0, n_entities - 1),
    )  # fmt: skip
    rows = draw(st.lists(triple, min_size=min_size, max_size=12))
    return np.array(rows, np.int32).reshape(-1, 3)


@st.composite
def data_sets(draw, inductive=False):
    n = draw(st.integers(1, 6))
    parts = [draw(facts(n)) for _ in range(3)]
    names = Vocabulary([f"e{i}" for i in range(n)])
    if not inductive:
        return LinkData("made", names, RELATIONS, *parts)
    m = draw(st.integers(1, 6))
    others = Vocabulary([f"x{i}" for i in range(m)])
    other = LinkData("made_ind", others, RELATIONS, *(draw(facts(m)) for _ in range(3)))
    return LinkData("made", names, RELATIONS, *parts, inductive=other)


def known_answers(*splits):
    """(entity, relation or inverse) → all answers, fact by fact."""
    known = defaultdict(set)
    for triples in splits:
        for h, r, t in triples.tolist():
            known[h, r].add(t)
            known[t, r + N_RELATIONS].add(h)
    return known


def check(queries, triples, known, graph, n_entities):
    """A query set asks every distinct fact in both directions, filtered by all that is known."""
    triples = np.unique(triples, axis=0)
    expected = sorted(
        [(h, r, t) for h, r, t in triples.tolist()]
        + [(t, r + N_RELATIONS, h) for h, r, t in triples.tolist()]
    )
    asked = list(zip(queries.head.tolist(), queries.relation.tolist(), strict=True))
    assert len(asked) == len(set(asked)) == len(queries)
    answers = np.split(queries.answer, queries.answer_ptr[1:-1])
    pairs = zip(asked, answers, strict=True)
    assert sorted((*query, int(a)) for query, found in pairs for a in found) == expected
    assert queries.answer_relation.tolist() == [
        r for (_, r), found in zip(asked, answers, strict=True) for _ in found
    ]
    for query, found in zip(asked, np.split(queries.known, queries.known_ptr[1:-1]), strict=True):
        assert sorted(found.tolist()) == sorted(known[query])
    np.testing.assert_array_equal(queries.graph.triples, graph)
    assert queries.graph.n_entities == n_entities


# ---- protocols -------------------------------------------------------------------------------


@given(data_sets())
@settings(deadline=None, max_examples=50)
def test_transductive(data):
    task = LinkTask(data)
    assert not task.inductive
    assert task.training_queries is None
    assert task.test_graph is task.train_graph
    assert task.n_labels == len(data.train)
    known = known_answers(data.train, data.valid, data.test)
    for split in ("valid", "test"):
        # Validation facts are not walked when testing.
        check(task.queries(split), getattr(data, split), known, data.train, data.n_entities)


@given(data_sets(inductive=True))
@settings(deadline=None, max_examples=50)
def test_inductive_as_red_gnn_does_it(data):
    task = LinkTask(data)
    other = data.inductive
    assert task.inductive
    np.testing.assert_array_equal(task.training_queries, data.valid)
    assert task.n_labels == len(data.train) + len(data.valid)
    known = known_answers(data.train, data.valid, data.test)
    check(task.queries("valid"), data.test, known, data.train, data.n_entities)
    known = known_answers(other.train, other.valid, other.test)
    asked = np.concatenate([other.valid, other.test])
    check(task.queries("test"), asked, known, other.train, other.n_entities)


@given(data_sets(inductive=True))
@settings(deadline=None, max_examples=30)
def test_inductive_as_grail_does_it(data):
    task = LinkTask(data, protocol="grail")
    other = data.inductive
    assert task.training_queries is None
    assert task.n_labels == len(data.train)
    known = known_answers(data.train, data.valid, data.test)
    check(task.queries("valid"), data.valid, known, data.train, data.n_entities)
    known = known_answers(other.train, other.valid, other.test)
    check(task.queries("test"), other.test, known, other.train, other.n_entities)


# ---- parts -----------------------------------------------------------------------------------


@given(facts(5, min_size=0), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5))))
@settings(deadline=None, max_examples=80)
def test_filter(triples, asked):
    known = known_answers(triples)
    pairs = np.array(asked, np.int32).reshape(-1, 2)
    ptr, found = Filter(triples, 5, N_RELATIONS)(pairs[:, 0], pairs[:, 1])
    assert len(ptr) == len(asked) + 1
    for i, query in enumerate(asked):
        assert found[ptr[i] : ptr[i + 1]].tolist() == sorted(known[query])


@given(facts(4, min_size=0))
@settings(deadline=None, max_examples=80)
def test_groups_are_the_queries(triples):
    both = both_directions(triples, N_RELATIONS)
    assert len(both) == 2 * len(triples)
    head, relation, ptr, answer = group_answers(both, N_RELATIONS)
    counts = np.diff(ptr)
    rows = np.stack([np.repeat(head, counts), np.repeat(relation, counts), answer], 1)
    assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, both.tolist()))
    assert len({*zip(head.tolist(), relation.tolist(), strict=True)}) == len(head)


# ---- bad input -------------------------------------------------------------------------------


def small(**changes):
    one = np.array([[0, 0, 1]], np.int32)
    none = np.empty((0, 3), np.int32)
    names = Vocabulary(["a", "b"])
    parts = {"train": one, "valid": one, "test": none} | changes
    return LinkData("small", names, RELATIONS, **parts)


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: LinkTask(small(), protocol="drail"), InvalidParameter, "'drail'"),
        (lambda: LinkTask(small(train=small().test)), EmptySplit, "no training facts"),
        (lambda: LinkTask(small()).queries("test"), EmptySplit, "test split of small"),
        (lambda: LinkTask(small()).queries("train"), InvalidParameter, "'train'"),
    ],
    ids=["protocol", "train", "empty", "split"],
)
def test_bad_input(make, error, says):
    with pytest.raises(error) as caught:
        make()
    assert says in str(caught.value)
