"""Methods on pairs with several labels, from a small folder to a run's answers."""

from __future__ import annotations

import numpy as np
import pytest
from tests.ddi.small_labels import labelled, write_labelled_folder

from parsimony import methods
from parsimony.ddi.baselines.label_prevalence import label_prevalence, neighbour_rates
from parsimony.ddi.data import DDIData
from parsimony.ddi.folder import load_ddi_folder
from parsimony.ddi.task import DDIOptions, DDITask
from parsimony.errors import FormatError, InvalidParameter, UnknownRelation
from parsimony.pipeline import fit

pytest.importorskip("rdkit", reason="fingerprints need the extra chem")

SMALL = {"hidden": 32, "epochs": 12, "batch": 16, "lr": 0.01, "seed": 0, "dim": 8, "threads": 1}
MEMBERS = [{"method": "neighbours"}, {"method": "prior"}]
METHODS = ["emergnn", "ensemble", "mlp", "neighbours", "prior"]


def make(method, **more):
    cls = methods.resolve(method)
    if method == "ensemble":
        return cls(members=MEMBERS)
    return cls(**{k: v for k, v in (SMALL | more).items() if k in cls.Parameters.model_fields})


@pytest.fixture(scope="module")
def fitted():
    made = {}

    def of(method, setting="S1"):
        key = method, setting
        if key not in made:
            made[key] = make(method).fit(DDITask(labelled(), DDIOptions(setting=setting)))
        return made[key]

    return of


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("setting", ["S0", "S1", "S2"])
def test_observed_pairs_score_above_their_corruptions(method, setting, fitted):
    found = fitted(method, setting).evaluate("test")
    assert set(found["metrics"]) == {"pr_auc", "roc_auc"}
    assert found["n_queries"] == len(fitted(method, setting).task_.targets("test"))
    if method == "prior" and setting == "S2":
        assert found["metrics"] == {"pr_auc": 0.5, "roc_auc": 0.5}, "nothing is known of either"
    elif methods.resolve(method).structural:
        assert found["metrics"]["roc_auc"] > 0.7
    for name, (low, high) in found["interval"].items():
        assert low <= found["metrics"][name] <= high
    for stratum in found["strata"].values():
        assert 0 <= stratum["pr_auc"] <= 1


