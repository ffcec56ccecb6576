"""The race of methods: who wins, what is told, what a kill leaves."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import parsimony
from parsimony import errors
from parsimony.link.task import LinkTask
from parsimony.search.fitting import meant_method
from parsimony.search.heat import Entrant, run_heat
from parsimony.search.race import RaceRequest, race
from parsimony.search.simplest import Contender, choose, difference

FEW = {"threads": 1}


# ---- the choice --------------------------------------------------------------------------------


@st.composite
def contenders(draw):
    n, units = draw(st.integers(1, 5)), draw(st.integers(2, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    drawn = rng.integers(units, size=(30, units))
    found = []
    for i in range(n):
        values = rng.random(units).round(1)
        means = np.array([values.mean(), *(values[rows].mean() for rows in drawn)])
        found.append(Contender(f"m{i}", means, int(rng.integers(1, 4)), float(rng.integers(3))))
    return found


@given(contenders())
def test_the_simplest_that_is_not_worse(field):
    chosen, verdicts = choose(field)
    best = max(field, key=lambda c: (c.valid, -c.size))
    able = [c for c in field if difference(best.draws, c.draws)[1] <= 0]
    assert chosen in able
    assert all((chosen.size, chosen.seconds) <= (c.size, c.seconds) for c in able)
    assert verdicts[chosen.name].why == "chosen"
    assert not verdicts[best.name].worse
    for c in field:
        assert verdicts[c.name].gap == pytest.approx(best.valid - c.valid)


@given(contenders())
def test_the_other_ends(field):
    best, _ = choose(field, "best")
    assert best.valid == max(c.valid for c in field)
    simplest, _ = choose(field, "simplest")
    least = min(field, key=lambda c: (c.size, c.seconds))
    better = [c for c in field if difference(c.draws, least.draws)[1] > 0]
    assert simplest in (better or [least])
    assert all(simplest.size <= c.size for c in better)


def test_draws_of_a_clear_difference():
    low = Contender("a", np.array([0.1, 0.1, 0.11, 0.09]), 1, 1.0)
    high = Contender("b", np.array([0.9, 0.9, 0.91, 0.89]), 9, 1.0)
    assert choose([low, high])[0] is high
    assert choose([low, replace(high, draws=low.draws)])[0] is low


# ---- the race ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def won(tmp_path_factory):
    out = tmp_path_factory.mktemp("race") / "run"
    told = []
    request = RaceRequest(
        "royal", out, seconds=600, settings=FEW, epochs=2, methods=("degree", "rules", "complex"),
        on_heat=lambda rows: told.append([(row.name, row.state) for row in rows]),
    )  # fmt: skip
    model, summary = race(request)
    return out, request, model, summary, told


def test_a_run_like_any_other(won):
    out, _, model, summary, told = won
    assert model.method == summary["method"]
    assert parsimony.load_run(out).evaluate("test")["metrics"] == summary["test"]
    assert json.loads((out / "race.json").read_text())["sentence"] == summary["sentence"]
    assert {name for name, _ in told[-1]} == {"degree", "rules", "complex"}
    chosen = [row for row in summary["rows"] if row["verdict"] == "chosen"]
    assert [row["method"] for row in chosen] == [summary["method"]]
    for row in summary["rows"]:
        assert row["interval"][0] <= row["valid"] <= row["interval"][1]
        assert row["description_bytes"] >= 0
    assert summary["second"] in {row["method"] for row in summary["rows"]} - {summary["method"]}


def test_what_a_kill_leaves_is_not_run_again(won, tmp_path, monkeypatch):
    import shutil

    from parsimony.search import race as module

    out, request, _, summary, _ = won
    shutil.copytree(out, tmp_path / "run")
    for path in (tmp_path / "run").iterdir():  # a kill before the end
        if path.name != "search":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    monkeypatch.setattr(module, "run_heat", None)
    _, again = race(replace(request, out=tmp_path / "run", resume=True))
    assert again["rows"] == summary["rows"]
    assert again["test"] == summary["test"]
    heats = (out / "search" / "trials.jsonl").read_text().splitlines()[1:]
    # The first part is counted, too.
    assert again["seconds"] > max(json.loads(heat)["at"] for heat in heats)


def test_presets_are_not_used(won):
    _, _, model, _, _ = won
    assert not model.task_.data.registered


def test_settings_of_a_method_are_refused(tmp_path):
    with pytest.raises(errors.InvalidParameter, match="chooses the parameters: dim"):
        race(RaceRequest("royal", tmp_path / "run", settings={"dim": 3}))


@pytest.mark.parametrize(
    ("settings", "knowledge", "method"),
    [({}, None, None), ({"seed": 1, "threads": 1}, None, None),
     ({"protocol": "grail"}, None, "redgnn"), ({"dim": 8}, None, "redgnn"), ({}, ["r"], "rules")],
)  # fmt: skip
def test_which_method_is_meant(settings, knowledge, method):
    assert meant_method("royal", settings, knowledge=knowledge) == method


def test_a_run_goes_on_with_its_own_method(won, tmp_path):
    """Also one that was begun when a method was the default; a race goes on as a race."""
    out, *_ = won
    run = tmp_path / "run"
    parsimony.fit("royal", "rules", out=run, parameters={"max_length": 1})
    assert meant_method("royal", {}, begun=run) == "rules"
    model, _ = parsimony.fit("royal", out=run, resume=True)
    assert model.method == "rules"
    assert meant_method("royal", {}, begun=out) is None


@pytest.mark.parametrize("seed", [0, 3])
def test_a_blend_is_paired_with_its_members(won, monkeypatch, seed):
    """With all the weight on one member it gets that member's draws, whatever its seed."""
    from parsimony.link import blend as module

    out, *_ = won
    members = [parsimony.load_run(out / "search" / "runs" / name) for name in ("complex", "rules")]
    monkeypatch.setattr(module, "WEIGHTS", (1.0,))
    for units in (None, 50):
        _, draws = module.Blend.compared(members, units=units, seed=seed)
        np.testing.assert_allclose(draws, members[0].resampled(units=units))


