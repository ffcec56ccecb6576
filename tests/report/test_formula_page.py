"""The page of a cold-start run: of a real small search its formula, comparison, trials, ranking."""

from __future__ import annotations

import json
import re

import pytest
from tests.ratings.small_ratings import tastes
from tests.report.test_pages import Tags

from parsimony.knowledge.formula import OPERATORS, Formula
from parsimony.pages.svg_of_formula import formula_svg
from parsimony.pipeline import fit
from parsimony.report import run_info, run_page, run_report
from parsimony.report.formula import formula_view
from parsimony.search import Budget, SearchRequest, run_search

SMALL = {"dim": 4, "hidden": [8, 8, 4], "context": 8, "epochs": 4, "min_support": 4,
         "max_support": 8}  # fmt: skip
CLOSED_FORMS = ("evidence", "ridge-head", "means", "popularity")


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "shop"
    request = SearchRequest(
        tastes(), out=out, budget=Budget(trials=8), space="modulation", settings=SMALL, compare=2
    )
    _, summary = run_search(request)
    return out, summary


def cells(page):
    """The rows of all tables, as texts."""
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", page, re.S)
    return [[re.sub(r"<[^>]*>", " ", c).split() for c in re.findall(r"<td.*?</td>", row, re.S)]
            for row in rows]  # fmt: skip


def test_the_page_of_a_search(searched, tmp_path):
    out, summary = searched
    info = run_info(out)
    page = run_report(info, tmp_path / "page.html").read_text()
    best = Formula.parse(summary["best"]["formula"])
    assert "The formula that fits tastes" in page
    assert "The formula that was found" in page
    assert str(best) in page
    assert formula_svg(best) in page
    rows = {row[1][0]: row for row in cells(page) if len(row) == 9 and row[1]}
    assert set(rows) == {row["name"] for row in summary["comparison"]} | set(CLOSED_FORMS)
    assert {"FiLM", "none"} - {best.name} <= set(rows)
    for told in [*summary["comparison"], *info["baselines"]]:
        shown = rows[told["name"]]
        low, high = told["test"]["interval"]["mse"]
        measured = f"{told['test']['metrics']['mse']:.4f} {low:.4f} to {high:.4f}"
        assert " ".join(shown[5]) == measured
        if "difference" in told:
            assert shown[7][0] == f"{told['difference']['test']['mse']['mean']:.4f}"
    trials = (out / "search" / "trials.jsonl").read_text().splitlines()[1:]
    assert page.count('class="trial ') == len(trials) == 8
    for line in trials:
        assert json.loads(line)["structure"] in page
    assert "All 65,536 formulas" in page
    ranked = {row["name"]: row for row in summary["ranking"]["named"]}
    assert [*ranked["FiLM"]["formula"].split(), f"{ranked['FiLM']['rank']:,}"] == [
        word for row in cells(page) if len(row) == 4 and row[0] == ["FiLM"]
        for word in (*row[1], *row[3])
    ]  # fmt: skip
    assert "trainings</b>" in page
    assert not Tags(page).requests()


def test_the_ranks_are_those_of_the_ranking(searched):
    ranking = searched[1]["ranking"]
    first = {row["formula"]: 1 + i for i, row in enumerate(ranking["top"])}
    for row in ranking["named"]:
        assert row["rank"] <= 65536
        assert row["rank"] == first.get(row["formula"], row["rank"])
        assert (row["rank"] == 1) == (row["skill"] == ranking["top"][0]["skill"])


def test_a_search_without_ranking_and_without_test_users():
    def row(name, formula, **more):
        measured = {"metrics": {"mse": 0.1, "ndcg@5": 0.9},
                    "interval": {"mse": [0.1, 0.2], "ndcg@5": [0.8, 1.0]}}  # fmt: skip
        return {"name": name, "formula": formula, "parameters": 9, "epochs": 2, "seconds": 3.0,
                "skill": 0.3, "valid": measured, **more}  # fmt: skip

    gap = {"mean": 0.0123, "interval": [-0.1, 0.1]}
    found = {
        "found": "found", "algorithm": "random", "trials": 5, "ladder": [[4, 2]],
        "best": {"formula": "h + d; h; h; h", "name": None}, "ranking": None,
        "comparison": [row("found", "h + d; h; h; h"),
                       row("FiLM", str(Formula.named()["FiLM"]),
                           difference={"valid": {"mse": gap, "ndcg@5": gap}})],
        "seconds": {"search": 30.0, "trials": 28.0, "final": 6.0, "training": 3.0},
    }  # fmt: skip
    page = run_page({"config": {"task": "coldstart"}, "data": {"name": "shop"}, "search": found})
    assert "best minus this, valid MSE" in page
    assert "0.0123" in page
    assert "10 trainings" in page
    assert "test MSE" not in page
    assert "on shared weights" not in page


@pytest.mark.parametrize("method", ["film", "means"])
def test_a_run_without_a_search(method, tmp_path):
    parameters = SMALL if method == "film" else {}
    fit(tastes(), method, out=tmp_path / "run", parameters=parameters)
    page = run_page(run_info(tmp_path / "run"))
    assert f"{method} on tastes" in page
    assert ("Its formula" in page) == (method == "film")
    rows = {row[1][0] for row in cells(page) if len(row) == 8 and row[1]}
    assert rows == {method, *CLOSED_FORMS}
    assert "known users, held out" in page
    assert "How it was found" not in page


@pytest.mark.parametrize("bits", [0, 65535, 4711, 51])
def test_the_picture_and_the_words_are_the_formula(bits):
    formula = Formula.from_bits(bits)
    drawn = re.findall(r'<rect class="(r\d|none)" x="(\d+)" y="(\d+)"', formula_svg(formula))
    assert [style != "none" for style, _, _ in drawn] == [g for row in formula.gates() for g in row]
    places = [(int(y), int(x)) for _, x, y in drawn]
    assert places == sorted(set(places))
    positions = ("the input", "layer 1", "layer 2", "layer 3")
    words = formula_view(str(formula))["operators"]
    for operator, (_, _, at) in zip(OPERATORS, words, strict=True):
        there = [name for name, o in zip(positions, formula.positions, strict=True)
                 if operator in o]  # fmt: skip
        assert at == ", ".join(there)
