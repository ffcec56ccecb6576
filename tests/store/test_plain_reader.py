"""A store against a reader in plain Python: names, ids, repeated rows, the split, the edges."""

from __future__ import annotations

import gzip
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsimony.decoding import blocks
from parsimony.errors import EmptySplit, FormatError
from parsimony.link.data import SPLITS
from parsimony.link.ingesting import ingest
from parsimony.store import GraphStore, arranging, dictionary, name_files, writing

# no tab, no end of a line, no NUL, and not empty
letters = st.characters(exclude_categories=["Cs", "Cc"])
names = st.one_of(
    st.sampled_from(
        ["a", "b", "é", "e\u0301", '"q', " a", "a ", "-1", "007", "日本", "𝔘", "\ufb01"]
    ),
    st.text(letters, min_size=1, max_size=12),
)
graphs = st.lists(
    st.tuples(names, st.sampled_from(["r", "s", "is a", "ä"]), names), min_size=1, max_size=120
)


def plain(rows, seed, most):
    """What a store holds, by its definitions alone."""
    facts = [*dict.fromkeys(rows)]
    order = np.arange(len(facts), dtype=np.int32)
    np.random.default_rng(seed).shuffle(order)
    seen, free = set(), []
    for i in order:
        head, relation, tail = facts[i]
        own = {("entity", head), ("entity", tail), ("relation", relation)}
        if own <= seen:
            free.append(int(i))
        seen |= own
    n = min(most, round(0.1 * len(facts)))
    if 2 * n > len(free):
        n = int(n * len(free) / (2 * n))
    if n == 0:
        return None
    held = {"valid": set(free[:n]), "test": set(free[n : 2 * n])}
    held["train"] = {*range(len(facts))} - held["valid"] - held["test"]
    entities, relations = (
        sorted(found, key=str.encode)
        for found in ({e for h, _, t in rows for e in (h, t)}, {r for _, r, _ in rows})
    )
    ids = {split: [(entities.index(h), relations.index(r), entities.index(t))
                   for i, (h, r, t) in enumerate(facts) if i in held[split]]
           for split in SPLITS}  # fmt: skip
    edges = [[] for _ in entities]
    for i, (h, r, t) in enumerate(ids["train"]):
        edges[h].append((t, r, i))
    for i, (h, r, t) in enumerate(ids["train"]):
        edges[t].append((h, r + len(relations), i))
    return entities, relations, ids, edges


def packed(path, text):
    if path.suffix == ".gz":
        return gzip.compress(text)
    if path.suffix == ".zst":
        return pytest.importorskip("backports.zstd").compress(text)
    return text


def write(path, rows, end="\n", blank=()):
    if path.suffix == ".parquet":
        pl.DataFrame(rows, ["head", "relation", "tail"], orient="row").write_parquet(path)
        return
    lines = ["\t".join(row) for row in rows]
    for at in blank:
        lines.insert(at % (len(lines) + 1), "")
    path.write_bytes(packed(path, end.join([*lines, ""]).encode()))


@settings(max_examples=60, deadline=None)
@given(
    rows=graphs,
    again=st.integers(1, 3),
    suffix=st.sampled_from([".tsv", ".tsv.gz", ".tsv.zst", ".parquet"]),
    end=st.sampled_from(["\n", "\r\n"]),
    blank=st.lists(st.integers(0, 200), max_size=3),
    seed=st.integers(0, 5),
    most=st.sampled_from([1, 3, 10_000]),
    narrow=st.booleans(),
)
def test_the_same_as_plain_python(
    tmp_path_factory, rows, again, suffix, end, blank, seed, most, narrow
):
    folder, rows = tmp_path_factory.mktemp("plain"), rows * again
    path = folder / f"facts{suffix}"
    write(path, rows, end, blank)
    expected = plain(rows, seed, most)
    given = {"columns": ("1", "2", "3") if suffix != ".parquet" else None, "seed": seed,
             "held_out": most, "memory": 600 if narrow else None}  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        if narrow:
            patch.setattr(writing, "_ROWS", 11)
            patch.setattr(arranging, "_NODES", 2)
            patch.setattr(dictionary, "_FEWEST", 2)
            patch.setattr(name_files, "_ROWS", 5)
        if expected is None:
            with pytest.raises(EmptySplit):
                ingest([path], folder / "out", **given)
            return
        done = ingest([path], folder / "out", **given)
    entities, relations, ids, edges = expected
    store = GraphStore.open(folder / "out")
    store.verify()
    assert [*store.entities.names] == entities
    assert [*store.relations.names] == relations
    for split in SPLITS:
        assert [*map(tuple, getattr(store, split).tolist())] == ids[split]
    ptr, *parts = store.graph.digraph
    for (low, high), own in zip(pairwise(ptr), edges, strict=True):
        assert [*zip(*(part[low:high].tolist() for part in parts), strict=True)] == own
    dropped = len(rows) - len({*rows})
    assert any(note == f"{dropped:,} repeated rows dropped before the split"
               for note in done["notes"]) == (dropped > 0)  # fmt: skip


@pytest.mark.parametrize("suffix", [".tsv", ".tsv.gz", ".tsv.zst"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bad", ["a\t\tb", "\tr\tb", "a\tr\t", "a\tr", "a\tr\tb\tc"])
def test_a_bad_row_far_behind_is_named_by_its_line(tmp_path, monkeypatch, suffix, end, bad):
    """It is read ahead of those before it, in another thread."""
    monkeypatch.setattr("parsimony.graph.formats.read_blocks", small_blocks)
    path = tmp_path / f"facts{suffix}"
    lines = [f"e{i % 40}\tr\te{i % 7}" for i in range(500)]
    lines[400:400] = ["", bad]
    path.write_bytes(packed(path, (end.join(lines) + end).encode()))
    with pytest.raises(FormatError) as caught:
        ingest([path], tmp_path / "out")
    assert caught.value.where == f"{path}:402"
    assert [*tmp_path.iterdir()] == [path]


def small_blocks(*given, size, **more):
    return blocks.read_blocks(*given, size=min(size, 700), **more)
