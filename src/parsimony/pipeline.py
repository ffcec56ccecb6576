"""From a dataset's name to a finished run folder: what ``parsimony fit`` does."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from parsimony.base import Data, Estimator
from parsimony.errors import EmptySplit, MissingRun, ParsimonyError, TrainingDiverged
from parsimony.knowledge.rules import Rule, format_rules
from parsimony.methods import load_run, resolve
from parsimony.problems import method_for, open_task, problem
from parsimony.run.cost import Cost
from parsimony.run.deadline import Deadline
from parsimony.run.folder import RunFolder
from parsimony.stopping import Interrupted

AnyEstimator = Estimator[Any, Any]
KNOWN_RULES = 200  # maximum number of rules in knowledge.toml
#: left out of metrics.json, so that equal runs give equal files
_TIMES = ("seconds", "queries_per_second", "seconds_per_task")


def fit(
    data: str | Data,
    method: str | None = None,
    *,
    out: Path | str | None = None,
    parameters: dict[str, Any] | None = None,
    epochs: int | None = None,
    time_budget: float | None = None,
    device: str = "cpu",
    resume: bool = False,
    mirror: str | None = None,
    columns: tuple[str, str, str] | None = None,
    knowledge: Iterable[Rule] | None = None,
    seed: int | None = None,
    quiet: bool = True,
) -> tuple[AnyEstimator, dict[str, Any]]:
    """Train a method on a dataset and write the run folder.

    Parameters
    ----------
    data
        A registered name, a dataset folder, a file, or loaded data.
    method
        A registered method; by default that of the problem which the data are of.
    out
        Run folder; if omitted, nothing is written.
    parameters
        Parameters of the method, and options of the task (``--set``).
    epochs, time_budget
        Limits; the budget is in wall seconds, over all resumptions.
    resume
        Continue from the folder's last checkpoint. A finished run is returned unchanged, unless it
        was ended by its limits and these allow more.
    knowledge
        Initial rules, for methods that accept them.
    seed
        Seed of the method, and of the split of a single file.

    Returns
    -------
    estimator, summary
        The fitted estimator and ``run, method, parameters, epochs, best_epoch, ended, valid,
        seconds, notes``; with a run folder also ``time_budget``.
    """
    begin = time.perf_counter()
    method = method or method_for(data, columns=columns)
    values, cls = dict(parameters or {}), resolve(method)
    options = problem(cls.kind).part("task").Options
    if seed is not None and "seed" in cls.Parameters.model_fields:
        values.setdefault("seed", seed)
    estimator = cls(**{name: v for name, v in values.items() if not options.has(name)})
    rules = None if knowledge is None else list(knowledge)
    cls.check_call(device=device, knowledge=rules)
    limits: dict[str, Any] = {
        "epochs": epochs, "time_budget": time_budget, "device": device, "knowledge": rules,
        "quiet": quiet,
    }  # fmt: skip
    notes = []
    if epochs is not None and "epochs" not in cls.Parameters.model_fields:
        notes = [f"warning: method {method!r} has no epochs: the limit of {epochs} is not used"]
    first = int(values.get("seed", seed or 0))
    task = open_task(cls.kind, data, values, mirror=mirror, columns=columns, seed=first)
    config = estimator.prepare(task, epochs=epochs)
    if rules is not None:
        config["knowledge"] = hashlib.sha256(format_rules(rules).encode()).hexdigest()
    if out is None:
        estimator.fit(task, **limits)
        seconds = time.perf_counter() - begin
        found, failed = _measured(estimator, "valid")
        valid = found.get("metrics", {})
        return estimator, _summary(estimator, None, valid, seconds, [*notes, *failed])
    if resume and (Path(out) / "checksums.json").exists():
        run = RunFolder.open(out)
        summary = run.read_json("summary.json")
        if summary is None:
            raise MissingRun(
                "this run was written by save(), so that there is nothing to resume",
                remedy="read it with parsimony.load_run, or choose another --out",
                where=str(out),
            )
        run.require_same(config)
        if not _goes_on(run, config, summary, time_budget):
            # Where the run is now: it may have been moved or copied.
            return load_run(out), summary | {"run": str(run.path)}
    with RunFolder.create(out, config, resume=resume) as run:
        estimator.fit(task, run=run, **limits)
        summary = _finish(estimator, run, time_budget, quiet, notes)
    return estimator, summary


def write_run(estimator: AnyEstimator, out: Path | str, *, quiet: bool = True) -> dict[str, Any]:
    """Write the run folder of a fitted estimator and return its summary.

    Raises
    ------
    RunExists
        The folder is not empty.
    """
    with RunFolder.create(out, estimator.config()) as run:
        return _finish(estimator, run, None, quiet, ())


def _finish(
    estimator: AnyEstimator, run: RunFolder, time_budget: float | None, quiet: bool,
    notes: Iterable[str],
) -> dict[str, Any]:  # fmt: skip
    """Write model, knowledge, metrics, cost and summary of a fitted estimator."""
    metrics, notes = {}, [*notes]
    for split in ("valid", "test"):
        found, failed = _measured(estimator, split, quiet)
        if found:
            metrics[split] = {k: v for k, v in found.items() if k not in _TIMES}
        notes += failed
    estimator.write(run)
    run.write_toml("knowledge.toml", estimator.knowledge_table(KNOWN_RULES, quiet=quiet))
    run.write_json("metrics.json", metrics)
    run.write_json("ledger.json", estimator.cost_.as_dict())
    valid = metrics.get("valid", {}).get("metrics", {})
    summary = _summary(estimator, str(run.path), valid, estimator.seconds_, notes)
    summary["time_budget"] = time_budget
    run.write_json("summary.json", summary)
    return summary


def keep(estimator: AnyEstimator, run: RunFolder) -> None:
    """Write a fitted estimator into an open run folder, without measuring it."""
    estimator.write(run)
    run.write_json("ledger.json", estimator.cost_.as_dict())
    run.write_json("summary.json", _summary(estimator, str(run.path), {}, estimator.seconds_, ()))


def complete(
    folder: Path | str, *, deadline: Deadline, quiet: bool = True
) -> tuple[AnyEstimator, dict[str, Any]]:
    """Measure a run that :func:`keep` wrote, and write what :func:`fit` would have written.

    Returns
    -------
    estimator, summary
        As of :func:`fit`.
    """
    estimator, found = load_run(folder), RunFolder.open(folder)
    told = found.read_json("summary.json")
    estimator.history_ = list(found.history())
    estimator.best_epoch_, estimator.ended_ = told["best_epoch"], told["ended"]
    estimator.seconds_ = float(told["seconds"])
    ledger = found.read_json("ledger.json")
    estimator.cost_ = Cost(ledger["parameters"], ledger["labels"], ledger)
    with RunFolder.create(folder, estimator.config(), resume=True) as run:
        summary = _finish(estimator, run, deadline.left(), quiet, ())
    return estimator, summary


def _goes_on(
    run: RunFolder, config: dict[str, Any], summary: dict[str, Any], time_budget: float | None
) -> bool:
    """Return whether larger limits allow a finished run to continue."""
    if summary.get("ended") == "time budget":
        return time_budget is None or time_budget > (summary.get("time_budget") or 0.0)
    epochs = config["parameters"].get("epochs", 0)
    return summary.get("ended") == "epochs" and bool(
        epochs > run.config["parameters"].get("epochs", 0)
    )


def _measured(
    estimator: AnyEstimator, split: str, quiet: bool = True
) -> tuple[dict[str, Any], list[str]]:
    """Measure a split; what was learned is not lost where that fails, and a note says why.

    Raises
    ------
    TrainingDiverged
        Its scores are not finite: nothing was learned.
    """
    try:
        return estimator.evaluate(split, quiet=quiet), []
    except EmptySplit:
        return {}, []
    except (TrainingDiverged, Interrupted):
        raise
    except Exception as error:
        reason = str(error) if isinstance(error, ParsimonyError) else repr(error)
        return {}, [f"warning: the {split} split could not be measured: {reason}"]


def _summary(
    estimator: AnyEstimator, run: str | None, valid: dict[str, float], seconds: float,
    notes: Iterable[str],
) -> dict[str, Any]:  # fmt: skip
    return {
        "run": run,
        "method": estimator.method,
        "parameters": estimator.parameters_count_,
        "epochs": len(estimator.history_),
        "best_epoch": estimator.best_epoch_,
        "ended": estimator.ended_,
        "valid": valid,
        "seconds": seconds,
        "notes": [*estimator.task_.notes, *getattr(estimator, "notes_", ()), *notes],
    }
