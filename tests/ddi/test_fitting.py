"""How methods of drug pairs are fitted: names, devices, budgets, costs over resumed parts."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from tests.ddi.small_labels import labelled
from tests.ddi.small_pairs import families

from parsimony.ddi.baselines.mlp import MLP
from parsimony.ddi.baselines.nearest_neighbours import Neighbours
from parsimony.ddi.baselines.prior import Prior
from parsimony.ddi.emergnn.method import EmerGNN
from parsimony.ddi.ensemble import PairEnsemble
from parsimony.ddi.metapaths.method import Walks
from parsimony.ddi.task import DDITask
from parsimony.errors import InvalidParameter, UnknownParameter
from parsimony.pipeline import fit
from parsimony.run import RunFolder

pytest.importorskip("rdkit", reason="fingerprints need the extra chem")

METHODS = [EmerGNN, MLP, Neighbours, Prior, PairEnsemble, Walks]
SMALL = {"hidden": 8, "epochs": 3, "batch": 16}
MEMBERS = [{"method": "mlp", **SMALL}, {"method": "neighbours"}]


@pytest.mark.parametrize("cls", METHODS)
def test_an_editor_sees_every_parameter(cls):
    assert list(inspect.signature(cls).parameters) == list(cls.Parameters.model_fields)
    assert all(field.description for field in cls.Parameters.model_fields.values())


@pytest.mark.parametrize("cls", METHODS)
def test_what_fit_does_not_know_is_refused(cls):
    task = DDITask(families())
    with pytest.raises(UnknownParameter, match="time_budgt") as caught:
        cls().fit(task, time_budgt=1)
    assert "time_budget" in caught.value.remedy
    with pytest.raises(InvalidParameter, match="runs on cpu"):
        cls().fit(task, device="cuda")


@pytest.mark.parametrize(
    ("cls", "old", "new"),
    [
        (MLP, {"every": 2, "average": 0.9}, {"validate_every": 2, "ema_decay": 0.9}),
        (EmerGNN, {"votes": [2.0], "share": 0.3, "asked": 50},
         {"neighbour_scores": (2.0,), "emerging_fraction": 0.3, "max_pairs": 50}),
        (Walks, {"votes": False, "signatures": 9, "least": 2, "pairs": 70},
         {"shared_weights": False, "max_metapaths": 9, "min_pairs": 2, "max_pairs": 70}),
    ],
)  # fmt: skip
def test_old_names_are_accepted_with_a_warning(cls, old, new):
    with pytest.warns(FutureWarning, match="is now called"):
        method = cls(**old)
    assert {name: getattr(method.parameters, name) for name in new} == new


def test_the_budget_ends_a_network_with_its_first_step():
    method = MLP(**SMALL).fit(DDITask(families()), time_budget=1e-9)
    (record,) = method.history_
    assert method.ended_ == "time budget"
    assert record["part"] == pytest.approx(16 / len(method.task_.pairs("train")))
    assert np.isfinite(method.score("valid"))


@pytest.mark.parametrize("cls", [Neighbours, Prior, Walks])
def test_the_budget_ends_a_selection_with_its_first_choice(cls):
    method = cls().fit(DDITask(families()), time_budget=1e-9)
    assert method.ended_ == "time budget"
    assert len(method.history_) == 1
    assert len(cls().fit(DDITask(families())).history_) > 1


def test_the_budget_is_shared_among_members():
    method = PairEnsemble(members=MEMBERS).fit(DDITask(families()), time_budget=1e-9)
    assert [record["member"] for record in method.history_] == [0, 1]
    assert method.ended_ == "time budget"


@pytest.mark.parametrize(
    ("method", "parameters"), [("mlp", SMALL), ("ensemble", {"members": MEMBERS})]
)
def test_costs_grow_over_resumed_parts(method, parameters, tmp_path):
    run = tmp_path / "run"

    def costs(budget):
        fit(families(), method, out=run, parameters=parameters, time_budget=budget, resume=True)
        return RunFolder.open(run).read_json("ledger.json")

    first, second = costs(1e-9), costs(None)
    for name in ("cpu_seconds", "wall_seconds", "flops"):
        assert second[name] > first[name], name


@pytest.mark.parametrize("data", [families, labelled])
def test_the_score_is_the_primary_measure(data):
    method = Prior(smoothing=1.0).fit(DDITask(data()))
    for split in ("valid", "test"):
        expected = method.evaluate(split)["metrics"][method.task_.labelling.primary]
        assert method.score(split) == expected
