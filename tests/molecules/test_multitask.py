"""Method multitask: killed at any epoch and resumed, it is the model that was never interrupted."""

from __future__ import annotations

import numpy as np
import pytest
from tests.molecules.small_molecules import chains

pytest.importorskip("rdkit")
pytest.importorskip("torch")

from parsimony.molecules import multitask
from parsimony.molecules.multitask import MultiTask
from parsimony.molecules.property_network import NetworkTraining
from parsimony.molecules.task import MoleculeOptions, MoleculeTask
from parsimony.run.folder import RunFolder

TASK = MoleculeTask(chains(), MoleculeOptions(shots=(4, 1), episodes=2))


class Killed(Exception):
    pass


def make():
    return MultiTask(hidden=8, most_epochs=4, networks=2, lr=0.02)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARSIMONY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield make().fit(TASK)


@pytest.mark.parametrize("with_validation", [True, False])
@pytest.mark.parametrize("at", [1, 4, 8, 9, 11, 14])
def test_a_resumed_training_equals_an_uninterrupted_one(
    whole, with_validation, at, tmp_path, monkeypatch
):
    """Two networks learn four epochs while epochs are chosen, then two learn from all tasks."""
    task = TASK
    if not with_validation:
        task = MoleculeTask(chains(), MoleculeOptions(shots=(4, 1), episodes=2, valid_tasks=0))
        whole = make().fit(task)
    monkeypatch.setattr(multitask, "BETWEEN_CHECKPOINTS", 0.0)
    config = make().prepare(task)
    path, begun = tmp_path / "run", [0]
    epoch = NetworkTraining.epoch

    def until(self, *arguments):
        begun[0] += 1
        if begun[0] == at:
            raise Killed
        return epoch(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(NetworkTraining, "epoch", until)
        with pytest.raises(Killed), RunFolder.create(path, config) as run:
            make().fit(task, run=run)
    again, begun[0] = make(), -1000
    with monkeypatch.context() as patch, RunFolder.create(path, config, resume=True) as run:
        patch.setattr(NetworkTraining, "epoch", until)
        again.fit(task, run=run)
    assert begun[0] + 1000 <= total_epochs(whole) - at + 2  # what was behind it is not done again
    assert again.history_ == whole.history_
    assert again.resolved_ == whole.resolved_
    assert again.cost_.flops == pytest.approx(whole.cost_.flops)
    expected = whole._tensors()
    assert expected.keys() == again._tensors().keys()
    for name, value in again._tensors().items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def total_epochs(model):
    return 2 * (max(len(model.history_), model.resolved_.epochs) + model.resolved_.epochs)
