"""Parts of the labels: nested, the same for all methods, and of training alone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from tests.ddi.small_pairs import families as pairs
from tests.link.test_link_methods import clan
from tests.molecules.small_molecules import chains
from tests.ratings.small_ratings import tastes

from parsimony.ddi.background import Background
from parsimony.ddi.task import DDIOptions, DDITask
from parsimony.frontier.labels import AskedInPart, chosen, labels_of, learned_part
from parsimony.graph import Vocabulary
from parsimony.link.reasoning.epoch import queries_of_epoch, split_facts
from parsimony.link.task import LinkTask
from parsimony.molecules.task import MoleculeOptions, MoleculeTask
from parsimony.ratings.task import ColdStartTask
from parsimony.run.seeds import rng

SHARES = (0.03, 0.1, 0.3, 1.0)


def rows(array):
    return {tuple(row) for row in array.tolist()}


def test_smaller_parts_are_within_larger_ones():
    parts = [set(chosen(500, share, 7).tolist()) for share in SHARES]
    assert [len(part) for part in parts] == [15, 50, 150, 500]
    assert all(a < b for a, b in itertools.pairwise(parts))
    assert parts[1] != set(chosen(500, 0.1, 8).tolist())
    assert len(chosen(3, 0.01, 0)) == 1 and not len(chosen(0, 0.5, 0))


@pytest.mark.parametrize("thinned", [False, True])
def test_of_facts_only_those_of_training_go(thinned):
    task = LinkTask(clan())
    part = learned_part(task, "complex", 0.3, 0, thinned=thinned)
    assert part.n_labels == labels_of(task, 0.3, thinned=thinned) == 14
    assert rows(part.data.train) < rows(task.data.train)
    for split in ("valid", "test"):
        np.testing.assert_array_equal(part.data.triples(split), task.data.triples(split))
    assert learned_part(task, "complex", 1.0, 0, thinned=thinned) is task


def test_a_reasoner_walks_all_facts_and_asks_about_the_labels():
    task = LinkTask(clan())
    part = learned_part(task, "redgnn", 0.3, 0, thinned=False)
    labels = rows(learned_part(task, "rules", 0.3, 0, thinned=False).data.train)
    assert isinstance(part, AskedInPart) and rows(part.train_graph.triples) == rows(task.data.train)
    assert rows(part.data.train[: part.n_asked]) == labels
    asked = set()
    for number in range(30):
        queries, active = split_facts(part, 0.5, rng(0, number), remove_one_hop=False)
        forward = queries[queries[:, 1] < task.n_relations]
        assert len(queries) == queries_of_epoch(part, 0.5) == 2 * len(forward)
        assert rows(part.data.train[active == 0]) == rows(forward)
        asked |= rows(forward)
    assert asked == labels
    thin = learned_part(task, "redgnn", 0.3, 0, thinned=True)
    assert rows(thin.train_graph.triples) == labels


def test_pairs_are_thinned_and_the_background_where_it_is_asked_for():
    data = pairs()
    n = len(data.drugs)
    nodes = Vocabulary([*data.drugs.names, "gene"], "entity")
    facts = np.array([(drug, 0, n) for drug in range(n)], np.int32)
    background = Background(nodes, ("",) * (n + 1), Vocabulary(["binds"], "relation"), facts, n)
    task = DDITask(data, DDIOptions(setting="S1"), background)
    kept, thin = (learned_part(task, "mlp", 0.1, 3, thinned=thinned) for thinned in (False, True))
    assert rows(kept.data.pairs["train"]) == rows(thin.data.pairs["train"])
    assert kept.n_labels == labels_of(task, 0.1, thinned=False)
    assert len(kept.background.triples) == n and len(thin.background.triples) == n // 10
    assert kept.setting == "S1"
    for split, own in data.pairs.items():
        assert split == "train" or rows(kept.data.pairs[split]) == rows(own)


def test_labels_of_test_and_validation_assays_stay():
    task = MoleculeTask(chains(), MoleculeOptions(shots=(4, 1), episodes=2))
    part = learned_part(task, "par", 0.3, 0, thinned=False)
    assert part.n_labels == labels_of(task, 0.3, thinned=False) < task.n_labels
    for split in ("valid", "test"):
        np.testing.assert_array_equal(part.tasks(split), task.tasks(split))
        columns = task.tasks(split)
        np.testing.assert_array_equal(part.data.labels[:, columns], task.data.labels[:, columns])
    less = part.data.labels != task.data.labels
    assert (part.data.labels[less] == -1).all() and not less[:, task.valid_tasks].any()


def test_training_users_go_with_their_ratings():
    task = ColdStartTask(tastes())
    part = learned_part(task, "fm", 0.1, 0, thinned=False)
    assert len(part.user_tasks("train")) == 3
    for split in ("valid", "test"):
        for mine, its in zip(part.user_tasks(split), task.user_tasks(split), strict=True):
            np.testing.assert_array_equal(mine.items, its.items)
            np.testing.assert_array_equal(mine.query, its.query)
