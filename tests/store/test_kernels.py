"""The compiled loops of a store against plain Python."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsimony.store import arranging, dictionary
from parsimony.store.arranging import count, grouped, mark_repeated, number_facts
from parsimony.store.dictionary import Codes, DictionaryFull, Hashed

facts = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2), st.integers(0, 9)), max_size=60)


def blocks_of(triples, size=7):
    return lambda: ((at, triples[at : at + size]) for at in range(0, len(triples), size))


@given(facts, st.integers(1, 130), st.sampled_from([1, 2, 4]), st.booleans())
def test_edges_by_node(rows, room, nodes, both):
    triples = np.array(rows, np.int32).reshape(-1, 3)
    expected = [[] for _ in range(10)]
    for i, (h, r, t) in enumerate(rows):
        expected[h].append((t, r, i))
    for i, (h, r, t) in enumerate(rows) if both else ():
        expected[t].append((h, r + 3, i))
    heads, tails = np.zeros((2, 10), np.int32)
    count(triples[:, 0], heads)
    count(triples[:, 2], tails)
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arranging, "_NODES", nodes)
        patch.setattr(arranging, "_PILE", 20)
        arranged = grouped(
            blocks_of(triples), heads, tails if both else None, 3, np.empty((room, 4), np.int32)
        )
        for ptr, edges in arranged:
            for low, high in pairwise(ptr):
                found.append([*map(tuple, edges[:, low:high].T.tolist())])
    assert found == expected


@given(facts, st.integers(1, 40))
def test_repeated_facts(rows, times):
    rows = rows * (1 + times // 20)  # some heads have more facts than are compared one by one
    triples = np.array(rows, np.int32).reshape(-1, 3)
    heads = np.bincount(triples[:, 0], minlength=10).astype(np.int32)
    kept, room = np.ones(len(rows), bool), np.empty((times, 4), np.int32)
    for ptr, edges in grouped(blocks_of(triples), heads, None, 0, room):
        mark_repeated(ptr, edges, kept)
    assert kept.tolist() == [row not in rows[:i] for i, row in enumerate(rows)]


@given(facts)
def test_codes_become_ids(rows):
    entities, relations = np.random.default_rng(0).permutation(10), np.array([2, 0, 1])
    block = np.array(rows, np.int32).reshape(-1, 3)
    number_facts(block, entities.astype(np.int32), relations.astype(np.int32))
    assert block.tolist() == [[entities[h], relations[r], entities[t]] for h, r, t in rows]


@given(
    st.lists(st.lists(st.integers(0, 400), max_size=300), max_size=4),
    st.sampled_from([1, 3]),
    st.sampled_from([0, 50]),
)
def test_codes_of_names_over_several_blocks_and_passes(columns, shares, room):
    codes = Codes(room=room)
    plain: dict[str, int] = {}
    got = [np.full((len(column), 2), -1, np.int32) for column in columns]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dictionary, "_FEWEST", 2)
        for share in range(shares):
            codes.begin(share, shares)
            for column, out in zip(columns, got, strict=True):
                names = pl.Series([f"n{i}" for i in column], dtype=pl.String)
                for row in codes.codes(Hashed.of(names), out[:, 1]).tolist():
                    assert plain.setdefault(names[row], len(plain)) == len(plain) - 1
    assert len(codes) == len(plain) == len({i for column in columns for i in column})
    for column, out in zip(columns, got, strict=True):
        assert out[:, 1].tolist() == [plain[f"n{i}"] for i in column]
        assert (out[:, 0] == -1).all()


def test_a_table_does_not_grow_beyond_its_memory():
    names = Hashed.of(pl.Series([f"n{i}" for i in range(10_000)]))
    with pytest.raises(DictionaryFull):
        Codes(memory=200_000).codes(names, np.empty(10_000, np.int32))
    Codes(memory=1_000_000).codes(names, np.empty(10_000, np.int32))
