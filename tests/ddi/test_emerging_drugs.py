"""Emerging drugs: what is alike, what calibrates them, and how their answers explain themselves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.ddi.small_pairs import families

from parsimony import methods
from parsimony.chem.fingerprints import tanimoto
from parsimony.ddi import Neighbours, Walks, screen
from parsimony.ddi.analogues import nearest_analogues
from parsimony.ddi.calibration import Calibration
from parsimony.ddi.grounds import ALIKE
from parsimony.ddi.similarity_edges import similarity_edges
from parsimony.ddi.task import DDIOptions, DDITask

pytest.importorskip("rdkit", reason="fingerprints need the extra chem")


def fitted(setting="S1", cls=Neighbours, data=None):
    return cls().fit(DDITask(data or families(), DDIOptions(setting=setting)))


@pytest.mark.parametrize("asked", ["S1", "S2"])
def test_emerging_drugs_are_calibrated_on_emerging_drugs(asked, tmp_path):
    """A run of S0: its temperature is of known drugs, that of the answer is not."""
    model = fitted("S0")
    rows = model.task_.data.pairs[f"valid_{asked}"]
    own = Calibration.learn(model.predict_proba(rows[:, [0, 2]], "valid"), rows[:, 1], asked)
    assert model.calibration_of(asked) == own
    partner = {"S1": "amine1", "S2": "amine4"}[asked]
    model.save(tmp_path / "run")
    for run in (model, methods.load_run(tmp_path / "run")):
        found = run.predict("ol4", partner)
        assert (found["setting"], found["calibration"]["setting"]) == (asked, asked)
        raw = run.predict_proba_leave_pair_out(np.array([[4, {"S1": 11, "S2": 14}[asked]]]))
        first = next(a for a in found["answers"] if a["drug1"] == "Drug ol4")
        kind = run.task_.data.types.index(first["type"])
        assert first["probability"] == pytest.approx(own.calibrated(raw)[0, kind])
        listed = {p["id"]: p["probability"] for p in screen(run, "ol4", top=1)["partners"]}
        assert listed[partner] == pytest.approx(found["answers"][0]["probability"])


def test_without_emerging_validation_pairs_s0_calibrates_none():
    data = families()
    pairs = {k: v for k, v in data.pairs.items() if k in ("train", "valid_S0", "test_S0")}
    model = fitted("S0", data=dataclasses.replace(data, pairs=pairs))
    found = model.predict("ol4", "amine1")
    assert found["calibration"] is None and found["set"] is None
    assert all(a["probability"] == a["uncalibrated"] for a in found["answers"])
    assert any("no calibration for S1" in note for note in found["notes"])


def test_what_is_not_alike_is_no_analogue_and_no_edge():
    model = fitted()
    bits, facts = model.fingerprints_, model.task_.visible("test")
    similar = tanimoto(bits, bits)
    for u, t, v in facts[:40].tolist():
        for found in nearest_analogues(bits, facts, u, t, v, 10):
            assert min(found.drug1 == u or similar[u, found.drug1],
                       found.drug2 == v or similar[v, found.drug2]) >= ALIKE  # fmt: skip
    edges, _ = similarity_edges(bits, 29, ALIKE)
    assert (similar[edges[:, 0], edges[:, 2]] >= ALIKE).all()
    every, _ = similarity_edges(bits, 29)
    assert (similar[every[:, 0], every[:, 2]] < ALIKE).any()


@pytest.mark.parametrize("pair", [("ol4", "amine1"), ("ol1", "amine1"), ("ol4", "acid4")])
def test_neighbours_explains_its_probability_exactly(pair):
    model = fitted()
    found = model.explain(pair[0], None, pair[1])
    u, v = (model.task_.data.drug(name) for name in found.query[::2])
    raw = model.predict_proba_leave_pair_out(np.array([[u, v]], np.int32))[0]
    t = model.task_.data.types.index(found.query[1].removeprefix("type "))
    assert sum(found.parts.values()) == pytest.approx(float(raw[t]), rel=1e-5)
    assert "For research, not for clinical use." in found.html()
    assert "For research, not for clinical use." in found.text()
    assert found.to_dict()["notes"]


def test_walks_say_which_kind_of_walk_an_answer_rests_on():
    model = fitted(cls=Walks)
    assert all(p["reason"] for p in screen(model, "ol4", top=5)["partners"][:5])
    assert model.resolved_.min_similarity == ALIKE
