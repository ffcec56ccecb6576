"""The trainer: resuming, averaging, choosing, budgets, divergence, old checkpoints, seeds.

Two small learners are trained: a quadratic function by noisy gradients with momentum, written by
hand, and a torch network with dropout, batch normalisation and AdamW.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from parsimony.errors import CheckpointVersionError, InvalidMeasure, TrainingDiverged
from parsimony.run.cost import Cost
from parsimony.run.deadline import Deadline
from parsimony.run.folder import RunFolder
from parsimony.training import trainer
from parsimony.training.network import NetworkLearner
from parsimony.training.trainer import Learner, Schedule, Step, Trainer

STEPS, ITEMS = 3, 2  # of an epoch; of a step


@pytest.fixture(autouse=True)
def _without_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)


class Killed(Exception):
    pass


class Watched(Learner):
    """Counts what happens, and dies when it is told to."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.events, self.kill_at, self.steps = 0, math.inf, 0
        self.trajectory, self.validations = [], None

    def tick(self):
        if self.events == self.kill_at:
            raise Killed
        self.events += 1

    def stepped(self, step):
        self.tick()
        self.steps += 1
        self.flops += 7
        self.trajectory.append({k: v.detach().clone() for k, v in self.weights().items()})
        return step

    def validate(self):
        self.tick()
        if self.validations is None:
            return {"quality": self.quality(), "other": 0.0}
        return {"quality": self.validations.pop(0)} if self.validations else {}


class Quadratic(Watched):
    """Minimises |w − 1|² by noisy gradients with momentum."""

    def __init__(self):
        super().__init__()
        self.w, self.momentum = torch.zeros(3).double(), torch.zeros(3).double()

    def epoch(self, number, drawn):
        return STEPS * ITEMS, (self.step(drawn) for _ in range(STEPS))

    def step(self, drawn):
        noise = torch.from_numpy(drawn.normal(size=3))
        self.momentum.mul_(0.9).add_(self.w - 1 + 0.3 * noise)
        self.w.sub_(0.1 * self.momentum)
        return self.stepped(Step(-self.quality() * ITEMS, ITEMS))

    def quality(self):
        return -float(((self.w - 1) ** 2).sum())

    def weights(self):
        return {"w": self.w}

    def optimizer_state(self):
        return {"momentum": self.momentum}

    def restore_optimizer(self, state):
        self.momentum.copy_(state["momentum"])


class Network(Watched, NetworkLearner):
    """Fits a line with more network than it needs."""

    counts = True

    def __init__(self):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            network = nn.Sequential(
                nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(0.3), nn.Linear(4, 1)
            ).double()
        super().__init__(network, torch.optim.AdamW(network.parameters(), lr=0.1), clip=1.0)

    def lr(self, number):
        return 0.1 * 0.9**number

    def losses(self, number, drawn):
        return STEPS * ITEMS, (self.loss(drawn) for _ in range(STEPS))

    def loss(self, drawn):
        x = torch.from_numpy(drawn.normal(size=(ITEMS, 2)))
        return ((self.network(x)[:, 0] - x.sum(1)) ** 2).mean(), ITEMS

    def update(self, loss, size):
        return self.stepped(super().update(loss, size))

    def quality(self):
        self.network.eval()
        x = torch.linspace(-1, 1, 10).double().reshape(5, 2)
        with torch.no_grad():
            return -float(((self.network(x)[:, 0] - x.sum(1)) ** 2).mean())


LEARNERS = [Quadratic, Network]
SCHEDULES = {
    "plain": Schedule(3),
    "averaged": Schedule(4, ema_decay=0.9),
    "averaged, rarely validated": Schedule(5, ema_decay=0.5, validate_every=2, seed=3),
    "patience": Schedule(12, patience=2, ema_decay=0.99),
    "named epochs": Schedule(5, patience=1, validate_every=(1, 4)),
    "stride": Schedule(7, stride=2, stream=("steps",)),
    "validated first": Schedule(3, validate_first=True, ema_decay=0.9),
}


