"""fit, search, evaluate and adapt on ratings, as they are typed."""

from __future__ import annotations

import json
import tomllib

import pytest
from tests.ratings.small_ratings import tastes, write_csv

from parsimony.knowledge.formula import Formula, read_formula

TINY = ["--set", "dim=4", "--set", "hidden=[8,8,4]", "--set", "context=8", "--set", "epochs=4",
        "--set", "support=6", "--set", "max_support=8", "--set", "min_support=4"]  # fmt: skip


@pytest.fixture
def table(tmp_path):
    write_csv(tastes(), tmp_path / "shop.csv")
    return "shop.csv"


def test_fit_knows_ratings_and_a_formula_is_trained_again(typed, table, tmp_path):
    done = typed("fit", table, *TINY, "--out", "run", "--json").json
    assert done["method"] == "coldnas"
    told = tmp_path / "run" / "knowledge.toml"
    formula = read_formula(told)
    edited = tmp_path / "mine.toml"
    edited.write_text(
        told.read_text().replace("h0 <- " + str(formula).split("; ")[0], "h0 <- h * c")
    )
    typed("fit", table, *TINY, "--formula", "mine.toml", "--out", "again", "--quiet")
    config = tomllib.loads((tmp_path / "again" / "config.toml").read_text())
    assert Formula.parse(config["parameters"]["formula"]).positions[0] == ("*",)
    out = typed("evaluate", "again").out
    assert "new users, test" in out
    assert "known users, held out" in out


def test_columns_and_baselines(typed, tmp_path):
    write_csv(tastes(), tmp_path / "odd.csv", ("who", "what", "how"))
    for method in ("means", "popularity", "evidence", "ridge-head", "film"):
        words = ["--method", method, "--columns", "who,what,how", "--set", "support=6"]
        more = TINY if method == "film" else []
        typed("fit", "odd.csv", *words, *more, "--out", method, "--quiet")
        measured = typed("evaluate", method, "--json").json
        assert measured["users"] == 10
    words = ["fit", "odd.csv", "--method", "means", "--set", "support=6", "--out", "by-position"]
    notes = typed(*words, "--json").json["notes"]
    assert any("who, what, how as user, item, rating" in note for note in notes)


def test_a_search_and_what_can_be_done_with_it(typed, table, tmp_path):
    words = ["--space", "modulation", "--algorithm", "supernet", "--trials", "8", *TINY]
    done = typed("search", table, *words, "--out", "found", "--json").json
    assert done["trials"] == 8
    assert done["ranking"]["structures"] == 65536
    assert [row["operators"] for row in done["ranking"]["by_operators"]] == list(range(17))
    assert {row["name"] for row in done["comparison"]} >= {done["found"], "FiLM"} - {"found"}
    best = Formula.parse(done["best"]["formula"])
    assert read_formula(tmp_path / "found" / "knowledge.toml") == best
    assert json.loads((tmp_path / "found" / "search.json").read_text()) == done
    assert done["best"]["valid"] == max(row["skill"] for row in done["comparison"])
    measured = typed("evaluate", "found", "--json").json
    mine = next(r for r in done["comparison"] if Formula.parse(r["formula"]) == best)
    assert measured["metrics"] == mine["test"]["metrics"]
    again = typed("search", table, *words, "--out", "found", "--resume", "--json").json
    assert {**again, "seconds": 0} == {**done, "seconds": 0}
    typed("fit", table, *TINY, "--formula", "found", "--out", "taken", "--quiet")
    readable = typed("search", table, *words, "--out", "found", "--resume").out
    assert "all 65,536 formulas" in readable


@pytest.mark.parametrize("algorithm", ["evolution", "random", "exhaustive", "greedy"])
def test_every_algorithm_walks_the_space(typed, table, algorithm):
    words = ["--space", "modulation", "--algorithm", algorithm, "--trials", "7", *TINY]
    done = typed("search", table, *words, "--set", "ladder=[[4,2]]", "--out", "s", "--json").json
    assert done["trials"] == 7
    assert done["ranking"] is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--trials", "0"], "budget of 0"),
        (["--time-budget", "0s"], "0"),
        (["--set", "formula=FiLM"], "chooses the formula"),
        (["--set", "epoch=3"], "setting 'epoch'"),
        (["--set", "warm=2"], "'warm' option"),
    ],
)
def test_wrong_searches(typed, table, words, told):
    error = typed("search", table, "--space", "modulation", *words, "--json", code=2).error
    assert told in error["message"]


def test_spaces_and_formulas_that_do_not_exist(typed, table):
    error = typed("search", table, "--space", "modulations", "--json", code=2).error
    assert "modulation" in error["remedy"]
    error = typed("fit", table, "--formula", "h; h; h; h / c", "--json", code=2).error
    assert "position 3" in error["message"]
    error = typed("fit", table, "--formula", "no.toml", "--json", code=2).error
    assert error["type"] == "MissingFile"
    error = typed("fit", table, "--method", "film", "--formula", "gate", "--json", code=2).error
    assert "takes no formula" in error["message"]


def test_adapt_to_a_new_user(typed, table, tmp_path):
    typed("fit", table, *TINY, "--out", "run", "--quiet")
    likes = "".join(f"item {i},{5 if i % 2 else 1}\n" for i in range(8))
    (tmp_path / "mine.csv").write_text("item,rating\n" + likes)
    (tmp_path / "ask.csv").write_text("item\n" + "".join(f"item {i}\n" for i in range(8, 30)))
    words = ["adapt", "run", "--support", "mine.csv", "--predict", "ask.csv"]
    done = typed(*words, "--out", "answers.csv", "--json").json
    assert len(done["predictions"]) == 22
    assert (tmp_path / "answers.csv").read_text().startswith("item,rating,known\n")
    assert "adapted to 8 ratings" in typed(*words).out
    (tmp_path / "mine.csv").write_text("item,rating\n")
    assert "no rating given" in typed(*words).out
    (tmp_path / "mine.csv").write_text("item,rating\nitem 1,good\n")
    error = typed(*words, "--json", code=2).error
    assert error["where"] == "mine.csv:2"
    (tmp_path / "mine.csv").write_text("item,colour\nitem 1,3\n")
    assert "no column 'rating'" in typed(*words, "--json", code=2).error["message"]
    error = typed(*words, "--html", "page.html", "--json", code=2).error
    assert "for molecules" in error["message"]
