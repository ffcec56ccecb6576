"""What every method of drug pairs keeps, on molecules whose families decide the answer."""

from __future__ import annotations

import numpy as np
import pytest
from tests.ddi.small_pairs import families, write_ddi_folder

from parsimony import methods
from parsimony.ddi.task import DDIOptions, DDITask
from parsimony.errors import (
    CorruptRun,
    InvalidParameter,
    RunExists,
    UnknownDrug,
    UnknownParameter,
    UsageError,
)
from parsimony.pipeline import fit
from parsimony.run import RunFolder

pytest.importorskip("rdkit", reason="fingerprints need the extra chem")

METHODS = ["emergnn", "ensemble", "mlp", "neighbours", "prior", "walks"]
SMALL = {"hidden": 32, "epochs": 6, "batch": 16, "lr": 0.01, "seed": 0}


#: two different networks, small
MEMBERS = [{"method": "mlp", **SMALL}, {"method": "neighbours"}]


def make(method, **more):
    cls = methods.resolve(method)
    if method == "ensemble":
        return cls(members=MEMBERS)
    values = SMALL | {"dim": 8} | more
    return cls(**{k: v for k, v in values.items() if k in cls.Parameters.model_fields})


@pytest.fixture(params=METHODS)
def method(request):
    return request.param


@pytest.fixture(scope="module")
def fitted():
    made = {}

    def of(method, setting="S1"):
        key = method, setting
        if key not in made:
            made[key] = make(method).fit(DDITask(families(), DDIOptions(setting=setting)))
        return made[key]

    return of