def test_what_one_method_cannot_do_ends_no_race(tmp_path, monkeypatch):
    from parsimony.link.rules.method import RuleReasoner

    def missing(*_):
        raise errors.MissingExtra("reading rules needs a package", remedy="install it")

    monkeypatch.setattr(RuleReasoner, "_fit", missing)
    request = RaceRequest(
        "royal", tmp_path / "run", seconds=60, settings=FEW, methods=("degree", "rules")
    )
    model, summary = race(request)
    assert model.method == "degree"
    told = {row["method"]: row for row in summary["rows"]}
    assert told["rules"]["verdict"] == "failed"
    assert told["rules"]["why"] == "reading rules needs a package"


def test_a_later_heat_that_fails_leaves_what_the_earlier_one_learned(tmp_path, monkeypatch):
    from parsimony.search import race as module

    train = module.run_heat

    def breaks(task, entrant, folder, **limits):
        if folder.exists():
            return module.Heat(np.zeros(1), error="it broke")
        return replace(train(task, entrant, folder, **limits), ended="time budget")

    monkeypatch.setattr(module, "run_heat", breaks)
    request = RaceRequest(
        "royal", tmp_path / "run", seconds=60, settings=FEW, epochs=1,
        methods=("degree", "complex", "distmult"),
    )  # fmt: skip
    _, summary = race(request)
    told = next(row for row in summary["rows"] if "it broke" in row["why"])
    assert told["valid"] > 0
    assert told["heats"] == 2


