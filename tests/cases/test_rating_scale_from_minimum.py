"""The scale of ratings is stated, or found with a note; what is off it names the way out."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.ratings.small_ratings import tastes, write_csv, write_movielens
from typer.testing import CliRunner

from parsimony.cli import app
from parsimony.errors import FormatError, InvalidParameter
from parsimony.ratings import load_ratings
from parsimony.ratings.scale import scale_of


def typed(*words):
    found = CliRunner().invoke(app, [*map(str, words), "--json", "--quiet"])
    return json.loads(found.stdout)


@pytest.fixture
def no_ones(tmp_path):
    """Ratings of one to five stars in which nobody gave one."""
    path = write_csv(tastes(), tmp_path / "r.csv")
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if not line.endswith(",1")) + "\n")
    (tmp_path / "support.csv").write_text("item,rating\nitem 1,5\nitem 2,1\n")
    (tmp_path / "items.csv").write_text("item\nitem 4\n")
    return path


def adapted(folder, *settings):
    fit = ["fit", folder / "r.csv", "--method", "means", "--set", "support=3"]
    found = typed(*fit, *[word for s in settings for word in ("--set", s)], "--out", folder / "run")
    return found, typed("adapt", folder / "run", "--support", folder / "support.csv",
                        "--predict", folder / "items.csv")  # fmt: skip


def test_the_scale_that_is_found_is_noted_and_the_remedy_works(no_ones):
    folder = no_ones.parent
    found, answer = adapted(folder)
    assert "2 … 5" in found["notes"][0] and "--set scale=" in found["notes"][0]
    remedy = answer["error"]["remedy"]
    setting = remedy[remedy.index("scale=") :]
    assert setting == "scale=1,5"
    shutil.rmtree(folder / "run")
    found, answer = adapted(folder, setting)
    assert not any("scale" in note for note in found["notes"])
    assert 1 <= answer["predictions"][0]["rating"] <= 5


@pytest.mark.parametrize(
    "setting", ["scale=5,1", "scale=1", "scale=a,b", "scale=1,2,3", "scale=1,1"]
)
def test_what_is_no_scale_is_refused(setting, no_ones):
    found = typed(
        "fit", no_ones, "--method", "means", "--set", setting, "--out", no_ones.parent / "x"
    )
    assert found["error"]["type"] == "InvalidParameter"
    assert "1,5" in found["error"]["remedy"]


def test_scale_as_a_list(no_ones):
    settings = ["--set", "scale=[0, 10]", "--set", "support=3"]
    found = typed("fit", no_ones, "--method", "means", *settings, "--out", no_ones.parent / "x")
    assert "error" not in found


def table(tmp_path, *ratings):
    path = tmp_path / "r.csv"
    rows = [f"u{i // 9},i{i % 9},{rating}" for i, rating in enumerate(ratings)]
    path.write_text("\n".join(["user,item,rating", *rows]) + "\n")
    return path


@pytest.mark.parametrize("odd", ["1e39", "-1e39", "nan", "inf", "-inf", "1e400", "five", "", "1,0"])
def test_nonsense_is_refused_with_its_line(odd, tmp_path):
    path = table(tmp_path, "1", "2", odd, "4")
    with pytest.raises(FormatError) as caught:
        load_ratings(path)
    assert caught.value.where.startswith(f"{path}:4")


def test_a_rating_off_the_stated_scale_is_refused_with_its_line(tmp_path):
    path = table(tmp_path, 1, 2, 7, 4)
    with pytest.raises(FormatError, match="outside the scale 1 … 5") as caught:
        load_ratings(path, scale=(1, 5))
    assert caught.value.where == f"{path}:4"
    assert "scale=1,7" in caught.value.remedy


def test_ratings_that_only_late_digits_tell_apart_are_refused(tmp_path):
    with pytest.raises(FormatError, match="digits"):
        load_ratings(table(tmp_path, 1_000_000_001, 1_000_000_002, 1_000_000_003))


def test_all_ratings_alike(tmp_path):
    path = table(tmp_path, 3, 3, 3)
    with pytest.raises(FormatError, match="every rating is 3"):
        load_ratings(path)
    assert load_ratings(path, scale=(1, 5)).scale == (1, 5)


def test_an_item_twice_is_refused_in_every_layout(tmp_path):
    with pytest.raises(FormatError, match="rated twice"):
        (tmp_path / "t.csv").write_text("user,item,rating\na,x,1\na,y,2\na,x,5\n")
        load_ratings(tmp_path / "t.csv")
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    row = "train\ttrain\t{}\ta\tx\t{}\n"
    (tasks / "tasks.tsv").write_text(
        "split\ttask\trole\tuser\titem\tlabel\n" + row.format("support", 1) + row.format("query", 0)
    )
    with pytest.raises(FormatError, match="rated twice") as caught:
        load_ratings(tasks)
    assert caught.value.where == f"{tasks / 'tasks.tsv'}:3"
    movies = write_movielens(tmp_path / "ml")
    lines = (movies / "ratings.dat").read_text().splitlines()
    (movies / "ratings.dat").write_text("\n".join([*lines, lines[0]]) + "\n")
    with pytest.raises(FormatError, match="first in line 1"):
        load_ratings(movies)


def test_half_stars_of_the_larger_movielens(tmp_path):
    movies = write_movielens(tmp_path / "ml")
    assert load_ratings(movies).scale == (1, 5)
    text = (movies / "ratings.dat").read_text().replace("::1::9783", "::0.5::9783")
    (movies / "ratings.dat").write_text(text)
    assert load_ratings(movies).scale == (0.5, 5)


@pytest.mark.parametrize("kind", [pl.Int8, pl.UInt64, pl.Float32, pl.Decimal(8, 2), pl.String])
def test_parquet_of_many_types(kind, tmp_path):
    users, ratings = [f"u{i // 9}" for i in range(30)], [1 + i % 5 for i in range(30)]
    frame = pl.DataFrame({"user": users, "item": [i % 9 for i in range(30)], "rating": ratings})
    frame.with_columns(pl.col("rating").cast(kind)).write_parquet(tmp_path / "r.parquet")
    data = load_ratings(tmp_path / "r.parquet")
    assert data.scale == (1, 5) and set(data.items) == set(map(str, range(9)))


@pytest.mark.parametrize("odd", [[[1.0]], [None], [float("nan")], [True]])
def test_parquet_of_odd_types_is_refused(odd, tmp_path):
    pl.DataFrame({"user": ["a"], "item": ["x"], "rating": odd}).write_parquet(
        tmp_path / "r.parquet"
    )
    with pytest.raises(FormatError):
        load_ratings(tmp_path / "r.parquet")


def test_the_scale_of_numbers():
    where = "{}".format
    assert scale_of([2.0, 5.0], where)[0] == (2, 5)
    assert scale_of([2.0, 5.0], where, (1, 5)) == ((1, 5), ())
    with pytest.raises(InvalidParameter, match=r"rating 6 is outside.*state --set scale=1,6"):
        replace(tastes(), rating=tastes().rating * 1.2, scale=(1, 5))
    with pytest.raises(InvalidParameter, match=r"rating 0.25 is outside.*state --set scale=0.25,5"):
        replace(tastes(), rating=tastes().rating - np.float32(0.75), scale=(1, 5))


def test_the_given_case():
    folder = Path(os.environ.get("PARSIMONY_CASES", "../shared/cases"))
    path = folder / "rating-scale-from-minimum" / "r1to5.csv"
    if not path.is_file():
        pytest.skip("needs PARSIMONY_CASES")
    assert load_ratings(path).scale == (2, 5)
    assert load_ratings(path, scale=(1, 5)).scale == (1, 5)
