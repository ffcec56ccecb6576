"""The report of a cold-start run: its formula, the comparison, how it was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from parsimony.errors import EmptySplit
from parsimony.methods import resolve
from parsimony.pages.templating import amount, environment
from parsimony.ratings.estimator import RatingEstimator
from parsimony.report.compared import Compared, Value, require_same_questions
from parsimony.report.formula import FORMULAS, formula_view, ranking_view
from parsimony.report.info import RunInfo, info_of_folder
from parsimony.report.race import race_view
from parsimony.report.rows import COST, flat_rows, learning_charts, named_rows
from parsimony.report.search import comparison_view, search_view
from parsimony.run.folder import RunFolder
from parsimony.search.trials import read_trials
from parsimony.version import __version__

__all__ = ["closed_forms", "compared", "page", "run_info"]

USE = "ranking items for users of whom a few ratings are known."
NOT_FOR = (
    "Decisions about people: it orders items by taste, as those who rated them showed it.",
    "Ratings on another scale than that of the training data.",
)
#: Methods without a network, fitted in seconds.
_CLOSED_FORMS = ("evidence", "ridge-head", "means", "popularity")

_DATA = {
    "name": ("name", str),
    "n_items": ("items", amount),
    "train": ("training users", amount),
    "valid": ("validation users", amount),
    "test": ("test users", amount),
    "source": ("source", str),
    "hash": ("content hash (SHA-256)", str),
}
_MEASURES = {"mse": "MSE", "mae": "MAE", "ndcg@3": "nDCG@3", "ndcg@5": "nDCG@5"}
_COST = {**COST, "labels": ("ratings seen", amount)}


def run_info(
    run: RunFolder, estimator: RatingEstimator[Any], *, seed: int = 0, quiet: bool = True
) -> RunInfo:
    """Gather the input of :func:`page` for a cold-start run."""
    task = estimator.task_
    info = info_of_folder(run, estimator, {
        "n_items": len(task.data.items),
        "train": len(task.user_tasks("train")),
        "valid": len(task.user_tasks("valid")),
        "test": len(task.user_tasks("test")),
    })  # fmt: skip
    info["baselines"] = closed_forms(estimator)
    if hasattr(estimator, "formula"):
        info["formula"] = str(estimator.formula)
    found = run.read_json("search.json")
    if found is not None:
        info["search"], info["trials"] = found, read_trials(run.path / "search")
    return info


def compared(
    estimators: Sequence[RatingEstimator[Any]], split: str, *, seed: int = 0, quiet: bool = True
) -> Compared:
    """Measure the new users of a split by every run, for a comparison user by user."""
    tasks = [estimator.task_ for estimator in estimators]
    if not tasks[0].has(split):
        raise EmptySplit(
            f"no {split} user has a rating to predict", remedy="give more users or ratings"
        )
    users = [task.user_tasks(split) for task in tasks]
    require_same_questions(
        [[part for user in each for part in (user.ratings, user.query)] for each in users],
        [task.config() for task in tasks],
    )
    measured = [estimator.by_user(split) for estimator in estimators]
    summaries = [task.summary(found) for task, found in zip(tasks, measured, strict=True)]

    def gain(one: int, other: int) -> dict[str, Value]:
        found = tasks[0].gains(measured[one], measured[other])
        return {
            name: {"value": gap["mean"], "interval": list(gap["interval"])}
            for name, gap in found.items()
        }

    headline = RatingEstimator.headline
    return Compared(
        unit="users",
        n=len(users[0]),
        # Where nobody likes anything, nothing can be ranked.
        headline=headline if headline in summaries[0]["metrics"] else "mse",
        values=[
            {name: {"value": value, "interval": list(found["interval"][name])}
             for name, value in found["metrics"].items()}
            for found in summaries
        ],
        gain=gain,
        notes=tasks[0].notes,
    )  # fmt: skip


def closed_forms(estimator: RatingEstimator[Any]) -> list[dict[str, Any]]:
    """Evaluate the closed forms on a run's task, paired with the run itself.

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


def page(info: RunInfo) -> str:
    """Return the page of a cold-start run."""
    data, metrics = info.get("data") or {}, info.get("metrics") or {}
    config, found = info.get("config") or {}, info.get("search")
    split = "test" if "test" in metrics else next(iter(metrics), "")
    method = info.get("method") or str(config.get("method", ""))
    search = search_view(found, info.get("trials") or (), FORMULAS) if found else {}
    best = search["best"] if found else method
    rows = list(found["comparison"]) if found else [_own(info, method)]
    name = data.get("name", "")
    table = list(_table(metrics))
    # Where nobody likes anything, nothing can be ranked.
    shown = {k: v for k, v in _MEASURES.items() if table and all(k in r["metrics"] for r in table)}
    return (
        environment()
        .get_template("ratings.html.j2")
        .render(
            title=info.get("title")
            or (f"The formula that fits {name}" if found else f"{method} on {name}"),
            notes=list(info.get("notes") or ()),
            split=split,
            result=metrics.get(split) or {},
            measures=shown,
            formula=formula_view(info["formula"]) if info.get("formula") else {},
            search=search,
            ranking=ranking_view(found.get("ranking")) if found else None,
            compared=comparison_view([*rows, *(info.get("baselines") or ())], best, FORMULAS),
            curves=learning_charts(
                info.get("history") or [], info.get("best_epoch"), "valid_skill",
                "Validation skill",
            ),
            table=table,
            cost=named_rows(_cost(info.get("ledger") or {}), _COST),
            config=list(flat_rows(config)),
            data=named_rows({k: v for k, v in data.items() if k != "notes"}, _DATA),
            data_notes=list(data.get("notes") or ()),
            race=race_view(info.get("race")),
            version=info.get("version") or __version__,
        )
    )  # fmt: skip


def _own(info: RunInfo, method: str) -> dict[str, Any]:
    """Return the run itself as a row of the comparison."""
    ledger, formula = info.get("ledger") or {}, info.get("formula")
    return {
        "name": method,
        **({"formula": formula} if formula else {}),
        "parameters": ledger.get("parameters"),
        "epochs": len(info.get("history") or ()),
        "seconds": ledger.get("wall_seconds"),
        **(info.get("metrics") or {}),
    }


def _cost(ledger: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cost report without operations, which are not counted here."""
    return {name: value for name, value in ledger.items() if name != "flops" or value}


def _table(metrics: Mapping[str, Mapping[str, Any]]) -> Any:
    """Yield the new users of every split, and the known users once."""
    for split in ("test", "valid"):
        if split in metrics:
            yield {"name": f"new users, {split}", **metrics[split]}
    known = next((found["warm"] for found in metrics.values() if "warm" in found), None)
    if known is not None:
        yield {"name": "known users, held out", **known}
