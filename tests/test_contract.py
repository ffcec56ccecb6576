"""The contract that every registered method keeps, checked on a tiny graph."""

from __future__ import annotations

import dataclasses
import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import parsimony
from parsimony.base import Estimator, estimators, load_run, resolve
from parsimony.datasets import LinkData
from parsimony.errors import (
    CorruptRun,
    EmptySplit,
    InvalidParameter,
    RunExists,
    UnknownEntity,
    UnknownParameter,
    UnknownRelation,
    UsageError,
)
from parsimony.fitting import fit
from parsimony.graph import Vocabulary
from parsimony.knowledge import Explanation, Rule
from parsimony.run.folder import RunFolder
from parsimony.tasks.link import LinkTask

METHODS = sorted(estimators())
#: small values for those parameters that a method has
SMALL = {"dim": 16, "attention_dim": 2, "n_layers": 3, "epochs": 10, "lr": 0.02, "top_k": 20,
         "threads": 1, "max_length": 2, "batch": 8}  # fmt: skip


def towns(n: int = 40) -> LinkData:
    """A ring of towns: ``second`` is ``next`` twice, so there is something to infer."""
    rows = [(i, r, (i + step) % n) for i in range(n) for r, step in ((0, 1), (1, 2), (2, 3))]
    triples = np.random.default_rng(0).permutation(np.array(rows, np.int32))
    cut = [int(len(triples) * share) for share in (0.8, 0.9)]
    return LinkData(
        name="towns",
        entities=Vocabulary([f"town{i}" for i in range(n)]),
        relations=Vocabulary(["next", "second", "third"], kind="relation"),
        train=triples[: cut[0]],
        valid=triples[cut[0] : cut[1]],
        test=triples[cut[1] :],
    )


@pytest.fixture(scope="module")
def task() -> LinkTask:
    return LinkTask(towns())


@pytest.fixture(params=METHODS)
def cls(request) -> type[Any]:
    return resolve(request.param)


def small(cls: type[Any], **more: Any) -> Any:
    known = {name: value for name, value in SMALL.items() if name in cls.Parameters.model_fields}
    return cls(**{**known, **more})


@pytest.fixture(scope="module")
def fitted(task) -> dict[str, Any]:
    return {method: small(resolve(method)).fit(task) for method in METHODS}


@pytest.fixture
def model(cls, fitted) -> Any:
    return fitted[cls.method]


# ---- parameters ------------------------------------------------------------------------------


def test_the_register_names_the_class(cls):
    assert issubclass(cls, Estimator)
    assert estimators()[cls.method] is cls
    assert inspect.getdoc(cls)


def test_the_constructor_only_stores(cls):
    estimator = small(cls, seed=7)
    assert estimator.parameters.seed == 7
    assert [name for name in vars(estimator) if name.endswith("_")] == []
    with pytest.raises(Exception, match="frozen"):
        estimator.parameters.seed = 8


def test_defaults_need_no_argument(cls):
    assert cls().parameters == cls().parameters


def test_every_parameter_says_what_it_is(cls):
    for name, field in cls.Parameters.model_fields.items():
        assert field.description, name


def test_an_unknown_parameter_gets_a_suggestion(cls):
    with pytest.raises(UnknownParameter, match="did you mean 'seed'") as caught:
        cls(sed=1)
    assert "protocol" in caught.value.remedy


def wrong_values() -> list[Any]:
    """Values outside what each field declares; the declaration makes the test."""
    cases = []
    for method in METHODS:
        for name, field in resolve(method).Parameters.model_fields.items():
            wrong: list[Any] = [object(), float("nan")]
            for limit in field.metadata:
                wrong += [limit.ge - 1] if hasattr(limit, "ge") else []
                wrong += [limit.gt] if hasattr(limit, "gt") else []
                wrong += [limit.le + 1] if hasattr(limit, "le") else []
                wrong += [limit.lt] if hasattr(limit, "lt") else []
            cases += [pytest.param(method, name, w, id=f"{method}-{name}-{i}")
                      for i, w in enumerate(wrong)]  # fmt: skip
    return cases


@pytest.mark.parametrize(("method", "name", "value"), wrong_values())
def test_a_wrong_value_is_named(method, name, value):
    with pytest.raises(InvalidParameter, match=f"'{name}' parameter of"):
        resolve(method)(**{name: value})


def test_a_method_is_found_by_its_name():
    with pytest.raises(UnknownParameter, match="did you mean 'redgnn'"):
        resolve("redgn")


