"""What every method of link prediction keeps, beyond the contract of all estimators."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

import parsimony
from parsimony import methods
from parsimony.errors import (
    EmptySplit,
    InvalidParameter,
    ParsimonyError,
    UnknownEntity,
    UnknownParameter,
    UnknownRelation,
    UsageError,
)
from parsimony.explain import Explanation
from parsimony.graph import Vocabulary
from parsimony.knowledge import parse_rules
from parsimony.link.data import LinkData
from parsimony.link.task import LinkTask

METHODS = {name: cls for name, cls in methods.estimators().items() if cls.kind == "link"}
#: methods whose reasons are paths and rules; those of vectors have tests in tests/link/embeddings
WALKERS = sorted(n for n, cls in METHODS.items() if n != "degree" and not hasattr(cls, "vectors"))
# Quick values for parameters that a method may declare.
SMALL = {"dim": 16, "n_layers": 2, "epochs": 2, "batch": 8, "threads": 1, "max_length": 2}


def clan() -> LinkData:
    """Three generations in ten families: grandparents follow from parents."""
    parent, grand = [], []
    for f in range(10):
        a, b, c, d = (4 * f + i for i in range(4))
        parent += [(a, 0, b), (b, 0, c), (b, 0, d)]
        grand += [(a, 1, c), (a, 1, d)]
    train = np.array(parent + grand[:14], np.int32)
    names = [f"person {i}" for i in range(40)]
    return LinkData(
        "clan",
        Vocabulary(names, "entity"),
        Vocabulary(["parent", "grandparent"], "relation"),
        train,
        np.array(grand[14:17], np.int32),
        np.array(grand[17:], np.int32),
        entity_names={"person 0": "Eve"},
    )


def make(method):
    cls = METHODS[method]
    return cls(**{k: v for k, v in SMALL.items() if k in cls.Parameters.model_fields})


@pytest.fixture(scope="module")
def task():
    return LinkTask(clan())


@pytest.fixture(scope="module")
def fitted(task):
    """Each method, fitted once."""
    made = {}

    def of(method):
        if method not in made:
            made[method] = make(method).fit(task)
        return made[method]

    return of


@pytest.fixture(params=sorted(METHODS))
def method(request):
    return request.param


def all_queries(task):
    n, r = task.test_graph.n_entities, task.n_relations
    return np.array([[e, q] for e in range(0, n, 5) for q in range(2 * r)], np.int32)


def test_unknown_methods_are_refused_with_a_suggestion(method):
    with pytest.raises(UnknownParameter) as caught:
        methods.resolve(method[:-1])
    assert method in caught.value.remedy


# ---- before fit ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    [
        lambda e, tmp: e.evaluate(),
        lambda e, tmp: e.scores(np.array([[0, 0]])),
        lambda e, tmp: e.predict(head="person 0", relation="parent"),
        lambda e, tmp: next(iter(e.predict_batch([{"head": "person 0", "relation": "parent"}]))),
        lambda e, tmp: e.explain("person 0", "parent", "person 1"),
        lambda e, tmp: e.knowledge(),
        lambda e, tmp: e.save(tmp / "run"),
    ],
    ids=["evaluate", "score", "predict", "predict_batch", "explain", "knowledge", "save"],
)
def test_unfitted_use_is_a_clear_error(method, use, tmp_path):
    with pytest.raises(UsageError, match="not fitted") as caught:
        use(make(method), tmp_path)
    assert "fit" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


# ---- fit and use -----------------------------------------------------------------------------


def test_evaluate_keeps_the_schema(method, fitted, task):
    result = fitted(method).evaluate("test")
    assert result["split"] == "test"
    assert result["policy"] == "realistic"
    assert result["n_queries"] == 2 * len(task.data.test)
    for name in ("mrr", "hits@1", "hits@3", "hits@10"):
        bounds = [result[policy][name] for policy in ("pessimistic", "metrics", "optimistic")]
        assert 0 <= bounds[0] <= bounds[1] + 1e-12
        assert bounds[1] <= bounds[2] + 1e-12 <= 1 + 1e-9
    low, high = result["interval"]["mrr"]
    assert low <= result["metrics"]["mrr"] <= high
    assert sum(row["n_queries"] for row in result["per_relation"]) == result["n_queries"]
    with pytest.raises(InvalidParameter):
        fitted(method).evaluate("tset")


def test_scores_have_one_column_an_entity(method, fitted, task):
    queries = all_queries(task)
    scores = fitted(method).scores(queries)
    assert scores.shape == (len(queries), task.test_graph.n_entities)
    assert scores.dtype == np.float32
    assert not np.isnan(scores).any()
    alone = np.concatenate([fitted(method).scores(queries[i : i + 1]) for i in range(len(queries))])
    np.testing.assert_allclose(scores, alone, rtol=1e-4, atol=1e-5)


def test_ranks_follow_from_scores(method, fitted, task):
    """``evaluate`` ranks by sparse counting; here once more by sorting dense rows."""
    estimator, data = fitted(method), task.data
    known = {tuple(row) for split in ("train", "valid", "test") for row in data.triples(split)}
    asked = [
        [(h, r, t), (t, r + task.n_relations, h)] for h, r, t in data.test.tolist()
    ]  # fmt: skip
    rows = iter(estimator.scores([query[:2] for both in asked for query in both]))
    reciprocal = []
    for (h, r, t), both in zip(data.test.tolist(), asked, strict=True):
        for _, relation, answer in both:
            row = next(rows)
            others = [
                e for e in range(data.n_entities)
                if e != answer and ((h, r, e) if relation == r else (e, r, t)) not in known
            ]  # fmt: skip
            rank = 1 + (row[others] > row[answer]).sum() + (row[others] == row[answer]).sum() / 2
            reciprocal.append(1 / rank)
    assert estimator.evaluate("test")["metrics"]["mrr"] == pytest.approx(np.mean(reciprocal))


@pytest.mark.parametrize("query", [(-1, 0), (10**6, 0), (0, -1), (0, 10**6)])
def test_an_id_of_nothing_is_refused(method, query, fitted):
    with pytest.raises(InvalidParameter, match=r"is the id of no (entity|relation)"):
        fitted(method).scores([query])


def test_predict(method, fitted):
    estimator = fitted(method)
    tails = estimator.predict(head="person 0", relation="grandparent", top=2)
    assert tails["query"] == {"head": "person 0", "relation": "grandparent"}
    assert len(tails["answers"]) == 2
    scores = [answer["score"] for answer in tails["answers"]]
    assert scores == sorted(scores, reverse=True)
    some = estimator.predict(
        tail="person 2", relation="grandparent", candidates=["person 0", "person 9"]
    )
    assert {answer["entity"] for answer in some["answers"]} == {"person 0", "person 9"}
    everybody = estimator.predict(head="person 0", relation="parent", top=40)["answers"]
    unreached = 0.0 if getattr(estimator.resolved_, "unreached", "below") == "zero" else -np.inf
    assert all(answer["score"] != unreached for answer in everybody), "no family joins another"
    fresh = estimator.predict(head="person 0", relation="parent", top=40, drop_known=True)
    assert "person 1" not in {answer["entity"] for answer in fresh["answers"]}
    asked = [{"head": "person 0", "relation": "parent"}, {"tail": "person 2", "relation": "parent"}]
    batch = list(estimator.predict_batch(asked, top=3))
    assert [answer["query"] for answer in batch] == asked
    # Scores of a batch may differ in the last digit from those of a single query.
    alone = estimator.predict(head="person 0", relation="parent", top=3)
    scores = [[answer["score"] for answer in each["answers"]] for each in (batch[0], alone)]
    assert scores[0] == pytest.approx(scores[1], rel=1e-4)


@pytest.mark.parametrize(
    ("query", "kind", "says"),
    [
        ({"head": "persn 0", "relation": "parent"}, UnknownEntity, "person 0"),
        ({"head": "person 0", "relation": "parnt"}, UnknownRelation, "parent"),
        ({"relation": "parent"}, UsageError, "one of them"),
        ({"head": "person 0", "tail": "person 1", "relation": "parent"}, UsageError, "one of them"),
        ({"head": "person 0", "relation": "parent", "top": 0}, UsageError, "top"),
        (
            {"head": "person 0", "relation": "parent", "candidates": ["persn 1"]},
            UnknownEntity,
            "person 1",
        ),
    ],
)
def test_wrong_queries_are_refused(method, fitted, query, kind, says):
    with pytest.raises(kind) as caught:
        fitted(method).predict(**query)
    assert says in caught.value.remedy


@pytest.mark.parametrize("method", WALKERS)
def test_explain_walks_from_head_to_tail(method, fitted):
    """A hidden grandparent: whatever is named leads there, along facts, in the right direction."""
    estimator = fitted(method)
    data = estimator.task_.data
    h, r, t = data.test[0].tolist()
    names = data.entities.name(h), data.relations.name(r), data.entities.name(t)
    explanation = estimator.explain(*names)
    assert explanation.query == names
    row = estimator.scores(np.array([[h, r]]))[0]
    assert explanation.score == pytest.approx(float(row[t]), rel=1e-4, abs=1e-5)
    facts = {
        (data.entities.name(a), data.relations.name(b), data.entities.name(c))
        for a, b, c in data.train.tolist()
    }
    assert explanation.paths
    for path in explanation.paths:
        place = names[0]
        for step in path.steps:
            assert (step.head, step.relation, step.tail) in facts
            assert step.source == place
            place = step.target
        assert place == names[2]
    assert Explanation.from_dict(json.loads(explanation.to_json(full=True))).query == names
    forms = explanation.text(), explanation.dot(), explanation.html(), explanation._repr_html_()
    assert all(data.label(names[2]) in form for form in forms)
    with pytest.raises(UnknownEntity):
        estimator.explain("persn 0", "parent", "person 1")


def test_explained_and_predicted_probability_agree(method, fitted):
    estimator = fitted(method)
    head, relation, tail = "person 36", "grandparent", "person 39"
    explanation = estimator.explain(head, relation, tail)
    assert explanation.known == "test"
    answer = estimator.predict(head, relation, candidates=[tail])["answers"][0]
    assert answer["score"] == pytest.approx(explanation.score, rel=1e-4)
    assert answer["probability"] == pytest.approx(explanation.probability, rel=1e-3)


@pytest.mark.parametrize("method", WALKERS)
def test_knowledge_is_text_that_parses_back(method, fitted):
    rules = fitted(method).knowledge()
    assert rules
    text = parsimony.format_rules(rules)
    assert parsimony.format_rules(parse_rules(text)) == text
    clauses = {rule.clause for rule in rules}
    assert "grandparent(X,Y) <- parent(X,A), parent(A,Y)" in clauses
    assert len(fitted(method).knowledge(top=1)) == 1


# ---- save and load ---------------------------------------------------------------------------


def test_a_loaded_estimator_scores_the_same(method, fitted, task, tmp_path):
    estimator = fitted(method)
    estimator.save(tmp_path / "run")
    loaded = parsimony.load_run(tmp_path / "run")
    assert type(loaded) is type(estimator)
    assert loaded.task_.data.content_hash == task.data.content_hash
    queries = all_queries(task)
    np.testing.assert_array_equal(loaded.scores(queries), estimator.scores(queries))
    assert loaded.evaluate("test")["metrics"] == estimator.evaluate("test")["metrics"]
    assert loaded.task_.data.label("person 0") == "Eve"
    assert [str(r) for r in loaded.knowledge()] == [str(r) for r in estimator.knowledge()]
    loaded.save(tmp_path / "again")
    again = parsimony.load_run(tmp_path / "again")
    np.testing.assert_array_equal(again.scores(queries), estimator.scores(queries))


def test_no_training_facts_is_an_error_of_the_tree():
    empty = np.empty((0, 3), np.int32)
    names = Vocabulary(["a"], "entity"), Vocabulary(["r"], "relation")
    with pytest.raises(ParsimonyError, match="no training facts"):
        LinkTask(LinkData("none", *names, empty, empty, empty))


def test_empty_validation_and_test_splits_are_named_when_asked_for(method):
    none = np.empty((0, 3), np.int32)
    model = make(method).fit(LinkTask(dataclasses.replace(clan(), valid=none, test=none)))
    assert model.predict(head="person 0", relation="parent", top=3)["answers"]
    for split in ("valid", "test"):
        with pytest.raises(EmptySplit, match=split):
            model.evaluate(split)
