"""What the report of a run of drug pairs tells, gathered from the run folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from parsimony.explain.explanation import Explanation
from parsimony.report.run_info import RunInfo, info_of_folder
from parsimony.run.folder import RunFolder
from parsimony.run.seeds import rng

__all__ = ["pairs_info"]


def pairs_info(
    run: RunFolder, estimator: Any, *, n_explanations: int = 3, seed: int = 0, quiet: bool = True
) -> RunInfo:
    """Gather what :func:`parsimony.report.run_report` draws of a run of drug pairs.

    A run that was written without confidence is measured anew.
    """
    task, data = estimator.task_, estimator.task_.data
    splits = [split for split in ("valid", "test") if task.has(split)]
    counts = {split: len(task.asked(split)) for split in splits}
    info = info_of_folder(run, estimator, {
        "n_drugs": data.n_drugs,
        "n_types": data.n_types,
        "train": len(task.labelling.pair_rows(data.pairs["train"])[0]),
        "valid": counts.get("valid", 0),
        "test": counts.get("test", 0),
    })  # fmt: skip
    single = not task.labelling.multi
    if (
        single
        and task.has("valid")
        and any("calibration" not in info["metrics"].get(s, {}) for s in splits)
    ):
        info["metrics"] = {
            split: estimator.evaluate(split, seed=seed, quiet=quiet) for split in splits
        }
    info["explanations"] = list(explain_correct_pairs(estimator, n_explanations, seed))
    return info


def explain_correct_pairs(
    estimator: Any, most: int = 3, seed: int = 0, *, tries: int = 40
) -> Iterator[Explanation]:
    """Explain test pairs that the model answers right, each of another type.

    Parameters
    ----------
    estimator
        Fitted; one that gives no reasons explains nothing.
    most
        How many.
    seed
        Of the order in which test pairs are tried.
    tries
        Test pairs looked at.

    Of pairs with several labels, those are right that score above their corruption by most.
    """
    task = estimator.task_
    if not hasattr(estimator, "explain") or not task.has("test"):
        return
    if task.labelling.multi:
        yield from _explain_labels(estimator, most, seed, tries)
        return
    rows = task.pairs("test")
    rows = rows[rng(seed, "examples").permutation(len(rows))[:tries]]
    guess = estimator.score(rows[:, [0, 2]], "test").argmax(1)
    drugs, types = task.data.drugs, task.data.types
    done: set[int] = set()
    for (a, kind, b), found in zip(rows.tolist(), guess.tolist(), strict=True):
        if len(done) == most:
            return
        if found == kind and kind not in done:
            done.add(kind)
            yield estimator.explain(drugs.name(a), drugs.name(b), types.name(kind), seed=seed)


def _explain_labels(estimator: Any, most: int, seed: int, tries: int) -> Iterator[Explanation]:
    """Explain the labels that score above the corruption of their pair by most."""
    task = estimator.task_
    asked, data = task.asked("test"), task.data
    rows = rng(seed, "examples").permutation(len(asked))[:tries]
    table = estimator.score(asked.questions[asked.places(rows)], "test")
    above = np.where(asked.labels[rows], table[: len(rows)] - table[len(rows) :], 0)
    done: set[int] = set()
    for i in np.argsort(-above.max(1), kind="stable").tolist():
        kind = int(above[i].argmax())
        if len(done) == most or above[i, kind] <= 0:
            return
        if kind not in done:
            done.add(kind)
            a, b = (data.drugs.name(drug) for drug in asked.pairs[rows[i]].tolist())
            yield estimator.explain(a, b, data.types.name(kind), seed=seed)
