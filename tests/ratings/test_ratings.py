"""Ratings: tables, MovieLens's layout, and everything that can be wrong with them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from tests.ratings.small_ratings import tastes, write_csv, write_movielens

from parsimony.errors import (
    DataError,
    EmptySplit,
    FormatError,
    InvalidParameter,
    MissingFile,
    UnknownDataset,
)
from parsimony.ratings.data import RatingData
from parsimony.ratings.table import is_ratings, load_ratings, read_items, read_ratings

pytestmark = pytest.mark.usefixtures("cache")


def test_saved_and_loaded(tmp_path):
    data = tastes()
    data.save(tmp_path)
    again = RatingData.load(tmp_path)
    assert again.content_hash == data.content_hash
    assert again.users == data.users
    (tmp_path / "user.npy").write_bytes(b"nothing")
    with pytest.raises(FormatError, match="not the expected array"):
        RatingData.load(tmp_path)


def test_any_table_through_a_column_mapping(tmp_path):
    data = tastes()
    path = write_csv(data, tmp_path / "shop.csv", ("customer", "product", "stars"))
    loaded = load_ratings(path, columns=("customer", "product", "stars"), support=6)
    assert loaded.scale == (1.0, 5.0)
    assert len(loaded.rating) == len(data.rating)
    counts = [int((loaded.split == s).sum()) for s in range(3)]
    assert counts == [33, 5, 10]
    for rows in loaded.rows:
        assert (~loaded.query[rows]).sum() == 6
    assert load_ratings(path, columns=("customer", "product", "stars"), support=6).content_hash \
        == loaded.content_hash  # fmt: skip
    other = load_ratings(path, columns=("customer", "product", "stars"), support=6, seed=1)
    assert other.content_hash != loaded.content_hash
    pl.read_csv(path).write_parquet(tmp_path / "shop.parquet")
    parquet = load_ratings(tmp_path / "shop.parquet", columns=("customer", "product", "stars"),
                           support=6)  # fmt: skip
    np.testing.assert_array_equal(parquet.rating, loaded.rating)


def test_users_with_few_ratings_are_for_training_only(tmp_path):
    path = write_csv(tastes(), tmp_path / "r.csv")
    loaded = load_ratings(path, support=20)
    assert not loaded.split.any()
    assert any("48 users with fewer than 30 ratings" in note for note in loaded.notes)


@pytest.mark.parametrize(
    ("ratings", "given"), [(40, 20), (30, 15), (29, 10), (20, 10), (15, 5), (7, 3), (4, 2), (2, 1)]
)
def test_how_many_are_given_follows_what_users_have(tmp_path, ratings, given):
    """A shop whose customers rate five things is no shop without validation users."""
    rows = [f"u{u},i{(u + k) % 50},{1 + (u * k) % 5}" for u in range(60) for k in range(ratings)]
    path = tmp_path / "shop.csv"
    path.write_text("user,item,rating\n" + "\n".join(rows) + "\n")
    loaded = load_ratings(path)
    assert np.bincount(loaded.split).tolist() == [42, 6, 12]
    for user in np.flatnonzero(loaded.split):
        own = loaded.query[loaded.user == user]
        assert (~own).sum() == given < len(own)
    said = any(note.startswith(f"{given} ratings of a user are given") for note in loaded.notes)
    assert said == (given <= 10)


def test_movielens_in_its_own_layout(tmp_path):
    folder = write_movielens(tmp_path / "ml-1m")
    assert is_ratings(str(folder))
    data = load_ratings(folder)
    assert len(data.users) == 30
    assert len(data.rating) == 30 * 40
    assert data.scale == (1.0, 5.0)
    assert [int((data.split == s).sum()) for s in range(3)] == [21, 3, 6]
    user = data.users.index("1")
    at = data.user_features
    mine = [at.names[i] for i in at.index[at.ptr[user] : at.ptr[user + 1]]]
    assert mine == ["gender M", "age 18", "occupation 1", "zip 10001"]
    movie = data.items.index("3")
    at = data.item_features
    mine = [at.names[i] for i in at.index[at.ptr[movie] : at.ptr[movie + 1]]]
    assert mine == ["genre Comedy", "genre Drama"]
    (folder / "users.dat").unlink()
    assert load_ratings(folder).user_features.names == ()
    (folder / "ratings.dat").write_text("1::2::3\n")
    with pytest.raises(FormatError, match="3 fields") as caught:
        load_ratings(folder)
    assert caught.value.where.endswith("ratings.dat:1")


TASKS = "split\ttask\trole\tuser\titem\tlabel\n"
GIVEN = "train\t0\tsupport\ta\tx\t1\ntrain\t0\tquery\ta\ty\t0\ntest\t1\tquery\tb\tx\t1\n"


def test_tasks_that_come_split(tmp_path):
    text = GIVEN
    (tmp_path / "tasks.tsv").write_text(TASKS + text)
    data = load_ratings(tmp_path)
    assert data.split.tolist() == [0, 2]
    assert data.query.tolist() == [False, True, True]
    for wrong, told in (
        (text.replace("test", "later"), "'later' is none of"),
        (text.replace("\tb\t", "\ta\t"), "of two splits"),
        (text.replace("\t1\n", "\tgood\n"), "'good' is no number"),
    ):
        (tmp_path / "tasks.tsv").write_text(TASKS + wrong)
        with pytest.raises(FormatError, match=told) as caught:
            load_ratings(tmp_path)
        assert "tasks.tsv:" in caught.value.where


@pytest.mark.parametrize(
    ("text", "told", "line"),
    [
        ("user,item\na,b\n", "no column 'rating'", None),
        ("user,item,rating\na,b,4\na,c,good\n", "'good' is no number", 3),
        ("user,item,rating\na,b,nan\n", "'nan' is no number", 2),
        ("user,item,rating\na,,4\n", "empty cell", 2),
        ("user,item,rating\na,b,4\na,b,5\n", "rated twice", 3),
        ("user,item,rating\na,b,4\nc,b,4\n", "every rating is 4", None),
    ],
)
def test_bad_tables(tmp_path, text, told, line):
    path = tmp_path / "r.csv"
    path.write_text(text)
    with pytest.raises(FormatError, match=told) as caught:
        load_ratings(path)
    assert caught.value.remedy
    if line is not None:
        assert caught.value.where == f"{path}:{line}"


def test_nothing_there(tmp_path):
    for text in ("", "user,item,rating\n"):
        (tmp_path / "r.csv").write_text(text)
        with pytest.raises(EmptySplit):
            load_ratings(tmp_path / "r.csv")
    with pytest.raises(MissingFile):
        load_ratings(tmp_path / "no.csv")
    with pytest.raises(UnknownDataset, match="lastfm"):
        load_ratings("lastfmm")
    with pytest.raises(InvalidParameter, match="not a coldstart dataset"):
        load_ratings("family")
    with pytest.raises(FormatError, match=r"tasks\.tsv or ratings\.dat"):
        load_ratings(tmp_path)
    (tmp_path / "i.csv").write_text("things\nx\n")
    with pytest.raises(DataError, match="no column 'item'"):
        read_items(tmp_path / "i.csv")


def test_one_users_ratings(tmp_path):
    (tmp_path / "mine.csv").write_text("item,rating\nx,4\ny,2.5\n")
    assert read_ratings(tmp_path / "mine.csv", ("item", "rating"))[1:] == (["x", "y"], [4.0, 2.5])
    (tmp_path / "mine.csv").write_text("item,rating\n")
    assert read_ratings(tmp_path / "mine.csv", ("item", "rating"), empty=True)[2] == []


@pytest.mark.data
def test_lastfm_as_the_manifest_counts_it(real_data, monkeypatch):
    monkeypatch.setenv("PARSIMONY_DATA", str(real_data))
    data = load_ratings("lastfm", others=False)
    assert [int((data.split == s).sum()) for s in range(3)] == [248, 35, 66]
    for rows in data.rows:
        assert (~data.query[rows]).sum() == 20
    assert set(data.rating.tolist()) == {0.0, 1.0}
    whole = load_ratings("lastfm")
    assert len(whole.users) == 1872
    assert [int((whole.split == s).sum()) for s in (1, 2)] == [35, 66]


def test_users_without_a_task_are_for_training(tmp_path):
    (tmp_path / "tasks.tsv").write_text(TASKS + GIVEN)
    (tmp_path / "ratings.tsv").write_text(
        "user\titem\tlabel\na\tx\t1\nnew\tx\t1\nnew\tz\t0\nnew\ty\t0\n"
    )
    alone, data = load_ratings(tmp_path, others=False), load_ratings(tmp_path)
    assert set(data.users) == {*alone.users, "new"}
    number = data.users.index("new")
    assert data.split[number] == 0
    mine = data.user == number
    assert mine.sum() == 3  # what a task's user rated comes from tasks.tsv alone
    assert len(data.user) == len(alone.user) + 3
    assert data.query[mine].tolist() == [False, True, False]
    assert "1 users" in data.notes[0]
