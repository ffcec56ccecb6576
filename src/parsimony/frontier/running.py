"""Run one size of a family: open the data, take a part of the labels, tune, learn, measure, count.

A folder holds ``run/`` (the run folder of the method, with its checkpoints while it learns),
``search/trials.jsonl`` (of a tuning) and, once it is done, ``row.json`` and ``values.npy``. A
finished row is read, not run again; what a kill left is gone on with.
"""

from __future__ import annotations

import io
import json
import math
import shutil
import time
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from parsimony.base import Estimator, Task
from parsimony.base import Tuned as Range
from parsimony.decoding import checked, read_json
from parsimony.decoding.strict_json import json_text
from parsimony.errors import CorruptRun, EmptySplit, ParsimonyError
from parsimony.frontier.cost import bits, counted_flops, graph_bits, numbers
from parsimony.frontier.families import RANGES, Family, Size
from parsimony.frontier.labels import labels_of, learned_part
from parsimony.frontier.measure import measured, metric_of, valid_value
from parsimony.frontier.row import Row, Subject, Tuned
from parsimony.methods import resolve
from parsimony.pipeline import keep
from parsimony.problems import open_task
from parsimony.run.atomic import write_atomic
from parsimony.run.deadline import Deadline
from parsimony.run.folder import RunFolder
from parsimony.search.measuring import guarded
from parsimony.search.method_trial import MethodTrial, SettingsText, settings_of
from parsimony.search.settings import Rung
from parsimony.search.tpe import Settings, propose
from parsimony.search.trial import Trial, TrialResult
from parsimony.search.trials import TrialStore
from parsimony.stopping import Interrupted, stopped

__all__ = ["METRICS", "run_size", "tune_size"]

AnyEstimator = Estimator[Any, Any]

ROW, VALUES, RUN = "row.json", "values.npy", "run"
#: of the epochs of a training, what a trial of tuning gets
TRIAL = 1 / 3
#: proposals in a row that are known already, after which a small space is exhausted
_KNOWN = 20
#: what is known as the metric where the data could not be opened
METRICS = {"link": "mrr", "ddi": "macro_f1", "molecules": "roc_auc", "coldstart": "ndcg@5"}


def run_size(
    family: Family, size: Size, subject: Subject, *, share: float, seed: int, folder: Path,
    seconds: float | None, tuned: Tuned,
) -> Row:  # fmt: skip
    """Learn at a size with a seed from a share of the labels, measure on test, count the cost.

    Parameters
    ----------
    family, size, subject
        Who runs, and on what.
    share, seed
        Of the training labels, and of the method and the draw of the labels.
    folder
        Where everything is written; empty, or what an earlier call left.
    seconds
        Wall time of the whole call.
    tuned
        Settings that a tuning found, and what it cost.

    Returns
    -------
    Row
        An error is a row that failed; a training that its time ended is "out of time".

    Raises
    ------
    KeyboardInterrupt, Interrupted
        The user stopped it; the same call goes on.
    """
    kept = folder / ROW
    if kept.is_file():
        how: dict[str, Any] = {"error": CorruptRun, "remedy": "remove it"}
        return checked(Row, read_json(kept, **how), str(kept), **how)
    begin = time.perf_counter()
    row = Row(
        family.name, family.side, size.label, size.method, {**size.settings, **tuned.settings},
        seed, share, METRICS.get(subject.kind, "score"), trials=tuned.trials,
    )  # fmt: skip
    try:
        deadline = Deadline(seconds, began=begin)
        found, values = _run(row, subject, folder, deadline, tuned)
    except (KeyboardInterrupt, Interrupted):
        raise
    except Exception as error:  # one run that fails does not end a frontier
        return replace(row, status="failed", why=_words(error), seconds=_since(begin))
    found = replace(found, seconds=_since(begin))
    if values is not None:
        stream = io.BytesIO()
        np.save(stream, values.astype(np.float32))
        write_atomic(folder / VALUES, stream.getvalue())
    if found.status == "done":
        write_atomic(kept, json_text(asdict(found), indent=1) + "\n")
        shutil.rmtree(folder / RUN / "checkpoints", ignore_errors=True)
    return found


