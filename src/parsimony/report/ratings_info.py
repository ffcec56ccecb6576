"""What the report of a cold-start run tells, gathered from the run folder."""

from __future__ import annotations

from typing import Any

from parsimony.base import resolve
from parsimony.report.run_info import RunInfo, info_of_folder
from parsimony.run.folder import RunFolder

__all__ = ["closed_forms", "ratings_info"]

#: What needs no network, and is made in seconds.
_CLOSED_FORMS = ("evidence", "ridge-head", "means", "popularity")


def ratings_info(run: RunFolder, estimator: Any) -> RunInfo:
    """Gather what :func:`parsimony.report.run_report` draws of a cold-start run."""
    task = estimator.task_
    info = info_of_folder(run, estimator, {
        "n_items": len(task.data.items),
        "train": len(task.people("train")),
        "valid": len(task.people("valid")),
        "test": len(task.people("test")),
    })  # fmt: skip
    info["baselines"] = closed_forms(estimator)
    if hasattr(estimator, "formula"):
        info["formula"] = str(estimator.formula)
    found = run.read_json("search.json")
    if found is not None:
        from parsimony.search.trials import read_trials

        info["search"], info["trials"] = found, read_trials(run.path / "search")
    return info


def closed_forms(estimator: Any) -> list[dict[str, Any]]:
    """Measure the closed forms on a run's task, in pairs with the run itself.

    Returns
    -------
    list of dict
        Rows like those of a search's comparison.
    """
    task = estimator.task_
    splits = [split for split in ("valid", "test") if task.has(split)]
    own = {split: estimator.by_user(split) for split in splits}
    rows: list[dict[str, Any]] = []
    for method in _CLOSED_FORMS:
        if method == estimator.method:
            continue
        model: Any = resolve(method)().fit(task)
        found = {split: model.by_user(split) for split in splits}
        rows.append({
            "name": method, "parameters": model.parameters_count_, "epochs": 0,
            "seconds": model.seconds_,
            **{split: task.summary(measured) for split, measured in found.items()},
            "difference": {split: task.gains(own[split], found[split]) for split in splits},
        })  # fmt: skip
    return rows
