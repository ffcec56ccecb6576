"""The training loop: what an epoch sees, how it ends, and that kill -9 changes nothing."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.link.reasoning.small_data import TINY, compositions, write_folder

from parsimony.errors import TrainingDiverged
from parsimony.graph import Vocabulary
from parsimony.kernels.ranking import filtered_counts_reference
from parsimony.link.data import LinkData
from parsimony.link.reasoning.adaprop import AdaProp
from parsimony.link.reasoning.architecture import Architecture
from parsimony.link.reasoning.epoch import Adam, queries_of_epoch, split_facts
from parsimony.link.reasoning.presets import redgnn_preset
from parsimony.link.reasoning.redgnn import RedGNN
from parsimony.link.reasoning.sharding import ShardedPropagation, share_out
from parsimony.link.reasoning.weights import Weights, layout
from parsimony.link.task import LinkTask, both_directions
from parsimony.methods import load_run
from parsimony.pipeline import fit
from parsimony.run.seeds import rng
from parsimony.training.optimizer import optimizer_state


@pytest.fixture(scope="module")
def task():
    return LinkTask(compositions())


def drawn(task, ratio=0.75, key="a", remove_one_hop=False):
    return split_facts(task, ratio, rng(0, key), remove_one_hop=remove_one_hop)


def as_set(triples):
    return {tuple(row) for row in np.asarray(triples).tolist()}


# ---- what an epoch sees ----------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [0.25, 0.75, 0.999])
def test_facts_are_walked_or_asked(task, ratio):
    facts = task.train_graph.triples
    queries, active = drawn(task, ratio)
    asked = facts[active == 0]
    assert len(asked) == max(len(facts) - int(len(facts) * ratio), 1)
    assert as_set(queries) == as_set(both_directions(asked, task.n_relations))
    assert len(queries) == 2 * len(asked)
    again, _ = drawn(task, ratio)
    np.testing.assert_array_equal(queries, again)
    other, _ = drawn(task, ratio, "b")
    assert as_set(queries) != as_set(other)


def test_remove_one_hop(task):
    facts = task.train_graph.triples
    queries, active = drawn(task, remove_one_hop=True)
    joined = {frozenset((h, t)) for h, _, t in queries.tolist()}
    expected = [frozenset((h, t)) not in joined for h, _, t in facts.tolist()]
    assert active.astype(bool).tolist() == expected


@pytest.mark.parametrize("inductive", [False, True])
def test_queries_can_be_drawn_from_an_epochs(inductive):
    data = compositions()
    if inductive:
        data = replace(data, inductive=compositions(30, 1, name="other"))
    task = LinkTask(data)
    every, edges = drawn(task)
    some, same = split_facts(task, 0.75, rng(0, "a"), remove_one_hop=False, most=5)
    assert len(every) == queries_of_epoch(task, 0.75)
    np.testing.assert_array_equal(some, every[:5])
    np.testing.assert_array_equal(same, edges)


@pytest.mark.parametrize("cls", [RedGNN, AdaProp])
def test_an_epoch_of_few_queries_says_so(task, cls):
    model = cls(**TINY, epochs=2, batch=2, queries_per_epoch=6).fit(task)
    asked = queries_of_epoch(task, model.resolved_.fact_ratio)
    assert (
        f"every epoch draws 6 of its {asked} training queries (queries_per_epoch)" in model.notes_
    )
    whole = cls(**TINY, epochs=2, batch=2, queries_per_epoch=asked).fit(task)
    assert not any("queries_per_epoch" in note for note in whole.notes_)


def test_inductive_queries_are_the_validation_facts_of_the_training_graph():
    data = replace(compositions(), inductive=compositions(30, 1, name="other"))
    task = LinkTask(data)
    queries, active = drawn(task)
    assert active.all()
    assert as_set(queries) == as_set(both_directions(data.valid, 3))


# ---- shards ----------------------------------------------------------------------------------


def popular(seed=0):
    """Half of all answers are two entities, whoever is asked about, who is joined to neither."""
    rng = np.random.default_rng(seed)
    head = np.arange(2, 62)
    at = np.stack([head, np.zeros_like(head), rng.integers(0, 2, len(head))], 1)
    near = np.stack([head, np.ones_like(head), rng.permutation(head)], 1)
    facts = rng.permutation(np.concatenate([at, near])).astype(np.int32)
    entities = Vocabulary([f"e{i}" for i in range(62)])
    parts = np.split(facts, [80, 100])
    return LinkData("popular", entities, Vocabulary(["lives", "knows"], "relation"), *parts)


@pytest.mark.parametrize("cls", [RedGNN, AdaProp])
def test_popularity_is_weighed_kept_and_told(cls, tmp_path):
    task = LinkTask(popular())
    alike = TINY | {"unreached": "zero"}  # else their order says it already
    model = cls(**alike, epochs=1).fit(task)
    assert model.popularity_ > 0
    assert any("chosen on validation (popularity)" in note for note in model.training_notes_)
    graph = task.test_graph
    for weight in (model.popularity_, 0.0):
        model.popularity_ = weight
        found = model._score(np.array([5], np.int32), np.array([0], np.int32))[0]
        if weight:
            scores = found
    n = ((graph.triples[:, 1] == 0)[:, None] & (graph.triples[:, 2:] == np.arange(62))).sum(0)
    popularity = scores - found
    model.popularity_ = best = cls(**alike, epochs=1).fit(task).popularity_
    np.testing.assert_allclose(popularity, best * np.log1p(n), atol=1e-5)
    plain = cls(**alike, epochs=1, popularity=0).fit(task)
    assert model.evaluate("valid")["metrics"]["mrr"] > plain.evaluate("valid")["metrics"]["mrr"]
    assert model.selection_score() == pytest.approx(model.evaluate("valid")["metrics"]["mrr"])
    told = [
        note
        for head in ("e5", "e6")
        for note in model.explain(head, "lives", "e0").notes
        if "of the score is for how often e0 answers the relation" in note
    ]
    assert f"{best * np.log1p(n[0]):.3g} of" in told[0] and f"{n[0]:,} times" in told[0]
    known = next(h for h, r, t in graph.triples.tolist() if (r, t) == (0, 0))
    told = model.explain(f"e{known}", "lives", "e0")  # the fact itself makes nobody popular
    cone = told.score - best * np.log1p(n[0] - 1)
    assert any(f"{n[0] - 1:,} times in all other facts" in note for note in told.notes)
    model.popularity_ = 0.0
    assert cone == pytest.approx(model.explain(f"e{known}", "lives", "e0").score, abs=1e-4)
    fit(popular(), cls.method, parameters=alike, epochs=1, out=tmp_path / "run")
    assert load_run(tmp_path / "run").popularity_ == best


@pytest.mark.parametrize("cls", [RedGNN, AdaProp])
def test_ranks_are_those_of_the_dense_scores(task, cls):
    estimator = cls(**TINY, epochs=1, eval_batch=7).fit(task)
    queries = task.queries("valid")
    dense = estimator._score(queries.head, queries.relation)
    ranks = estimator._rank(queries, None)
    known = np.split(queries.known, queries.known_ptr[1:-1])
    answers = np.split(queries.answer, queries.answer_ptr[1:-1])
    greater, equal = filtered_counts_reference(
        dense, [x.tolist() for x in known], [x.tolist() for x in answers]
    )
    assert ranks.greater.tolist() == greater.tolist()
    assert ranks.equal.tolist() == equal.tolist()
    assert set(ranks.direction.tolist()) == {0, 1}
    assert ranks.relation.max() < 3


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=30).map(np.array), st.integers(1, 5))
@settings(deadline=None)
def test_shares_are_whole_and_even(cost, n):
    shares = share_out(cost, n)
    assert sorted(np.concatenate(shares).tolist()) == list(range(len(cost)))
    loads = [cost[share].sum() for share in shares]
    assert max(loads) <= cost.sum() / n + cost.max()


def test_adam_is_torchs():
    weight = torch.from_numpy(np.random.default_rng(0).standard_normal(21).astype(np.float32))
    theirs = torch.nn.Parameter(weight.clone())
    ours = Adam(weight, 0.1)
    optimizer = torch.optim.Adam([theirs], weight_decay=0.1, lr=0.01)
    for step in range(5):
        gradient = np.random.default_rng(step).standard_normal(21).astype(np.float32)
        if step == 3:  # resumed
            again = Adam(weight, 0.1)
            again.restore({name: value.clone() for name, value in ours.state().items()})
            ours = again
        ours.step(gradient, 0.01)
        theirs.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
    torch.testing.assert_close(weight, theirs.detach(), rtol=1e-5, atol=1e-7)
    for name, value in optimizer_state(optimizer).items():
        torch.testing.assert_close(ours.state()[name], value, rtol=1e-5, atol=1e-7)


def test_the_other_answers_can_be_left_out():
    """Two answers of one query: masked, neither stands in the other's partition sum."""
    facts = np.array([[0, 0, 1], [0, 0, 2], [3, 0, 4]], np.int32)
    none = facts[:0]
    names = Vocabulary([str(i) for i in range(5)]), Vocabulary(["r"], "relation")
    task = LinkTask(LinkData("fork", *names, facts, none, none))
    architecture = Architecture(1, 8, 3, 1)
    propagation = ShardedPropagation(task.train_graph, architecture, 1)
    weights = Weights(layout(1, 8, 3, 1, sampler=False))  # all zero: every score is 0
    of_query = facts[:2], np.ones(3, np.uint8), 0
    plain, masked = (
        propagation.step(weights, [Weights(weights.shapes)], *of_query, known)
        for known in (None, task.training_answers)
    )
    propagation.close()
    assert plain == pytest.approx(2 * np.log(5))
    assert masked == pytest.approx(2 * np.log(4))