@pytest.fixture(params=SCHEDULES)
def schedule(request):
    return SCHEDULES[request.param]


@pytest.fixture(params=LEARNERS)
def make(request):
    return request.param


def trained(learner, schedule, **options):
    return Trainer(schedule, Cost(0, 0), **options).train(learner)


def without_times(history):
    return [{k: v for k, v in record.items() if "seconds" not in k} for record in history]


def state_of(learner):
    return {name: tensor.detach().clone() for name, tensor in learner.state().items()}


def assert_same_state(a, b):
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=0, atol=0, equal_nan=True)


def folder(path, **options):
    return RunFolder.create(path, {"parameters": {}}, **options)


# ---- resuming --------------------------------------------------------------------------------


def killed_at(make, schedule, path, moment, between=0.0):
    """Train into a run folder until a moment; returns whether it came to that."""
    learner = make()
    learner.kill_at, learner.between_checkpoints = moment, between
    with folder(path) as run:
        save = run.save_checkpoint

        def saving(*arguments):
            learner.tick()  # before it is written,
            save(*arguments)
            learner.tick()  # and after

        run.save_checkpoint = saving
        try:
            trained(learner, schedule, run=run)
        except Killed:
            run.close()
            return True
    return False


def test_resumed_is_uninterrupted_whenever_it_was_killed(make, schedule, tmp_path):
    whole = make()
    expected = trained(whole, schedule)
    for moment in itertools.count():
        path = tmp_path / str(moment)
        if not killed_at(make, schedule, path, moment):
            break
        again = make()
        with folder(path, resume=True) as run:
            found = trained(again, schedule, run=run)
        assert without_times(found.history) == without_times(expected.history), moment
        assert (found.best_epoch, found.ended) == (expected.best_epoch, expected.ended)
        assert_same_state(again.state(), whole.state())
    assert moment > 2 * len(expected.history)


def test_a_resumed_part_takes_only_the_steps_that_are_left(make, tmp_path):
    schedule = Schedule(5)
    killed_at(make, schedule, tmp_path / "run", 3 * (STEPS + 3))  # after three epochs
    again = make()
    with folder(tmp_path / "run", resume=True) as run:
        trained(again, schedule, run=run)
    assert again.steps == 2 * STEPS


def test_where_checkpoints_are_rare_the_last_is_resumed_from(make, tmp_path):
    schedule = Schedule(4, ema_decay=0.9)
    whole = make()
    trained(whole, schedule)
    assert killed_at(make, schedule, tmp_path / "run", 11, between=1e9)
    again = make()
    with folder(tmp_path / "run", resume=True) as run:
        assert run.load_checkpoint() is None
        trained(again, schedule, run=run)
    assert again.steps == 4 * STEPS
    assert_same_state(again.state(), whole.state())


def test_a_finished_training_goes_on_with_more_epochs(make, tmp_path):
    longer = Schedule(6, ema_decay=0.9, patience=9)
    whole = make()
    expected = trained(whole, longer)
    with folder(tmp_path / "run") as run:
        assert trained(make(), dataclasses.replace(longer, epochs=3), run=run).ended == "epochs"
    again = make()
    with folder(tmp_path / "run", resume=True) as run:
        found = trained(again, longer, run=run)
    assert again.steps == 3 * STEPS
    assert without_times(found.history) == without_times(expected.history)
    assert_same_state(again.state(), whole.state())


def test_a_finished_training_is_not_trained_again(make, schedule, tmp_path):
    first, again = make(), make()
    with folder(tmp_path / "run") as run:
        expected = trained(first, schedule, run=run)
    with folder(tmp_path / "run", resume=True) as run:
        found = trained(again, schedule, run=run)
    assert again.steps == 0
    assert found == expected
    assert_same_state(again.state(), first.state())


def test_the_log_holds_every_epoch_once(make, tmp_path):
    schedule = SCHEDULES["averaged, rarely validated"]
    assert killed_at(make, schedule, tmp_path / "run", 14)
    with folder(tmp_path / "run", resume=True) as run:
        found = trained(make(), schedule, run=run)
        logged = [{k: v for k, v in line.items() if k != "time"} for line in run.history()]
    assert without_times(logged) == without_times(found.history)