@pytest.mark.parametrize("problem", [errors.TrainingDiverged("it broke"), KeyboardInterrupt()])
def test_a_heat_that_breaks_leaves_a_run_that_can_be_read(tmp_path, monkeypatch, problem):
    folder, task = tmp_path / "run", LinkTask(parsimony.load("royal")).unregistered()
    entrant = Entrant("distmult", {"threads": 1, "dim": 8})
    how = {"seconds": None, "units": 50}
    assert run_heat(task, entrant, folder, epochs=1, **how).error is None
    before = parsimony.load_run(folder)

    def breaks(*_):
        raise problem

    monkeypatch.setattr(type(before), "_fit", breaks)
    if isinstance(problem, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            run_heat(task, entrant, folder, epochs=2, **how)
    else:
        assert run_heat(task, entrant, folder, epochs=2, **how).error == "it broke"
    np.testing.assert_array_equal(parsimony.load_run(folder).entity_, before.entity_)


def test_an_interruption_that_nobody_listens_for_is_called_so(tmp_path, monkeypatch):
    from parsimony.search import race as module

    train = module.run_heat

    def breaks(task, entrant, folder, **limits):
        if entrant.method == "complex":
            raise KeyboardInterrupt
        return train(task, entrant, folder, **limits)

    monkeypatch.setattr(module, "run_heat", breaks)
    request = RaceRequest(
        "royal", tmp_path / "run", seconds=60, settings=FEW, methods=("degree", "complex")
    )
    _, summary = race(request)
    assert summary["ended"] == "interrupted"
    assert "the interruption ended the training of complex" in summary["sentence"]


def test_a_heat_goes_on_as_it_was_begun(won):
    """Also on a machine with another number of cores, where defaults are others."""
    out, *_ = won
    folder = out / "search" / "runs" / "complex"
    again = begun_again(Entrant("complex", {"threads": 7, "no_such": 1}), folder)
    assert (again["threads"], again["epochs"]) == (7, 2)
    assert begun_again(Entrant("complex"), folder)["threads"] == 1


def begun_again(entrant, folder):
    return entrant.estimator(folder).get_params()


def test_the_sentence_says_what_the_time_cut(tmp_path):
    request = RaceRequest(
        "royal", tmp_path / "run", seconds=1e-3, settings=FEW, methods=("degree", "redgnn")
    )
    _, summary = race(request)
    assert summary["method"] == "degree"
    assert "the time ended the training of redgnn" in summary["sentence"]


# ---- its two small methods ---------------------------------------------------------------------


def test_a_blend_is_saved_and_explains(won, tmp_path):
    out, *_ = won
    runs = out / "search" / "runs"
    members = [parsimony.load_run(runs / name) for name in ("rules", "complex")]
    from parsimony.link.blend import Blend, standardised

    blend, draws = Blend.compared(members)
    assert len(draws) == 501
    queries = blend.task_.queries("valid")
    ranks = blend.ranks_by_weight(queries, [blend.weight_])[0]
    np.testing.assert_allclose(ranks, blend.ranks("valid").ranks())
    one, two = (standardised(m._score(queries.head[:5], queries.relation[:5])) for m in members)
    np.testing.assert_allclose(
        blend._score(queries.head[:5], queries.relation[:5]),
        blend.weight_ * one + (1 - blend.weight_) * two, rtol=1e-5, atol=1e-5,
    )  # fmt: skip
    blend.save(tmp_path / "blend")
    again = parsimony.load_run(tmp_path / "blend")
    assert again.weight_ == blend.weight_
    np.testing.assert_array_equal(again.ranks("test").ranks(), blend.ranks("test").ranks())
    data = blend.task_.data
    h, r, t = data.test[0].tolist()
    found = again.explain(data.entities.name(h), data.relations.name(r), data.entities.name(t))
    assert any("those of the blend of rules" in note for note in found.notes)


def test_degree_counts(won):
    out, *_ = won
    model = parsimony.load_run(out / "search" / "runs" / "degree")
    queries, facts = model.task_.queries("valid"), model.task_.train_graph.triples
    n = model.task_.n_relations
    rows = model._score(queries.head[:20], queries.relation[:20])
    for row, relation in zip(rows, queries.relation[:20].tolist(), strict=True):
        answered = facts[facts[:, 1] == relation % n][:, 2 if relation < n else 0]
        count = np.bincount(answered, minlength=len(row)).astype(float)
        np.testing.assert_array_equal(np.where(np.isfinite(row), row, 0), count)
    assert model.description_bytes() == 0