def test_shards_add_up(task):
    estimator = RedGNN(**TINY)
    estimator.prepare(task)
    weights = Weights(estimator.shapes_).initialise(np.random.default_rng(0))
    architecture = replace(estimator.architecture_, dropout=0.0)
    queries, active = drawn(task)
    found = []
    for threads in (1, 2, 3):
        propagation = ShardedPropagation(task.train_graph, architecture, threads)
        gradients = [Weights(estimator.shapes_) for _ in range(threads)]
        loss = propagation.step(weights, gradients, queries[:7], active, seed=5)
        found.append((loss, gradients[0].flat.copy()))
        # Fewer queries than shards leave the others out.
        assert np.isfinite(propagation.step(weights, gradients, queries[:1], active, seed=5))
        propagation.close()
    for loss, gradient in found[1:]:
        assert loss == pytest.approx(found[0][0], rel=1e-5)
        np.testing.assert_allclose(gradient, found[0][1], rtol=1e-3, atol=1e-5)


# ---- how training ends -----------------------------------------------------------------------


def test_same_seed_same_numbers(task):
    a, b = (RedGNN(**TINY, epochs=2, seed=3).fit(task) for _ in range(2))
    np.testing.assert_array_equal(a.weights_.flat, b.weights_.flat)
    assert a.evaluate("test")["metrics"] == b.evaluate("test")["metrics"]
    c = RedGNN(**TINY, epochs=2, seed=4).fit(task)
    assert not np.array_equal(a.weights_.flat, c.weights_.flat)