def test_costs_are_kept_with_the_checkpoint(make, tmp_path):
    schedule = Schedule(4)
    killed_at(make, schedule, tmp_path / "run", 2 * (STEPS + 3))
    with folder(tmp_path / "run", resume=True) as run:
        kept = run.load_checkpoint()[0]["cost"]
        assert kept["flops"] == 2 * STEPS * 7
        cost = Cost(0, 0, kept)
        Trainer(schedule, cost, run=run).train(make())
    assert cost.as_dict()["flops"] == 4 * STEPS * 7


def test_phases_follow_one_another(tmp_path):
    """A later phase does not resume from an earlier one's checkpoint; it carries its tensors."""
    carried = {"found": np.arange(3.0)}
    with folder(tmp_path / "run") as run:
        trained(Quadratic(), Schedule(2), run=run, phase="first")
        second = Quadratic()
        trained(second, Schedule(3), run=run, phase="second", carried=carried)
        assert second.steps == 3 * STEPS
        again = Trainer(Schedule(4), Cost(0, 0), run=run, phase="second")
        outcome = again.train(Quadratic())
    np.testing.assert_array_equal(again.carried["found"], carried["found"])
    assert [record["phase"] for record in outcome.history] == ["second"] * 4


# ---- the moving average ----------------------------------------------------------------------


@pytest.mark.parametrize("decay", [0.05, 0.9, 0.999])
@pytest.mark.parametrize("each", ["step", "epoch"])
def test_the_average_is_the_formula(make, decay, each):
    learner = make()
    learner.average_each, learner.validations = each, []
    mean = {name: weight.clone() for name, weight in learner.weights().items()}
    trained(learner, Schedule(4, ema_decay=decay))
    followed = learner.trajectory if each == "step" else learner.trajectory[STEPS - 1 :: STEPS]
    for t, weights in enumerate(followed, start=1):
        beta = min(decay, (1 + t) / (10 + t) if each == "step" else (t - 1) / t)
        mean = {name: beta * mean[name] + (1 - beta) * weights[name] for name in mean}
    for name, weight in learner.weights().items():
        torch.testing.assert_close(weight.detach(), mean[name], rtol=1e-12, atol=1e-14)


def test_averaging_does_not_change_what_is_trained(make):
    plain, averaged = make(), make()
    trained(plain, Schedule(4))
    trained(averaged, Schedule(4, ema_decay=0.9))
    for a, b in zip(plain.trajectory, averaged.trajectory, strict=True):
        assert_same_state(a, b)


def test_validation_and_watchers_see_the_average(make):
    learner, seen = make(), []

    def watch(record):
        seen.append((record["epoch"], learner.quality()))

    outcome = trained(learner, Schedule(3, ema_decay=0.9), on_look=watch)
    assert seen == [(r["epoch"], r["valid_quality"]) for r in outcome.history]
    learner, other = make(), []
    trained(learner, Schedule(3), on_look=lambda record: other.append(learner.quality()))
    assert [quality for _, quality in seen] != other


# ---- choosing --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("validations", "best"),
    [
        ([0.1, 0.5, 0.3, 0.5, 0.2], 2),  # the first of equals
        ([0.5, 0.4, 0.3, 0.2, 0.1], 1),
        ([-5.0, -4.0, -3.0, -2.0, -1.0], 5),
    ],
)
def test_the_best_epoch_answers(make, validations, best):
    learner = make()
    learner.validations = list(validations)
    outcome = trained(learner, Schedule(5))
    assert outcome.best_epoch == best
    assert len(outcome.history) == 5
    expected = learner.trajectory[best * STEPS - 1]
    assert_same_state({k: v.detach() for k, v in learner.weights().items()}, expected)


def test_the_last_epoch_answers_where_there_is_no_validation(make):
    learner = make()
    learner.validations = []
    outcome = trained(learner, Schedule(4, patience=1))
    assert (outcome.best_epoch, outcome.ended) == (4, "epochs")
    assert not any(name.startswith("valid") for record in outcome.history for name in record)
    last = learner.trajectory[-1]
    assert_same_state({k: v.detach() for k, v in learner.weights().items()}, last)


