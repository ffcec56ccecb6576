"""Cold start: evidence, networks, training, run folders, and new users."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from tests.ratings.small_ratings import tastes, write_csv, write_movielens

import parsimony
from parsimony import methods
from parsimony.answers import Answers
from parsimony.errors import (
    CorruptRun,
    EmptySplit,
    InvalidParameter,
    RunExists,
    UnknownEntity,
    UnknownParameter,
    UsageError,
)
from parsimony.knowledge.formula import OPERATORS, Formula
from parsimony.pipeline import fit
from parsimony.ratings.coldnas import ColdNAS, FiLM, build
from parsimony.ratings.epoch import ModulatedLearner, random_gates
from parsimony.ratings.formula_ranking import shared_errors, train_shared
from parsimony.ratings.item_statistics import Evidence
from parsimony.ratings.modulated_network import block_of
from parsimony.ratings.support_estimator import prepared
from parsimony.ratings.table import load_ratings
from parsimony.ratings.task import ColdStartOptions, ColdStartTask, UserTask
from parsimony.run import RunFolder
from parsimony.run.seal import seal
from parsimony.training import trainer

METHODS = methods.names("coldstart")
SMALL = {
    "dim": 4,
    "hidden": (8, 8, 4),
    "context": 8,
    "epochs": 4,
    "validate_every": 2,
    "min_support": 4,
    "max_support": 10,
}


def make(method, **more):
    cls = methods.resolve(method)
    known = {**SMALL, **more}
    return cls(**{k: v for k, v in known.items() if k in cls.Parameters.model_fields})


@pytest.fixture(scope="module")
def task():
    return ColdStartTask(tastes())


@pytest.fixture(scope="module")
def fitted(task):
    made = {}

    def of(method):
        if method not in made:
            made[method] = make(method).fit(task)
        return made[method]

    return of


# ---- the protocol ----------------------------------------------------------------------------


def test_users_do_not_mix_and_warm_ratings_are_held_out(task):
    users = {s: {p.user for p in task.user_tasks(s)} for s in ("train", "valid", "test", "warm")}
    assert not users["train"] & (users["valid"] | users["test"])
    assert not users["valid"] & users["test"]
    assert users["warm"] <= users["train"]
    held = {(p.user, i) for p in task.user_tasks("warm") for i in p.items[p.query].tolist()}
    taught = {(p.user, i) for p in task.user_tasks("train") for i in p.items.tolist()}
    assert held
    assert not held & taught
    known = set(zip(task.data.user[task.known].tolist(), task.data.item[task.known].tolist(),
                    strict=True))  # fmt: skip
    assert known == taught
    with pytest.raises(InvalidParameter, match="split must be"):
        task.user_tasks("later")


def test_redrawn_supports_ask_as_many_questions(task):
    people = task.selection_tasks()
    assert len(people) == 5 * len(task.user_tasks("valid"))
    assert {int(p.query.sum()) for p in people} == {8}
    assert len({p.query.tobytes() for p in people}) > len(task.user_tasks("valid"))


def test_options_are_checked():
    with pytest.raises(InvalidParameter, match="'warm' option"):
        ColdStartOptions.taken_from({"warm": 1.5, "dim": 3})
    with pytest.warns(FutureWarning, match="'most_ratings' is now called 'max_ratings'"):
        assert ColdStartOptions.taken_from({"most_ratings": 7}).max_ratings == 7
    data = tastes()
    with pytest.raises(EmptySplit, match="no training users"):
        ColdStartTask(dataclasses.replace(data, split=np.full(len(data.users), 2)))


# ---- evidence --------------------------------------------------------------------------------


def test_evidence_against_counting(task):
    """What is said of a training user's items knows nothing of that user's own ratings."""
    user = task.user_tasks("train")[3]
    found = Evidence(task).of(user)
    data, known = task.data, task.known
    like = np.full((len(data.users), len(data.items)), np.nan)
    like[data.user[known], data.item[known]] = data.scaled[known]
    like[user.user] = np.nan
    for a, i in enumerate(user.items):
        column = like[:, i]
        n, total = np.isfinite(column).sum(), np.nansum(column)
        mean = (total + 3 * task.mean) / (n + 3)
        expected = [np.log(mean / (1 - mean)), np.log1p(n), np.log1p(total)]
        np.testing.assert_allclose(found.own[a], expected, rtol=1e-4, atol=1e-5)
        for b, j in enumerate(user.items):
            count = np.nansum(column * like[:, j]) if a != b else 0
            assert found.count[a, b] == pytest.approx(count, abs=1e-4)


def test_evidence_of_a_new_user_uses_everybody(task):
    user = task.user_tasks("test")[0]
    known = Evidence(task).of(user)
    nobody = Evidence(task).of(dataclasses.replace(user, user=-1))
    np.testing.assert_array_equal(known.own, nobody.own)
    np.testing.assert_array_equal(known.count, nobody.count)


# ---- the network -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network(task):
    net = build(task, make("coldnas").parameters)
    torch.manual_seed(0)
    net.standardise(prepared(task).train)
    for weight in net.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return net.eval()


def test_padding_and_other_users_change_nothing(task, network):
    block = prepared(task).train
    formula = Formula.from_bits(40961)
    together = network(block, formula)
    people = task.user_tasks("train")
    for row in (0, 7):
        alone = block_of([people[row]], [prepared(task).evidence.of(people[row])])
        n = len(people[row].items)
        torch.testing.assert_close(network(alone, formula)[0], together[row, :n])


def test_gates_of_a_user_are_the_formula_of_that_user(task, network):
    block = prepared(task).train.take(np.arange(6))
    bits = [0, 65535, 4711, 1, 15, 61680]
    gates = torch.tensor([Formula.from_bits(b).gates() for b in bits])
    found = network(block, gates)
    for row, number in enumerate(bits):
        expected = network(block, Formula.from_bits(number))[row]
        torch.testing.assert_close(found[row], expected)


def test_every_structure_is_drawn_as_often():
    gates = random_gates(20000, np.random.default_rng(0)).float()
    assert gates.shape == (20000, 4, len(OPERATORS))
    np.testing.assert_allclose(gates.mean(0).numpy(), 0.5, atol=0.02)
    pairs = torch.einsum("npo,nqr->poqr", gates - 0.5, gates - 0.5) / len(gates)
    off = pairs.reshape(16, 16) - torch.eye(16) / 4
    assert off.abs().max() < 0.02  # no gate follows another


def test_answers_do_not_come_from_the_ratings_asked(task, network):
    block = prepared(task).train
    other = dataclasses.replace(block, ratings=torch.where(block.query > 0, 0.123, block.ratings))
    torch.testing.assert_close(
        network(block, Formula.named()["FiLM"]), network(other, Formula.named()["FiLM"])
    )


def test_the_ranking_of_all_formulas_is_what_each_alone_gets(task, network):
    block = prepared(task).selection.take(np.arange(6))
    errors = shared_errors(network, block)
    assert errors.shape == (65536,)
    for bits in (0, 51, 4711, 40000, 65535):
        p = torch.sigmoid(network(block, Formula.from_bits(bits)))
        each = ((p - block.ratings) ** 2 * block.query).sum(1) / block.query.sum(1)
        assert errors[bits] == pytest.approx(float(each.mean().detach()), rel=1e-4)


def test_shared_training_serves_formulas(task):
    parameters = make("coldnas", epochs=30).parameters
    network = train_shared(task, parameters, epochs=30, seed=0)
    errors = shared_errors(network, prepared(task).selection.take(np.arange(8)))
    assert np.isfinite(errors).all()
    assert len(np.unique(errors.round(6))) > 1000


# ---- estimators ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_promises_of_an_estimator(method, fitted, task, tmp_path):
    model = fitted(method)
    result = model.evaluate("test")
    assert set(result["metrics"]) == {"mse", "mae", "ndcg@3", "ndcg@5"}
    assert result["users"] == 10
    assert result["warm"]["users"] == len(task.user_tasks("warm"))
    for name, (low, high) in result["interval"].items():
        assert low <= result["metrics"][name] <= high
    again = make(method).fit(task)
    users = task.user_tasks("test")
    for a, b in zip(again._predict(users), model._predict(users), strict=True):
        np.testing.assert_array_equal(a, b)
    model.save(tmp_path / "run")
    loaded = parsimony.load_run(tmp_path / "run")
    assert type(loaded) is type(model)
    assert loaded.evaluate("test")["metrics"] == result["metrics"]
    assert loaded.parameters_count_ == model.parameters_count_
    with pytest.raises(RunExists):
        model.save(tmp_path / "run")
    path = tmp_path / "run" / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(CorruptRun):
        parsimony.load_run(tmp_path / "run")


@pytest.mark.parametrize("method", METHODS)
def test_wrong_calls(method, task):
    cls = methods.resolve(method)
    with pytest.raises(UnknownParameter):
        cls(no_such=1)
    with pytest.raises(UsageError, match="not fitted"):
        cls().evaluate()
    with pytest.raises(InvalidParameter):
        cls(seed=-1)


@pytest.mark.parametrize("method", METHODS)
def test_users_without_ratings_get_the_stated_fallback(method, fitted):
    model = fitted(method)
    data = tastes()
    bare = dataclasses.replace(data, query=data.query | (data.split[data.user] == 2))
    task = ColdStartTask(bare)
    other = make(method).fit(task)
    result = other.evaluate("test")
    assert result["without_support"] == 10
    assert result["fallback"] == other.fallback != ""
    found = model.adapt({}, ["item 1", "item 2"])
    assert other.fallback in found["notes"][0]
    assert all(1 <= p["rating"] <= 5 for p in found["predictions"])


@pytest.mark.parametrize("method", ["coldnas", "film", "evidence"])
def test_a_new_user_gets_what_they_like(method, task):
    model = make(method, epochs=40).fit(task)
    likes = {f"item {i}": 5.0 if i % 2 else 1.0 for i in range(10)}
    found = model.adapt(likes, [f"item {i}" for i in range(10, 40)])
    ranked = [int(p["item"].split()[1]) % 2 for p in found["predictions"]]
    assert np.mean(ranked[:10]) > 0.8
    assert found["predictions"][0]["rating"] > found["predictions"][-1]["rating"]


def test_adapting_to_wrong_ratings(fitted):
    model = fitted("coldnas")
    known = model.adapt({"item 3": 4.0}, ["item 3", "item 4"])["predictions"]
    assert {p["item"]: p["known"] for p in known} == {"item 3": 4.0, "item 4": None}
    found = model.adapt({"Item 3 ": 4.0}, ["item 4", "item 3"])
    assert found["notes"] == ["'Item 3 ' is taken for the entity 'item 3'"]
    assert {p["item"]: p["known"] for p in found["predictions"]} == {"item 3": 4.0, "item 4": None}
    with pytest.raises(InvalidParameter, match="twice"):
        model.adapt({"Item 3": 4.0, "item 3": 2.0}, ["item 4"])
    with pytest.raises(UnknownEntity, match="item 3"):
        model.adapt({"itm 3": 4.0}, ["item 4"])
    with pytest.raises(InvalidParameter, match=r"outside 1 … 5.*--set scale=1,6"):
        model.adapt({"item 3": 6.0}, ["item 4"])
    with pytest.raises(InvalidParameter, match="no item"):
        model.adapt({"item 3": 4.0}, [])


def test_modulation_learns_tastes_and_means_cannot(task):
    found = make("coldnas", formula="shift", epochs=40).fit(task).evaluate("test")["metrics"]
    means = make("means").fit(task).evaluate("test")["metrics"]
    assert found["mse"] < 0.9 * means["mse"]
    assert found["ndcg@5"] > means["ndcg@5"]


def test_film_is_a_formula(task):
    film = make("film").fit(task)
    same = make("coldnas", formula="FiLM").fit(task)
    for a, b in zip(film._predict(task.user_tasks("test")), same._predict(task.user_tasks("test")),
                    strict=True):  # fmt: skip
        np.testing.assert_array_equal(a, b)
    assert FiLM.method == "film"
    assert film.knowledge_table(1)["formula"]["name"] == "FiLM"


def test_a_wrong_formula_is_named():
    with pytest.raises(InvalidParameter, match="position 1"):
        ColdNAS(formula="h; h / c; h; h")


def test_members_are_averaged(task):
    two = make("coldnas", members=2).fit(task)
    one, other = make("coldnas", seed=0).fit(task), make("coldnas", seed=1000).fit(task)
    people = task.user_tasks("test")
    for mean, a, b in zip(two._predict(people), one._predict(people), other._predict(people),
                          strict=True):  # fmt: skip
        np.testing.assert_allclose(mean, (a + b) / 2, rtol=1e-5)


def test_a_killed_training_goes_on_with_the_same_numbers(task, tmp_path, monkeypatch):
    monkeypatch.setattr(ModulatedLearner, "between_checkpoints", 0.0)
    parameters = make("coldnas", epochs=6).parameters.model_dump(exclude_unset=True)
    whole, _ = fit(tastes(), "coldnas", out=tmp_path / "whole", parameters=parameters)

    class Killed(Exception):
        pass

    model, calls = make("coldnas", epochs=6), []

    with pytest.raises(Killed), RunFolder.create(tmp_path / "part", model.prepare(task)) as run:
        save = run.save_checkpoint

        def kill(*arguments):
            save(*arguments)
            calls.append(1)
            if len(calls) == 2:
                raise Killed

        run.save_checkpoint = kill
        model.fit(task, run=run)
    resumed, summary = fit(
        tastes(), "coldnas", out=tmp_path / "part", parameters=parameters, resume=True
    )
    assert summary["epochs"] == 6
    people = whole.task_.user_tasks("test")
    for a, b in zip(whole._predict(people), resumed._predict(people), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_users_ratings_may_be_one(fitted):
    user = UserTask(-1, np.array([3, 4], np.int32), np.array([1, 0], np.float32),
                    np.array([False, True]))  # fmt: skip
    for method in METHODS:
        assert fitted(method)._predict([user])[0].shape == (1,)


def test_features_of_users_and_movies_are_used(tmp_path):
    task = ColdStartTask(load_ratings(write_movielens(tmp_path / "ml-1m")))
    model = make("coldnas", max_support=20).fit(task)
    assert model._networks[0].users is not None
    assert model.evaluate("test")["users"] == 6
    model.save(tmp_path / "run")
    loaded = parsimony.load_run(tmp_path / "run")
    people = task.user_tasks("test")
    for a, b in zip(model._predict(people), loaded._predict(people), strict=True):
        np.testing.assert_array_equal(a, b)
    stranger = model.adapt({"1": 5.0, "2": 1.0}, ["3", "4"])
    assert len(stranger["predictions"]) == 2


# ---- limits, costs, earlier names ------------------------------------------------------------


class Steps:
    """A clock by which a step takes a second, and nothing else takes any time."""

    def __init__(self, monkeypatch):
        self.taken, update = 0, ModulatedLearner.update

        def counted(learner, loss, size):
            self.taken += 1
            return update(learner, loss, size)

        monkeypatch.setattr(ModulatedLearner, "update", counted)
        monkeypatch.setattr(trainer, "clock", lambda: float(self.taken))


@pytest.mark.parametrize("members", [1, 2, 5])
@pytest.mark.parametrize("budget", [0, 3, 7])
def test_members_end_within_one_budget(task, members, budget, monkeypatch, tmp_path):
    steps = Steps(monkeypatch)
    model = make("coldnas", members=members, epochs=50, batch=10).fit(task, time_budget=budget)
    assert steps.taken <= budget + 1
    assert model.ended_ == "time budget"
    metrics = model.evaluate("test")["metrics"]
    model.save(tmp_path / "run")
    assert parsimony.load_run(tmp_path / "run").evaluate("test")["metrics"] == metrics


@pytest.mark.parametrize("method", ["means", "popularity", "evidence", "ridge-head"])
def test_closed_forms_choose_within_their_budget(method, task, fitted, monkeypatch):
    cls = methods.resolve(method)
    solved, solve = [], cls._solve

    def counted(self, shrink):
        solved.append(shrink)
        solve(self, shrink)

    monkeypatch.setattr(cls, "_solve", counted)
    monkeypatch.setattr(trainer, "clock", lambda: float(len(solved)))
    model = make(method).fit(task, time_budget=1.0)
    assert len(solved) == 3  # two were tried, and one of them is taken
    assert model._shrink in solved[:2]
    assert model.ended_ == "time budget"
    assert fitted(method).ended_ == ""


def test_costs_grow_when_a_finished_run_goes_on(tmp_path):
    path = write_csv(tastes(), tmp_path / "r.csv")
    settings = {**SMALL, "support": 6}
    fit(str(path), "coldnas", out=tmp_path / "run", parameters=settings, epochs=6)
    before = RunFolder.open(tmp_path / "run").read_json("ledger.json")
    model, summary = fit(
        str(path), "coldnas", out=tmp_path / "run", parameters=settings, epochs=8, resume=True
    )
    assert [record["epoch"] for record in model.history_] == list(range(1, 9))
    after = RunFolder.open(tmp_path / "run").read_json("ledger.json")
    for cost in ("cpu_seconds", "wall_seconds", "peak_memory_bytes"):
        assert after[cost] >= before[cost]
    assert summary["seconds"] >= before["wall_seconds"]


def test_earlier_names_are_accepted_everywhere(tmp_path):
    path = str(write_csv(tastes(), tmp_path / "r.csv"))
    small = {k: v for k, v in SMALL.items() if k in ("dim", "hidden", "context", "epochs")}
    old = {**small, "least": 4, "most": 10, "every": 2, "most_ratings": 8, "support": 6}
    with pytest.warns(FutureWarning) as told:
        was, _ = fit(path, "coldnas", out=tmp_path / "run", parameters=old)
    warned = {str(warning.message).split("'")[1] for warning in told}
    assert warned == {"least", "most", "every", "most_ratings"}
    new = {**small, "min_support": 4, "max_support": 10, "validate_every": 2, "max_ratings": 8,
           "support": 6}  # fmt: skip
    now, _ = fit(path, "coldnas", parameters=new)
    assert was.config() == now.config()
    assert was.evaluate("test")["metrics"] == now.evaluate("test")["metrics"]

    config = tmp_path / "run" / "config.toml"
    text = config.read_text()
    for name, before in (("min_support", "least"), ("max_support", "most"),
                         ("validate_every", "every"), ("max_ratings", "most_ratings")):  # fmt: skip
        assert f"\n{name} = " in text
        text = text.replace(f"\n{name} = ", f"\n{before} = ")
    config.write_text(text)
    seal(tmp_path / "run")
    loaded = parsimony.load_run(tmp_path / "run")
    assert loaded.config() == now.config()
    again, _ = fit(path, "coldnas", out=tmp_path / "run", parameters=new, resume=True)
    assert again.evaluate("test")["metrics"] == now.evaluate("test")["metrics"]


def test_the_score_is_a_fraction_of_which_more_is_better(fitted):
    model = fitted("coldnas")
    assert model.score("valid") == model.evaluate("valid")["metrics"]["ndcg@5"]
    assert isinstance(model.adapt({}, ["item 1"]), Answers)
