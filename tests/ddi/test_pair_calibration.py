"""What a run knows of its own probabilities: learned on validation, stored, measured, shown."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
from tests.ddi.small_pairs import families

from parsimony import methods
from parsimony.chem.fingerprints import tanimoto
from parsimony.ddi.baselines.nearest_neighbours import Neighbours
from parsimony.ddi.baselines.prior import Prior
from parsimony.ddi.calibration import LEVELS, Calibration, calibrations_of, caveat
from parsimony.ddi.task import DDIOptions, DDITask
from parsimony.errors import CorruptRun
from parsimony.metrics.calibration import temper
from parsimony.metrics.subgroups import buckets
from parsimony.run import RunFolder
from parsimony.run.seal import seal

pytest.importorskip("rdkit", reason="fingerprints need the extra chem")


def fitted(setting="S1", cls=Neighbours, data=None):
    return cls().fit(DDITask(data or families(), DDIOptions(setting=setting)))


@pytest.fixture(scope="module")
def estimator():
    return fitted()


@pytest.fixture
def old_run(estimator, tmp_path):
    """A run as older versions wrote it."""
    estimator.save(tmp_path / "run")
    (tmp_path / "run" / "confidence.json").unlink()
    seal(tmp_path / "run")
    return tmp_path / "run"


def test_it_is_learned_on_validation_alone(estimator):
    learned, task = estimator.calibration, estimator.task_
    rows = task.pairs("valid")
    again = Calibration.learn(estimator.predict_proba(rows[:, [0, 2]], "valid"), rows[:, 1], "S1")
    assert again == learned
    assert (learned.setting, learned.n_pairs) == ("S1", len(rows))
    assert list(learned.thresholds) == list(LEVELS)
    table = learned.calibrated(estimator.predict_proba(rows[:, [0, 2]], "valid"))
    for level in LEVELS:
        held = learned.sets(table, level)[np.arange(len(rows)), rows[:, 1]]
        assert held.mean() >= level
    for share, least in learned.answering.items():
        assert (table.max(1) >= least).mean() >= share - 1e-9


def test_json_gives_it_back(estimator):
    learned = dataclasses.replace(estimator.calibration, thresholds={0.8: 0.5, 0.9: np.inf})
    text = json.dumps(learned.as_dict(), allow_nan=False)
    assert calibrations_of(json.loads(text), "confidence.json") == {learned.setting: learned}


@pytest.mark.parametrize("cls", [Neighbours, Prior])
def test_evaluate_measures_it(cls):
    model = fitted(cls=cls)
    found = model.evaluate("test")
    rows = model.task_.pairs("test")
    raw = model.predict_proba(rows[:, [0, 2]])
    table = temper(raw, model.calibration.temperature)
    own = table[np.arange(len(rows)), rows[:, 1]]
    assert found["calibration"]["temperature"] == model.calibration.temperature
    assert found["calibration"]["nll"] == pytest.approx(-np.log(own).mean())
    assert sum(b["n"] for b in found["calibration"]["reliability"]) == len(rows)
    for level, q in model.calibration.thresholds.items():
        measured = found["conformal"][str(level)]
        inside = (1 - table <= q) | (table == table.max(1, keepdims=True))
        assert measured["coverage"] == pytest.approx(
            inside[np.arange(len(rows)), rows[:, 1]].mean()
        )
        assert measured["mean_size"] == pytest.approx(inside.sum(1).mean())
        low, high = measured["interval"]
        assert low <= measured["coverage"] <= high
    everything = found["abstention"][0]
    assert everything["share_answered"] == 1
    assert everything["accuracy"] == pytest.approx(found["metrics"]["accuracy"])
    shares = [a["share_answered"] for a in found["abstention"]]
    assert shares == sorted(shares, reverse=True)
    whole = sum(
        s["n"] * s["coverage"] for name, s in found["strata"].items() if name.startswith("type")
    )
    assert whole / len(rows) == pytest.approx(found["conformal"]["0.9"]["coverage"])
    json.dumps(found, allow_nan=False)


def test_predict_shows_calibrated_probabilities_and_sets(estimator):
    found = estimator.predict("ol4", "amine1", top=18)
    raw = {(a["drug1"], a["type"]): a["uncalibrated"] for a in found["answers"]}
    for answer in found["answers"]:
        row = np.array([raw[answer["drug1"], f"t{k}"] for k in range(9)])
        expected = temper(row[None], estimator.calibration.temperature)[0, int(answer["type"][1:])]
        assert answer["probability"] == pytest.approx(expected)
    assert found["set"]["level"] == 0.9
    for order in found["set"]["orders"]:
        best = next(a for a in found["answers"] if a["drug1"] == order["drug1"])
        reached = best["probability"] >= found["set"]["least"]
        assert order["types"][:1] == [best["type"]] * reached
        assert order["texts"][:1] == [best["text"]] * reached
        assert order["abstains"] == (not reached)
    assert (found["setting"], found["calibration"]["setting"]) == ("S1", "S1")
    assert estimator.predict("ol0", "amine1")["setting"] == "S0"
    assert estimator.predict("ol4", "amine4")["setting"] == "S2"


def test_a_run_keeps_it(estimator, tmp_path):
    estimator.save(tmp_path / "run")
    again = methods.load_run(tmp_path / "run")
    assert again.calibration == estimator.calibration
    assert "confidence.json" in json.loads((tmp_path / "run" / "checksums.json").read_text())
    before, after = (e.predict("ol4", "amine1")["answers"] for e in (estimator, again))
    assert before == after


def test_an_older_run_is_uncalibrated_until_it_is_measured(old_run, estimator):
    again = methods.load_run(old_run)
    assert again.calibration is None
    found = again.predict("ol4", "amine1")
    assert found["set"] is None and found["calibration"] is None
    assert all(a["probability"] == a["uncalibrated"] for a in found["answers"])
    measured = again.evaluate("test")
    assert measured["conformal"] == estimator.evaluate("test")["conformal"]
    assert again.calibration == estimator.calibration
    RunFolder.open(old_run).amend("confidence.json", again.calibration_dict())
    assert methods.load_run(old_run).calibration == estimator.calibration


@pytest.mark.parametrize("content", ["[]", "{}", '{"setting": "S1", "n_pairs": "many"}'])
def test_a_damaged_confidence_is_named(old_run, content):
    (old_run / "confidence.json").write_text(content)
    seal(old_run)
    with pytest.raises(CorruptRun, match=r"confidence\.json"):
        methods.load_run(old_run)


def test_without_validation_pairs_nothing_is_promised(tmp_path):
    data = families()
    pairs = {name: data.pairs[name] for name in ("train", "test_S1")}
    model = fitted(data=dataclasses.replace(data, pairs=pairs))
    assert model.calibration is None
    found = model.evaluate("test")
    assert not {"calibration", "conformal", "abstention"} & set(found)
    model.save(tmp_path / "run")
    assert not (tmp_path / "run" / "confidence.json").exists()
    assert methods.load_run(tmp_path / "run").predict("ol4", "amine1")["set"] is None
    shutil.rmtree(tmp_path / "run")


def test_the_caveat_is_of_emerging_drugs():
    assert "Emerging" not in caveat("S0")
    assert "Emerging" in caveat("S1") and "Emerging" in caveat("S2")


@pytest.mark.parametrize("setting", ["S0", "S1", "S2"])
def test_strata_by_similarity_to_the_nearest_known_drug(setting):
    model = fitted(setting)
    task = model.task_
    kinds = {k: v for k, v in model.subgroups("test").items() if k.startswith("nearest")}
    rows = task.pairs("test")
    if setting == "S0":
        assert not kinds
        return
    assert sum(kept.sum() for kept in kinds.values()) == len(rows)
    similar = tanimoto(model.fingerprints_, model.fingerprints_[task.trained])
    bounds = {"under 0.3": (0, 0.3), "0.3 to 0.5": (0.3, 0.5), "0.5 to 0.7": (0.5, 0.7),
              "0.7 and more": (0.7, 2)}  # fmt: skip
    for name, kept in kinds.items():
        low, high = bounds[name.removeprefix("nearest known drug ").removesuffix(" similar")]
        for a, _, b in rows[kept].tolist():
            nearest = min(similar[d].max() for d in (a, b) if not task.trained[d])
            assert low <= nearest < high


def test_strata_by_what_is_known():
    task = DDITask(families(), DDIOptions(setting="S1"))
    kinds = [name for name in task.subgroups("test") if "interactions" in name]
    assert kinds == ["under 100 interactions of the known drug"]
    degree = np.arange(30) * 10
    task = DDITask(families(), DDIOptions(setting="S1"), degree=degree)
    fewer = degree[task.pairs("test")[:, [0, 2]]].min(1)
    kept = task.subgroups("test")["50 to 199 graph facts of the drug with fewer"]
    np.testing.assert_array_equal(kept, (fewer >= 50) & (fewer < 200))
    np.testing.assert_array_equal(task.subgroups("test")["one has none"], fewer == 0)


def test_buckets():
    found = buckets("{} facts", np.array([-1, 0, 49, 50, 1500]), (0, 50, 1000))
    assert {name: kept.tolist() for name, kept in found.items()} == {
        "under 50 facts": [False, True, True, False, False],
        "50 to 999 facts": [False, False, False, True, False],
        "1,000 and more facts": [False, False, False, False, True],
    }


def test_a_set_that_no_type_reaches_abstains(estimator, tmp_path, capsys):
    """The most probable type alone is no set of 90 %: text and JSON say that none reaches."""
    from dataclasses import replace

    from parsimony.cli.ddi import _sets

    known = estimator.calibration
    strict = replace(known, thresholds={level: -0.5 for level in known.thresholds})
    estimator._calibrations["S1"] = strict
    try:
        found = estimator.predict("ol4", "amine1")
        measured = estimator.evaluate("test")["conformal"]["0.9"]
    finally:
        estimator._calibrations["S1"] = known
    assert [order["types"] for order in found["set"]["orders"]] == [[], []]
    assert all(order["abstains"] for order in found["set"]["orders"])
    assert found["set"]["least"] == 1.5
    assert _sets(found["set"])[0] == (
        "90% set in the order Drug ol4, Drug amine1: no type reaches 1.50; abstains"
    )
    assert (measured["none"], measured["mean_size"]) == (1, 1)
    assert estimator.evaluate("test")["conformal"]["0.9"]["none"] < 1