def test_patience_counts_epochs_or_named_looks(make):
    learner = make()
    learner.validations = [0.1, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0]
    outcome = trained(learner, Schedule(7, patience=3))
    assert (outcome.best_epoch, len(outcome.history), outcome.ended) == (2, 5, "patience")
    learner = make()
    learner.validations = [0.5, 0.4, 0.3, 0.2]
    outcome = trained(learner, Schedule(20, patience=2, validate_every=(3, 7, 9, 15)))
    assert (outcome.best_epoch, len(outcome.history), outcome.ended) == (3, 9, "patience")


def test_looks_are_where_the_schedule_says(make):
    def looks(schedule):
        history = trained(make(), schedule).history
        return [record["epoch"] for record in history if "valid_quality" in record]

    assert looks(Schedule(5)) == [1, 2, 3, 4, 5]
    assert looks(Schedule(5, validate_every=2)) == [2, 4, 5]
    assert looks(Schedule(5, validate_every=(1, 3))) == [1, 3, 5]
    assert looks(Schedule(5, validate_every=2, validate_first=True)) == [0, 2, 4, 5]
    assert looks(Schedule(7, stride=2)) == [2, 4, 6, 7]


# ---- budgets ---------------------------------------------------------------------------------


@pytest.fixture
def steps(monkeypatch):
    """A clock by which a step takes a second, and nothing else takes any time."""
    taken = []
    stepped = Watched.stepped

    def counted(learner, step):
        taken.append(step)
        return stepped(learner, step)

    monkeypatch.setattr(Watched, "stepped", counted)
    monkeypatch.setattr(trainer, "clock", lambda: float(len(taken)))
    return taken


@pytest.mark.parametrize("budget", [0, 0.5, 1, 3, 4, 5, 8, 100])
def test_training_ends_with_the_step_in_which_its_budget_ends(make, schedule, budget, steps):
    expected = trained(make(), schedule)
    total = len(steps)
    steps.clear()
    learner = make()
    outcome = trained(learner, schedule, time_budget=budget)
    assert len(steps) <= budget + 1
    if budget >= total:
        assert len(steps) == total
        assert outcome.ended == expected.ended
    elif outcome.ended == "time budget":
        assert len(steps) < total
        assert "valid_quality" in outcome.history[-1]  # what is last is looked at
        parts = [record.get("part", 1) for record in outcome.history if record["epoch"]]
        assert sum(parts) * STEPS == pytest.approx(len(steps))
    assert outcome.seconds == len(steps)


@pytest.mark.parametrize("budget", [1, 4, 5, 9])
def test_a_larger_budget_goes_on(make, schedule, budget, steps, tmp_path):
    with folder(tmp_path / "run") as run:
        first = trained(make(), schedule, run=run, time_budget=budget)
    before = len(steps)
    with folder(tmp_path / "run", resume=True) as run:  # the same budget is spent
        again = make()
        assert trained(again, schedule, run=run, time_budget=budget) == first
        assert again.steps == 0
    larger = budget + 2 * STEPS
    with folder(tmp_path / "run", resume=True) as run:
        second = trained(make(), schedule, run=run, time_budget=larger)
    assert len(steps) <= larger + 1
    assert second.history[: len(first.history)] == first.history
    if first.ended == "time budget":
        assert len(steps) > before
        assert second.seconds == len(steps)
    with folder(tmp_path / "run", resume=True) as run:
        assert trained(make(), schedule, run=run).ended != "time budget"


def test_what_is_spent_before_counts(make, steps):
    outcome = trained(make(), Schedule(9), time_budget=10, spent=5)
    assert len(steps) == 5
    assert [record.get("part", 1) for record in outcome.history] == [1, (5 - STEPS) / STEPS]
    assert outcome.seconds == 10
    steps.clear()
    assert trained(make(), Schedule(9), time_budget=1, spent=5).ended == "time budget"
    assert len(steps) == 1


