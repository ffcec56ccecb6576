"""What every few-shot method of molecules keeps, walked over all that are registered."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.molecules.small_molecules import chains

from parsimony.errors import (
    CorruptRun,
    EmptySplit,
    FormatError,
    InvalidParameter,
    UsageError,
)
from parsimony.methods import estimators, load_run, resolve
from parsimony.molecules.task import MoleculeOptions, MoleculeTask
from parsimony.pipeline import fit
from parsimony.run import RunFolder

pytest.importorskip("rdkit", reason="molecules need the extra chem")
pytest.importorskip("sklearn", reason="two baselines need the extra calib")

METHODS = sorted(name for name, cls in estimators().items() if cls.kind == "molecules")
# Quick values for parameters that a method may declare.
SMALL = {
    "epochs": 2, "trees": 20, "hidden": 16, "networks": 1, "encoder": "random", "layers": 2,
    "width": 16, "dim": 16, "edge_dim": 16, "steps": 60, "validate_every": 20, "lr": 0.02,
}  # fmt: skip
OPTIONS = MoleculeOptions(shots=(5, 1), episodes=2)
#: Methods that also learn what to expect of a molecule in any task. From three training tasks that
#: exclude one another they learn the wrong thing for a fourth; test_adapting_networks.py
#: asks them of tasks that have something in common.
EXPECTING = {"ridge", "prototype", "par", "pacia"}
SUPPORT = ["OCCC", "OCCCCC", "CCCC", "ClCCC"]
LABELS = [1, 1, 0, 0]


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARSIMONY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def make(method):
    cls = resolve(method)
    return cls(**{k: v for k, v in SMALL.items() if k in cls.Parameters.model_fields})


@pytest.fixture(params=METHODS)
def method(request):
    return request.param


@pytest.fixture(scope="module")
def fitted(own_cache):
    """Each method, fitted once."""
    made = {}

    def of(method):
        if method not in made:
            made[method] = make(method).fit(MoleculeTask(chains(), OPTIONS))
        return made[method]

    return of


def test_unfitted_use_is_a_clear_error(method, tmp_path):
    for use in (
        lambda e: e.evaluate(),
        lambda e: e.adapt(SUPPORT, LABELS, ["CCO"]),
        lambda e: e.save(tmp_path / "run"),
    ):
        with pytest.raises(UsageError, match="not fitted"):
            use(make(method))


def test_evaluate_keeps_the_schema(method, fitted):
    result = fitted(method).evaluate("test")
    assert set(result["metrics"]) == {"roc_auc", "roc_auc@5", "roc_auc@1"}
    for shots in ("5", "1"):
        found = result["shots"][shots]
        table = np.array(found["roc_auc"])
        assert table.shape == (2, 2)
        assert table.mean() == pytest.approx(result["metrics"][f"roc_auc@{shots}"])
        assert table.mean(1).std(ddof=1) == pytest.approx(result["std"][f"roc_auc@{shots}"])
        assert [row["task"] for row in found["per_task"]] == ["fluoride", "nitrile"]
        assert 0 <= found["calibration"]["ece"] <= 1
    assert result["adapted_parameters"] > 0
    assert result["trained_parameters"] == fitted(method).parameters_count_
    with pytest.raises(InvalidParameter):
        fitted(method).evaluate("train")


@pytest.mark.parametrize("name", ["tanimoto", "prototype"])  # one that trains, one that does not
def test_more_shots_than_molecules_are_an_empty_split(name):
    task = MoleculeTask(chains(), OPTIONS.model_copy(update={"shots": (1000,)}))
    with pytest.raises(EmptySplit, match="test"):
        make(name).fit(task).evaluate()


def test_it_learns_what_groups_do(method, fitted):
    """Five shots of a group tell it; labels in which nothing is to be learned stay at a half."""
    if method in EXPECTING:
        pytest.skip("expects of a fourth group what three others showed")
    assert fitted(method).evaluate("test")["metrics"]["roc_auc@5"] > 0.75


def test_the_test_tasks_are_not_learned_from(method, fitted):
    data = chains()
    changed = data.labels.copy()
    flip = changed[:, 4:]
    flip[flip >= 0] = 1 - flip[flip >= 0]
    other = type(data)(
        data.name, data.smiles, changed, data.task_names, data.train_tasks, data.test_tasks
    )
    found = make(method).fit(MoleculeTask(other, OPTIONS))._tensors()
    for name, array in fitted(method)._tensors().items():
        np.testing.assert_array_equal(array, found[name])


def test_a_loaded_run_answers_the_same(method, fitted, tmp_path):
    estimator = fitted(method)
    estimator.save(tmp_path / "run")
    loaded = load_run(tmp_path / "run")
    ours, theirs = (e.adapt(SUPPORT, LABELS, ["CCO", "CCCl"]) for e in (estimator, loaded))
    assert ours["predictions"] == theirs["predictions"]
    assert loaded.evaluate("test")["metrics"] == pytest.approx(
        estimator.evaluate("test")["metrics"]
    )
    assert loaded.parameters_count_ == estimator.parameters_count_
    (tmp_path / "run" / "few_shot.json").unlink()
    with pytest.raises(CorruptRun):
        load_run(tmp_path / "run")


def test_a_run_folder_tells_all(method, tmp_path):
    settings = {"shots": [5, 1], "episodes": 2}
    cls = resolve(method)
    small = SMALL | {"steps": 4, "validate_every": 2}
    settings |= {k: v for k, v in small.items() if k in cls.Parameters.model_fields}
    model, summary = fit(chains(), method, out=tmp_path / "run", parameters=settings)
    run = RunFolder.open(tmp_path / "run")
    kept = run.read_json("metrics.json")
    assert kept["test"]["metrics"] == pytest.approx(model.evaluate("test")["metrics"])
    assert summary["valid"] == kept["valid"]["metrics"]
    assert run.read_json("ledger.json")["labels"] == model.task_.n_labels
    assert run.config["options"]["shots"] == [5, 1]


# ---- adapt -----------------------------------------------------------------------------------


def test_adapt_prefers_what_resembles_the_actives(method, fitted):
    result = fitted(method).adapt(SUPPORT, LABELS, ["OCCCC", "ClCCCC", "CCCO"], top=2)
    first, second, known = result["predictions"]
    if method not in EXPECTING:
        assert first["score"] > second["score"]
        assert first["probability"] >= second["probability"]
    assert (known["known"], known["probability"]) == (1, 1.0)
    assert any("in the support" in note for note in result["notes"])
    assert [len(p["reasons"]) for p in result["predictions"]] == [2, 2, 2]
    if method in ("tanimoto", "fingerprint-ridge"):
        assert known["reasons"][0]["smiles"] == "OCCC"
    assert result["seconds"] > 0
    trained = fitted(method).parameters_count_ > 0
    assert any("unseen=0.2" in note for note in result["notes"]) == trained
    json.dumps(result)


def test_more_expected_actives_raise_every_probability(method, fitted):
    few, many = (
        fitted(method).adapt(SUPPORT, LABELS, ["OCCCC", "ClCCCC"], prevalence=share)
        for share in (0.05, 0.6)
    )
    for a, b in zip(few["predictions"], many["predictions"], strict=True):
        assert a["probability"] < b["probability"]
        assert a["score"] == b["score"]


@pytest.mark.parametrize(
    ("support", "labels", "queries", "kind", "says"),
    [
        (["CCO", "CCCO"], [1, 1], ["CC"], InvalidParameter, "only active ones"),
        (["CCO", "CCCO"], [0, 0], ["CC"], InvalidParameter, "only inactive ones"),
        ([], [], ["CC"], InvalidParameter, "no molecule"),
        (["CCO", "CCx"], [1, 0], ["CC"], FormatError, "support molecule 2.*position 3"),
        (["CCO", ""], [1, 0], ["CC"], FormatError, "support molecule 2"),
        (["CCO", "CC"], [1, 0], ["CC", "C1CC"], FormatError, "query molecule 2.*position 2"),
        (["CCO", "CC"], [1, 2], ["CC"], FormatError, "label 2 of support molecule 2"),
        (["CCO", "OCC", "CC"], [1, 0, 0], ["CC"], FormatError, "'OCC'.*both labels"),
        (["CCO", "CC"], [1], ["CC"], InvalidParameter, "2 molecules and 1 labels"),
        (["CCO", "CC"], [1, 0], [], InvalidParameter, "no molecule to predict"),
    ],
)
def test_wrong_supports_are_refused(fitted, support, labels, queries, kind, says):
    with pytest.raises(kind, match=says):
        fitted("tanimoto").adapt(support, labels, queries)


@pytest.mark.parametrize("share", [0, 1, -1, float("nan")])
def test_a_share_outside_its_limits_is_refused(fitted, share):
    with pytest.raises(InvalidParameter, match="prevalence"):
        fitted("tanimoto").adapt(SUPPORT, LABELS, ["CC"], prevalence=share)


def test_a_molecule_twice_in_the_support_counts_once(fitted):
    result = fitted("tanimoto").adapt([*SUPPORT, "CCCO"], [*LABELS, 1], ["CCCCO"])
    once = fitted("tanimoto").adapt(SUPPORT, LABELS, ["CCCCO"])
    assert result["predictions"][0]["score"] == once["predictions"][0]["score"]
    assert any("duplicate" in note for note in result["notes"])
