"""Episodes: whose molecules are drawn, what is asked, and that tasks never mix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.molecules.small_molecules import chains

from parsimony.errors import EmptySplit, InvalidParameter
from parsimony.molecules.episodes import draw_support, evaluation_episodes, training_episode
from parsimony.molecules.evaluation import paired
from parsimony.molecules.task import MoleculeOptions, MoleculeTask


@given(
    st.lists(st.integers(-1, 3), min_size=1, max_size=60),
    st.integers(1, 4),
    st.integers(0, 2**31),
)
def test_a_support_holds_k_of_every_class(labels, shots, seed):
    labels = np.array(labels, np.int8)
    classes = np.unique(labels[labels >= 0])
    enough = all((labels == c).sum() >= shots for c in classes)
    if not enough or not len(classes):
        with pytest.raises((InvalidParameter, ValueError)):
            draw_support(labels, shots, np.random.default_rng(seed))
        return
    drawn = draw_support(labels, shots, np.random.default_rng(seed))
    assert len(set(drawn.tolist())) == len(drawn) == shots * len(classes)
    np.testing.assert_array_equal(labels[drawn], np.repeat(classes, shots))


@pytest.mark.parametrize("shots", [10, 1])
def test_queries_are_all_other_measured_molecules(shots):
    task = MoleculeTask(chains())
    seen = []
    for episode in evaluation_episodes(task, "test", shots, episodes=2):
        column = task.data.labels[:, episode.task]
        both = np.concatenate([episode.support, episode.queries])
        np.testing.assert_array_equal(np.sort(both), np.flatnonzero(column >= 0))
        np.testing.assert_array_equal(column[episode.support], episode.labels)
        np.testing.assert_array_equal(column[episode.queries], episode.answers)
        assert episode.labels.tolist() == [0] * shots + [1] * shots
        seen.append((episode.task, episode.support.tolist()))
    assert [t for t, _ in seen] == [4, 5, 4, 5]
    assert seen[0][1] != seen[2][1]
    again = [
        (e.task, e.support.tolist()) for e in evaluation_episodes(task, "test", shots, episodes=2)
    ]
    assert again == seen
    other = next(evaluation_episodes(task, "test", shots, episodes=1, seed=1))
    assert other.support.tolist() != seen[0][1]


def test_tasks_never_mix():
    task = MoleculeTask(chains())
    parts = [set(task.tasks(split).tolist()) for split in ("train", "valid", "test")]
    assert [len(part) for part in parts] == [3, 1, 2]
    assert set.union(*parts) == set(range(6))
    assert parts[2] == {4, 5}
    np.testing.assert_array_equal(task.train_labels, task.data.labels[:, task.train_tasks])
    for i in range(50):
        episode = training_episode(task, 1, 16, np.random.default_rng(i))
        assert episode.task in parts[0]
        assert len(episode.queries) == 16
        assert not set(episode.queries.tolist()) & set(episode.support.tolist())
    assert MoleculeTask(chains()).valid_tasks.tolist() == task.valid_tasks.tolist()


def test_balanced_queries():
    episode = training_episode(
        MoleculeTask(chains()), 1, 16, np.random.default_rng(0), balanced=True
    )
    assert np.bincount(episode.answers).tolist() == [8, 8]


def test_options_are_read_and_refused():
    assert MoleculeOptions.taken_from({"shots": 10, "power": 3}).shots == (10,)
    assert MoleculeOptions.taken_from({"shots": [5, 1, 5]}).shots == (5, 1)
    for wrong in ({"shots": 0}, {"shots": []}, {"shots": True}, {"episodes": 0},
                  {"bad_smiles": "keep"}):  # fmt: skip
        with pytest.raises(InvalidParameter, match=next(iter(wrong))):
            MoleculeOptions.taken_from(wrong)
    with pytest.raises(InvalidParameter, match="valid"):
        MoleculeTask(chains(), MoleculeOptions(valid_tasks=4))


def test_a_task_with_too_few_molecules_is_not_drawn():
    data = chains()
    task = MoleculeTask(data, MoleculeOptions(shots=(1000,)))
    assert not task.has("test")
    with pytest.raises(InvalidParameter, match="no training task"):
        training_episode(task, 1000, 4, np.random.default_rng(0))
    assert list(evaluation_episodes(task, "test", 1000)) == []
    with pytest.raises(EmptySplit, match="no training tasks"):
        MoleculeTask(type(data)("none", data.smiles, data.labels, data.task_names, [], [1]))


def test_paired_draws_of_episodes():
    draw = np.random.default_rng(0)
    theirs = draw.uniform(0.5, 0.9, (10, 3))
    found = paired(theirs + 0.02 + draw.normal(0, 0.001, (10, 3)), theirs)
    assert found["low"] <= found["difference"] <= found["high"]
    assert found["difference"] == pytest.approx(0.02, abs=2e-3)
    assert found["worse"] == 0
    assert paired(theirs, theirs)["worse"] == 1
    with pytest.raises(InvalidParameter, match="not the same episodes"):
        paired(theirs, theirs[:5])


def test_unseen_molecules_are_asked_and_never_learned():
    task = MoleculeTask(chains(), MoleculeOptions(shots=(5, 1), unseen=0.3))
    assert task.unseen.sum() == 38
    assert (task.visible_labels[task.unseen] == -1).all()
    np.testing.assert_array_equal(task.visible_labels[~task.unseen], task.data.labels[~task.unseen])
    assert task.n_labels == (task.data.labels[~task.unseen][:, task.train_tasks] >= 0).sum()
    for split in ("valid", "test"):
        assert len(task.drawable(split, 5)) == len(task.tasks(split))
        for episode in evaluation_episodes(task, split, 5, episodes=3):
            assert task.unseen[episode.queries].all()
            assert not task.unseen[episode.support].any()
            asked = (task.data.labels[:, episode.task] >= 0) & task.unseen
            np.testing.assert_array_equal(episode.queries, np.flatnonzero(asked))
    episode = training_episode(task, 5, 16, np.random.default_rng(0))
    assert not task.unseen[np.concatenate([episode.queries, episode.support])].any()