# ---- divergence ------------------------------------------------------------------------------


class Diverging(Quadratic):
    """Spoils its loss, or a weight, in a step of an epoch; what is None is not spoiled."""

    spoils: tuple[int, int] | None = None
    loss, weight = None, None

    def step(self, drawn):
        step = super().step(drawn)
        if self.spoils == divmod(self.steps - 1, STEPS):
            if self.weight is not None:
                self.w[1] = self.weight
            step = step._replace(loss=step.loss if self.loss is None else self.loss)
        return step


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("what", ["loss", "weight"])
@pytest.mark.parametrize("step", range(STEPS))
def test_what_is_not_finite_ends_the_training(what, value, step, tmp_path):
    learner = Diverging()
    learner.spoils = (2, step)
    setattr(learner, what, value)
    with pytest.raises(TrainingDiverged, match="epoch 3") as caught, folder(tmp_path / "a") as run:
        trained(learner, Schedule(5), run=run)
    assert "lr" in caught.value.remedy
    with folder(tmp_path / "a", resume=True) as run:
        assert run.load_checkpoint()[0]["epoch"] == 2  # what diverged is not kept
        again = Diverging()
        trained(again, Schedule(5), run=run)
    whole = Quadratic()
    trained(whole, Schedule(5))
    assert_same_state(again.state(), whole.state())


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_measure_that_is_no_number_ends_the_training(value, make, tmp_path):
    learner = make()
    learner.validations = [0.1, value, 0.2]
    with pytest.raises(InvalidMeasure), folder(tmp_path / "run") as run:
        trained(learner, Schedule(3), run=run)
    assert all(math.isfinite(r["valid_quality"]) for r in run.history())


# ---- checkpoints of earlier versions ---------------------------------------------------------


@pytest.mark.parametrize("plain", [{"epoch": 3}, {"format": 1}, {"format": 3, "phase": ""}])
def test_a_checkpoint_of_another_version_is_refused_with_a_way_on(make, plain, tmp_path):
    with folder(tmp_path / "run") as run:
        run.save_checkpoint(plain, {"weights": np.zeros(3)})
    learner = make()
    before = state_of(learner)
    with (
        folder(tmp_path / "run", resume=True) as run,
        pytest.raises(CheckpointVersionError) as caught,
    ):
        trained(learner, Schedule(2), run=run)
    assert_same_state(learner.state(), before)
    assert "remove the folder checkpoints" in caught.value.remedy
    shutil.rmtree(Path(caught.value.where))
    with folder(tmp_path / "run", resume=True) as run:
        assert trained(learner, Schedule(2), run=run).ended == "epochs"


# ---- randomness ------------------------------------------------------------------------------


def test_a_users_randomness_stays_as_it_is(make, schedule):
    torch.manual_seed(5)
    np.random.seed(5)
    expected = torch.rand(3), np.random.rand(3)
    torch.manual_seed(5)
    np.random.seed(5)
    trained(make(), schedule)
    assert torch.equal(torch.rand(3), expected[0])
    np.testing.assert_array_equal(np.random.rand(3), expected[1])


def test_numbers_depend_on_the_seed_alone(make):
    def after(seed, user):
        torch.manual_seed(user)
        learner = make()
        trained(learner, Schedule(2, seed=seed))
        return state_of(learner)

    assert_same_state(after(0, 1), after(0, 2))
    with pytest.raises(AssertionError):
        assert_same_state(after(0, 1), after(1, 1))
    learner = make()
    trained(learner, Schedule(2, stream=("another",)))
    with pytest.raises(AssertionError):
        assert_same_state(after(0, 1), learner.state())


# ---- deadlines, probes and interruptions -----------------------------------------------------


class Asked(Quadratic):
    """Has validation queries that can be asked alone, each of which takes a second."""

    n_queries = 2000

    def __init__(self, tell):
        super().__init__()
        self.tell, self.rows = tell, None

    def ask(self, rows):
        self.rows = rows

    def validate(self):
        self.tell(self.n_queries if self.rows is None else len(self.rows))
        return super().validate()


