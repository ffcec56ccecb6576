"""From a dataset's name to a finished run folder: what ``parsimony fit`` does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from parsimony.base import Data, Estimator
from parsimony.base.estimate import Estimate
from parsimony.base.finishing import writing_seconds
from parsimony.base.memory import fit_into
from parsimony.errors import EmptySplit, MissingRun, ParsimonyError, TrainingDiverged
from parsimony.knowledge.book import SCHEMA, KnowledgeBook
from parsimony.knowledge.rules import Rule, format_rules
from parsimony.methods import load_run, resolve
from parsimony.problems import method_for, open_task, problem
from parsimony.run.cost import Cost
from parsimony.run.deadline import Deadline
from parsimony.run.engine import Engine
from parsimony.run.folder import CONFIG, RunFolder, read_config
from parsimony.run.renamed import of_run
from parsimony.run.seeds import seed_of
from parsimony.stopping import Interrupted, ending, stopped
from parsimony.training.launcher import even_threads

AnyEstimator = Estimator[Any, Any]
KNOWN_RULES = 200  # maximum number of rules in knowledge.toml
AFTER_A_STOP = 15.0  # seconds for measuring and writing once it was interrupted
#: left out of metrics.json, so that equal runs give equal files
_TIMES = ("seconds", "queries_per_second", "seconds_per_task")


def fit(
    data: str | Data,
    method: str | None = None,
    *,
    out: Path | str | None = None,
    parameters: dict[str, Any] | None = None,
    epochs: int | None = None,
    time_budget: float | Deadline | None = None,
    memory: int | None = None,
    device: str = "cpu",
    resume: bool = False,
    mirror: str | None = None,
    columns: tuple[str, str, str] | None = None,
    knowledge: KnowledgeBook | Iterable[Rule] | None = None,
    workers: int = 1,
    engine: Engine | None = None,
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
        Limits. The budget is in wall seconds, over all resumptions, for everything: reading,
        compiling, learning, measuring, writing. Where measuring does not fit, a random sample is
        measured, and a note says so. A :class:`parsimony.run.deadline.Deadline` may have begun
        earlier.
    memory
        Bytes that the process may take: batches are made smaller where a method's formula says that
        they would take more.
    resume
        Continue from the folder's last checkpoint. A finished run is returned unchanged, unless it
        was ended by its limits and these allow more.
    knowledge
        A book, or rules alone: to start from (method rules), or around any other method of link
        prediction, as ``knowledge_as`` says (:mod:`parsimony.link.guidance.guided`).
    workers
        Processes that share every batch, of methods that can
        (:mod:`parsimony.training.workers`), or that count, of method rules.
    engine
        Where method rules counts, in place of ``workers`` (:mod:`parsimony.run.engine`).
    seed
        Seed of the method, and of the split of a single file.

    Returns
    -------
    estimator, summary
        The fitted estimator and ``run, method, parameters, epochs, best_epoch, ended, valid,
        seconds, notes``; with a run folder also ``time_budget`` and ``total_seconds``, those of the
        whole over all resumptions.
    """
    deadline = time_budget if isinstance(time_budget, Deadline) else Deadline(time_budget)
    book = knowledge if knowledge is None or isinstance(knowledge, KnowledgeBook) else None
    if knowledge is not None and not isinstance(knowledge, KnowledgeBook):
        book = KnowledgeBook.of_rules(knowledge)
    if book is not None:
        method = method or method_for(data, columns=columns)
        method, parameters, epochs = _around(method, parameters or {}, epochs)
    if resume and out is not None:
        parameters = as_begun(Path(out), method) | dict(parameters or {})
    estimator, task = _opened(
        data, method, parameters, seed=seed, mirror=mirror, columns=columns, device=device,
        knowledge=book, workers=workers, engine=engine,
    )  # fmt: skip
    limits: dict[str, Any] = {
        "epochs": epochs, "device": device, "knowledge": book, "quiet": quiet,
    }  # fmt: skip
    if workers != 1:  # methods of other packages need not know of it
        limits["workers"] = workers
    if engine is not None:
        limits["engine"] = engine
    notes = []
    if epochs is not None and "epochs" not in estimator.Parameters.model_fields:
        what = f"method {estimator.method!r} has no epochs"
        notes = [f"warning: {what}: the limit of {epochs} is not used"]
    config = estimator.prepare(task, epochs=epochs)
    if memory is not None:
        notes += fit_into(estimator, task, memory, epochs=epochs)
        config = estimator.config()
    if book is not None:
        config["knowledge"] = _hash(book)
    if out is None:
        estimator.fit(task, time_budget=deadline, **limits)
        seconds = deadline.spent()
        found, failed = _measured(estimator, "valid", deadline.part(1.0))
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
        if not _goes_on(run, config, summary, deadline.seconds):
            # Where the run is now: it may have been moved or copied.
            return load_run(out), summary | {"run": str(run.path)}
    with RunFolder.create(out, config, resume=resume) as run:
        before = _spent_before(run)
        estimator.fit(task, run=run, time_budget=deadline.after(before), **limits)
        with ending():
            summary = _finish(estimator, run, deadline, before, quiet, notes)
    return estimator, summary


