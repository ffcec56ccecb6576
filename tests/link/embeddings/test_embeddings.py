"""Embedding models as estimators: what they learn, explain, export, and how they resume."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import polars as pl
import pytest
from tests.link.embeddings.small_graphs import inverses

import parsimony
from parsimony.cli import app
from parsimony.errors import (
    FormatError,
    InvalidParameter,
    TrainingDiverged,
    UnknownParameter,
    UnknownSymbol,
    UsageError,
)
from parsimony.explain import Explanation
from parsimony.graph import Vocabulary
from parsimony.knowledge.symbol import Symbol
from parsimony.link.data import LinkData
from parsimony.link.embeddings.batches import GroupedQueries
from parsimony.link.embeddings.epoch import EmbeddingLearner
from parsimony.link.embeddings.estimator import SHARED_NEGATIVES, EmbeddingEstimator
from parsimony.link.embeddings.objective import Objective
from parsimony.link.embeddings.triple_classification import (
    best_threshold,
    classify_triples,
    negative_facts,
)
from parsimony.link.task import LinkTask
from parsimony.pipeline import fit
from parsimony.run.folder import RunFolder
from parsimony.training import trainer

METHODS = ["bilinear", "complex", "distmult", "simple", "analogy", "transe", "rotate"]
SMALL = {"dim": 16, "batch": 32, "threads": 1, "seed": 3}


@pytest.fixture(scope="module")
def task():
    return LinkTask(inverses())


def made(method="complex", **values):
    return parsimony.resolve(method)(**SMALL | values)


# ---- learning --------------------------------------------------------------------------------


@pytest.mark.parametrize("reciprocal", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_it_learns_what_its_symbol_can_say(method, reciprocal, task):
    """A circle and its inverse: no symmetric product and no translation can say it well."""
    model = made(method, epochs=60, reciprocal=reciprocal).fit(task)
    mrr = model.evaluate("test")["metrics"]["mrr"]
    if method in ("distmult", "transe"):
        assert 0.15 < mrr < 0.4, "chance is 0.1"
    else:
        assert mrr > 0.4


def test_the_symbol_is_the_named_model(task):
    """``bilinear`` with a name, with the same cells as text, and the named method are one."""
    text = str(Symbol.named()["ComplEx"])
    options = [made("complex", epochs=3)]
    options += [made("bilinear", symbol=symbol, epochs=3) for symbol in ("complex", text)]
    scores = [each.fit(task).scores(np.array([[0, 0], [1, 3]])) for each in options]
    np.testing.assert_array_equal(scores[0], scores[1])
    np.testing.assert_array_equal(scores[0], scores[2])
    assert options[2].parameters.symbol == "ComplEx"


def test_scores_are_the_symbols(task):
    model = made("bilinear", symbol="AutoSF-WN18RR", epochs=2, reciprocal=False).fit(task)
    h, r, t = task.data.test.T
    wanted = model.symbol_.score(model.entity_[h], model.relation_[r], model.entity_[t])
    tails = model.scores(np.stack([h, r], 1))[np.arange(len(h)), t]
    heads = model.scores(np.stack([t, r + task.n_relations], 1))[np.arange(len(h)), h]
    np.testing.assert_allclose(tails, wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(heads, wanted, rtol=1e-4, atol=1e-5)


def test_options_change_the_training(task):
    plain = made(epochs=5, dropout=0.0).fit(task)
    for option in (
        {"dropout": 0.3}, {"input_dropout": 0.3}, {"n3": 0.1}, {"l2": 0.1}, {"decay": 0.5},
        {"relation_weight": 1.0}, {"negatives": 5}, {"unit_ball": True, "init": 2.0},
    ):  # fmt: skip
        other = made(epochs=5, **{"dropout": 0.0} | option).fit(task)
        assert other.entity_.shape == plain.entity_.shape
        assert not np.array_equal(other.entity_, plain.entity_), option
    assert np.linalg.norm(other.entity_, axis=1).max() <= 1 + 1e-5


def test_threads_give_nearly_the_same_numbers(task):
    one, two = (made(epochs=3, threads=n).fit(task) for n in (1, 2))
    np.testing.assert_allclose(one.entity_, two.entity_, rtol=1e-3, atol=1e-4)


def test_patience_and_rare_looks(task):
    model = made(epochs=200, patience=4, validate_every=2, lr=0.5).fit(task)
    assert model.ended_ == "patience"
    looked = [r["epoch"] for r in model.history_ if "valid_mrr" in r]
    assert looked == list(range(2, len(model.history_) + 1, 2))
    best = max((r for r in model.history_ if "valid_mrr" in r), key=lambda r: r["valid_mrr"])
    assert model.best_epoch_ == best["epoch"]
    assert model.evaluate("valid")["metrics"]["mrr"] == pytest.approx(best["valid_mrr"])


def test_large_graphs_share_negatives():
    n = 100_000  # 12 n² · 512 operations are just above the limit
    facts = np.stack([np.arange(n), np.zeros(n, int), np.roll(np.arange(n), 1)], 1)
    data = LinkData(
        "large", Vocabulary([str(i) for i in range(n)]), Vocabulary(["r"], "relation"),
        *np.split(facts.astype(np.int32), [n - 2, n - 1]),
    )  # fmt: skip
    for model, task, negatives in (
        (made(dim=512), LinkTask(data), SHARED_NEGATIVES),
        (made(negatives=7), LinkTask(data), 7),
        (made(), LinkTask(inverses()), 0),
    ):  # fmt: skip
        model.prepare(task)
        assert model.resolved_.negatives == negatives


def test_a_diverging_training_stops(task):
    with pytest.raises(TrainingDiverged, match="epoch"):
        made(init=1e25, n3=0.0, epochs=3).fit(task)


def test_no_vectors_for_new_entities(task):
    data = inverses()
    pair = LinkData(
        "pair", data.entities, data.relations, data.train, data.valid, data.test,
        inductive=data,
    )  # fmt: skip
    with pytest.raises(UsageError, match="no vectors for the entities"):
        made().fit(LinkTask(pair))


@pytest.mark.parametrize("method", ["bilinear", "complex"])
def test_a_dimension_is_cut_into_four(method):
    with pytest.raises(InvalidParameter) as caught:
        made(method, dim=30)
    assert "30" in caught.value.message
    assert "28" in caught.value.remedy
    assert "32" in caught.value.remedy
    with pytest.raises(InvalidParameter, match="multiple of 2"):
        made("rotate", dim=15)
    assert made("transe", dim=15).parameters.dim == 15


def test_wrong_symbols_are_refused():
    with pytest.raises(UnknownSymbol, match="compex"):
        made("bilinear", symbol="compex")
    with pytest.raises(FormatError):
        made("bilinear", symbol="1 0 0 0; 0 9 0 0; 0 0 1 0; 0 0 0 1")


# ---- runs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ema_decay", [0.0, 0.8])
def test_a_killed_run_resumes_to_the_same_numbers(tmp_path, monkeypatch, ema_decay):
    data = inverses()
    parameters = SMALL | {"dropout": 0.2, "negatives": 10, "dura": 0.01, "ema_decay": ema_decay}
    whole, _ = fit(data, "complex", out=tmp_path / "whole", parameters=parameters, epochs=6)
    monkeypatch.setattr(EmbeddingLearner, "between_checkpoints", 0.0)

    class Killed(Exception):
        pass

    log = RunFolder.log

    def dies(self, **fields):
        log(self, **fields)
        if fields["epoch"] == 4:
            raise Killed

    monkeypatch.setattr(RunFolder, "log", dies)
    with pytest.raises(Killed):
        fit(data, "complex", out=tmp_path / "cut", parameters=parameters, epochs=6)
    monkeypatch.setattr(RunFolder, "log", log)
    again, summary = fit(
        data, "complex", out=tmp_path / "cut", parameters=parameters, epochs=6, resume=True
    )
    assert summary["epochs"] == 6
    np.testing.assert_array_equal(again.entity_, whole.entity_)
    kept = [json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("whole", "cut")]
    assert kept[0] == kept[1]


def test_the_moving_average_over_epochs_answers(task):
    """Without validation the last one answers; the mean of the first epochs is even."""
    data = task.data
    alone = LinkTask(LinkData("alone", data.entities, data.relations, data.train, data.valid[:0],
                              data.test))  # fmt: skip
    after = [made(epochs=n, decay=0.98, ema_decay=0.0).fit(alone).entity_ for n in (1, 2, 3)]
    mean = made(epochs=3, decay=0.98, ema_decay=0.6).fit(alone)
    expected = after[0]
    for decay, vectors in zip((1 / 2, 0.6), after[1:], strict=True):
        expected = decay * expected + (1 - decay) * vectors
    np.testing.assert_allclose(mean.entity_, expected, atol=1e-6)
    assert mean.best_epoch_ == 3


def test_more_epochs_go_on(tmp_path):
    parameters = SMALL | {"patience": 100, "decay": 0.98}  # a cosine would know its end
    short, _ = fit(inverses(), "complex", out=tmp_path / "run", parameters=parameters, epochs=3)
    long, summary = fit(
        inverses(), "complex", out=tmp_path / "run", parameters=parameters, epochs=5, resume=True
    )
    at_once, _ = fit(inverses(), "complex", parameters=parameters, epochs=5)
    assert summary["epochs"] == 5
    np.testing.assert_array_equal(long.entity_, at_once.entity_)
    assert len(short.history_) == 3


def test_a_time_budget_ends_a_training(task):
    model = made(epochs=1000, patience=1000).fit(task, time_budget=0.0)
    assert model.ended_ == "time budget"
    assert len(model.history_) == 1
    late = made(epochs=1000, patience=1000, validate_every=50).fit(task, time_budget=0.0)
    assert late.best_epoch_ == 1  # the budget ended before the first look


def test_a_budget_ends_within_a_step(task, monkeypatch):
    """By a clock on which a step takes a second and nothing else takes any time."""
    steps = []
    take = Objective.step
    monkeypatch.setattr(Objective, "step", lambda *given: steps.append(1) or take(*given))
    monkeypatch.setattr(trainer, "clock", lambda: float(len(steps)))
    per_epoch = -(-len(GroupedQueries.of(task.data.train, 30, 3, False)) // 4)
    for budget in (1.0, 2.5, per_epoch + 1.0):
        steps.clear()
        model = made(epochs=50, batch=4, patience=100).fit(task, time_budget=budget)
        assert len(steps) <= budget + 1
        assert model.ended_ == "time budget"
        assert np.isfinite(model.entity_).all()


def test_cost_grows_over_resumed_parts(tmp_path):
    parameters, before = SMALL | {"patience": 100}, {}
    for epochs in (2, 4):
        fit(
            inverses(), "transe", out=tmp_path / "run", parameters=parameters, epochs=epochs,
            resume=epochs > 2,
        )  # fmt: skip
        cost = RunFolder.open(tmp_path / "run").read_json("ledger.json")
        assert all(cost[name] > before.get(name, 0) for name in ("cpu_seconds", "flops"))
        before = cost


def test_fit_refuses_unknown_keywords(task):
    with pytest.raises(UnknownParameter) as caught:
        made().fit(task, time_budgt=1)
    assert "time_budget" in caught.value.remedy
    with pytest.raises(UnknownParameter) as caught:
        made().fit(task, validate_every=2)
    assert "constructor" in caught.value.remedy


def test_former_names_of_parameters(task):
    with pytest.warns(FutureWarning, match="'average' is now called 'ema_decay'"):
        assert made(average=0.5).parameters.ema_decay == 0.5
    with pytest.warns(FutureWarning, match="'every' is now called 'validate_every'"):
        assert made("rotate", every=3).parameters.validate_every == 3


def test_a_run_keeps_its_symbol_and_fit_takes_it_back(tmp_path):
    rows = ["1 0 0 0", "0 2 0 -2", "0 0 1 4", "0 3 3 0"]
    fit(
        inverses(), "bilinear", out=tmp_path / "run", epochs=2,
        parameters=SMALL | {"symbol": "; ".join(rows)},
    )  # fmt: skip
    known = tomllib.loads((tmp_path / "run" / "knowledge.toml").read_text())
    assert Symbol.from_dict(known["symbol"]) == Symbol.parse("; ".join(rows))
    loaded = parsimony.load_run(tmp_path / "run")
    assert loaded.knowledge() == [Symbol.parse("; ".join(rows))]


# ---- reasons ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_parts_add_up_to_the_score(method, task):
    model = made(method, epochs=5).fit(task)
    data = task.data
    h, r, t = data.test[0].tolist()
    found = model.explain(data.entities.name(h), data.relations.name(r), data.entities.name(t))
    assert sum(found.parts.values()) == pytest.approx(found.score, rel=1e-4, abs=1e-5)
    assert found.score == pytest.approx(float(model.scores(np.array([[h, r]]))[0, t]), rel=1e-4)
    assert found.known == "test"
    assert not found.paths
    assert "no path" not in found.text()
    assert "hidden for this query" not in found.text()
    assert Explanation.from_dict(json.loads(found.to_json(full=True))) == found
    for form in (found.text(), found.html(), found.dot()):
        assert data.entities.name(t) in form
    assert "multiplies" in found.text() or method in ("transe", "rotate")


def test_analogues_are_known_facts_with_an_end_in_common(task):
    data = task.data
    model = made(epochs=20).fit(task)
    known = {
        f"{data.entities.name(h)} —{data.relations.name(r)}→ {data.entities.name(t)}"
        for h, r, t in data.train.tolist()
    }
    h, r, t = data.train[0].tolist()
    names = data.entities.name(h), data.relations.name(r), data.entities.name(t)
    found = model.explain(*names, n_facts=50)
    assert found.known == "train"
    itself = f"{names[0]} —{names[1]}→ {names[2]}"
    texts = [like.text for like in found.analogues]
    assert texts
    assert len(set(texts)) == len(texts)
    assert set(texts) <= known - {itself}
    assert all(text.startswith(names[0]) or text.endswith(names[2]) for text in texts)
    similarities = [like.similarity for like in found.analogues]
    assert similarities == sorted(similarities, reverse=True)
    assert all(0 < s <= 1 for s in similarities)
    with pytest.raises(InvalidParameter):
        model.explain(*names, n_facts=0)


# ---- triple classification -------------------------------------------------------------------


def test_threshold_makes_the_fewest_errors():
    rng = np.random.default_rng(0)
    for _ in range(50):
        true = rng.integers(0, 6, rng.integers(1, 6)).astype(float)
        false = rng.integers(0, 6, rng.integers(1, 6)).astype(float)

        def right(threshold, true=true, false=false):
            return (true >= threshold).sum() + (false < threshold).sum()

        best = max(right(x) for x in [*true, *false, np.inf])
        assert right(best_threshold(true, false)) == best


def test_negative_facts_are_unknown():
    data = inverses()
    known = np.concatenate([data.train, data.valid, data.test])
    false, found = negative_facts(data.test, known, data.n_entities, np.random.default_rng(0))
    assert found.all()
    stated = {tuple(row) for row in known.tolist()}
    assert not stated & {tuple(row) for row in false.tolist()}
    changed = (false != data.test).sum(1)
    assert (changed == 1).all()
    assert (false[:, 1] == data.test[:, 1]).all()


def test_triple_classification(task):
    good, bad = made(epochs=60).fit(task), made(epochs=1, lr=1e-6).fit(task)
    result = good.evaluate("test")["triple_classification"]
    assert result == classify_triples(task.data, good.ranker())
    assert result["n"] == 2 * len(task.data.test)
    assert result["accuracy"] > 0.8
    assert classify_triples(task.data, bad.ranker())["accuracy"] < result["accuracy"]


# ---- the command line ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "complex"
    fit(inverses(), "complex", out=path, epochs=3, parameters=SMALL)
    return path


def typed(*words, code=0):
    from typer.testing import CliRunner

    result = CliRunner().invoke(app, [*map(str, words), "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_export(run, tmp_path):
    model = parsimony.load_run(run)
    done = typed("export", run, "--out", tmp_path / "v.parquet")
    assert done["entity"] == len(model.entity_)
    table = pl.read_parquet(tmp_path / "v.parquet")
    assert table.columns == ["kind", "name", "vector"]
    of_entities = table.filter(pl.col("kind") == "entity")
    np.testing.assert_array_equal(np.array(of_entities["vector"].to_list(), "f4"), model.entity_)
    assert of_entities["name"].to_list() == model.vectors()[0]
    typed("export", run, "--out", tmp_path / "v.txt")
    lines = (tmp_path / "v.txt").read_text().splitlines()
    assert lines[0] == f"{len(model.entity_)} 16"
    words = [line.split(" ") for line in lines[1:]]
    np.testing.assert_array_equal(np.array([w[1:] for w in words], np.float32), model.entity_)
    assert words[0][0] == "entity_0"  # a space ends a name in this format
    typed("export", run, "--out", tmp_path / "r.txt", "--relations")
    assert (tmp_path / "r.txt").read_text().startswith(f"{len(model.relation_)} 16\n")
    error = typed("export", run, "--out", tmp_path / "v.csv", code=2)["error"]
    assert "v.parquet" in error["remedy"]


def test_the_verbs_take_a_run_of_vectors(run, tmp_path):
    assert typed("evaluate", run)["triple_classification"]["n"]
    asked = typed("predict", run, "--head", "entity 0", "--relation", "next", "--top", 3)
    assert len(asked["answers"]) == 3
    head, answer = "entity 0", asked["answers"][0]["entity"]
    page = tmp_path / "why.html"
    words = ("explain", run, "--head", head, "--relation", "next", "--tail", answer)
    assert typed(*words, "--html", page)["paths"] == []
    assert "What the score is made of" in page.read_text()
    assert typed("report", run, "--out", tmp_path / "report.html")["rules"] == 0
    error = typed("rules", run, code=2)["error"]
    assert "embeddings" in error["message"]


def test_fit_takes_symbols_by_file_and_name(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    few = ("--epochs", 1, "--set", "dim=8", "--set", "threads=1")
    done = typed("fit", "royal", "--symbol", "SimplE", *few)
    assert done["method"] == "bilinear"
    again = typed("fit", "royal", "--symbol", run, *few, "--out", "again")
    config = tomllib.loads((tmp_path / "again" / "config.toml").read_text())
    assert config["parameters"]["symbol"] == "ComplEx"
    assert again["parameters"] == done["parameters"]
    (tmp_path / "mine.txt").write_text("1 0 0 0\n0 2 0 0\n0 0 3 0\n0 0 0 9\n")
    for symbol, kind in (
        ("mine.txt", "FormatError"), ("none.toml", "MissingFile"), ("Complx", "UnknownSymbol"),
    ):  # fmt: skip
        assert typed("fit", "royal", "--symbol", symbol, *few, code=2)["error"]["type"] == kind
    words = ("fit", "royal", "--symbol", "SimplE", "--method", "redgnn")
    assert "takes no symbol" in typed(*words, code=2)["error"]["message"]
    error = typed("fit", "royal", "--symbol", "SimplE", "--set", "dim=10", code=2)["error"]
    assert error["type"] == "InvalidParameter"


def test_every_embedding_method_is_registered():
    found = [n for n, c in parsimony.estimators().items() if issubclass(c, EmbeddingEstimator)]
    assert sorted(found) == sorted(METHODS)
