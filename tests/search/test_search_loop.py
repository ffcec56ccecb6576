"""The search on a small real objective: it finds, repeats, resumes, and counts its budget."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tensor_fit import TensorFit

from parsimony.errors import InvalidParameter, TrainingDiverged, UnknownParameter
from parsimony.run.engine import LocalEngine, resolve_engine
from parsimony.search import (
    BilinearSpace,
    Budget,
    Rung,
    SearchSettings,
    TrialResult,
    TrialStore,
    search,
)
from parsimony.search.algorithms import ALGORITHMS
from parsimony.search.ladder import ladder_of
from parsimony.search.loop import _Walk

SPACE = BilinearSpace()
SMALL = SearchSettings(per_round=4, candidates=32, parents=4)
LADDER = (Rung(4, 20), Rung(8, 40), Rung(8, 80))


def by_features(structures):
    """A cheap guess, in the place of shared weights: few blocks, many mirrored."""
    features = SPACE.features(structures)
    return features[:, -8:].std(axis=1) - features[:, 22] / 16


def run(folder, *, resume=False, evaluate=None, ladder=LADDER, **options):
    options = {"budget": Budget(trials=24), "settings": SMALL, **options}
    with TrialStore(folder, {"data": "tensor"}, resume=resume) as store:
        return search(SPACE, evaluate or TensorFit(), store, ladder=ladder, **options)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """One search of every algorithm."""
    folder = tmp_path_factory.mktemp("searches")
    return {
        name: run(
            folder / name, algorithm=name, one_shot=by_features if name == "supernet" else None
        )
        for name in ALGORITHMS
    }


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_a_search(found, algorithm):
    result = found[algorithm]
    assert len(result.trials) == 24
    stages = [trial.stage for trial in result.trials]
    assert stages[:14] == ["search"] * 14
    assert set(stages) == {"search", "rung 1", "rung 2"}
    top = [t for t in result.trials if t.stage == "rung 2"]
    assert result.best == max(top, key=lambda t: t.valid)
    assert result.structure.canonical() == SPACE.parse(result.best.canonical)
    assert (result.best.dim, result.best.epochs) == (8, 80)
    assert set(result.named) == {"DistMult", "ComplEx", "SimplE", "Analogy", "QuatE"}
    assert any((t.dim, t.epochs) == (8, 80) for t in result.named.values())
    keys = [t.identity for t in result.trials]
    assert len(set(keys)) == len(keys)
    assert SPACE.valid([SPACE.parse(t.structure) for t in result.trials]).all()
    assert (result.predictor is not None) == (algorithm in ("greedy", "evolution", "supernet"))
    assert next(r["structures"] for r in result.rungs) >= 2


def test_it_prefers_what_made_the_data(found):
    """The tensor is ComplEx's: no symmetric structure may win."""
    for result in found.values():
        assert result.best.valid > result.named["DistMult"].valid
        assert result.structure.patterns.general


def figures(result):
    return [(t.canonical, t.dim, t.epochs, t.valid, t.origin, t.stage) for t in result.trials]


@pytest.mark.parametrize("algorithm", ["greedy", "evolution", "random"])
def test_same_seed_same_search(found, algorithm, tmp_path):
    assert figures(run(tmp_path / "a", algorithm=algorithm)) == figures(found[algorithm])
    if algorithm != "greedy":
        other = run(tmp_path / "b", algorithm=algorithm, seed=1)
        assert figures(other) != figures(found[algorithm])


@pytest.mark.parametrize("algorithm", ["greedy", "evolution", "random", "exhaustive"])
def test_a_resumed_search_is_the_same_search(found, algorithm, tmp_path):
    log = tmp_path / "log"
    evaluate = TensorFit(log=str(log))
    for trials in (1, 9, 24):
        result = run(
            tmp_path / "run", algorithm=algorithm, resume=True, evaluate=evaluate,
            budget=Budget(trials=trials),
        )  # fmt: skip
        assert len(result.trials) <= trials
    # A smaller budget begins its climb earlier, so some trials are of its own; none is run twice.
    with TrialStore(tmp_path / "run", {"data": "tensor"}, resume=True) as store:
        assert len(store) == len(log.read_text().splitlines())
        assert len({t.identity for t in store}) == len(store)
    assert [f[:4] for f in figures(result)] == [f[:4] for f in figures(found[algorithm])]


def test_repeating_a_finished_search_runs_nothing(tmp_path):
    first = run(tmp_path)
    again = run(tmp_path, resume=True, evaluate=lambda *a, **k: pytest.fail("ran again"))
    assert figures(again) == figures(first)
    assert again.structure == first.structure


CHILD = """
import sys
sys.path[:0] = {path!r}
from test_search_loop import *
run(Path({folder!r}), resume=True, evaluate=TensorFit(log={log!r}, pause=0.2))
"""