# ---- before fit ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    [
        lambda e, _: e.evaluate("test"),
        lambda e, _: e.predict(head="town1", relation="next"),
        lambda e, _: list(e.predict_batch([{"head": "town1", "relation": "next"}])),
        lambda e, _: e.score(np.array([[0, 0]])),
        lambda e, _: e.explain("town1", "next", "town2"),
        lambda e, _: e.knowledge(),
        lambda e, path: e.save(path / "run"),
    ],
    ids=["evaluate", "predict", "predict_batch", "score", "explain", "knowledge", "save"],
)
def test_unfitted_use_is_a_clear_error(cls, use, tmp_path):
    with pytest.raises(UsageError, match=r"not fitted.*fit\(task\)"):
        use(cls(), tmp_path)
    assert list(tmp_path.iterdir()) == []


# ---- fit, predict, evaluate ------------------------------------------------------------------


def test_fit_returns_self_and_learns(cls, task):
    estimator = small(cls)
    before = estimator.parameters
    assert estimator.fit(task) is estimator
    assert estimator.parameters == before
    assert estimator.task_ is task
    assert estimator.parameters_count_ > 0
    assert isinstance(estimator.history_, list)
    bill = estimator.ledger_.as_dict()
    assert bill["labels"] == len(task.data.train)
    assert bill["parameters"] == estimator.parameters_count_
    json.dumps(bill)


def test_evaluate_has_the_schema(model):
    result = model.evaluate("test")
    assert result["policy"] == "realistic"
    for policy in ("metrics", "optimistic", "pessimistic"):
        assert set(result[policy]) == {"mrr", "hits@1", "hits@3", "hits@10"}
        assert all(0 <= value <= 1 for value in result[policy].values())
    assert result["pessimistic"]["mrr"] <= result["metrics"]["mrr"] <= result["optimistic"]["mrr"]
    assert result["n_queries"] == 2 * len(model.task_.data.test)
    low, high = result["interval"]["mrr"]
    assert low <= result["metrics"]["mrr"] <= high
    json.dumps(result)


def test_another_split_is_refused(model):
    with pytest.raises(InvalidParameter, match="valid"):
        model.evaluate("train")


def test_something_is_learned(model):
    """Better than guessing among forty towns, whose mean reciprocal rank is 0.1."""
    assert model.evaluate("test")["metrics"]["mrr"] > 0.3


def test_scores_are_of_all_entities(model):
    task = model.task_
    queries = np.array([[0, 0], [3, 2], [5, 1 + task.n_relations]])
    scores = model.score(queries)
    assert scores.shape == (3, task.data.n_entities)
    assert scores.dtype == np.float32
    assert not np.isnan(scores).any()
    again = model.score(queries[1:2])
    assert np.allclose(scores[1], again[0], rtol=1e-4, atol=1e-6)
    assert model.score(np.empty((0, 2), int)).shape == (0, task.data.n_entities)


def test_predictions_are_the_best_scores(model):
    answers = model.predict(head="town5", relation="second", top=4)["answers"]
    row = model.score(np.array([[5, 1]]))[0]
    assert [a["score"] for a in answers] == pytest.approx(np.sort(row)[::-1][:4].tolist())
    assert all(0 <= answer["probability"] <= 1 for answer in answers)
    heads = model.predict(tail="town5", relation="second", top=1)
    assert heads["query"] == {"relation": "second", "tail": "town5"}
    few = model.predict(head="town5", relation="second", candidates=["town7", "town9"])["answers"]
    assert {answer["entity"] for answer in few} == {"town7", "town9"}
    data = model.task_.data
    known = {data.entities.name(int(t)) for h, r, t in data.train if (h, r) == (5, 0)}
    left = model.predict(head="town5", relation="next", top=40, drop_known=True)["answers"]
    assert not known & {answer["entity"] for answer in left}


@pytest.mark.parametrize(
    ("query", "error", "says"),
    [
        ({"head": "town1x", "relation": "next"}, UnknownEntity, "town1"),
        ({"head": "town1", "relation": "nxet"}, UnknownRelation, "next"),
        ({"head": "town1", "tail": "town2", "relation": "next"}, UsageError, "head"),
        ({"relation": "next"}, UsageError, "head"),
        ({"head": "town1", "relation": "next", "top": 0}, UsageError, "top"),
        ({"head": "town1", "relation": "next", "candidates": ["twon1"]}, UnknownEntity, "town1"),
    ],
)
def test_wrong_queries(model, query, error, says):
    with pytest.raises(error) as caught:
        model.predict(**query)
    assert says in str(caught.value)


