"""Explanations from either side, and why there is none."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsimony.errors import InvalidParameter
from parsimony.explain import Faithfulness
from parsimony.graph import KnowledgeGraph, Vocabulary
from parsimony.link.data import LinkData
from parsimony.link.shortest_walk import NO_WALK, shortest_walk
from parsimony.link.task import LinkTask
from parsimony.methods import resolve
from parsimony.report.link import explain_correct_answers, page

SMALL = {"dim": 8, "n_layers": 2, "epochs": 2, "batch": 8, "threads": 1, "max_length": 2,
         "min_support": 1, "seed": 1}  # fmt: skip
METHODS = ["redgnn", "adaprop", "rules", "distmult", "transe"]


def made(train, test, n_entities, n_relations=2) -> LinkTask:
    names = Vocabulary([f"e{i}" for i in range(n_entities)], "entity")
    relations = Vocabulary([f"r{i}" for i in range(n_relations)], "relation")
    none = np.empty((0, 3), np.int32)
    data = LinkData(
        "made", names, relations, np.array(train, np.int32), none, np.array(test, np.int32)
    )
    return LinkTask(data)


def fitted(method, task, **more):
    cls = resolve(method)
    known = cls.Parameters.model_fields
    return cls(**{k: v for k, v in (SMALL | more).items() if k in known}).fit(task)


def clan() -> LinkTask:
    """Grandparents follow from parents; every grandparent has two of them."""
    parent, grand = [], []
    for f in range(8):
        a, b, c, d = (4 * f + i for i in range(4))
        parent += [(a, 0, b), (b, 0, c), (b, 0, d)]
        grand += [(a, 1, c), (a, 1, d)]
    return made(parent + grand[:13], grand[13:], 32)


@pytest.fixture(scope="module")
def models():
    task = clan()
    return {method: fitted(method, task) for method in METHODS}


# ---- the side that was asked -----------------------------------------------------------------


@pytest.mark.parametrize("side", ["head", "tail"])
@pytest.mark.parametrize(
    ("method", "reciprocal"),
    [*((method, False) for method in METHODS), ("distmult", True), ("transe", True)],
)
def test_numbers_are_of_the_side_that_was_asked(method, side, reciprocal, models):
    model = models[method]
    if reciprocal:  # a vector of its own for the other direction
        model = fitted(method, model.task_, reciprocal=True)
    task, data = model.task_, model.task_.data
    h, r, t = data.test[0].tolist()
    told = model.explain(f"e{h}", f"r{r}", f"e{t}", side=side)
    entity, relation, answer = (t, r + 2, h) if side == "head" else (h, r, t)
    row = model.scores(np.array([[entity, relation]]))[0]
    assert told.score == pytest.approx(float(row[answer]), rel=1e-4, abs=1e-5)
    assert told.probability == pytest.approx(float(model.probability(row)[answer]), rel=1e-3)
    facts = np.concatenate([data.train, data.valid, data.test]).tolist()
    known = {tuple(fact) for fact in facts}
    rivals = [
        e for e in range(32)
        if e != answer and ((e, r, t) if side == "head" else (h, r, e)) not in known
    ]  # fmt: skip
    assert (
        told.rank == 1 + (row[rivals] > row[answer]).sum() + (row[rivals] == row[answer]).sum() / 2
    )
    assert told.side == side
    asked = f"(?, r{r}, e{t})" if side == "head" else f"(e{h}, r{r}, ?)"
    for form in (told.text(), json.loads(told.to_json())["question"], told.html()):
        assert f"Asked for the {side}, {asked}:" in form
    for path in told.paths:
        place = f"e{entity}"
        for step in path.steps:
            assert step.source == place
            place = step.target
        assert place == f"e{answer}"
    assert bool(told.paths) == (method in METHODS[:3])
    if told.parts:
        assert sum(told.parts.values()) == pytest.approx(told.score, rel=1e-4, abs=1e-5)
    assert task.split_of(h, r, t) == told.known == "test"


@pytest.mark.parametrize("method", METHODS)
def test_other_sides_are_refused(method, models):
    with pytest.raises(InvalidParameter, match="no side 'both'"):
        models[method].explain("e0", "r1", "e2", side="both")


# ---- out of reach ----------------------------------------------------------------------------

#: e0 … e5 in a line; e6, e7 apart
LINE = [(i, 0, i + 1) for i in range(5)] + [(6, 0, 7)] + [(0, 1, 2), (1, 1, 3)]
REMEDY = "train with n_layers=3"


@pytest.mark.parametrize("side", ["head", "tail"])
@pytest.mark.parametrize("method", ["redgnn", "adaprop"])
def test_the_depth_that_reaches_is_named_and_reaches(method, side):
    task = made(LINE, [(2, 1, 5)], 9)
    model = fitted(method, task)
    why = f"no walk of ≤ 2 steps joins them; the shortest has 3: {REMEDY}"
    told = model.explain("e2", "r1", "e5", side=side)
    assert told.no_path == why
    assert why in told.text() and why in told.html() and why in told.to_dict()["notes"]
    assert told.faithfulness is None and told.passes is False
    deeper = fitted(method, task, n_layers=3).explain("e2", "r1", "e5", side=side)
    assert deeper.paths and not deeper.no_path
    assert model.explain("e2", "r1", "e7").no_path == NO_WALK
    # A fact is no walk to itself.
    assert model.explain("e6", "r0", "e7").no_path == NO_WALK
    assert "follows no fact" in model.explain("e8", "r0", "e8").no_path


def test_what_adaprop_prunes_is_said():
    star = [(0, 0, i) for i in range(1, 30)]
    model = fitted("adaprop", made(star, [(0, 1, 1)], 30), n_layers=1, top_k=1)
    told = [model.explain("e0", "r1", f"e{i}").no_path for i in range(1, 30)]
    (reached,) = [why for why in told if not why]
    pruned = next(why for why in told if why)
    assert "a walk of 1 step joins them, but it was pruned away" in pruned
    assert "1 new entities at most (train with a larger top_k)" in pruned
    assert reached == ""
    wider = fitted("adaprop", model.task_, n_layers=1, top_k=30)
    assert all(wider.explain("e0", "r1", f"e{i}").paths for i in range(1, 30))


def test_rules_say_what_they_cannot_reach():
    model = fitted("rules", made(LINE, [(2, 1, 5)], 8))
    assert model.explain("e2", "r1", "e5").no_path == (
        "no walk of ≤ 2 steps, the longest body of a rule for r1, joins them; the shortest has 3: "
        "mine rules with max_length=3"
    )
    assert model.explain("e2", "r1", "e7").no_path == NO_WALK
    assert "no rule for r1 follows a walk" in model.explain("e3", "r1", "e4").no_path
    long = fitted("rules", made([*LINE, (5, 0, 6)], [(2, 1, 5)], 8))
    assert "more than the body of a rule" in long.explain("e0", "r1", "e7", side="head").no_path
    empty = fitted("rules", model.task_, min_support=50)
    assert empty.explain("e2", "r1", "e5").no_path == "no rule concludes r1"


TRIPLES = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 1), st.integers(0, 7)), max_size=12)


@given(TRIPLES, st.integers(0, 7), st.integers(0, 7), st.integers(0, 11))
def test_the_shortest_walk_is_that_of_a_plain_search(triples, start, goal, gone):
    fact = triples[gone % len(triples)] if triples else (0, 0, 0)
    graph = KnowledgeGraph(np.array(triples, np.int32).reshape(-1, 3), 8, 2)
    links = {frozenset((h, t)) for h, r, t in triples if (h, r, t) != fact}
    seen, length = {start}, 0
    while goal not in seen:
        more = seen | {e for link in links if link & seen for e in link}
        if more == seen:
            length = None
            break
        seen, length = more, length + 1
    assert shortest_walk(graph, start, goal, fact) == length


# ---- the showcase of a report ----------------------------------------------------------------


@pytest.mark.parametrize("random_drop", [1.0, 0.1])
def test_answers_that_pass_are_shown_or_the_first_as_they_are(random_drop, models, monkeypatch):
    """All but the second have evidence that random deletions match."""
    model, told = models["rules"], []
    explain = model.explain

    def second_differs(*fact):
        measured = Faithfulness(1.0, random_drop if len(told) == 1 else 1.0, 2, 20, 9)
        told.append(replace(explain(*fact), faithfulness=measured))
        return told[-1]

    monkeypatch.setattr(model, "explain", second_differs)
    (shown,) = explain_correct_answers(model, limit=1)
    assert shown.rank == 1 and len(told) >= 2
    assert shown is told[1 if random_drop < 1 else 0]
    text = page({"explanations": [shown]})
    assert ("whose evidence passes the deletion test" in text) == (random_drop < 1)
    assert ("none has evidence that passes" in text) == (random_drop == 1)


def test_without_a_deletion_test_nothing_is_said_of_it(models):
    shown = list(explain_correct_answers(models["transe"], limit=1))
    assert "deletion test" not in page({"explanations": shown})
