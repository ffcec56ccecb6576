"""Tune one size of a family: trials of a third of the epochs, compared on validation."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from parsimony.base import Task
from parsimony.base import Tuned as Range
from parsimony.frontier.families import Family, Size
from parsimony.frontier.labels import learned_part
from parsimony.frontier.opening import AnyEstimator, estimator_of, opened, words_of
from parsimony.frontier.row import Subject, Tuned
from parsimony.run.deadline import Deadline
from parsimony.search.measuring import guarded
from parsimony.search.method_trial import MethodTrial, SettingsText, settings_of
from parsimony.search.settings import Rung
from parsimony.search.tpe import Settings, propose
from parsimony.search.trial import Trial, TrialResult
from parsimony.search.trials import TrialStore
from parsimony.stopping import Interrupted, stopped

__all__ = ["RANGES", "TRIAL", "tune_size"]

#: what is tuned of parameters that `parsimony tune` leaves alone
RANGES: dict[str, Range] = {
    "relation_weight": Range(1e-3, 1.0, log=True, zero=True),
    "symbol": Range(
        choices=(
            "ComplEx", "DistMult", "SimplE", "Analogy", "CP", "QuatE", "AutoSF-WN18",
            "AutoSF-FB15k", "AutoSF-WN18RR", "AutoSF-FB15k-237", "AutoSF-YAGO3-10",
            "AutoSF-wikikg2", "AutoBLM-biokg", "AutoBLM-wikikg2",
        )
    ),
}  # fmt: skip
#: of the epochs of a training, what a trial of tuning gets
TRIAL = 1 / 3
#: proposals in a row that are known already, after which a small space is exhausted
_KNOWN = 20


def tune_size(
    family: Family, size: Size, subject: Subject, *, share: float, seed: int, folder: Path,
    seconds: float | None, trials: int,
) -> Tuned:  # fmt: skip
    """Choose settings of a size on validation, by trials that get a third of the epochs.

    The defaults are the first trial, the others come from the sampler of ``parsimony tune``.

    Parameters
    ----------
    trials
        How many; below 2, nothing is tuned: the first is that of the defaults.

    Returns
    -------
    Tuned
        With ``why`` where there were fewer trials.

    Raises
    ------
    KeyboardInterrupt, Interrupted
        The user stopped it; the same call goes on.
    """
    begin = time.perf_counter()
    try:
        whole = opened(subject)
        learned = learned_part(whole, size.method, share, seed, thinned=subject.thinned)
        model = estimator_of(size.method, size.settings, seed)
        model.prepare(learned)
        ranges = _ranges(size, model)
        if not ranges or trials < 2:
            return Tuned(why="there is nothing to tune" if trials > 1 else "")
        return _tune(size, learned, model, ranges, folder, Deadline(seconds, began=begin), trials,
                     seed)  # fmt: skip
    except (KeyboardInterrupt, Interrupted):
        raise
    except Exception as error:
        return Tuned(why=words_of(error))


def _ranges(size: Size, model: AnyEstimator) -> dict[str, Range]:
    """What the tuning of a size tries, grown so that the defaults are within."""
    known = {**model.Parameters.tunable(), **RANGES}
    return {
        name: known[name].holding(getattr(model.resolved_, name))
        for name in size.tuned
        if name in known and name in model.Parameters.model_fields
    }


def _tune(
    size: Size, task: Task, model: AnyEstimator, ranges: dict[str, Range], folder: Path,
    deadline: Deadline, trials: int, seed: int,
) -> Tuned:  # fmt: skip
    defaults: Settings = {name: getattr(model.resolved_, name) for name in ranges}
    epochs = getattr(model.resolved_, "epochs", None)
    rung = Rung(1, max(1, math.ceil(TRIAL * epochs)) if epochs else 1)
    subject = {
        "space": f"settings of {size.method}", "size": size.label, "task": task.config(),
        "data": task.data.content_hash,  # type: ignore[attr-defined]
        "tuned": {name: str(how) for name, how in ranges.items()},
    }  # fmt: skip
    evaluate = MethodTrial(task, size.method, size.settings)
    tried: list[Trial] = []
    why = ""
    with TrialStore(folder / "search", subject, resume=True) as store:
        known = 0
        while len(tried) < trials:
            if deadline.passed() and tried:
                why = "the time was over"
                break
            settings = defaults if not tried else _proposed(ranges, tried, trials, seed, known)
            key = SettingsText.text(settings)
            if any(trial.canonical == key for trial in tried):
                known += 1
                if known < _KNOWN:
                    continue
                why = "there are no other settings"
                break
            known, trial = 0, store.find(key, seed, rung)
            if trial is None:
                limit = deadline.left() / (trials - len(tried)) if deadline.limited else None
                found, error = guarded(
                    evaluate, settings, seed=seed, epochs=rung.epochs, dim=1, seconds=limit
                )
                if stopped():
                    raise Interrupted.now("repeat the command: it goes on from here")
                trial = _as_trial(settings, key, seed, rung, found, error, bool(tried))
                store.append(trial)
            tried.append(trial)
    sound = [trial for trial in tried if trial.error is None]
    best = settings_of(max(sound, key=lambda trial: trial.valid)) if sound else {}
    return Tuned(
        {name: value for name, value in best.items() if value != defaults[name]},
        len(tried),
        sum(trial.flops for trial in tried),
        sum(trial.cpu_seconds for trial in tried),
        why if sound else "no trial could be trained",
    )


def _proposed(
    ranges: dict[str, Range], tried: list[Trial], trials: int, seed: int, known: int
) -> Settings:
    worst = min((trial.valid for trial in tried if trial.error is None), default=0.0)
    told = [(settings_of(trial), trial.valid if trial.error is None else worst) for trial in tried]
    startup = min(max(trials // 3, 4), 10)
    return propose(ranges, told, 1, seed=seed, drawn=known, startup=startup)[0]


def _as_trial(
    settings: Settings, key: str, seed: int, rung: Rung, found: Any, error: str | None,
    later: bool,
) -> Trial:  # fmt: skip
    assert isinstance(found, TrialResult)
    return Trial(
        key, key, seed, rung.epochs, rung.dim, found.valid_mrr, found.seconds, found.parameters,
        found.epochs, "search", "sampler" if later else "default", None, 0.0, error,
        flops=found.flops, cpu_seconds=found.cpu_seconds,
    )  # fmt: skip