def test_a_kill_loses_at_most_the_running_trial(found, tmp_path):
    log, folder = tmp_path / "log", tmp_path / "run"
    code = CHILD.format(path=[str(Path(__file__).parent)], folder=str(folder), log=str(log))
    child = subprocess.Popen([sys.executable, "-c", code], env=os.environ)
    try:
        while not log.exists() or len(log.read_text().splitlines()) < 6:
            assert child.poll() is None
            time.sleep(0.05)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    begun = len(log.read_text().splitlines())
    with TrialStore(folder, {"data": "tensor"}, resume=True) as store:
        assert begun - 1 <= len(store) <= begun
    result = run(folder, resume=True)
    assert figures(result) == figures(found["greedy"])


def test_budgets(tmp_path):
    one_rung = (Rung(4, 10),)
    assert len(run(tmp_path / "t", ladder=one_rung, budget=Budget(trials=3)).trials) == 3
    assert len(run(tmp_path / "e", ladder=one_rung, budget=Budget(epochs=45)).trials) == 5
    slow = TensorFit(pause=0.1)  # ten of them are more than the budget
    result = run(tmp_path / "s", ladder=one_rung, budget=Budget(seconds=1.0), evaluate=slow)
    assert 1 <= len(result.trials) <= 10
    # Time counts over resumed parts: nothing is left for a second one.
    again = run(
        tmp_path / "s", ladder=one_rung, budget=Budget(seconds=1.0), evaluate=slow, resume=True
    )
    assert figures(again) == figures(result)
    for wrong in ({}, {"trials": 0}, {"seconds": 0.0}, {"epochs": -1}, {"seconds": float("nan")}):
        with pytest.raises(InvalidParameter):
            Budget(**wrong)


def test_a_rung_may_see_a_part_of_the_entities(tmp_path):
    """The share reaches the trainer, and a part is no measurement of the whole."""
    asked = []

    def evaluate(structure, *, seed, epochs, dim, entities=1.0):
        asked.append(entities)
        fit = TensorFit(n_entities=round(8 * entities))
        return fit(structure, seed=seed, epochs=epochs, dim=dim)

    ladder = (Rung(4, 20, 0.5), Rung(4, 20), Rung(8, 40))
    result = run(tmp_path, ladder=ladder, evaluate=evaluate)
    assert [t.entities for t in result.trials] == asked
    assert {t.rung for t in result.trials} == set(ladder)
    assert result.best.rung == ladder[-1]
    assert result.rungs[0]["from"] == "4d × 20 epochs on 50 % of the entities"
    again = run(
        tmp_path, ladder=ladder, resume=True, evaluate=lambda *a, **k: pytest.fail("ran again")
    )
    assert figures(again) == figures(result)


def test_equal_figures_rank_alike_in_any_order(tmp_path):
    """Trials end in another order on another engine; ties must not follow it."""

    def flat(structure, *, seed, epochs, dim):
        return TrialResult(0.5, 0.0, 1, epochs)

    class Backwards(LocalEngine):
        def run(self, function, jobs, go_on):
            allowed = [number for number, _ in enumerate(jobs) if go_on()]
            return iter([(n, function(**jobs[n])) for n in reversed(allowed)])

    found = [
        run(tmp_path / name, evaluate=flat, engine=engine)
        for name, engine in (("a", LocalEngine()), ("b", Backwards()))
    ]
    assert found[0].structure == found[1].structure
    assert sorted(figures(found[0])) == sorted(figures(found[1]))


def test_repeated_seeds_decide_by_their_mean(tmp_path):
    settings = SearchSettings(per_round=4, candidates=32, repeats=3, finalists=3)
    ladder = (Rung(4, 10), Rung(8, 20))
    result = run(tmp_path, settings=settings, ladder=ladder, budget=Budget(trials=40))
    top = {}
    for trial in result.trials:
        if trial.stage == "rung 1":
            top.setdefault(trial.canonical, []).append(trial)
    assert {t.seed for group in top.values() for t in group} == {0, 1, 2}
    whole = {key: sum(t.valid for t in g) / 3 for key, g in top.items() if len(g) == 3}
    assert result.best.canonical == max(whole, key=whole.get)


def test_a_space_that_ends(tmp_path):
    settings = SearchSettings(max_size=4)
    result = run(
        tmp_path, algorithm="exhaustive", settings=settings, budget=Budget(trials=500),
        ladder=(Rung(4, 5),),
    )  # fmt: skip
    assert result.exhausted
    assert len(result.trials) == 8  # 5 of four blocks, ComplEx, Analogy, QuatE


def test_a_diverging_structure_is_a_bad_one(tmp_path):
    first = SPACE.text(SPACE.start()[0])
    result = run(tmp_path / "a", evaluate=TensorFit(diverges=first), budget=Budget(trials=8))
    bad = [t for t in result.trials if t.error]
    assert [(t.structure, t.valid) for t in bad] == [(first, 0.0)]
    assert result.best.error is None

    def never(structure, **options):
        raise TrainingDiverged("never")

    with pytest.raises(TrainingDiverged, match="no structure"):
        run(tmp_path / "b", evaluate=never, budget=Budget(trials=3))


