"""Method multitask: killed at any epoch and resumed, it is the model that was never interrupted."""

from __future__ import annotations

import numpy as np
import pytest
from tests.molecules.small_molecules import chains

pytest.importorskip("rdkit")
pytest.importorskip("torch")

from parsimony.molecules import multitask
from parsimony.molecules.multitask import MultiTask
from parsimony.molecules.property_network import PropertyLearner
from parsimony.molecules.task import MoleculeOptions, MoleculeTask
from parsimony.pipeline import fit
from parsimony.run.folder import RunFolder
from parsimony.training import trainer

TASK = MoleculeTask(chains(), MoleculeOptions(shots=(4, 1), episodes=2))
BLIND = MoleculeTask(chains(), MoleculeOptions(shots=(4, 1), episodes=2, valid_tasks=0))


class Killed(Exception):
    pass


OWN = {"hidden": 8, "max_epochs": 4, "networks": 2, "lr": 0.002, "batch": 64}
SETTINGS = {**OWN, "shots": (4, 1), "episodes": 2}


def make(**more):
    return MultiTask(**{**OWN, **more})


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARSIMONY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def whole(own_cache):
    """One training that nothing interrupts, with validation tasks and without."""
    return {task: make().fit(task) for task in (TASK, BLIND)}


def same(one, other):
    """The same model, by the same history."""
    for mine, its in zip(one.history_, other.history_, strict=True):
        assert {k: v for k, v in mine.items() if "seconds" not in k} == {
            k: v for k, v in its.items() if "seconds" not in k
        }
    assert one.resolved_ == other.resolved_
    assert one._tensors().keys() == other._tensors().keys()
    for name, value in one._tensors().items():
        np.testing.assert_array_equal(value, other._tensors()[name], err_msg=name)


@pytest.mark.parametrize(
    ("task", "at"), [(TASK, at) for at in range(1, 8)] + [(BLIND, at) for at in range(1, 5)]
)
def test_a_resumed_training_equals_an_uninterrupted_one(whole, task, at, tmp_path, monkeypatch):
    """Epochs are chosen in four epochs, then all tasks are learned for as many as were best."""
    monkeypatch.setattr(PropertyLearner, "between_checkpoints", 0.0)
    total = (4 if task is TASK else 0) + whole[task].resolved_.epochs
    assert at <= total
    config, path, begun = make().prepare(task), tmp_path / "run", [0]
    losses = PropertyLearner.losses

    def until(self, number, drawn):
        begun[0] += 1
        if begun[0] == at:
            raise Killed
        return losses(self, number, drawn)

    with monkeypatch.context() as patch:
        patch.setattr(PropertyLearner, "losses", until)
        with pytest.raises(Killed), RunFolder.create(path, config) as run:
            make().fit(task, run=run)
        again = make()
        with RunFolder.create(path, config, resume=True) as run:
            again.fit(task, run=run)
    assert begun[0] == total + 1  # what was behind it is not done again
    same(again, whole[task])
    assert again.cost_.flops == pytest.approx(whole[task].cost_.flops)


class Clock:
    """Every step takes a second."""

    def __init__(self, monkeypatch):
        self.steps = 0
        monkeypatch.setattr(trainer, "clock", lambda: float(self.steps))
        loss = PropertyLearner._loss

        def counted(learner, network, rows):
            self.steps += 1
            return loss(learner, network, rows)

        monkeypatch.setattr(PropertyLearner, "_loss", counted)


@pytest.mark.parametrize("given", [{"max_epochs": 400}, {"epochs": 400}])
@pytest.mark.parametrize("budget", [1, 5, 30])
def test_all_phases_share_the_time_budget(given, budget, monkeypatch):
    clock = Clock(monkeypatch)
    model = make(**given).fit(TASK, time_budget=float(budget))
    assert clock.steps <= budget + 2  # the step that each phase is in is taken
    assert model.ended_ == "time budget"
    assert 0 <= model.score("test") <= 1 and model._held


def test_a_choice_that_a_budget_cut_is_made_again(tmp_path, monkeypatch):
    """With more time a run becomes what it had been with that time from the beginning."""
    config, path = make().prepare(TASK), tmp_path / "run"
    with monkeypatch.context() as patch:
        Clock(patch)
        with RunFolder.create(path, config) as run:
            cut = make().fit(TASK, run=run, time_budget=6.0)
        assert cut.ended_ == "time budget"
        first = cut.cost_.flops
    again = make()
    with RunFolder.create(path, config, resume=True) as run:
        again.fit(TASK, run=run)
    same(again, make().fit(TASK))
    assert again.ended_ == "epochs" and again.cost_.flops > first


def test_more_epochs_make_the_run_of_so_many_epochs(tmp_path):
    first, _ = fit(chains(), "multitask", out=tmp_path / "run", epochs=1, parameters=SETTINGS)
    more, _ = fit(
        chains(), "multitask", out=tmp_path / "run", epochs=2, parameters=SETTINGS, resume=True
    )
    assert len(first.history_) == 1
    same(more, make(epochs=2).fit(TASK))


def test_validation_is_measured_by_networks_that_never_saw_it(whole):
    model = whole[TASK]
    assert [n.outer.out_features for n in model._held] == [len(TASK.train_tasks)] * 2
    assert [n.outer.out_features for n in model._networks] == [len(TASK.data.train_tasks)] * 2
    assert model._features_for("valid") is not model._features_for("test")
    assert whole[BLIND]._held == []
    assert multitask._looks(20) == (1, 2, 3, 4, 6, 8, 12, 16, 20)


def test_a_graph_network_learns_answers_and_is_read_again(own_cache, tmp_path):
    """The same method over the atoms of a molecule instead of its fragments."""
    model = make(graph_layers=2, networks=1, max_epochs=2).fit(TASK)
    assert any("inner.layers.1." in name for name in model._tensors())
    assert model.parameters_count_ < make().fit(BLIND).parameters_count_
    model.save(tmp_path / "run")
    again = MultiTask.load(tmp_path / "run")
    one, other = (m.scored("test", 4).table for m in (model, again))
    np.testing.assert_allclose(one, other, atol=1e-6)
    assert model.cost_.flops > 0
