"""Drug pairs, as a user types them."""

from __future__ import annotations

import pytest
from tests.pairs.small_pairs import families, write_ddi_folder

pytest.importorskip("rdkit", reason="fingerprints need the extra chem")

QUICK = ["--set", "power=4", "--set", "smoothing=1e-3"]


@pytest.fixture
def pairs_run(typed, tmp_path):
    write_ddi_folder(families(), tmp_path / "mine")
    typed("fit", "mine", *QUICK, "--out", "run")
    return "run"


def test_a_folder_of_pairs_is_known_by_its_drugs(typed, tmp_path):
    write_ddi_folder(families(), tmp_path / "mine")
    done = typed("fit", "mine", *QUICK, "--set", "setting=S2", "--json").json
    assert done["method"] == "neighbours"
    assert done["run"] == "runs/mine-S2-neighbours-0"
    assert set(done["valid"]) == {"macro_f1", "macro_f1_true_labels", "accuracy", "kappa"}


def test_evaluate(typed, pairs_run):
    result = typed("evaluate", pairs_run, "--json").json
    assert result["setting"] == "S1"
    assert result["metrics"]["accuracy"] > 0.9
    readable = typed("evaluate", pairs_run, "--split", "valid").out
    for word in (
        "valid, setting S1",
        "kappa",
        "emerging drugs",
        "training pairs",
        "at temperature",
        "level of the sets",
        "share answered",
        "on the pairs that taught it",
    ):
        assert word in readable


def test_predict_names_the_interaction(typed, pairs_run):
    words = ["ddi", "predict", pairs_run, "--drug", "drug ol4", "--drug", "X11"]
    result = typed(*words, "--top", 2, "--json").json
    assert result["query"] == {"drug_a": "Drug ol4", "drug_b": "Drug amine1"}
    assert len(result["answers"]) == 2
    assert {"drug1", "drug2", "type", "probability", "uncalibrated", "text"} == set(
        result["answers"][0]
    )
    readable = typed(*words).out
    assert "Drug ol4 does 1 to Drug amine1." in readable
    assert "known (test_S1)" in readable
    assert "not for clinical use" in readable
    assert "validation pairs of S1" in readable
    held = typed("evaluate", pairs_run, "--json").json["conformal"]["0.9"]
    assert result["set"]["measured"] == held
    assert f"On the test the sets held {held['coverage']:.1%}" in readable
    assert "90% set of Drug ol4 → Drug amine1: “Drug ol4 does 1 to Drug amine1.”" in readable


def test_an_older_run_is_calibrated_afterwards(typed, pairs_run, tmp_path):
    from parsimony.run.seal import seal

    words = ["ddi", "predict", pairs_run, "--drug", "ol4", "--drug", "amine1"]
    before = typed(*words, "--json").json
    (tmp_path / pairs_run / "confidence.json").unlink()
    seal(tmp_path / pairs_run)
    assert "uncalibrated" in typed(*words).out
    assert "coverage" in typed("evaluate", pairs_run).out
    done = typed("ddi", "calibrate", pairs_run, "--json").json
    assert done["setting"] == "S1"
    assert typed(*words, "--json").json == before


def test_a_set_of_many_types_is_an_abstention():
    from parsimony.cli.ddi import _sets

    order = {"drug1": "a", "drug2": "b", "texts": [f"text {k}" for k in range(6)]}
    assert _sets({"orders": [order]}) == ["90% set of a → b: more than 5 types (6): abstain"]
    order["texts"] = order["texts"][:2]
    assert _sets({"orders": [order]}) == ["90% set of a → b: “text 0” or “text 1”"]
    assert _sets(None) == []


def test_report(typed, pairs_run, tmp_path):
    done = typed("report", pairs_run, "--json").json
    page = (tmp_path / done["report"]).read_text()
    for words in ("macro-F1", "Prediction sets", "Emerging drugs", "nearest known drug",
                  "coverage of 90 % sets", "trained parameters"):  # fmt: skip
        assert words in page
    assert page.count("<svg") == 2
    typed("evaluate", pairs_run)  # a report is no part of what is sealed


@pytest.mark.parametrize(
    ("words", "kind", "says"),
    [
        (["ddi", "predict", "run", "--drug", "Drug ol44", "--drug", "ol1"], "UnknownDrug", "ol4"),
        (["ddi", "predict", "run", "--drug", "ol1"], "UsageError", "--drug"),
        (["predict", "run", "--head", "ol1", "--relation", "t1"], "UsageError", "ddi predict"),
        (["explain", "run", "--head", "a", "--tail", "b"], "UsageError", "emergnn"),
        (["rules", "run"], "UsageError", "ddi"),
        (["ddi", "calibrate", "run"], "UsageError", "ddi predict"),
        (["evaluate", "run", "--split", "train"], "InvalidParameter", ""),
        (["fit", "mine", "--method", "redgnn", "--task", "ddi"], "InvalidParameter", "neighbours"),
        (["fit", "mine", "--set", "setting=S4", "--out", "x"], "InvalidParameter", "S0"),
        (["fit", "mine", "--set", "powr=4", "--out", "x"], "UnknownParameter", "power"),
        (["fit", "mine", "--set", "graph=hetionett", "--out", "x"], "InvalidParameter", "hetionet"),
        (["fit", "royal", "--method", "prior", "--out", "x"], "InvalidParameter", "drugbank-ddi"),
    ],
)
def test_wrong_input_is_an_error_with_a_remedy(typed, pairs_run, words, kind, says):
    error = typed(*words, "--json", code=2).error
    assert error["type"] == kind
    assert says in error["remedy"]


def test_a_run_of_facts_takes_no_drugs(typed, trained):
    words = ["ddi", "predict", trained, "--drug", "a", "--drug", "b", "--json"]
    error = typed(*words, code=2).error
    assert error["type"] == "UsageError"
    assert "parsimony predict" in error["remedy"]


def test_explain_a_pair_of_the_embedded_drugs(typed, tmp_path):
    """The mechanism, in names: an inhibitor of CYP3A4 and its substrate."""
    settings = {"batch": 16, "threads": 1, "dim": 32, "votes": "[]", "hidden": 0}
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    done = typed("fit", "cyp", "--method", "emergnn", *words, "--epochs", 8, "--out", "g", "--json")
    assert done.json["valid"]["accuracy"] > 0.9
    pair = ["--head", "ketoconazole", "--tail", "midazolam"]
    found = typed("explain", "g", *pair, "--html", "why.html", "--json").json
    assert {found["query"]["head"], found["query"]["tail"]} == {"ketoconazole", "midazolam"}
    passed = {name for path in found["paths"] for step in path["steps"] for name in step[::2]}
    assert "CYP3A4" in " ".join(passed)
    assert "What the score is made of" in typed("explain", "g", *pair).out
    assert "What the score is made of" in (tmp_path / "why.html").read_text()
