"""distil: the firings and the weights against plain twins, the book against what was measured."""

from __future__ import annotations

import json

import numpy as np
import pytest
from benchmarks.small_data import write_royal_part
from scipy import sparse

from parsimony import datasets
from parsimony.errors import EmptySplit, InvalidParameter
from parsimony.knowledge import read_rules
from parsimony.link.distillation import distil
from parsimony.link.distillation.weights import Weighing
from parsimony.link.rules.evidence import training_parts
from parsimony.link.rules.method import RuleReasoner
from parsimony.link.task import LinkTask
from parsimony.methods import load_run


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    part = write_royal_part(tmp_path_factory.mktemp("royal") / "part")
    return RuleReasoner(aggregation="max").fit(LinkTask(datasets.load(part)))


def _evidence(seed: int) -> Weighing:
    random = np.random.default_rng(seed)
    sizes = random.integers(2, 6, size=12)
    ptr = np.concatenate([[0], np.cumsum(sizes)])
    fires = sparse.csr_array((random.random((ptr[-1], 5)) < 0.4).astype(float))
    target = np.concatenate([random.dirichlet(np.ones(n)) for n in sizes])
    return Weighing(fires, target, ptr)


def test_gradient_and_the_cost_of_leaving_a_rule_out():
    of = _evidence(0)
    weights = np.array([0.3, 1.2, 0.0, 0.7, 2.0])
    value, gradient = of.loss(weights)
    step = 1e-6
    for k in range(5):
        moved = weights.copy()
        moved[k] += step
        assert (of.loss(moved)[0] - value) / step == pytest.approx(gradient[k], abs=1e-4)
        without = weights.copy()
        without[k] = 0
        penalty = 1e-4 * 12 * weights[k]
        assert of.losses(weights)[k] == pytest.approx(of.loss(without)[0] - value + penalty)


def test_fitted_weights_are_the_best():
    of = _evidence(1)
    found = of.fit(np.full(5, 0.1), np.arange(5), 200)
    value, gradient = of.loss(found)
    assert (found >= 0).all()
    assert np.abs(gradient[found > 0]).max(initial=0) < 1e-2
    assert gradient[found == 0].min(initial=0) > -1e-2
    assert value <= of.loss(np.zeros(5))[0]


def test_no_asked_fact_is_in_the_graph_that_is_walked(teacher):
    task = teacher.task_
    for part in training_parts(task, 0):
        facts = {tuple(row) for row in part.graph.triples.tolist()}
        for h, r, y in zip(
            np.repeat(part.head, np.diff(part.answer_ptr)), part.answer_relation, part.answer,
            strict=True,
        ):  # fmt: skip
            n = task.n_relations
            assert ((y, r - n, h) if r >= n else (h, r, y)) not in facts


def test_a_book_applied_ranks_as_it_was_measured(teacher):
    made = distil(teacher)
    assert made.fidelity.top1 > 0.5
    assert made.fidelity in made.curve
    assert [point.rules for point in made.curve] == sorted({p.rules for p in made.curve})
    applied = RuleReasoner(aggregation="noisy-or").fit(teacher.task_, knowledge=made.rules)
    valid = applied.evaluate("valid")["metrics"]
    assert valid["mrr"] == pytest.approx(made.fidelity.mrr, abs=1e-9)
    assert teacher.evaluate("valid")["metrics"]["mrr"] == pytest.approx(made.model_mrr, abs=1e-9)


def test_nothing_is_chosen_below_one(teacher):
    with pytest.raises(InvalidParameter, match="rules is 0"):
        distil(teacher, rules=0)


def test_without_validation_facts_it_says_so(teacher):
    from dataclasses import replace

    data = replace(teacher.task_.data, valid=np.empty((0, 3), np.int32), registered=False)
    alone = RuleReasoner(aggregation="max", smoothing=1, max_rules=50).fit(LinkTask(data))
    with pytest.raises(EmptySplit, match="no validation facts"):
        distil(alone)


def test_the_verb_writes_book_and_page(tmp_path, teacher):
    from typer.testing import CliRunner

    from parsimony.cli import app
    from parsimony.pipeline import write_run

    write_run(teacher, tmp_path / "run")
    words = ["distil", str(tmp_path / "run"), "--rules", "30", "--html", str(tmp_path / "a.html")]
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    book = tmp_path / "run" / "distilled.txt"
    assert found["book"] == str(book)
    assert [str(rule) for rule in read_rules(book)] == found["rules"]
    assert 1 <= len(found["rules"]) <= 30
    assert found["sentence"] in (tmp_path / "a.html").read_text()
    load_run(tmp_path / "run")  # as whole as before
    applied = CliRunner().invoke(
        app,
        ["apply", str(book), str(tmp_path / "run"), "--split", "valid", "--set",
         "aggregation=noisy-or", "--json"],
    )  # fmt: skip
    mrr = json.loads(applied.stdout)["metrics"]["mrr"]
    assert mrr == pytest.approx(found["fidelity"]["mrr"], abs=1e-6)