def estimate(
    data: str | Data,
    method: str | None = None,
    *,
    parameters: dict[str, Any] | None = None,
    epochs: int | None = None,
    memory: int | None = None,
    device: str = "cpu",
    mirror: str | None = None,
    columns: tuple[str, str, str] | None = None,
    seed: int | None = None,
) -> Estimate:
    """Say what :func:`fit` with the same arguments will take: time, memory, size, reach.

    A few steps are taken that teach nothing; nothing is written.
    """
    estimator, task = _opened(
        data, method, parameters, seed=seed, mirror=mirror, columns=columns, device=device
    )
    notes: list[str] = []
    if memory is not None:
        estimator.prepare(task, epochs=epochs)
        notes = fit_into(estimator, task, memory, epochs=epochs)
    found = estimator.estimate(task, epochs=epochs, device=device)
    return replace(found, notes=(*found.notes, *notes))


def _opened(
    data: str | Data,
    method: str | None,
    parameters: dict[str, Any] | None,
    *,
    seed: int | None,
    mirror: str | None,
    columns: tuple[str, str, str] | None,
    device: str,
    knowledge: KnowledgeBook | None = None,
    workers: int = 1,
    engine: Engine | None = None,
) -> tuple[AnyEstimator, Any]:
    """Make the estimator and its task."""
    method = method or method_for(data, columns=columns)
    values, cls = dict(parameters or {}), resolve(method)
    options = problem(cls.kind).part("task").Options
    if seed is not None and "seed" in cls.Parameters.model_fields:
        values.setdefault("seed", seed)
    if workers != 1 and "threads" in cls.Parameters.model_fields:
        values.setdefault("threads", even_threads(workers))
    more = {} if engine is None else {"engine": engine}
    cls.check_call(device=device, knowledge=knowledge, workers=workers, **more)
    estimator = cls(**{name: v for name, v in values.items() if not options.has(name)})
    first = seed_of(values, seed or 0)
    return estimator, open_task(cls.kind, data, values, mirror=mirror, columns=columns, seed=first)


def _around(
    method: str, parameters: dict[str, Any], epochs: int | None
) -> tuple[str, dict[str, Any], int | None]:
    """The method that puts a book around another which takes none itself, and its parameters."""
    cls = resolve(method)
    wrapper = problem(cls.kind).guided
    if cls.takes_knowledge or not wrapper:
        return method, parameters, epochs
    options = problem(cls.kind).part("task").Options
    of_book = {*resolve(wrapper).Parameters.model_fields} | {
        name for name in parameters if options.has(name)
    }
    member = {name: value for name, value in parameters.items() if name not in of_book}
    if epochs is not None and "epochs" in cls.Parameters.model_fields:
        member["epochs"], epochs = epochs, None
    given = {name: value for name, value in parameters.items() if name in of_book}
    return wrapper, {"member": {"method": method, **member}, **given}, epochs


def _hash(book: KnowledgeBook) -> str:
    text = format_rules(book.rules)
    if book.axioms or book.types:
        text += "\n".join([*map(str, book.axioms), *map(repr, sorted(book.types.items()))])
    return hashlib.sha256(text.encode()).hexdigest()


def as_begun(out: Path, method: str | None) -> dict[str, Any]:
    """The parameters that an unfinished run was begun with, as its version resolved them.

    A default that has changed since then does not change the run.
    """
    if method is None or not (out / CONFIG).is_file():
        return {}
    config, fields = read_config(out), resolve(method).Parameters.model_fields
    if config.get("method") != method:
        return {}
    begun = of_run(config.get("parameters", {}), fields)
    return {name: value for name, value in begun.items() if name in fields and name != "seed"}


def write_run(estimator: AnyEstimator, out: Path | str, *, quiet: bool = True) -> dict[str, Any]:
    """Write the run folder of a fitted estimator and return its summary.

    Raises
    ------
    RunExists
        The folder is not empty.
    """
    with RunFolder.create(out, estimator.config()) as run:
        return _finish(estimator, run, Deadline(), 0.0, quiet, ())


