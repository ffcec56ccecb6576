"""Learned weights of rules: against brute force, where they help, where they are kept."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from parsimony import datasets
from parsimony.link.rules.evidence import Evidence
from parsimony.link.rules.learned_weights import PENALTIES, weights_at
from parsimony.link.rules.method import RuleReasoner
from parsimony.link.task import LinkTask


def objective(evidence, penalty, scale, weights):
    """Equation (9), question by question."""
    value = penalty / 2 * sum(w**2 for w in weights)
    score = scale * evidence.score + evidence.fires.toarray() @ weights
    for first, last in zip(evidence.ptr, evidence.ptr[1:], strict=False):
        logits, target = score[first:last], evidence.target[first:last]
        value -= target @ (logits - np.log(np.exp(logits).sum()))
    return value


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("penalty", PENALTIES)
def test_no_weights_nearby_are_better(seed, penalty):
    random = np.random.default_rng(seed)
    fires = (random.random((60, 4)) < 0.4).astype(float)
    target = np.tile([1.0, 0, 0, 0, 0, 0], 10)
    score = 0.5 * random.random(60) + 0.2 * target
    evidence = Evidence(sparse.csr_array(fires), target, np.arange(0, 61, 6), score)
    found = weights_at(evidence, penalty)
    assert (found >= 0).all()
    scales = np.exp(np.linspace(np.log(0.05), np.log(20), 400))
    at = [objective(evidence, penalty, a, a * found) for a in scales]
    scale = scales[int(np.argmin(at))]
    best = min(at)
    for k in range(4):
        for change in (-0.1, 0.1):
            other = scale * found
            other[k] = max(other[k] + change, 0)
            assert objective(evidence, penalty, scale, other) >= best - 1e-3


def test_what_the_combination_has_right_is_left_alone():
    """A rule gets weight where it tells right from wrong, and none where it does not."""
    fires = np.tile([[1.0, 1, 0], [0, 1, 1]], (20, 1))  # right: rules 0 and 1; wrong: 1 and 2
    evidence = Evidence(
        sparse.csr_array(fires), np.tile([1.0, 0], 20), np.arange(0, 41, 2), np.tile([0.1, 0.4], 20)
    )
    right, both, wrong = weights_at(evidence, 1.0)
    assert right > 0.3 and both == pytest.approx(0, abs=1e-6) and wrong == 0


@pytest.fixture(scope="module")
def task():
    return LinkTask(datasets.load("royal"))


@pytest.fixture(scope="module")
def learned(task):
    return RuleReasoner(max_length=2, max_rules=100, learn_weights=True).fit(task)


def test_they_are_kept_with_the_run(task, learned, tmp_path):
    assert learned.ways_.learned and any(c.penalty for c in learned.ways_.combinations.values())
    (said,) = (note for note in learned.training_notes_ if "weights of rules were" in note)
    without = float(said.rsplit("without ", 1)[1])  # measured, though weights were asked for
    assert 0.9 < without <= 1
    learned.save(tmp_path / "run")
    loaded = RuleReasoner.load(tmp_path / "run")
    queries = np.array([[0, 6], [5, 17], [100, 8]])
    np.testing.assert_array_equal(loaded.scores(queries), learned.scores(queries))
    assert loaded.parameters_count_ == learned.parameters_count_ > len(learned.rules_)
    assert loaded.description_bytes() == learned.description_bytes()


def test_an_explanation_shows_what_a_rule_counts_with(task, learned):
    fact = ("Arthur_Duke_of_Connaught", "uncle", "Wilhelm_II_of_Germany")
    told = learned.explain(*fact)
    assert told.faithfulness is not None and told.faithfulness.deleted_drop > 0
    weights = [path.weight for path in told.paths]
    assert weights == sorted(weights, reverse=True)
    relation = task.data.relations.index("uncle")
    scorer = learned.scorer(task.test_graph)
    plan, sure = scorer.plan_used(relation), scorer.confidences(relation)
    for k in plan.order.tolist():
        assert -np.log1p(-min(sure[k], 1 - 1e-9)) >= plan.added[k] - 1e-6


def test_who_says_how_rules_are_combined_gets_that_alone(task):
    plain = RuleReasoner(max_length=2, aggregation="max").fit(task)
    assert not plain.ways_.learned and not any(c.penalty for c in plain.ways_.combinations.values())
    given = RuleReasoner(max_length=2).fit(task, knowledge=plain.rules_[:50])
    assert not given.ways_.learned
    off = RuleReasoner(max_length=2, learn_weights=False).fit(task)
    assert not off.ways_.learned and off.parameters_count_ == len(off.rules_)