def test_the_best_epoch_on_validation_is_kept(task):
    estimator = RedGNN(**TINY, epochs=6).fit(task)
    curve = [record["valid_mrr"] for record in estimator.history_]
    assert len(curve) == 6
    assert estimator.best_epoch_ == int(np.argmax(curve)) + 1
    assert estimator.evaluate("valid")["metrics"]["mrr"] == pytest.approx(max(curve))


def test_something_is_learnt(task):
    curve = [r["loss"] for r in RedGNN(**TINY, epochs=12, batch=2).fit(task).history_]
    assert np.mean(curve[-5:]) < 0.9 * np.mean(curve[:5])


@pytest.mark.parametrize(
    "options",
    [{"mix_depths": True}, {"mix_criteria": True}, {"prune_by": "message"},
     {"mix_depths": True, "mix_criteria": True, "prune_by": "message"}],
)  # fmt: skip
def test_adaprops_options_learn_and_are_kept(options, tmp_path):
    parameters = TINY | {"top_k": 3, "batch": 2, "dropout": 0.2} | options
    model, _ = fit(compositions(), "adaprop", parameters=parameters, epochs=8, out=tmp_path / "run")
    curve = [record["loss"] for record in model.history_]
    assert np.mean(curve[-3:]) < 0.9 * np.mean(curve[:3])
    again = load_run(tmp_path / "run")
    queries = np.array([[0, 0], [3, 4]])
    np.testing.assert_array_equal(again.scores(queries), model.scores(queries))
    assert set(again.weights_) == set(model.weights_)
    head, relation, tail = compositions().test[0].tolist()
    names = compositions()
    page = again.explain(
        names.entities.name(head), names.relations.name(relation), names.entities.name(tail)
    )
    assert np.isfinite(page.score)


