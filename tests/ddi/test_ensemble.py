"""An ensemble is the mean of its members, however it came about."""

from __future__ import annotations

import numpy as np
import pytest
from tests.ddi.small_pairs import families

from parsimony import methods
from parsimony.ddi.add_drug import with_drug
from parsimony.ddi.drug_file import NewDrug
from parsimony.ddi.ensemble import PairEnsemble
from parsimony.ddi.screening import screen
from parsimony.ddi.task import DDIOptions, DDITask
from parsimony.errors import InvalidParameter, UnknownParameter, UsageError
from parsimony.pipeline import fit, write_run
from parsimony.run import RunFolder

pytest.importorskip("rdkit", reason="fingerprints need the extra chem")

MLP = {"hidden": 16, "epochs": 3, "batch": 16, "lr": 0.01}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for seed in (0, 1):
        fit(families(), "mlp", out=folder / f"mlp-{seed}", parameters=MLP, seed=seed)
    fit(families(), "neighbours", out=folder / "neighbours")
    fit(families(), "mlp", out=folder / "S2", parameters=MLP | {"setting": "S2"})
    return folder


def test_its_probabilities_are_the_mean_and_all_weights_are_counted(runs, tmp_path):
    folders = [runs / "mlp-0", runs / "mlp-1", runs / "neighbours"]
    ensemble = PairEnsemble.of_runs(folders)
    members = [methods.load_run(folder) for folder in folders]
    rows = ensemble.task_.pairs("test")[:, [0, 2]]
    mean = np.mean([member.predict_proba(rows) for member in members], axis=0)
    np.testing.assert_allclose(ensemble.predict_proba(rows), mean, rtol=1e-6)
    summary = write_run(ensemble, tmp_path / "run")
    bills = [RunFolder.open(folder).read_json("ledger.json") for folder in folders]
    assert summary["parameters"] == sum(bill["parameters"] for bill in bills)
    own = RunFolder.open(tmp_path / "run").read_json("ledger.json")
    assert own["cpu_seconds"] >= sum(bill["cpu_seconds"] for bill in bills)
    again = methods.load_run(tmp_path / "run")
    np.testing.assert_allclose(again.predict_proba(rows), mean, rtol=1e-6)
    a, b = again.predict("ol4", "amine1")["answers"][:2]
    assert a["probability"] >= b["probability"]


def test_trained_together_it_is_what_its_members_are_alone(runs, tmp_path):
    members = [{"method": "mlp", "seed": seed, **MLP} for seed in (0, 1)]
    together, summary = fit(
        families(), "ensemble", out=tmp_path / "run", parameters={"members": members}
    )
    rows = together.task_.pairs("test")[:, [0, 2]]
    apart = PairEnsemble.of_runs([runs / "mlp-0", runs / "mlp-1"])
    np.testing.assert_allclose(together.predict_proba(rows), apart.predict_proba(rows), rtol=1e-6)
    assert summary["parameters"] == apart.parameters_count_
    assert {record["member"] for record in together.history_} == {0, 1}
    whole = DDITask(families(), DDIOptions())
    assert PairEnsemble(members=members).fit(whole).seconds_ > 0


def test_members_that_do_not_belong_together_are_refused(runs):
    with pytest.raises(UsageError, match="two runs"):
        PairEnsemble.of_runs([runs / "mlp-0"])
    with pytest.raises(UsageError, match="differ in their options"):
        PairEnsemble.of_runs([runs / "mlp-0", runs / "S2"])
    with pytest.raises(UnknownParameter, match="mpl"):
        PairEnsemble(members=[{"method": "mpl"}])
    with pytest.raises(UsageError, match="cannot be a member"):
        PairEnsemble(members=[{"method": "redgnn"}])
    with pytest.raises(InvalidParameter, match="lr"):
        PairEnsemble(members=[{"method": "mlp", "lr": -1}])


def test_an_ensemble_without_paths_gives_no_reasons(runs):
    ensemble = PairEnsemble.of_runs([runs / "mlp-0", runs / "mlp-1"])
    with pytest.raises(UsageError, match="gives reasons"):
        ensemble.explain("ol4", None, "amine1")


def test_it_screens_and_takes_a_new_drug(runs):
    ensemble = PairEnsemble.of_runs([runs / "neighbours", runs / "mlp-0"])
    found = screen(ensemble, "ol4", top=2)["partners"]
    assert all(partner["reason"].startswith("most like Drug") for partner in found[:2])
    alone = ensemble.predict("ol4", found[0]["id"], top=1)["answers"][0]
    assert alone["probability"] == pytest.approx(found[0]["probability"], abs=1e-6)
    bits = ensemble.fingerprints_[ensemble.task_.data.drug("ol4")]
    wider = with_drug(ensemble, NewDrug("twin", "", bits, ()))
    assert ensemble.task_.data.n_drugs == wider.task_.data.n_drugs - 1
    twin = screen(wider, "twin", top=1)["partners"]
    assert len(twin) == len(found) + 1
    before = ensemble.predict("ol4", "ol5")["answers"]
    assert wider.predict("ol4", "ol5")["answers"][0]["text"] == before[0]["text"]
