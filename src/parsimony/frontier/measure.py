"""What a run is worth on the questions that all runs of a frontier are asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from parsimony.base import Estimator, Task
from parsimony.ddi.estimator import PairEstimator
from parsimony.ddi.targets import MulticlassPairs
from parsimony.ddi.task import DDITask
from parsimony.errors import EmptySplit
from parsimony.frontier.row import Stratum
from parsimony.link.estimator import LinkEstimator
from parsimony.link.strata import strata_of
from parsimony.link.task import LinkTask, QuerySet
from parsimony.metrics.classification import macro_f1_by_cluster
from parsimony.molecules.estimator import FewShotEstimator
from parsimony.ratings.estimator import RatingEstimator

__all__ = ["Measured", "measured", "metric_of", "valid_value"]

AnyEstimator = Estimator[Any, Any]
Floats = npt.NDArray[np.float64]

#: queries whose loss is measured, drawn with seed 0 where there are more; scores at a time
LOSS_QUERIES, CELLS = 2000, 1 << 24
#: training facts of a relation below which it is rare, and from which on it is common
RARE, COMMON = 50, 1000
#: the least probability that the loss of a pair counts
LEAST = 1e-9


@dataclass(frozen=True, eq=False)
class Measured:
    """What a run is worth on test.

    Attributes
    ----------
    value
        The metric, larger is better.
    values
        A number per query, or new drug, whose mean is ``value``; None where there is none.
    loss
        Mean negative log-likelihood of the answers, in nats; None where the method has none.
    """

    value: float
    values: Floats | None = None
    loss: float | None = None
    strata: dict[str, Stratum] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def metric_of(task: Task) -> str:
    """The metric of a frontier on a task."""
    if isinstance(task, DDITask):
        return task.labelling.primary
    return {"link": "mrr", "molecules": "roc_auc", "coldstart": "ndcg@5"}[task.kind]


def measured(estimator: AnyEstimator, whole: Task, *, thinned: bool) -> Measured:
    """Measure a fitted method on test.

    Parameters
    ----------
    whole
        The task with all labels: its questions, filters and strata hold for every share of them.
    thinned
        Whether the graph that is walked is that of the method's own task.

    Raises
    ------
    EmptySplit
        There is nothing to measure on.
    """
    if isinstance(estimator, LinkEstimator):
        assert isinstance(whole, LinkTask)
        return _links(estimator, whole, thinned=thinned)
    if isinstance(estimator, PairEstimator):
        assert isinstance(whole, DDITask)
        return _pairs(estimator, whole)
    if isinstance(estimator, FewShotEstimator):
        return _molecules(estimator)
    assert isinstance(estimator, RatingEstimator)
    gain = estimator.by_user("test")["ndcg@5"]
    gain = gain[~np.isnan(gain)]
    if not len(gain):
        raise EmptySplit("no test user said yes to an item: nothing can be ranked")
    return Measured(float(gain.mean()), gain)


def valid_value(estimator: AnyEstimator, whole: Task, *, thinned: bool) -> float:
    """The metric on validation; 0 where there is none."""
    try:
        if isinstance(estimator, LinkEstimator) and isinstance(whole, LinkTask):
            asked = _asked(estimator, whole, "valid", thinned=thinned)
            return estimator.ranks(queries=asked).metrics()["mrr"]
        if isinstance(estimator, RatingEstimator):
            return float(estimator.resampled("valid")[0])
        if isinstance(estimator, PairEstimator) and isinstance(whole, DDITask):
            targets = whole.targets("valid")
            table = estimator.predict_proba(targets.queries, "valid")
            return targets.metrics(table)[metric_of(whole)]
        return float(estimator.evaluate("valid")["metrics"][estimator.headline])
    except EmptySplit:
        return 0.0


# ---- links -----------------------------------------------------------------------------------


def _asked(
    estimator: LinkEstimator[Any], whole: LinkTask, split: str, *, thinned: bool
) -> QuerySet:
    queries = _queries(whole, split)
    return replace(queries, graph=estimator.task_.queries(split).graph) if thinned else queries


_QUERIES: WeakKeyDictionary[LinkTask, dict[str, QuerySet]] = WeakKeyDictionary()
_STRATA: WeakKeyDictionary[LinkTask, dict[str, npt.NDArray[np.bool_]]] = WeakKeyDictionary()


def _queries(task: LinkTask, split: str) -> QuerySet:
    kept = _QUERIES.setdefault(task, {})
    if split not in kept:
        kept[split] = task.queries(split)
    return kept[split]


def _links(estimator: LinkEstimator[Any], whole: LinkTask, *, thinned: bool) -> Measured:
    asked = _asked(estimator, whole, "test", thinned=thinned)
    values = 1.0 / estimator.ranks(queries=asked).ranks()
    strata = {
        name: Stratum(float(values[members].mean()), int(members.sum()))
        for name, members in _strata(whole).items()
    }
    loss, notes = None, list[str]()
    if "epochs" in type(estimator).Parameters.model_fields:  # scores are logits of a softmax
        some = asked.sample(LOSS_QUERIES)
        loss = _loss(estimator, some)
        if len(some) < len(asked):
            notes.append(f"the loss is of {len(some):,} of {len(asked):,} queries, seed 0")
    return Measured(float(values.mean()), values, loss, strata, notes)


def _strata(task: LinkTask) -> dict[str, npt.NDArray[np.bool_]]:
    """Parts of the test answers, by the facts of the whole task."""
    if task not in _STRATA:
        queries = _queries(task, "test")
        found = {
            f"{kind.replace('_', '-')}: {name}": members
            for kind, parts in strata_of(queries).items()
            if kind in ("distance", "half_links")
            for name, members in parts.items()
        }
        facts = np.bincount(task.data.train[:, 1], minlength=task.n_relations)
        own = facts[queries.answer_relation % task.n_relations]
        bands = {
            "rare": own < RARE, "middling": (own >= RARE) & (own < COMMON), "common": own >= COMMON
        }  # fmt: skip
        found |= {f"relation: {name}": members for name, members in bands.items() if members.any()}
        _STRATA[task] = found
    return _STRATA[task]


def _loss(estimator: LinkEstimator[Any], queries: QuerySet) -> float:
    """Mean −log softmax of every answer among the entities that are no other known answer."""
    pairs = np.stack([queries.head, queries.relation], axis=1)
    found = []
    for rows in _blocks(len(pairs), queries.graph.n_entities):
        table = estimator.scores(pairs[rows], graph=queries.graph).astype(np.float64)
        for row, i in zip(table, range(rows.start, rows.stop), strict=True):
            rivals = row.copy()
            rivals[queries.known[queries.known_ptr[i] : queries.known_ptr[i + 1]]] = -np.inf
            own = row[queries.answer[queries.answer_ptr[i] : queries.answer_ptr[i + 1]]]
            highest = max(rivals.max(initial=-np.inf), own.max())
            others = np.exp(rivals - highest).sum()
            found.append(np.log(others + np.exp(own - highest)) + highest - own)
    return float(np.concatenate(found).mean())


def _blocks(n: int, width: int) -> Iterator[slice]:
    size = max(1, CELLS // max(width, 1))
    return (slice(at, min(at + size, n)) for at in range(0, n, size))


# ---- pairs and molecules ---------------------------------------------------------------------


def _pairs(estimator: PairEstimator[Any], whole: DDITask) -> Measured:
    targets, metric = whole.targets("test"), metric_of(whole)
    table = estimator.predict_proba(targets.queries, "test")
    strata = {
        name: Stratum(targets.metrics(table, kept)[metric], int(kept.sum()))
        for name, kept in whole.subgroups("test").items()
    }
    loss = values = None
    if isinstance(targets, MulticlassPairs):
        own = table[np.arange(len(table)), targets.types]
        loss = float(-np.log(np.maximum(own, LEAST)).mean())
        values = macro_f1_by_cluster(
            targets.types, table.argmax(1), whole.emerging("test"), targets.n_types
        )
    return Measured(targets.metrics(table)[metric], values, loss, strata)


def _molecules(estimator: FewShotEstimator[Any, Any]) -> Measured:
    found = estimator.evaluate("test")
    parts: list[list[dict[str, Any]]] = [shots["per_task"] for shots in found["shots"].values()]
    value = float(found["metrics"]["roc_auc"])
    if any([row["task"] for row in part] != [row["task"] for row in parts[0]] for part in parts):
        return Measured(value)  # fewer tasks have enough molecules for more shots
    values = np.mean([[row["roc_auc"] for row in part] for part in parts], axis=0)
    strata = {
        f"task: {row['task']}": Stratum(float(auc), int(row["queries"]))
        for row, auc in zip(parts[0], values, strict=True)
    }
    return Measured(value, values, None, strata)
