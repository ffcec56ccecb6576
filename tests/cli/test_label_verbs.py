"""Pairs with several labels, as a user types them."""

from __future__ import annotations

import pytest
from tests.ddi.small_labels import labelled, write_labelled_folder

pytest.importorskip("rdkit", reason="fingerprints need the extra chem")

NETWORK = ["--method", "emergnn", "--set", "dim=8", "--set", "hidden=16", "--set", "threads=1"]


def test_from_a_folder_to_a_reason(typed, tmp_path):
    write_labelled_folder(labelled(), tmp_path / "mine")
    typed("fit", "mine", *NETWORK, "--set", "setting=S1", "--epochs", 3, "--out", "run")
    result = typed("evaluate", "run", "--json").json
    assert set(result["metrics"]) == {"pr_auc", "roc_auc"} == set(result["interval"])
    shown = typed("evaluate", "run").out
    for word in ("test, setting S1", "pr_auc", "interval of the PR-AUC", "means over labels"):
        assert word in shown
    words = ["ddi", "predict", "run", "--drug", "Drug ol4", "--drug", "X11"]
    answer = typed(*words, "--top", 2, "--json").json
    assert [set(a) for a in answer["answers"]] == [
        {"drug1", "drug2", "type", "probability", "uncalibrated", "text", "acting"}
    ] * 2
    assert "Each probability stands alone" in typed(*words).out
    screened = typed("ddi", "screen", "run", "--drug", "ol4", "--top", 3, "--json").json
    ranked = [partner["probability"] for partner in screened["partners"]]
    assert ranked == sorted(ranked, reverse=True)
    assert all(partner["reason"] for partner in screened["partners"][:3])
    reason = typed("explain", "run", "--head", "ol4", "--tail", "amine1", "--relation", "e1")
    assert "e1 is reported with Drug ol4 and Drug amine1" in reason.out
    typed("report", "run", "--out", "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "PR-AUC" in text and "unobserved pair" in text and "uncalibrated" not in text


def test_labels_are_not_calibrated(typed, tmp_path):
    write_labelled_folder(labelled(), tmp_path / "mine")
    typed("fit", "mine", "--method", "prior", "--out", "run")
    error = typed("ddi", "calibrate", "run", "--json", code=2).error
    assert "several labels" in error["message"]
