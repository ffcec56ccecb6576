"""The report of a drug-pair run: its metrics, its calibration, its subgroups, its cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from parsimony.ddi.calibration import caveat
from parsimony.ddi.caution import CAUTION
from parsimony.ddi.estimator import PairEstimator
from parsimony.ddi.targets import MultilabelPairs
from parsimony.explain.explanation import Explanation
from parsimony.explain.page import explanation_view
from parsimony.pages.charts import unit_chart
from parsimony.pages.templating import amount, environment
from parsimony.report.compared import Compared, Value, require_same_questions
from parsimony.report.info import RunInfo, info_of_folder
from parsimony.report.race import race_view
from parsimony.report.rows import COST, flat_rows, learning_charts, named_rows
from parsimony.run.folder import RunFolder
from parsimony.run.seeds import rng
from parsimony.version import __version__

__all__ = ["compared", "page", "run_info"]

USE = "ranking the kinds of interaction of two drugs, for research."
NOT_FOR = (
    CAUTION,
    "A pair without an answer is not safe: probabilities are those of the kind, given that the two "
    "interact.",
    "Drugs of a new structural family, which every method predicts poorly.",
)
_DATA = {
    "name": ("name", str),
    "n_drugs": ("drugs", amount),
    "n_types": ("interaction types", amount),
    "train": ("training pairs", amount),
    "valid": ("validation pairs", amount),
    "test": ("test pairs", amount),
    "source": ("source", str),
    "hash": ("content hash (SHA-256)", str),
}
_MEASURES = {
    "macro_f1": "macro-F1",
    "macro_f1_true_labels": "macro-F1, true types",
    "accuracy": "accuracy",
    "kappa": "Cohen's κ",
    "pr_auc": "PR-AUC",
    "roc_auc": "ROC-AUC",
}
_HEADLINE = ("macro_f1", "accuracy", "kappa", "pr_auc", "roc_auc")
_OF_PROBABILITIES = {
    "ece": "calibration error",
    "nll": "negative log-likelihood",
    "brier": "Brier score",
}


def run_info(
    run: RunFolder,
    estimator: PairEstimator[Any],
    *,
    n_explanations: int = 3,
    seed: int = 0,
    quiet: bool = True,
) -> RunInfo:
    """Gather the input of :func:`page` for a drug-pair run.

    A run that was saved without calibration is evaluated again.
    """
    task, data = estimator.task_, estimator.task_.data
    splits = [split for split in ("valid", "test") if task.has(split)]
    counts = {split: len(task.targets(split)) for split in splits}
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
    estimator: PairEstimator[Any], limit: int = 3, seed: int = 0, *, tries: int = 40
) -> Iterator[Explanation]:
    """Explain test pairs that the model classifies correctly, each of a different type.

    Parameters
    ----------
    estimator
        Fitted; a method without explanations yields none.
    limit
        Maximum number of explanations.
    seed
        Seed of the order in which test pairs are tried.
    tries
        Maximum number of test pairs tried.

    With several labels per pair, those with the largest margin over their negative are explained.
    """
    task = estimator.task_
    if not estimator.gives_reasons or not task.has("test"):
        return
    if task.labelling.multi:
        yield from _explain_labels(estimator, limit, seed, tries)
        return
    rows = task.pairs("test")
    rows = rows[rng(seed, "examples").permutation(len(rows))[:tries]]
    guess = estimator.predict_proba(rows[:, [0, 2]], "test").argmax(1)
    address, types = task.data.drug_names.address, task.data.types
    done: set[int] = set()
    for (a, kind, b), found in zip(rows.tolist(), guess.tolist(), strict=True):
        if len(done) == limit:
            return
        if found == kind and kind not in done:
            done.add(kind)
            yield estimator.explain(address(a), types.name(kind), address(b), seed=seed)


def _explain_labels(
    estimator: PairEstimator[Any], limit: int, seed: int, tries: int
) -> Iterator[Explanation]:
    """Explain the labels with the largest margin over the negative of their pair."""
    task = estimator.task_
    targets, data = task.targets("test"), task.data
    if not isinstance(targets, MultilabelPairs):
        return
    rows = rng(seed, "examples").permutation(len(targets))[:tries]
    table = estimator.predict_proba(targets.queries[targets.places(rows)], "test")
    above = np.where(targets.labels[rows], table[: len(rows)] - table[len(rows) :], 0)
    done: set[int] = set()
    for i in np.argsort(-above.max(1), kind="stable").tolist():
        kind = int(above[i].argmax())
        if len(done) == limit or above[i, kind] <= 0:
            return
        if kind not in done:
            done.add(kind)
            a, b = map(data.drug_names.address, targets.pairs[rows[i]].tolist())
            yield estimator.explain(a, data.types.name(kind), b, seed=seed)


def compared(
    estimators: Sequence[PairEstimator[Any]], split: str, *, seed: int = 0, quiet: bool = True
) -> Compared:
    """Classify the pairs of a split by every run; the bootstrap draws emerging drugs."""
    targets = [estimator.task_.targets(split) for estimator in estimators]
    require_same_questions(
        # pairs with their types, or with their labels and negatives
        [[part for part in vars(t).values() if isinstance(part, np.ndarray)] for t in targets],
        [estimator.task_.config() for estimator in estimators],
    )
    asked, task = targets[0], estimators[0].task_
    cluster, headline = task.emerging(split), task.labelling.primary
    tables = [estimator.predict_proba(asked.queries, split) for estimator in estimators]
    intervals = [asked.interval(table, cluster, seed) for table in tables]

    def gain(one: int, other: int) -> dict[str, Value]:
        found = asked.better_by(tables[one], tables[other], cluster)
        return {
            name: {"value": gap["difference"], "interval": [gap["low"], gap["high"]]}
            for name, gap in found.items()
        }

    def value(table: Any, members: Any) -> Value | None:
        found = asked.metrics(table, members).get(headline)
        return None if found is None else {"value": found, "interval": None}

    return Compared(
        unit="pairs",
        n=len(asked),
        headline=headline,
        values=[
            {name: {"value": v, "interval": interval.get(name)}
             for name, v in asked.metrics(table).items() if name in interval}
            for table, interval in zip(tables, intervals, strict=True)
        ],
        gain=gain,
        strata={"subgroup": [
            {"stratum": name, "n": int(members.sum()),
             "values": [value(table, members) for table in tables]}
            for name, members in estimators[0].subgroups(split).items()
        ]},
        notes=[*task.notes, *estimators[0].leak_notes(split)],
    )  # fmt: skip


def page(info: RunInfo) -> str:
    """Return the page of a drug-pair run."""
    metrics, config = info.get("metrics") or {}, info.get("config") or {}
    data = info.get("data") or {}
    history = [epoch for epoch in info.get("history") or [] if "loss" in epoch]
    split = "test" if "test" in metrics else next(iter(metrics), "")
    result = metrics.get(split) or {}
    measured = list(result.get("metrics", {}))
    primary = measured[0] if measured else "macro_f1"
    method = info.get("method") or str(config.get("method", ""))
    title = " on ".join(filter(None, (method, data.get("name", "")))) or "A run"
    return (
        environment()
        .get_template("pairs.html.j2")
        .render(
            title=info.get("title") or title,
            notes=list(info.get("notes") or ()),
            caution=CAUTION,
            split=split,
            setting=result.get("setting", ""),
            measures={key: _MEASURES[key] for key in measured},
            headline=[key for key in _HEADLINE if key in measured],
            labels="pr_auc" in measured,
            parameters=(info.get("ledger") or {}).get("parameters"),
            result=result,
            table=[
                {"name": name, **metrics[name]} for name in ("test", "valid") if name in metrics
            ],
            confidence=_confidence(result),
            curves=learning_charts(
                history,
                info.get("best_epoch"),
                f"valid_{primary}",
                f"Validation {_MEASURES[primary]}",
            ),
            explanations=[explanation_view(_read(e)) for e in info.get("explanations") or ()],
            cost=named_rows(info.get("ledger") or {}, COST),
            config=list(flat_rows(config)),
            data=named_rows({k: v for k, v in data.items() if k != "notes"}, _DATA),
            data_notes=list(data.get("notes") or ()),
            race=race_view(info.get("race")),
            version=info.get("version") or __version__,
        )
    )


def _read(explanation: Explanation | Mapping[str, Any]) -> Explanation:
    if isinstance(explanation, Explanation):
        return explanation
    return Explanation.from_dict(explanation)


def _confidence(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return charts and rows of calibration, prediction sets and abstention; {} if uncalibrated."""
    if "calibration" not in result:
        return {}
    from markupsafe import Markup

    found = result["calibration"]
    lines = [
        ([(b["probability"], b["accuracy"]) for b in found[name]], style)
        for name, style in (("reliability_uncalibrated", "other"), ("reliability", "line"))
    ]
    reliability = unit_chart(
        lines,
        title="Accuracy by probability",
        across="predicted probability",
        up="accuracy",
        diagonal=True,
    )
    answered = [
        (a["share_answered"], a["accuracy"])
        for a in result["abstention"]
        if a["accuracy"] is not None
    ]
    abstention = unit_chart(
        [(answered, "line")],
        title="Accuracy by fraction answered",
        across="fraction of pairs answered",
        up="accuracy on them",
    )
    return {
        "temperature": found["temperature"],
        "rows": [
            (name, found[f"{key}_uncalibrated"], found[key])
            for key, name in _OF_PROBABILITIES.items()
        ],
        "reliability": Markup(reliability),
        "abstention": Markup(abstention),
        "sets": [{"level": float(level), **s} for level, s in result["conformal"].items()],
        "caveat": caveat(result["setting"]),
    }