def test_patience_ends_it(task):
    estimator = RedGNN(**TINY | {"lr": 1e-12}, epochs=50, patience=3, dropout=0.0).fit(task)
    assert len(estimator.history_) == estimator.best_epoch_ + 3


def test_an_epoch_that_does_not_fit_the_budget_is_not_begun(task):
    estimator = RedGNN(**TINY, epochs=50).fit(task, time_budget=1e-3)
    assert len(estimator.history_) == 1
    assert estimator.ended_ == "time budget"


def test_larger_limits_go_on_with_a_run_that_has_ended(tmp_path):
    # one step per epoch: the budget ends no epoch in its middle
    parameters = TINY | {"batch": 10_000, "decay": 0.9}
    data, options = compositions(), {"parameters": parameters, "seed": 0}
    run = tmp_path / "run"
    _, first = fit(data, out=run, epochs=4, time_budget=1e-3, **options)
    assert (first["epochs"], first["ended"]) == (1, "time budget")
    _, same = fit(data, out=run, epochs=4, time_budget=1e-3, resume=True, **options)
    assert same == first
    _, second = fit(data, out=run, epochs=2, resume=True, **options)
    assert (second["epochs"], second["ended"]) == (2, "epochs")
    _, third = fit(data, out=run, epochs=4, resume=True, **options)
    assert (third["epochs"], third["ended"]) == (4, "epochs")
    fit(data, out=tmp_path / "straight", epochs=4, **options)
    for name in ("metrics.json", "model.safetensors", "config.toml"):
        assert (run / name).read_bytes() == (tmp_path / "straight" / name).read_bytes(), name


def test_patience_is_not_outlived_by_a_larger_budget(tmp_path):
    parameters = TINY | {"lr": 1e-12, "patience": 2, "dropout": 0.0}
    options = {"parameters": parameters, "out": tmp_path / "run", "seed": 0, "epochs": 50}
    _, first = fit(compositions(), time_budget=1e3, **options)
    assert first["ended"] == "patience"
    assert fit(compositions(), time_budget=1e6, resume=True, **options)[1] == first


def test_masked_answers_leave_the_loss():
    """Every answer left out of a partition sum makes it smaller."""
    data = compositions()
    one_relation = data.train * np.array([1, 0, 1], np.int32)  # three answers a head
    task = LinkTask(replace(data, train=one_relation))
    whole, masked = (
        RedGNN(**TINY | {"lr": 1e-12}, epochs=1, dropout=0.0, mask_answers=mask).fit(task)
        for mask in (False, True)
    )
    assert masked.history_[0]["loss"] < whole.history_[0]["loss"]