def test_a_probe_changes_no_number(make):
    plain, probed, found = make(), make(), []
    schedule = Schedule(3, ema_decay=0.9)
    expected = trained(plain, schedule)
    outcome = trained(probed, schedule, on_probe=found.append)
    assert len(found) == 1
    assert found[0].epoch_seconds > 0
    assert found[0].peak_memory > 0
    assert probed.steps > plain.steps
    assert without_times(outcome.history) == without_times(expected.history)
    assert_same_state(probed.state(), plain.state())


@pytest.fixture
def passing(monkeypatch):
    """A clock that stands still until it is told."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(trainer, "clock", lambda: now[0])
    return now


@pytest.mark.parametrize(("seconds", "reserve"), [(200, 20), (3000, 300), (90000, 1)])
def test_a_deadline_makes_the_budget_and_the_sample_of_validation(seconds, reserve, passing):
    def tell(queries):
        passing[0] += queries

    learner = Asked(tell)
    stepped = learner.stepped

    def slow(step):
        passing[0] += 10
        return stepped(step)

    learner.stepped = slow
    made = Trainer(
        Schedule(10**6), Cost(0, 0), deadline=Deadline(seconds), reserve=lambda found, left: reserve
    )
    outcome = made.train(learner)
    assert passing[0] <= seconds - reserve + 15
    assert outcome.ended == "time budget"
    assert any("valid_quality" in record for record in outcome.history)
    assert outcome.notes[0].startswith("validation during training asked ")
    looks = [r["seconds"] - r["train_seconds"] for r in outcome.history if "valid_quality" in r]
    assert len(set(looks)) == 1  # the same queries at every look
    assert looks[0] <= max(0.2 * (seconds - reserve), 32)
    assert learner.progress == pytest.approx(1.0, abs=0.2)


def test_a_resumed_training_asks_the_same_queries(passing, tmp_path):
    def tell(queries):
        passing[0] += queries

    def part(epochs, resume):
        learner, end = Asked(tell), Deadline(5000)
        with folder(tmp_path / "run", resume=resume) as run:
            made = Trainer(
                Schedule(epochs), Cost(0, 0), run=run, deadline=end, reserve=lambda found, left: 0.0
            )
            return made.train(learner)

    first, second = part(1, False), part(2, True)
    seconds = [round(record["seconds"]) for record in second.history]
    assert seconds[0] == seconds[1]
    assert first.notes[0].split(" queries")[0] == second.notes[0].split(" queries")[0]


def test_an_interruption_ends_with_its_step_and_goes_on_when_resumed(make, tmp_path, monkeypatch):
    learner = make()
    monkeypatch.setattr(trainer, "stopped", lambda: learner.steps >= STEPS + 1)
    with folder(tmp_path / "run") as run:
        outcome = trained(learner, Schedule(4), run=run)
    assert (outcome.ended, learner.steps, len(outcome.history)) == ("interrupted", STEPS + 1, 2)
    assert outcome.history[-1]["part"] == pytest.approx(1 / STEPS)
    assert outcome.best_epoch == 1
    monkeypatch.setattr(trainer, "stopped", lambda: False)
    whole, again = make(), make()
    expected = trained(whole, Schedule(4))
    with folder(tmp_path / "run", resume=True) as run:
        found = trained(again, Schedule(4), run=run)
    assert without_times(found.history) == without_times(expected.history)
    assert_same_state(again.state(), whole.state())


def test_every_epoch_leaves_a_line(make, capsys, monkeypatch):
    now = itertools.count()
    monkeypatch.setattr(trainer, "clock", lambda: float(next(now)))
    trained(make(), Schedule(3, patience=2), quiet=False)
    lines = capsys.readouterr().err.strip().splitlines()
    assert [line.split()[1] for line in lines] == ["1/3", "2/3", "3/3"]
    for word in ("loss", "valid quality", "best", "patience", "left at most"):
        assert word in lines[0]
    trained(make(), Schedule(3), quiet=True)
    assert capsys.readouterr().err == ""