def test_an_empty_split_can_be_fitted_and_is_named(cls):
    none = np.empty((0, 3), np.int32)
    task = LinkTask(dataclasses.replace(towns(), valid=none, test=none))
    model = small(cls).fit(task)
    assert len(model.predict(head="town1", relation="next", top=3)["answers"]) == 3
    for split in ("valid", "test"):
        with pytest.raises(EmptySplit, match=split):
            model.evaluate(split)


# ---- the same again --------------------------------------------------------------------------

SOME = np.array([[0, 0], [3, 2], [5, 4], [9, 1]])


def test_the_seed_decides(cls, task, model):
    again = small(cls).fit(task)
    assert np.array_equal(model.score(SOME), again.score(SOME))
    assert model.history_ and len(model.history_) == len(again.history_)
    first, second = model.evaluate("valid"), again.evaluate("valid")
    assert first["metrics"] == second["metrics"]
    assert first["interval"] == second["interval"]


def test_fitting_does_not_touch_the_data(cls):
    data = towns()
    before = data.content_hash
    small(cls).fit(LinkTask(data))
    assert data.content_hash == before


def test_saved_and_loaded_it_is_the_same(cls, model, tmp_path):
    model.save(tmp_path / "run")
    for loaded in (cls.load(tmp_path / "run"), load_run(tmp_path / "run")):
        assert type(loaded) is cls
        assert np.array_equal(loaded.score(SOME), model.score(SOME))
        mine, theirs = model.evaluate("test"), loaded.evaluate("test")
        for key in ("metrics", "optimistic", "pessimistic", "interval", "per_relation"):
            assert mine[key] == theirs[key]
    with pytest.raises(RunExists):
        model.save(tmp_path / "run")


def test_a_changed_byte_is_refused(model, tmp_path):
    model.save(tmp_path / "run")
    path = tmp_path / "run" / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(CorruptRun, match=r"model\.safetensors"):
        load_run(tmp_path / "run")


def test_a_run_folder_is_complete(cls, tmp_path):
    parameters = small(cls).parameters.model_dump(exclude_unset=True)
    model, summary = fit(towns(), cls.method, out=tmp_path / "run", parameters=parameters)
    assert set(summary) == {
        "run", "method", "parameters", "epochs", "best_epoch", "valid", "seconds",
    }  # fmt: skip
    run = RunFolder.open(tmp_path / "run")
    assert run.config["method"] == cls.method
    assert run.read_json("metrics.json")["test"]["metrics"] == model.evaluate("test")["metrics"]
    assert "seconds" not in json.dumps(run.read_json("metrics.json"))
    assert run.read_json("ledger.json")["parameters"] == summary["parameters"]
    for name in ("model.safetensors", "log.jsonl", "checksums.json", "data"):
        assert (Path(run.path) / name).exists(), name


# ---- reasons ---------------------------------------------------------------------------------


def test_an_explanation_walks_from_head_to_tail(model):
    reason = model.explain("town5", "second", "town7", n_paths=3, draws=4)
    assert isinstance(reason, Explanation)
    assert reason.query == ("town5", "second", "town7")
    row = model.score(np.array([[5, 1]]))[0]
    if not reason.known:  # a known fact is no reason for itself, so its score is another one
        assert reason.score == pytest.approx(float(row[7]), rel=1e-3, abs=1e-3)
    data = model.task_.data
    facts = {
        (data.entities.name(h), data.relations.name(r), data.entities.name(t))
        for h, r, t in data.train.tolist()
    }
    assert reason.paths
    for path in reason.paths:
        place = "town5"
        for step in path.steps:
            assert (step.head, step.relation, step.tail) in facts - {reason.query}
            assert step.source == place
            place = step.target
        assert place == "town7"
    assert Explanation.from_dict(json.loads(reason.to_json(full=True))).query == reason.query
    for form in (reason.text(), reason.dot(), reason.html(), reason._repr_html_()):
        assert "town7" in form


def test_an_explanation_of_unknown_names(model):
    with pytest.raises(UnknownEntity, match="did you mean"):
        model.explain("town5", "second", "tonw7")
    with pytest.raises(UnknownRelation, match="did you mean"):
        model.explain("town5", "secnd", "town7")


def test_knowledge_is_rules_with_counts(model):
    rules = model.knowledge(top=5)
    assert 0 < len(rules) <= 5
    for rule in rules:
        assert isinstance(rule, Rule)
        assert rule.is_counted
        assert 0 < rule.support <= rule.body_count
        assert parsimony.knowledge.parse_rule(str(rule)).clause == rule.clause
