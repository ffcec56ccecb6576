"""Run one size of a family: take a part of the labels, learn, measure, count.

A folder holds ``run/`` (the run folder of the method, with its checkpoints while it learns),
``search/trials.jsonl`` (of a tuning) and, once it is done, ``row.json`` and ``values.npy``. A
finished row is read, not run again; what a kill left is gone on with.
"""

from __future__ import annotations

import io
import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from parsimony.decoding import checked, read_json
from parsimony.decoding.strict_json import json_text
from parsimony.errors import CorruptRun
from parsimony.frontier.cost import bits, counted_flops, graph_bits, numbers
from parsimony.frontier.families import Family, Size
from parsimony.frontier.labels import labels_of, learned_part
from parsimony.frontier.measure import measured, metric_of, valid_value
from parsimony.frontier.opening import estimator_of, opened, words_of
from parsimony.frontier.row import Row, Subject, Tuned
from parsimony.pipeline import as_begun, keep
from parsimony.run.atomic import write_atomic
from parsimony.run.deadline import Deadline
from parsimony.run.folder import RunFolder
from parsimony.stopping import Interrupted, stopped

__all__ = ["METRICS", "run_size"]

ROW, VALUES, RUN = "row.json", "values.npy", "run"
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
        return replace(row, status="failed", why=words_of(error), seconds=_since(begin))
    found = replace(found, seconds=_since(begin))
    if values is not None:
        stream = io.BytesIO()
        np.save(stream, values.astype(np.float32))
        write_atomic(folder / VALUES, stream.getvalue())
    if found.status == "done":
        write_atomic(kept, json_text(asdict(found), indent=1) + "\n")
        shutil.rmtree(folder / RUN / "checkpoints", ignore_errors=True)
    return found


def _run(
    row: Row, subject: Subject, folder: Path, deadline: Deadline, tuned: Tuned
) -> tuple[Row, Any]:
    whole = opened(subject)
    learned = learned_part(whole, row.method, row.labels_share, row.seed, thinned=subject.thinned)
    begun = as_begun(folder / RUN, row.method)  # such as threads, on a machine with fewer cores
    estimator = estimator_of(row.method, begun | row.settings, row.seed)
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


def _since(begin: float) -> float:
    return time.perf_counter() - begin
