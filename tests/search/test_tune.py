"""Tuning: what is tried, how the budget is planned, and that a kill loses nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from benchmarks.small_data import (
    write_cyp_part,
    write_molecules,
    write_ratings,
    write_royal_part,
)
from pydantic import ValidationError

import parsimony
from parsimony import methods
from parsimony.base import Tuned
from parsimony.errors import EmptySplit, UsageError
from parsimony.search import Budget, Rung, TuneRequest, run_tune
from parsimony.search import tune as tuning
from parsimony.search.tpe import propose
from parsimony.search.trials import read_trials
from parsimony.search.tune_plan import planned

DISTMULT = {"dim": 16, "threads": 1, "epochs": 9, "batch": 128, "eval_batch": 128}


# ---- what is tried ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", methods.names())
def test_what_is_tuned_is_allowed_and_holds_the_default(name):
    declared = methods.resolve(name).Parameters
    for parameter, how in declared.tunable().items():
        default = declared.model_fields[parameter].get_default(call_default_factory=True)
        ends = how.choices or (how.low, how.high, *([0.0] if how.zero else []))
        for value in ends:
            try:
                declared(**{parameter: value})
            except ValidationError as error:
                pytest.fail(f"{name}.{parameter}={value}: {error}")
        if default is not None:  # None is filled in by the task
            assert how.holding(default) == how, parameter
        elif how.choices:
            assert len(how.choices) > 1


def test_ranges_hold_print_and_round():
    rate = Tuned(1e-5, 0.1, log=True, zero=True)
    assert str(rate) == "0 or 1e-05 … 0.1, log"
    assert rate.holding(0.0) == rate
    assert rate.holding(0.5).high == 0.5
    assert rate.coded(0.0) == 1e-5
    assert rate.decoded(1.2e-5) == 0.0
    assert rate.decoded(0.0123456) == 0.0123
    layers = Tuned(2, 5)
    assert layers.whole
    assert str(layers.holding(7)) == "2 … 7"
    widths = Tuned(choices=(16, 32))
    assert widths.holding(32) is widths
    assert str(widths.holding(48)) == "16 | 32 | 48"
    assert str(Tuned(choices=(None, False))) == "none | false"


def test_proposals_are_reproducible_inside_the_ranges_and_improve():
    ranges = {
        "lr": Tuned(1e-3, 1.0, log=True), "n3": Tuned(1e-4, 1.0, log=True, zero=True),
        "n_layers": Tuned(2, 5), "activation": Tuned(choices=("relu", "tanh", None)),
    }  # fmt: skip

    def figure(settings):
        off = abs(np.log10(settings["lr"]) + 1.5) + abs(settings["n_layers"] - 4)
        return float(-off - (settings["activation"] != "tanh") - settings["n3"])

    told: list[tuple[dict[str, object], float]] = []
    for _ in range(40):
        (asked,) = propose(ranges, told, seed=3, startup=8)
        assert propose(ranges, told, seed=3, startup=8) == [asked]
        assert 1e-3 <= asked["lr"] <= 1 and asked["n_layers"] in (2, 3, 4, 5)
        assert asked["n3"] == 0 or 1e-4 <= asked["n3"] <= 1
        assert asked["activation"] in ("relu", "tanh", None)
        told.append((asked, figure(asked)))
    values = [value for _, value in told]
    assert np.mean(values[-10:]) > np.mean(values[:8]) + 0.5
    several = propose(ranges, told, 3, seed=3)
    assert len(several) == 3
    assert propose(ranges, told, seed=3, drawn=1) != propose(ranges, told, seed=3)


@pytest.mark.parametrize("full", [1.0, 30.0, 200.0, 4000.0])
@pytest.mark.parametrize("epochs", [None, 30])
def test_a_plan_keeps_its_budget(full, epochs):
    budget = 600.0
    plan = planned(epochs, full, 0.5, budget=budget, slots=1, parts=True, part=0.25)
    until = plan.trials_until(budget)
    assert 0 < until <= budget
    finals = 2 * plan.final(budget, until) + plan.reserve(budget)
    assert until + finals <= budget + 1e-6
    assert plan.final(budget, until) >= min(full, 0.19 * budget)
    times = [rung.seconds for rung in plan.rungs]
    assert times == sorted(times) and times[-1] <= plan.cap
    assert "trials that fit" in plan.told(budget, 1)
    # A long training is tried in part, and on a part of the graph first.
    assert (plan.part is not None) == (full >= 200)
    short = epochs is not None and plan.cap / 9 < 2 * full / epochs
    assert len(plan.rungs) == (1 if full == 1 or short else 2)
    whole = planned(epochs, full, 0.5, budget=budget, slots=1, parts=False, part=None)
    assert whole.fractions == [1.0]


# ---- a tuning --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    """A small graph."""
    folder = tmp_path_factory.mktemp("facts") / "royal"
    write_royal_part(folder)
    return parsimony.load(folder)


def request(data, out, trials=7, method="distmult", settings=DISTMULT, **more):
    return TuneRequest(data, method, out, Budget(trials=trials), settings, **more)


def rows(folder):
    told = ("structure", "valid", "stage", "origin", "epochs", "entities")
    trials = read_trials(folder / "search")
    return [tuple(getattr(trial, name) for name in told) for trial in trials]


@pytest.fixture(scope="module")
def tuned(facts, tmp_path_factory):
    """A finished tuning, and its folder."""
    folder = tmp_path_factory.mktemp("tuned") / "run"
    model, summary = run_tune(request(facts, folder))
    return model, summary, folder


def test_a_tuning_ends_in_a_run_and_the_line_that_repeats_it(tuned):
    model, summary, folder = tuned
    assert json.loads((folder / "tune.json").read_text()) == summary
    trials = read_trials(folder / "search")
    assert summary["trials"] == len(trials) == 7
    assert trials[0].origin == "default"
    assert {trial.rung for trial in trials} == {Rung(1, 1), Rung(1, 3)}
    assert "dim" not in json.loads(trials[0].structure)  # it was given
    names = [row["name"] for row in summary["comparison"]]
    best = max(summary["comparison"], key=lambda row: row["figure"])
    assert summary["best"] == best["name"]
    assert summary["settings"] == best["settings"]
    assert model.evaluate("valid")["metrics"]["mrr"] == pytest.approx(best["valid"]["mrr"])
    assert model.evaluate("test")["metrics"]["mrr"] == pytest.approx(best["test"]["mrr"])
    for name, value in {**DISTMULT, **best["settings"]}.items():
        assert getattr(model.resolved_, name) == value
        assert f"--set {name}={json.dumps(value)}" in summary["line"]
    if len(names) == 2:
        gap = summary["difference"]["test"]
        found, default = (row["test"]["mrr"] for row in summary["comparison"])
        assert gap["difference"] == pytest.approx(found - default)
        assert gap["low"] <= gap["difference"] <= gap["high"]


def test_a_killed_tuning_goes_on_as_if_it_had_not_been(facts, tuned, tmp_path):
    class Kill(Exception):
        pass

    seen = []

    def kill(trial):
        seen.append(trial)
        if len(seen) == 4:
            raise Kill

    with pytest.raises(Kill):
        run_tune(request(facts, tmp_path / "run", on_trial=kill))
    path = tmp_path / "run" / "search" / "trials.jsonl"
    path.write_bytes(path.read_bytes()[:-20])  # and the last line was torn
    assert len(read_trials(path.parent)) == 3
    _, summary = run_tune(request(facts, tmp_path / "run", resume=True))
    assert rows(tmp_path / "run") == rows(tuned[2])
    assert summary["settings"] == tuned[1]["settings"]
    before = path.read_bytes()
    again = run_tune(request(facts, tmp_path / "run", resume=True))[1]
    assert path.read_bytes() == before
    assert again["comparison"] == summary["comparison"]
    more = run_tune(request(facts, tmp_path / "run", trials=9, resume=True))[1]
    assert more["trials"] == 9
    assert path.read_bytes().startswith(before)


def test_a_part_of_a_large_graph_is_tried_first(facts, tmp_path, monkeypatch):
    monkeypatch.setattr(tuning, "PART_LABELS", 1)
    monkeypatch.setattr(tuning, "PART", 0.7)
    _, summary = run_tune(request(facts, tmp_path / "run", trials=10))
    stages = [trial.stage for trial in read_trials(tmp_path / "run" / "search")]
    assert stages[:3] == ["part"] * 3
    assert set(stages[3:]) == {"search", "rung 1"}
    assert any("% of the entities" in note for note in summary["notes"])
    trials = read_trials(tmp_path / "run" / "search")
    entered = [trial for trial in trials if trial.origin == "part"]
    assert {trial.entities for trial in entered} == {1.0}
    best = max(trials[:3], key=lambda trial: trial.valid)
    assert best.canonical in {trial.canonical for trial in trials[3:]}


def test_a_budget_of_time_is_planned_and_kept_in_the_folder(facts, tmp_path):
    said = []
    asked = TuneRequest(
        facts, "distmult", tmp_path / "run", Budget(seconds=1.0, trials=4), DISTMULT,
        on_plan=said.append,
    )  # fmt: skip
    _, summary = run_tune(asked)
    assert "trials that fit: about" in said[0]
    assert json.loads((tmp_path / "run/search/plan.json").read_text()) == summary["plan"]
    limits = {trial.limit for trial in read_trials(tmp_path / "run" / "search")}
    assert limits <= {fraction * summary["plan"]["cap"] for fraction in (1 / 9, 1 / 3, 1.0)}


def small(kind, folder):
    """Small data of a kind of problem, a method and its settings."""
    if kind == "ddi":
        write_cyp_part(folder / "pairs")
        return folder / "pairs", "mlp", {"hidden": 8, "epochs": 2}
    if kind == "molecules":
        write_molecules(folder / "molecules", lengths=2)
        settings = {"encoder": "random", "layers": 1, "width": 8, "steps": 4, "validate_every": 2,
                    "shots": [2], "episodes": 2}  # fmt: skip
        return folder / "molecules", "ridge", settings
    if kind == "coldstart":
        path = write_ratings(folder, users=30, items=24, rated=18)
        settings = {"support": 6, "epochs": 2, "hidden": [4, 4, 4]}
        return path, "film", settings
    write_royal_part(folder / "facts")
    return folder / "facts", "rules", {}


@pytest.mark.parametrize("kind", ["link", "ddi", "molecules", "coldstart"])
def test_every_kind_of_problem_can_be_tuned(kind, tmp_path, cache):
    if kind in ("ddi", "molecules"):
        pytest.importorskip("rdkit")
    data, method, settings = small(kind, tmp_path)
    asked = request(data, tmp_path / "run", trials=4, method=method, settings=settings)
    model, summary = run_tune(asked)
    assert model.method == method
    assert summary["selected_by"] == model.selected_by
    figures = [row["figure"] for row in summary["comparison"]]
    assert max(figures) == pytest.approx(model.selection_score(), abs=1e-6)
    for split, gap in summary["difference"].items():
        tuned, default = (row[split][summary["measure"]] for row in summary["comparison"])
        assert gap["difference"] == pytest.approx(tuned - default)
        assert gap["low"] <= gap["difference"] <= gap["high"]


# ---- what is refused -------------------------------------------------------------------------


def test_what_cannot_be_tuned_is_refused(facts, tmp_path):
    with pytest.raises(UsageError, match="nothing to tune"):
        run_tune(request("cyp", tmp_path / "run", method="neighbours", settings={}))
    given = {"max_length": 2, "min_support": 3, "min_confidence": 0.1}
    with pytest.raises(UsageError, match="is given: max_length"):
        run_tune(request(facts, tmp_path / "run", method="rules", settings=given))
    (tmp_path / "novalid").mkdir()
    for split in ("train", "test"):
        lines = "".join(f"a{i}\tr\ta{i + 1}\n" for i in range(20))
        (tmp_path / "novalid" / f"{split}.txt").write_text(lines)
    (tmp_path / "novalid" / "valid.txt").write_text("")
    with pytest.raises(EmptySplit):
        run_tune(request(tmp_path / "novalid", tmp_path / "run"))
    assert not (tmp_path / "run").exists()
