"""One trainer for every iterated method.

A :class:`Learner` brings its epoch, its tensors and its validation. The trainer owns the rest: how
many epochs, early stopping, the moving average of the weights, the time budget, checkpoints and
resuming, divergence, progress, the cost report and the seeds. All randomness of an epoch comes from
(seed, epoch), so that a resumed run walks the same path as an uninterrupted one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from parsimony.errors import CheckpointVersionError, TrainingDiverged
from parsimony.metrics.guard import checked
from parsimony.run.cost import Cost
from parsimony.run.deadline import Deadline
from parsimony.run.duration import spell_duration
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress, say
from parsimony.run.restoring import restoring
from parsimony.run.seeds import rng
from parsimony.stopping import held, stopped
from parsimony.training.keeping import part
from parsimony.training.learner import Learner, Schedule, Step
from parsimony.training.probe import Probe, probe

__all__ = ["Learner", "Outcome", "Schedule", "Step", "Trainer"]

#: of the checkpoints that this trainer writes
FORMAT = 2
#: the part of an epoch that a look at validation may take; else it asks so many queries at least
LOOK, FEWEST = 0.2, 1000
#: the part of an epoch that must fit for it to be begun
BEGUN = 0.1
#: seconds; tests put a clock of their own here
clock = time.perf_counter


@dataclass
class _State:
    """What of a training is JSON."""

    epoch: int = 0
    best_epoch: int = 0
    best: float | None = None
    updates: int = 0
    seconds: float = 0.0
    asked: int = 0  # validation queries of a look; 0: all
    history: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """What came of a training; the learner's model stands at the best epoch.

    Attributes
    ----------
    ended
        "epochs", "patience", "time budget" or "interrupted".
    seconds
        Wall seconds over all resumed parts.
    notes
        What was reduced.
    """

    history: list[dict[str, Any]]
    best_epoch: int
    ended: str
    seconds: float
    notes: tuple[str, ...] = field(default=(), compare=False)


class Trainer:
    """Trains a learner.

    Parameters
    ----------
    schedule
        How long, and when to validate.
    cost
        Gets the floating-point operations; is kept in the checkpoints.
    run
        Where checkpoints and the log go; training resumes from there.
    time_budget
        Wall seconds over all resumed parts, with compilation and validation. An epoch ends in its
        middle where the budget does; one of which next to nothing fits is not begun.
    spent
        Seconds of the budget that are gone before the training begins.
    deadline, reserve
        When everything has to be done, and how many seconds are needed for what follows the
        training, by the figures of a probe and the seconds that are left; None: not known. Where
        both are given they make the time budget, and validation asks a fixed sample of its queries
        where all would take more than a fifth of an epoch or of the budget.
    on_probe
        Called with the figures of a probe before the first step.
    phase
        Name of this training where a method has several, one after another; with ``carried``, the
        tensors of earlier phases that its checkpoints keep.
    on_look
        Called with its record after every look at validation; it can watch, not choose.
    quiet
        Show no progress.
    """

    def __init__(
        self,
        schedule: Schedule,
        cost: Cost,
        *,
        run: RunFolder | None = None,
        time_budget: float | None = None,
        spent: float = 0.0,
        deadline: Deadline | None = None,
        reserve: Callable[[Probe, float], float | None] | None = None,
        on_probe: Callable[[Probe], None] | None = None,
        phase: str = "",
        carried: Mapping[str, npt.NDArray[Any]] | None = None,
        on_look: Callable[[Mapping[str, Any]], None] | None = None,
        quiet: bool = True,
    ) -> None:
        self.schedule, self.cost, self.run = schedule, cost, run
        self.time_budget, self.spent, self.quiet = time_budget, spent, quiet
        self.deadline, self.reserve, self.on_probe = deadline, reserve, on_probe
        self.phase, self.carried, self.on_look = phase, dict(carried or {}), on_look

    def train(self, learner: Learner) -> Outcome:
        """Train until the epochs, the budget or the patience end.

        Raises
        ------
        TrainingDiverged
            The loss, a weight or a score is not finite.
        InvalidMeasure
            A measure of validation is not finite, or impossible.
        CheckpointVersionError
            The run's checkpoint was written by an older version and cannot be resumed.
        """
        # Dropout draws from torch's global generator; the user's own stays as it is.
        with torch.random.fork_rng(devices=[]), held():
            return self._train(learner)

    def _train(self, learner: Learner) -> Outcome:
        self._learner, self._state, self._begin = learner, _State(), clock()
        self._look, self._notes, self._told = 0.0, list[str](), -math.inf
        self._kept = learner.keeping(averaged=self.schedule.ema_decay > 0)
        self._resume()
        self._before = self._state.seconds + self.spent
        self._state.seconds = self._before
        state, saved, warm = self._state, clock(), False
        while not (ended := self._ending()):
            if not warm:
                with Progress(1, "preparing kernels", quiet=self.quiet) as progress:
                    learner.warm_up()
                    progress.advance(1)
                self._plan()
                warm = True
            if self.schedule.validate_first and not state.history:
                self._record({"epoch": 0, "loss": 0.0}, clock(), look=True)
                continue
            begin, flops = clock(), learner.flops
            record, cut = self._epoch(begin)
            interrupted = stopped()
            # Where no other epoch is begun, this one is the last.
            last = cut or not self._room(clock() - begin)
            look = last or self.schedule.looks(state.epoch)
            self._record(record, begin, look=look and not interrupted)
            self.cost.add(flops=learner.flops - flops)
            late = clock() - saved >= learner.between_checkpoints
            # An interrupted epoch is no checkpoint: resumed, it is walked again, from its begin.
            if self.run is not None and (late or self._ending()) and not interrupted:
                self._checkpoint(self.run)
                saved = clock()
        learner.ask(None)
        self._kept.end()
        return Outcome(state.history, state.best_epoch, ended, state.seconds, tuple(self._notes))

    def _plan(self) -> None:
        """Share a deadline between training, its looks at validation, and what comes after."""
        learner, state, found = self._learner, self._state, None
        timed = self.deadline is not None and self.deadline.limited and self.reserve is not None
        if timed or self.on_probe is not None:
            left = math.inf if self.deadline is None else self.deadline.left()
            found = probe(learner, self.schedule, min(1.0, 0.02 * left))
        if found is not None and self.on_probe is not None:
            self.on_probe(found)
        if found is not None and timed:
            assert self.deadline is not None and self.reserve is not None
            reserve = self.reserve(found, self.deadline.left())
            if reserve is not None:
                left = max(self.deadline.left() - reserve, 0.0)
                self.time_budget = self._spent() + left
                if not state.history:
                    state.asked = _asked(found, left)
        if not state.asked:
            self._look = 0.0 if found is None else found.look_seconds
            return
        n, seed = learner.n_queries, self.schedule.seed
        learner.ask(np.sort(rng(seed, "validation sample").permutation(n)[: state.asked]))
        why = ""
        if found is not None:
            self._look = state.asked * found.query_seconds
            why = f": all take {found.look_seconds:.1f} s, an epoch {found.epoch_seconds:.1f} s"
        self._notes.append(
            f"validation during training asked {state.asked:,} of {n:,} queries, drawn with seed "
            f"{seed}{why}"
        )

    # ---- epochs ------------------------------------------------------------------------------

    def _epoch(self, begin: float) -> tuple[dict[str, Any], bool]:
        """Train through one epoch; returns its record, and whether the budget cut it."""
        state, schedule, learner = self._state, self.schedule, self._learner
        number = min(state.epoch + schedule.stride, schedule.epochs)
        drawn = rng(schedule.seed, *schedule.stream, number)
        n, steps = learner.epoch(number, drawn)
        total, done, taken, cut, first = 0.0, 0, 0, False, clock()
        learner.progress = self._progress(0.0)
        title = f"epoch {number}/{schedule.epochs}"
        with Progress(n, title, quiet=self.quiet) as progress:
            for step in steps:
                total, done = total + step.loss, done + step.items
                if not np.isfinite(total):
                    raise _diverged(f"the loss became {total} in epoch {number}, item {done}")
                self._taken(step)
                progress.advance(step.items, loss=total / done)
                learner.progress = self._progress(done / n)
                taken += 1
                # A step more would end closer to the budget, or further behind it.
                if done < n and (stopped() or self._late((clock() - first) / taken / 2)):
                    cut = True
                    break
        if learner.average_each == "epoch":
            self._follow()
        if name := self._kept.infinite():  # the last step's loss did not tell
            raise _diverged(f"{name} became infinite or NaN in epoch {number}")
        state.epoch = number
        record: dict[str, Any] = {"epoch": number, "loss": total / max(done, 1)}
        record |= learner.parts()
        if (lr := learner.lr(number)) is not None:
            record["lr"] = lr
        if cut:  # the budget ended it
            record["part"] = done / n
        record["train_seconds"] = clock() - begin
        return record, cut

    def _progress(self, part: float) -> float:
        """How much of the training is over, after a part of the epoch that is going on."""
        state, schedule = self._state, self.schedule
        progress = (state.epoch + part * schedule.stride) / schedule.epochs
        if self.time_budget is not None:
            progress = max(progress, self._spent() / max(self.time_budget - self._look, 1e-9))
        return min(progress, 1.0)

    def _record(self, record: dict[str, Any], begin: float, *, look: bool) -> None:
        """Look at validation where it is due, keep the best, and add to history and log."""
        state, looked = self._state, clock()
        with self._kept.averaged():
            found = checked(self._learner.validate()) if look else {}
            record |= {f"valid_{name}": value for name, value in found.items()}
            score = next(iter(found.values()), -math.inf)
            if score > (-math.inf if state.best is None else state.best):
                state.best, state.best_epoch = float(score), record["epoch"]
                self._kept.keep_best()
        if state.best is None:  # nothing to choose by, so far
            state.best_epoch = record["epoch"]
        if self.phase:
            record["phase"] = self.phase
        if found:
            self._look = clock() - looked
        record["seconds"] = clock() - begin
        state.seconds = self._spent()
        state.history.append(record)
        if self.run is not None:
            self.run.log(**record)
        self._tell(record)
        if look and self.on_look is not None:
            with self._kept.averaged():
                self.on_look(record)

    def _tell(self, record: Mapping[str, Any]) -> None:
        """Say in a line what came of an epoch; where epochs are short, of one a second."""
        state, schedule, now = self._state, self.schedule, clock()
        if self.quiet or (now - self._told < 1.0 and not self._ending()):
            return
        self._told = now
        parts = [f"epoch {record['epoch']}/{schedule.epochs}", f"loss {record['loss']:.4g}"]
        parts += [
            f"valid {name.removeprefix('valid_')} {value:.4f}"
            for name, value in list(record.items())
            if name.startswith("valid_")
        ][:1]
        if state.best is not None:
            parts.append(f"best {state.best:.4f} (epoch {state.best_epoch})")
            if schedule.patience is not None:
                left = schedule.patience - schedule.waited(state.best_epoch, state.epoch)
                parts.append(f"patience {max(left, 0)}")
        whole = record["seconds"] / record.get("part", 1.0)
        left = math.ceil((schedule.epochs - state.epoch) / schedule.stride) * whole
        if self.time_budget is not None:
            left = min(left, max(self.time_budget - self._spent(), 0.0))
        parts.append(f"{spell_duration(record['seconds'])}, {spell_duration(left)} left at most")
        say("  ".join(parts))

    def _ending(self) -> str:
        """Why training ends here; "" where it goes on.

        Nothing of it is stored: with larger limits a checkpoint goes on.
        """
        state, schedule = self._state, self.schedule
        if state.epoch >= schedule.epochs:
            return "epochs"
        waited = schedule.waited(state.best_epoch, state.epoch)
        if schedule.patience is not None and state.best is not None and waited >= schedule.patience:
            return "patience"
        if state.history and stopped():
            return "interrupted"
        if not state.history:
            return ""
        last = state.history[-1]
        seconds = last.get("train_seconds", 0.0) / last.get("part", 1.0)
        return "" if self._room(seconds) else "time budget"

    def _room(self, epoch: float) -> bool:
        """Whether another epoch, which takes so many seconds, is begun within the budget."""
        return not self._late(BEGUN * epoch)

    def _late(self, seconds: float) -> bool:
        """Whether so many more seconds, and a look at validation, would outlast the budget."""
        budget = self.time_budget
        return budget is not None and self._spent() + self._look + seconds > budget

    def _spent(self) -> float:
        """Seconds of all resumed parts until now."""
        return self._before + clock() - self._begin

    # ---- the moving average ------------------------------------------------------------------

    def _taken(self, step: Step) -> None:
        """A step has been taken."""
        if self._learner.average_each == "step":
            self._follow()

    def _follow(self) -> None:
        """Move the average towards the weights."""
        self._state.updates += 1
        t = self._state.updates
        # Steps are many and the first ones bad; epochs are few: the mean of the first is even.
        ramp = (1 + t) / (10 + t) if self._learner.average_each == "step" else (t - 1) / t
        decay = min(self.schedule.ema_decay, ramp)
        self._kept.follow(1 - decay)

    # ---- checkpoints -------------------------------------------------------------------------

    def _checkpoint(self, run: RunFolder) -> None:
        plain = {"format": FORMAT, "phase": self.phase, "cost": self.cost.as_dict()}
        carried = {f"carried.{name}": array for name, array in self.carried.items()}
        self._kept.save(run, plain | asdict(self._state), carried)

    def _resume(self) -> None:
        kept = None if self.run is None else self.run.load_checkpoint()
        if kept is None:
            return
        plain, tensors = kept
        require_format(plain, self.run)
        assert self.run is not None
        with restoring(self.run.path / "checkpoints"):
            self._take(plain, tensors)

    def _take(self, plain: dict[str, Any], tensors: dict[str, npt.NDArray[Any]]) -> None:
        """Go on from a checkpoint of this phase; ValueError where it does not fit the learner."""
        if plain["phase"] != self.phase:
            return
        self._state = _State(**{k: plain[k] for k in _State.__dataclass_fields__ if k in plain})
        self._kept.take(tensors)
        self.carried = {k: v.numpy() for k, v in part(tensors, "carried.").items()}


def _asked(found: Probe, left: float) -> int:
    """How many validation queries a look asks where a training has so many seconds; 0: all."""
    longest = max(LOOK * min(found.epoch_seconds, left), FEWEST * found.query_seconds)
    longest = min(longest, LOOK * left)
    if found.look_seconds <= longest:
        return 0
    return max(int(longest / found.query_seconds), min(found.queries, 32))


def require_format(plain: Mapping[str, Any], run: RunFolder | None) -> None:
    """Refuse a checkpoint that another version's trainer wrote.

    Raises
    ------
    CheckpointVersionError
        Says how to start again.
    """
    if plain.get("format") != FORMAT:
        raise CheckpointVersionError(
            "this run's checkpoint was written by an older version and cannot be resumed",
            remedy="remove the folder checkpoints to train afresh, or choose another --out",
            where=None if run is None else str(run.path / "checkpoints"),
        )


def _diverged(what: str) -> TrainingDiverged:
    return TrainingDiverged(what, remedy="train afresh, in another --out, with a lower --set lr=…")