def tune_size(
    family: Family, size: Size, subject: Subject, *, share: float, seed: int, folder: Path,
    seconds: float | None, trials: int,
) -> Tuned:  # fmt: skip
    """Choose settings of a size on validation, by trials that get a third of the epochs.

    The defaults are the first trial, the others come from the sampler of ``parsimony tune``.

    Parameters
    ----------
    trials
        How many; 0: nothing is tuned.

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
        whole = _opened(subject)
        learned = learned_part(whole, size.method, share, seed, thinned=subject.thinned)
        model = _estimator(size.method, size.settings, seed)
        model.prepare(learned)
        ranges = _ranges(size, model)
        if not ranges or trials < 1:
            return Tuned(why="there is nothing to tune" if trials else "")
        return _tune(size, learned, model, ranges, folder, Deadline(seconds, began=begin), trials,
                     seed)  # fmt: skip
    except (KeyboardInterrupt, Interrupted):
        raise
    except Exception as error:
        return Tuned(why=_words(error))


# ---- running ---------------------------------------------------------------------------------


@lru_cache(maxsize=2)
def _task(data: str, kind: str, options: str, mirror: str | None,
          columns: tuple[str, str, str] | None, seed: int) -> Task:  # fmt: skip
    """Of this process: opened once for all runs."""
    task = open_task(kind, data, json.loads(options), mirror=mirror, columns=columns, seed=seed)
    return task.unregistered()


def _opened(subject: Subject) -> Task:
    return _task(
        subject.data, subject.kind, json_text(subject.options), subject.mirror, subject.columns,
        subject.seed,
    )  # fmt: skip


def _estimator(method: str, settings: dict[str, Any], seed: int) -> AnyEstimator:
    cls = resolve(method)
    own = {"seed": seed} if "seed" in cls.Parameters.model_fields else {}
    return cls(**{**own, **settings})


def _run(
    row: Row, subject: Subject, folder: Path, deadline: Deadline, tuned: Tuned
) -> tuple[Row, Any]:
    whole = _opened(subject)
    learned = learned_part(whole, row.method, row.labels_share, row.seed, thinned=subject.thinned)
    estimator = _estimator(row.method, row.settings, row.seed)
    config = estimator.prepare(learned)
    with RunFolder.create(folder / RUN, config, resume=True) as run:
        limit = deadline if deadline.limited else None
        estimator.fit(learned, run=run, time_budget=limit)
        cost = estimator.cost_.as_dict()
        if stopped():
            raise Interrupted.now("repeat the command: it goes on from here")
        keep(estimator, run)
    thinned = subject.thinned and row.labels_share < 1
    found = measured(estimator, whole, thinned=thinned)
    all_numbers, without = numbers(estimator)
    int8, float16 = bits(estimator)
    flops = counted_flops(estimator, cost["flops"])
    cut = estimator.ended_ == "time budget"
    notes = [*getattr(estimator, "notes_", ()), *estimator.training_notes_, *found.notes]
    if getattr(estimator.resolved_, "encoder", "random") != "random":
        notes.append("training the encoder, without labels, is in the cost of the run that made it")
    return replace(
        row,
        metric=metric_of(whole),
        labels=labels_of(whole, row.labels_share, thinned=subject.thinned),
        parameters=all_numbers,
        parameters_without_tables=without,
        flops=None if flops is None else flops + tuned.flops,
        processor_seconds=cost["cpu_seconds"] + tuned.processor_seconds,
        bits_int8=int8,
        bits_float16=float16,
        graph_bits=graph_bits(estimator, learned if thinned else whole),
        error_loss=found.loss,
        value=found.value,
        value_valid=valid_value(estimator, whole, thinned=thinned),
        values=None if found.values is None else VALUES,
        strata=found.strata,
        status="out of time" if cut else "done",
        why="the time ended the training" if cut else "",
        notes=notes,
    ), found.values


def _words(error: Exception) -> str:
    """What an error says."""
    if isinstance(error, EmptySplit | ParsimonyError):
        return f"{error.message}; {error.remedy}" if error.remedy else error.message
    return f"{type(error).__name__}: {error}"


def _since(begin: float) -> float:
    return time.perf_counter() - begin


# ---- tuning ----------------------------------------------------------------------------------


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