@pytest.mark.parametrize("method", METHODS)
def test_a_pair_has_no_order(method, fitted):
    estimator = fitted(method)
    pairs = estimator.task_.targets("test").queries
    table = estimator.predict_proba(pairs)
    assert table.shape == (len(pairs), 5)
    assert (table >= 0).all() and (table <= 1).all()
    np.testing.assert_allclose(table, estimator.predict_proba(pairs[:, ::-1]), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_a_run_answers_as_the_fitted_method(method, fitted, tmp_path):
    estimator = fitted(method)
    estimator.save(tmp_path / "run")
    again = methods.load_run(tmp_path / "run")
    assert again.task_.data.multilabel
    pairs = estimator.task_.targets("test").queries
    found, expected = again.predict_proba(pairs), estimator.predict_proba(pairs)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    answer = again.predict("ol1", "amine2", top=3)
    assert answer["labels"] == "several"
    assert answer["set"] is None and answer["calibration"] is None
    assert len({a["type"] for a in answer["answers"]}) == 3, "one order, three labels"
    assert answer == again.predict("ol1", "amine2", top=3)


@pytest.mark.parametrize("method", ["emergnn", "mlp"])
def test_training_is_the_same_for_the_same_seed(method):
    task = DDITask(labelled(), DDIOptions(setting="S1"))
    first, second = (make(method, epochs=2).fit(task) for _ in range(2))
    assert first.history_[-1]["loss"] == second.history_[-1]["loss"]


@pytest.mark.parametrize("setting", ["S0", "S1", "S2"])
def test_emergence_is_simulated_as_well(setting):
    task = DDITask(labelled(), DDIOptions(setting=setting))
    model = make("emergnn", emergence="simulated", epochs=2).fit(task)
    assert np.isfinite([record["loss"] for record in model.history_]).all()


def test_a_label_is_explained(fitted):
    found = fitted("emergnn").explain("ol1", "e0", "amine2")
    assert found.query[1] == "type e0"
    asked = fitted("emergnn").predict_proba_leave_pair_out(np.array([[1, 12]], np.int32))
    assert found.probability == pytest.approx(float(asked[0, 0]), rel=1e-5)
    relations = {step.relation for path in found.paths for step in path.steps}
    assert relations
    assert not any(name.startswith("type") for name in relations), "one relation for all labels"
    with pytest.raises(UnknownRelation):
        fitted("emergnn").explain("ol1", "e9", "amine2")


def test_a_method_of_one_type_refuses():
    with pytest.raises(InvalidParameter, match="one type per pair"):
        make("walks").fit(DDITask(labelled(), DDIOptions(setting="S1")))


def test_what_a_pair_carries_is_not_counted_for_it():
    """Rates of a pair are the same whether its own labels are among the facts or not."""
    data = labelled()
    task = DDITask(data, DDIOptions(setting="S1"))
    labelling, pairs = task.labelling, task.training(np.random.default_rng(0)).pairs[:40]
    facts = data.pairs["train"]
    similar = np.random.default_rng(0).random((data.n_drugs, data.n_drugs)).astype(np.float32)
    np.fill_diagonal(similar, 0)

    def rates(rows, pair):
        both = labelling.counted_facts(rows)
        found = label_prevalence(both, pair, data.n_drugs, data.n_types, smoothing=1e-9)
        share = found.popular * found.overall  # r(a) r(b), without q
        return share, neighbour_rates(similar, both, pair, found, 1e-12), found.new

    for pair in pairs:
        own = np.isin(facts[:, [0, 2]], pair).all(1)
        assert own.any()
        with_own, without = rates(facts, pair[None]), rates(facts[~own], pair[None])
        if not without[2].any():
            for a, b in zip(with_own, without, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7)


def test_rates_by_hand():
    """Three known drugs, one new: popularity and similar drugs' rates."""
    facts = np.array([(0, 0, 1), (1, 0, 2), (0, 1, 2)], np.int32)
    both = np.concatenate([facts, facts[:, ::-1]])
    pairs = np.array([[3, 1]], np.int32)
    rates = label_prevalence(both, pairs, 4, 2, smoothing=1.0)
    q = (np.array([4, 2]) + 0.5) / 6
    np.testing.assert_allclose(rates.overall, q)
    assert rates.new.tolist() == [[True, False]]
    of_new, of_known = q / 3, (np.array([2, 0]) + q) / 3  # two possible partners, σ = 1
    np.testing.assert_allclose(rates.popular[0], of_new * of_known / q)
    similar = np.zeros((4, 4), np.float32)
    similar[3] = similar[:, 3] = [0.5, 0.25, 0.125, 0]
    found = neighbour_rates(similar, both, pairs, rates, 1e-9)
    # of drugs 0 and 2, which are like 3, both have label 0 with 1, neither label 1
    np.testing.assert_allclose(found[0], [1.0, 0.0], atol=1e-6)


# ---- folders ---------------------------------------------------------------------------------


def test_a_folder_says_the_same(tmp_path):
    data = labelled()
    found = load_ddi_folder(write_labelled_folder(data, tmp_path / "mine"))
    assert found.multilabel
    for split, rows in data.pairs.items():
        np.testing.assert_array_equal(
            np.unique(found.pairs[split], axis=0), np.unique(rows, axis=0)
        )
    found.save(tmp_path / "saved")
    again = DDIData.load(tmp_path / "saved")
    assert again.multilabel and again.content_hash == found.content_hash


@pytest.mark.parametrize(
    ("row", "error", "words"),
    [
        ("ol1\tamine1\te0,e7", UnknownRelation, "e7"),
        ("ol1\tamine1\te0,,e1", FormatError, "an empty label"),
        ("ol1\tamine1\te0,e1,e0", FormatError, "'e0' twice"),
        ("ol1\tamine1\te0\te1", FormatError, "by commas alone"),
    ],
)
def test_bad_labels_are_named_by_file_and_line(tmp_path, row, error, words):
    path = write_labelled_folder(labelled(), tmp_path / "mine") / "valid_S1.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], row, *lines[2:]]) + "\n")
    with pytest.raises(error) as caught:
        load_ddi_folder(tmp_path / "mine")
    assert caught.value.where == f"{path}:3"
    assert words in f"{caught.value.message} {caught.value.remedy}"


def test_fit_writes_what_was_measured(tmp_path):
    write_labelled_folder(labelled(), tmp_path / "mine")
    _, summary = fit(str(tmp_path / "mine"), "neighbours", out=tmp_path / "run",
                     parameters={"setting": "S2"})  # fmt: skip
    assert set(summary["valid"]) == {"pr_auc", "roc_auc"}
    assert not (tmp_path / "run" / "confidence.json").exists()