@pytest.mark.parametrize("algorithm", ["greedy", "evolution", "random"])
def test_a_diverged_structure_is_never_better_than_one_that_was_trained(algorithm, tmp_path):
    """Figures below 0, as skills can be: the 0 of a diverged trial must not lead the search."""
    first = SPACE.text(SPACE.start()[0])
    fit = TensorFit(diverges=first)

    def negative(structure, **how):
        found = fit(structure, **how)
        return replace(found, valid_mrr=found.valid_mrr - 2)

    result = run(
        tmp_path, evaluate=negative, algorithm=algorithm, budget=Budget(trials=12),
        ladder=(Rung(4, 5),),
    )  # fmt: skip
    assert result.best.error is None and result.best.valid < 0
    assert all(trial.error is None for trial in result.named.values())
    worst = min(t.valid for t in result.trials if t.error is None)
    walk = _Walk(iter(()), None, Rung(4, 5))
    walk.rounds = [result.trials]
    figures = dict(zip((t.structure for t in result.trials), walk._figures(), strict=True))
    assert figures[first] == worst


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_figure_that_is_no_number_is_an_error(value, tmp_path):
    first, fit = SPACE.text(SPACE.start()[0]), TensorFit()

    def evaluate(structure, **how):
        found = fit(structure, **how)
        return replace(found, valid_mrr=value) if SPACE.text(structure) == first else found

    result = run(tmp_path, evaluate=evaluate, budget=Budget(trials=8), ladder=(Rung(4, 5),))
    assert [t.structure for t in result.trials if t.error] == [first]
    assert result.best.structure != first


def test_wrong_names_and_ladders(tmp_path):
    with pytest.raises(UnknownParameter, match="did you mean 'greedy'"):
        run(tmp_path / "a", algorithm="gredy")
    falling = (
        (Rung(8, 5), Rung(4, 5)), (Rung(4, 5), Rung(4, 5)), (Rung(4, 5), Rung(4, 6, 0.5)),
    )  # fmt: skip
    for n, ladder in enumerate([(), *falling]):
        with pytest.raises(InvalidParameter, match="do not grow"):
            run(tmp_path / f"ladder {n}", ladder=ladder)
    assert ladder_of([[4, 5, 0.5]], Rung(4, 9), parts=True) == [Rung(4, 5, 0.5)]
    with pytest.raises(InvalidParameter, match="part of the entities"):
        ladder_of([[4, 5, 0.5]], Rung(4, 9))
    for fraction in (0.0, 1.5, float("nan")):
        with pytest.raises(InvalidParameter, match="fraction above 0"):
            Rung(4, 5, fraction)
    with pytest.raises(InvalidParameter):
        Rung(0, 5)
    with pytest.raises(UnknownParameter, match="engines: local, ray"):
        resolve_engine("cluster-of-mine")
    with pytest.raises(InvalidParameter):
        resolve_engine("local", address="host:1")


def test_another_space(tmp_path):
    """The loop knows nothing of symbols: here it searches numbers."""

    class Digits:
        name = "digits"
        max_size = 4
        start = staticmethod(lambda: ["11", "20"])
        named = staticmethod(lambda: {"ten": "10"})
        sample = staticmethod(lambda random: str(random.integers(10, 100)))
        grow = staticmethod(lambda s, random: s + str(random.integers(10)) if len(s) < 4 else s)
        size = staticmethod(len)
        valid = staticmethod(lambda many: __import__("numpy").array([s[0] != "0" for s in many]))
        keys = staticmethod(list)
        text = parse = staticmethod(str)
        enumerate = staticmethod(lambda n: map(str, range(10, 10**n)))

        @staticmethod
        def mutate(s, random):
            at = random.integers(len(s))
            return s[:at] + str(random.integers(10)) + s[at + 1 :]

        @staticmethod
        def crossover(a, b, random):
            return a[:1] + b[1:]

        @staticmethod
        def features(many):
            return __import__("numpy").array([[float(x) for x in s[:2]] for s in many])

    def evaluate(structure, *, seed, epochs, dim):
        return TrialResult(float(structure[0]) - float(structure[1]), 0.0, 1, epochs)

    for algorithm in ALGORITHMS:
        with TrialStore(tmp_path / algorithm, {"data": "digits"}) as store:
            result = search(
                Digits(), evaluate, store, budget=Budget(trials=60), ladder=[Rung(1, 1)],
                algorithm=algorithm, settings=SMALL,
                one_shot=lambda many: -Digits.features(many)[:, 1],
            )  # fmt: skip
        assert result.best.valid >= (2 if algorithm == "greedy" else 5)