def test_probabilities_sum_to_one(method, fitted):
    estimator = fitted(method)
    rows = estimator.task_.pairs("test")[:, [0, 2]]
    table = estimator.predict_proba(rows)
    assert table.shape == (len(rows), 9)
    assert (table >= 0).all()
    np.testing.assert_allclose(table.sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("setting", ["S0", "S1", "S2"])
def test_structure_tells_the_family_of_an_emerging_drug(method, fitted, setting):
    found = fitted(method, setting).evaluate("test")
    assert found["setting"] == setting
    if methods.resolve(method).structural:
        assert found["metrics"]["accuracy"] > 0.9
    elif setting == "S2":
        assert found["metrics"]["accuracy"] < 0.5, "popularity knows nothing of two new drugs"
    low, high = found["interval"]["macro_f1"]
    assert low <= found["metrics"]["macro_f1"] <= high
    assert (
        sum(s["n"] for name, s in found["strata"].items() if name.startswith("type"))
        == found["n_queries"]
    )


def test_predict_scores_both_orders(method, fitted):
    estimator = fitted(method)
    found = estimator.predict("drug OL4", "X11", top=18)
    assert found["query"] == {"drug_a": "Drug ol4", "drug_b": "Drug amine1"}
    orders = {(a["drug1"], a["drug2"]) for a in found["answers"]}
    assert orders == {("Drug ol4", "Drug amine1"), ("Drug amine1", "Drug ol4")}
    values = [a["probability"] for a in found["answers"]]
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(2, rel=1e-4)
    answer = found["answers"][0]
    assert answer["text"] == f"{answer['drug1']} does {answer['type'][1:]} to {answer['drug2']}."
    stated = {"split": "test_S1", "text": "Drug ol4 does 1 to Drug amine1.", "acting": None}
    assert stated in found["known"]


def test_the_asked_pair_is_no_evidence_for_itself(fitted):
    """Two known drugs: neighbours answer from other pairs only."""
    estimator = fitted("neighbours", "S0")
    data = estimator.task_.data
    a, kind, b = data.pairs["train"][0].tolist()
    before = estimator.predict(data.names[a], data.names[b])["answers"]
    rows = data.pairs["train"].copy()
    rows[0, 1] = (kind + 4) % 9
    import dataclasses

    changed = dataclasses.replace(data, pairs={**data.pairs, "train": rows})
    other = make("neighbours", power=estimator.resolved_.power,
                 smoothing=estimator.resolved_.smoothing)  # fmt: skip
    other.fit(DDITask(changed, DDIOptions(setting="S0")))
    after = other.predict(data.names[a], data.names[b])["answers"]
    assert [x["type"] for x in before[:2]] == [x["type"] for x in after[:2]]


def test_wrong_questions_are_refused(method, fitted):
    estimator = fitted(method)
    with pytest.raises(UnknownDrug, match="Drug ol44") as caught:
        estimator.predict("Drug ol44", "Drug ol1")
    assert "Drug ol4" in caught.value.remedy
    with pytest.raises(UsageError, match="with itself"):
        estimator.predict("ol1", "Drug ol1")
    with pytest.raises(UsageError, match="not fitted"):
        make(method).predict("ol1", "ol2")


def test_a_saved_run_answers_the_same(method, fitted, tmp_path):
    estimator = fitted(method)
    estimator.save(tmp_path / "run")
    again = methods.load_run(tmp_path / "run")
    rows = estimator.task_.pairs("test")[:, [0, 2]]
    np.testing.assert_allclose(again.predict_proba(rows), estimator.predict_proba(rows), rtol=1e-6)
    assert again.evaluate("valid")["metrics"] == estimator.evaluate("valid")["metrics"]
    with pytest.raises(RunExists):
        estimator.save(tmp_path / "run")
    path = tmp_path / "run" / "model.safetensors"
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.write_bytes(bytes(changed))
    with pytest.raises(CorruptRun):
        methods.load_run(tmp_path / "run")


def test_a_run_folder_from_a_users_folder(method, tmp_path):
    folder = write_ddi_folder(families(), tmp_path / "mine")
    settings = make(method).parameters.model_dump(exclude_unset=True) | {"setting": "S2"}
    _, summary = fit(str(folder), method, out=tmp_path / "run", parameters=settings)
    assert set(summary["valid"]) == {"macro_f1", "macro_f1_true_labels", "accuracy", "kappa"}
    run = RunFolder.open(tmp_path / "run")
    assert run.config["options"] == {"setting": "S2", "test_graph": "train+valid"}
    assert run.read_json("metrics.json")["test"]["setting"] == "S2"
    assert run.read_json("ledger.json")["parameters"] == summary["parameters"]
    again, same = fit(str(folder), method, out=tmp_path / "run", parameters=settings, resume=True)
    assert same == summary
    assert again.method == method


def test_the_network_goes_on_where_it_stopped(tmp_path):
    data, options = families(), {"parameters": SMALL}
    fit(data, "mlp", out=tmp_path / "straight", epochs=5, **options)
    _, first = fit(data, "mlp", out=tmp_path / "run", epochs=2, **options)
    assert first["ended"] == "epochs"
    _, second = fit(data, "mlp", out=tmp_path / "run", epochs=5, resume=True, **options)
    assert second["epochs"] == 5
    for name in ("metrics.json", "model.safetensors"):
        one, other = (tmp_path / run / name for run in ("straight", "run"))
        assert one.read_bytes() == other.read_bytes(), name


def test_neighbours_are_those_of_the_formula(fitted):
    """The scores of one emerging drug, counted fact by fact."""
    from parsimony.chem.fingerprints import tanimoto

    estimator = fitted("neighbours")
    task, p = estimator.task_, estimator.resolved_
    similar = tanimoto(estimator.fingerprints_, estimator.fingerprints_).astype(np.float64)
    facts = task.visible("test")
    for a, _, b in task.pairs("test")[:12].tolist():
        scores = p.smoothing * (np.bincount(facts[:, 1], minlength=9) + 1 / 9) / (len(facts) + 1)
        emerging = task.emerging("test")[0]
        assert not task.trained[emerging]
        for x, kind, y in facts.tolist():
            if not task.trained[a] and y == b:
                scores[kind] += similar[a, x] ** p.power
            if not task.trained[b] and x == a:
                scores[kind] += similar[b, y] ** p.power
        found = estimator.predict_proba(np.array([[a, b]]))[0]
        np.testing.assert_allclose(found, scores / scores.sum(), rtol=1e-4)


def test_settings_are_of_the_task_or_of_the_method():
    with pytest.raises(UnknownParameter, match="settin"):
        fit(families(), "prior", parameters={"settin": "S1"})
    with pytest.raises(InvalidParameter, match="setting"):
        fit(families(), "prior", parameters={"setting": "S3"})
    with pytest.raises(InvalidParameter, match="drug pairs"):
        fit(families(), "redgnn")
