"""The page of a search: the symbol in picture and words, the comparison, the trials, the cost."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from tests.report.test_pages import EVIL, Tags

from parsimony.knowledge.symbol import Symbol
from parsimony.pages.svg_of_symbol import symbol_svg
from parsimony.report import run_page
from parsimony.report.search import search_view
from parsimony.report.symbol import SYMBOLS, symbol_view
from parsimony.search.trial import Trial
from parsimony.search.trials import TrialStore, read_trials

COMPLEX, OWN = "1 0 3 0; 0 2 0 4; -3 0 1 0; 0 -4 0 2", "1 2 0 0; 0 2 0 0; 0 0 3 0; 0 0 -4 4"
ROW = Trial(
    structure=OWN, canonical=OWN, seed=0, epochs=5, dim=8, valid=0.25, seconds=1.5,
    parameters=10, ran=5, stage="search", origin="predictor", predicted=0.1, at=2.0,
)  # fmt: skip


def trials():
    named = replace(ROW, structure=COMPLEX, canonical=COMPLEX, origin="start", predicted=None)
    return [
        named, replace(ROW, valid=0.3, at=4.0),
        replace(named, epochs=20, valid=0.5, at=6.0), replace(ROW, epochs=20, valid=0.6, at=7.0),
        replace(ROW, epochs=20, valid=0.4, at=8.0, seed=1),
        replace(named, epochs=77, valid=0.99, at=9.0),  # of another ladder
        replace(named, seed=3, valid=0.0, error="diverged"),
    ]  # fmt: skip


def found(name="found"):
    def measured(mrr):
        return {"mrr": mrr, "interval": [mrr - 0.01, mrr + 0.01]}

    def row(name, symbol, mrr):
        return {
            "name": name,
            "symbol": symbol,
            "run": f"runs/{name}",
            "parameters": 1234,
            "epochs": 20,
            "seconds": 30.0,
            "valid": measured(mrr),
            "test": measured(mrr - 0.1),
        }

    difference = {"valid": measured(0.0215), "test": measured(-0.0035)}
    return {
        "run": "run", "found": name, "algorithm": "greedy", "trials": 6, "exhausted": False,
        "best": {"symbol": OWN, "name": None, "valid": 0.6, "patterns": ["general"]},
        "ladder": [[8, 5], [8, 20]],
        "comparison": [row(name, OWN, 0.6),
                       {**row("ComplEx", COMPLEX, 0.58), "difference": difference}],
        "named": {}, "notes": [],
        "predictor": {"rounds": 9, "trials": 60, "rank_correlation": 0.31, "lift": 0.02,
                      "lift_error": 0.004},
        "rungs": [{"from": "8d × 5 epochs", "to": "8d × 20 epochs", "structures": 2,
                   "rank_correlation": None}],
        "seconds": {"search": 300.0, "trials": 280.0, "final": 60.0, "training": 30.0},
    }  # fmt: skip


def page(name="found"):
    return run_page({"method": "bilinear", "data": {"name": name}, "search": found(name),
                     "trials": trials()})  # fmt: skip


def test_it_holds_what_was_found():
    text = page()
    for words in ("The symbol that fits found", "0.5800", "-0.0035", "-0.0135", "10 trainings",
                  "8d × 20 epochs (3 trials)", "it helped", "ρ = 0.31", "too few",
                  "not skew-symmetric", "general", "1 of the trainings diverged",
                  r"\begin{bmatrix}"):  # fmt: skip
        assert words in text, words
    assert "77 epochs" not in text
    assert text.count('class="symbol"') == 3
    assert 'class="trial best"' in text


def test_names_never_become_markup_and_no_network_is_needed():
    plain, evil = Tags(page()), Tags(page(EVIL))
    assert evil.tags == plain.tags
    assert "img" not in evil.tags
    assert not evil.requests()


def test_structures_are_ranked_by_rung_and_mean():
    top = search_view(found(), trials(), SYMBOLS)["top"]
    assert [(row["name"], row["valid"], row["seeds"]) for row in top] == [
        ("", 0.5, 2), ("ComplEx", 0.5, 1), ("", 0.3, 1), ("ComplEx", 0.25, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lift", "error", "said"),
    [(0.02, 0.004, "it helped"), (-0.02, 0.004, "did harm"), (0.02, 0.02, "no difference"),
     (0.02, None, "does not allow more"), (None, None, "= 0.31 (mean of 9 rounds).")],
)  # fmt: skip
def test_the_predictor_in_words(lift, error, said):
    told = found()
    told["predictor"] |= {"lift": lift, "lift_error": error}
    assert said in search_view(told, trials(), SYMBOLS)["predictor"]


def test_files_of_an_older_version_and_of_a_search_without_test():
    told = found()
    del told["found"], told["seconds"]["training"], told["seconds"]["trials"]
    for row in told["comparison"]:
        del row["test"]
        row.get("difference", {}).pop("test", None)
    text = run_page({"search": told, "trials": []})
    assert "10 trainings" in text
    assert "test MRR" not in text


def test_the_picture_is_the_symbol():
    for symbol in (Symbol.parse(COMPLEX), Symbol.parse(OWN)):
        svg = symbol_svg(symbol)
        drawn = re.findall(r'<rect class="(r\d|none)" x="(\d+)" y="(\d+)"', svg)
        assert len(drawn) == 16
        cells = [[0] * 4 for _ in range(4)]
        for style, x, y in drawn:
            cells[(int(y) - 22) // 34][(int(x) - 22) // 34] = (
                int(style[1:]) if style[1:].isdigit() else 0
            )
        assert cells == [[abs(v) for v in row] for row in symbol.cells]
        negative = sum(v < 0 for row in symbol.cells for v in row)
        assert svg.count(">−") == svg.count("bare") == negative


def test_a_run_of_one_symbol_shows_it():
    text = run_page({"method": "complex", "symbol": COMPLEX})
    assert "Its symbol" in text
    assert "skew-symmetric" in text
    assert symbol_view("CP")["degenerate"]


def test_trials_can_be_read_while_a_search_writes(tmp_path):
    assert read_trials(tmp_path) == []
    with TrialStore(tmp_path, {"data": "x"}) as store:
        store.append(ROW)
        with (tmp_path / "trials.jsonl").open("a") as stream:
            stream.write('{"structure": "half a li')
        assert read_trials(tmp_path) == [ROW]
