"""Head, tail, relation, as OpenKE writes them: known by counts, and said."""

from __future__ import annotations

import functools

import numpy as np
import polars as pl
import pytest
from tests.datasets.dataset_files import write_folder

from parsimony.errors import FormatError
from parsimony.link.audit import audit
from parsimony.link.column_order import column_order
from parsimony.link.loading import load

ORDERS = {"hrt": (0, 1, 2), "htr": (0, 2, 1), "rht": (1, 0, 2)}


def facts(n=160, entities=40, relations=3, names=False):
    rng = np.random.default_rng(0)
    rows = dict.fromkeys(
        (int(h), int(r), int(t))
        for h, r, t in zip(
            rng.integers(0, entities, n),
            rng.integers(0, relations, n),
            rng.integers(0, entities, n),
            strict=True,
        )
    )
    kinds = ("e{}", "r{}", "e{}") if names else ("{}", "{}", "{}")
    return [tuple(k.format(x) for k, x in zip(kinds, row, strict=True)) for row in rows]


def written(rows, order, separator=" "):
    """Rows of head, relation, tail in another order."""
    place = {"h": 0, "r": 1, "t": 2}
    return "".join(separator.join(row[place[c]] for c in order) + "\n" for row in rows)


@pytest.mark.parametrize("names", [False, True], ids=["ids", "names"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("count", [False, True], ids=["plain", "counted"])
def test_a_file_in_any_order_is_the_same_graph(tmp_path, names, order, count):
    rows = facts(names=names)
    path = tmp_path / "openke.txt"
    path.write_text(f"{len(rows)}\n" * count + written(rows, order))
    data = load(path)
    assert (data.n_relations, data.n_entities) == (3, 40)
    told = [note for note in audit(data)["notes"] if "the columns are read as" in note]
    assert bool(told) == (order != "hrt")
    (tmp_path / "plain.txt").write_text(written(rows, "hrt"))
    assert data.content_hash == load(tmp_path / "plain.txt").content_hash
    numbers = tuple(str("hrt".index(c) + 1) for c in order)
    back = tuple(str(numbers.index(str(i)) + 1) for i in (1, 2, 3))
    assert load(path, columns=back).content_hash == data.content_hash


def test_the_order_in_a_folder_is_that_of_all_its_files(tmp_path):
    rows = facts()
    right = write_folder(tmp_path / "right", rows[20:], rows[:10], rows[10:20])
    other = write_folder(
        tmp_path / "other",
        *([(h, t, r) for h, r, t in part] for part in (rows[20:], rows[:10], rows[10:20])),
    )
    data = load(other)
    assert data.content_hash == load(right).content_hash
    assert any("head, tail, relation" in note for note in data.notes)


def test_openke_s_own_files(tmp_path):
    rows = facts()
    for split, part in (("train", rows[20:]), ("valid", rows[:10]), ("test", rows[10:20])):
        text = f"{len(part)}\n" + written(part, "htr")
        (tmp_path / f"{split}2id.txt").write_text(text)
    (tmp_path / "entity2id.txt").write_text(
        "40\n" + "".join(f"/m/{i} x\t{i}\n" for i in range(40)), encoding="utf-8"
    )
    (tmp_path / "relation2id.txt").write_text("3\nis\t0\nhas\t1\nof\t2\n")
    data = load(tmp_path)
    assert data.relations.names == ("has", "is", "of")
    assert (data.n_entities, len(data.train)) == (40, len(rows) - 20)
    h, r, _ = rows[20]
    first = [data.entities.name(int(data.train[0, 0])), data.relations.name(int(data.train[0, 1]))]
    assert first == [f"/m/{h} x", {"0": "is", "1": "has", "2": "of"}[r]]


def test_numbers_of_columns_are_no_header(tmp_path):
    rows = [("1", "2", "3"), *facts()]
    (tmp_path / "a.txt").write_text(written(rows, "htr"))
    (tmp_path / "b.txt").write_text(written(rows, "hrt"))
    data = load(tmp_path / "a.txt", columns=("1", "3", "2"))
    assert data.content_hash == load(tmp_path / "b.txt", columns=("1", "2", "3")).content_hash
    assert sum(map(len, (data.train, data.valid, data.test))) == len(set(rows))


def test_a_wrong_count_is_said(tmp_path):
    rows = facts()
    (tmp_path / "a.txt").write_text(f"{len(rows) + 5}\n" + written(rows, "hrt"))
    assert any(f"gives {len(rows) + 5} rows" in note for note in load(tmp_path / "a.txt").notes)


def test_counts_that_contradict_each_other_are_asked_about(tmp_path):
    rows = facts(400, entities=14, relations=55)
    (tmp_path / "nations.txt").write_text(written(rows, "htr"))
    with pytest.raises(FormatError, match="order of the columns is not clear") as caught:
        load(tmp_path / "nations.txt")
    assert "--columns 1,3,2" in caught.value.remedy
    data = load(tmp_path / "nations.txt", columns=("1", "3", "2"))
    assert (data.n_entities, data.n_relations) == (14, 55)
    (tmp_path / "right.txt").write_text(written(rows, "hrt"))
    assert load(tmp_path / "right.txt").content_hash == data.content_hash


@functools.cache
def registered(name, mirror):
    return load(name, mirror=mirror)


@pytest.mark.data
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize(
    "name", ["family", "umls", "countries_S1", "WN18RR_v1", "fb237_v1", "nell_v1"]
)
def test_real_graphs_in_any_order(real_data, archives, name, ids, order):
    data = registered(name, real_data)
    words = (
        (str, str, str) if ids
        else (data.entities.name, data.relations.name, data.entities.name)
    )  # fmt: skip
    rows = [tuple(word(int(x)) for word, x in zip(words, row, strict=True)) for row in data.train]
    place = {"h": 0, "r": 1, "t": 2}
    frame = pl.DataFrame({c: [row[place[c]] for row in rows] for c in order})
    assert column_order([frame], name).columns == ORDERS[order]