def test_the_moving_average_is_what_is_kept(task):
    """One step: w̄ = β₁ w₀ + (1 − β₁) w₁ with β₁ = min(β, 2/11)."""
    options = TINY | {"epochs": 1, "batch": 10_000, "dropout": 0.0}
    plain = RedGNN(**options, ema_decay=0.0).fit(task)
    averaged = RedGNN(**options, ema_decay=0.75).fit(task)
    before = Weights(plain.shapes_).initialise(rng(0, "weights")).flat
    expected = 2 / 11 * before + 9 / 11 * plain.weights_.flat
    np.testing.assert_allclose(averaged.weights_.flat, expected, rtol=1e-5, atol=1e-7)


def test_presets_are_for_registered_data(task):
    data = replace(compositions(), name="family")
    plain, preset = (
        RedGNN().prepare(LinkTask(replace(data, registered=registered)))["parameters"]
        for registered in (False, True)
    )
    assert preset["lr"] == redgnn_preset("family")["lr"]
    assert plain["lr"] == RedGNN().parameters.lr != preset["lr"]


def test_divergence_is_an_error(task):
    with pytest.raises(TrainingDiverged) as caught:
        RedGNN(**TINY | {"lr": 1e30}, epochs=3).fit(task)
    assert "epoch 1" in str(caught.value)
    assert "lr" in caught.value.remedy


def test_divergence_in_the_last_step_is_an_error(task, monkeypatch):
    """The loss is finite, the weights after the step are not."""

    def step(self, weights, gradients, *_):
        gradients[0].flat.fill(np.nan)
        return 1.0

    monkeypatch.setattr(ShardedPropagation, "step", step)
    with pytest.raises(TrainingDiverged):
        RedGNN(**TINY, epochs=1).fit(task)


def test_nan_is_not_ranked(task):
    estimator = RedGNN(**TINY, epochs=1).fit(task)
    estimator.weights_["readout.w"][0] = np.nan
    with pytest.raises(TrainingDiverged):
        estimator.evaluate("test")


def test_without_validation_facts_the_last_epoch_answers():
    data = replace(compositions(), valid=np.empty((0, 3), np.int32))
    estimator = RedGNN(**TINY, epochs=3).fit(LinkTask(data))
    assert estimator.best_epoch_ == 3
    assert "valid_mrr" not in estimator.history_[0]


# ---- kill -9 ---------------------------------------------------------------------------------

SETTINGS = TINY | {"threads": 2, "batch": 2}


def epochs_logged(run):
    log = run / "log.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0


def kill_in_training(data, run, method, epoch, share):
    """Train in a process of its own; SIGKILL it a share of an epoch after one was logged."""
    settings = [f"--set={key}={value}" for key, value in SETTINGS.items()]
    words = [sys.executable, "-m", "parsimony", "fit", str(data), "--method", method,
             "--out", str(run), "--epochs", "6", *settings, "--quiet", "--resume"]  # fmt: skip
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        while epochs_logged(run) < epoch and process.poll() is None:
            time.sleep(0.005)
        # By its own pace: another time of the machine may be faster or slower.
        last = json.loads((run / "log.jsonl").read_text().splitlines()[epoch - 1])
        time.sleep(share * last["seconds"])
    finally:
        process.send_signal(signal.SIGKILL)
        _, error = process.communicate()
    assert process.returncode == -signal.SIGKILL, error.decode()


@pytest.mark.slow
@pytest.mark.parametrize(("method", "kills"), [("redgnn", (1, 3)), ("adaprop", (2,))])
def test_killed_trainings_end_with_the_same_metrics(tmp_path, method, kills):
    data = write_folder(compositions(120), tmp_path / "data")
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    options = {"parameters": SETTINGS, "epochs": 6, "seed": 0}
    fit(str(data), method, out=straight, **options)
    draw = random.Random(len(kills))
    for epochs in kills:
        kill_in_training(data, killed, method, epochs, draw.uniform(0, 1))
        assert not (killed / "metrics.json").exists()
    fit(str(data), method, out=killed, resume=True, **options)
    for name in ("metrics.json", "model.safetensors", "config.toml"):
        assert (killed / name).read_bytes() == (straight / name).read_bytes(), name
    assert [p.name for p in killed.glob(".*")] == []