def _finish(
    estimator: AnyEstimator, run: RunFolder, deadline: Deadline, before: float, quiet: bool,
    notes: Iterable[str],
) -> dict[str, Any]:  # fmt: skip
    """Write model, knowledge, metrics, cost and summary of a fitted estimator.

    Parameters
    ----------
    before
        Seconds of earlier parts of the run.
    """
    metrics, notes, end = {}, [*notes], deadline.after(before)
    if stopped():
        end = Deadline(min(end.left(), AFTER_A_STOP))
    writing = writing_seconds(end.left())
    for split, share in (("valid", 0.4), ("test", 1.0)):
        found, failed = _measured(estimator, split, end.part(share, keep=writing), quiet)
        if found:
            metrics[split] = {k: v for k, v in found.items() if k not in _TIMES}
            if "sampled" in found:
                notes.append(found["notes"][-1])
        notes += failed
    estimator.write(run)
    until = {"deadline": end.part(0.7)} if end.limited and estimator.samples else {}
    table = estimator.knowledge_table(KNOWN_RULES, quiet=quiet, **until)
    run.write_toml("knowledge.toml", _as_book(table, estimator))
    run.write_json("metrics.json", metrics)
    run.write_json("ledger.json", estimator.cost_.as_dict())
    valid = metrics.get("valid", {}).get("metrics", {})
    summary = _summary(estimator, str(run.path), valid, estimator.seconds_, notes)
    summary["time_budget"] = deadline.seconds if deadline.limited else None
    summary["total_seconds"] = before + deadline.spent()
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
    with RunFolder.create(folder, found.config, resume=True) as run:
        summary = _finish(estimator, run, deadline, 0.0, quiet, ())
    return estimator, summary


def _spent_before(run: RunFolder) -> float:
    """Seconds that earlier parts of a run have taken, as far as they are known."""
    summary, kept = run.read_json("summary.json") or {}, run.load_checkpoint()
    learned = 0.0 if kept is None else float(kept[0].get("cost", {}).get("wall_seconds", 0.0))
    return max(float(summary.get("total_seconds", summary.get("seconds", 0.0))), learned)


def _goes_on(
    run: RunFolder, config: dict[str, Any], summary: dict[str, Any], seconds: float
) -> bool:
    """Return whether larger limits, or the end of an interruption, let a run continue."""
    if summary.get("ended") == "interrupted":
        return True
    if summary.get("ended") == "time budget":
        return seconds > (summary.get("time_budget") or 0.0)
    epochs = config["parameters"].get("epochs", 0)
    return summary.get("ended") == "epochs" and bool(
        epochs > run.config["parameters"].get("epochs", 0)
    )


def _measured(
    estimator: AnyEstimator, split: str, deadline: Deadline, quiet: bool = True
) -> tuple[dict[str, Any], list[str]]:
    """Measure a split; what was learned is not lost where that fails, and a note says why.

    A method that can measures a sample where the whole would outlast the deadline.

    Raises
    ------
    TrainingDiverged
        Its scores are not finite: nothing was learned.
    """
    try:
        until: Any = {"deadline": deadline} if deadline.limited and estimator.samples else {}
        return estimator.evaluate(split, quiet=quiet, **until), []
    except EmptySplit:
        return {}, []
    except (TrainingDiverged, Interrupted):
        raise
    except Exception as error:
        reason = str(error) if isinstance(error, ParsimonyError) else repr(error)
        return {}, [f"warning: the {split} split could not be measured: {reason}"]


def _as_book(table: dict[str, Any], estimator: AnyEstimator) -> dict[str, Any]:
    """The table of a knowledge book: what was learned, from which data and by which method."""
    data = estimator.task_.data
    origin = {"origin": "mined", "data": data.content_hash, "by": estimator.method}
    return {"schema": SCHEMA, "provenance": origin} | table


def _summary(
    estimator: AnyEstimator, run: str | None, valid: dict[str, float], seconds: float,
    notes: Iterable[str],
) -> dict[str, Any]:  # fmt: skip
    own = [n for name in ("notes_", "training_notes_") for n in getattr(estimator, name, ())]
    return {
        "run": run,
        "method": estimator.method,
        "parameters": estimator.parameters_count_,
        "description_bytes": estimator.description_bytes(),
        "epochs": len(estimator.history_),
        "best_epoch": estimator.best_epoch_,
        "ended": estimator.ended_,
        "valid": valid,
        "seconds": seconds,
        "notes": [*estimator.task_.notes, *own, *notes],
    }
