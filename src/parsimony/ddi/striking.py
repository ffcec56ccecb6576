"""Facts struck out: a fitted model asked without some facts of its graph or known interactions.

Nothing is learned anew: the same weights on the smaller graph.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from parsimony.ddi.drug_names import folded
from parsimony.ddi.estimator import AnyPairEstimator
from parsimony.errors import FormatError, UsageError

__all__ = ["without"]

IntArray = npt.NDArray[np.int32]
Named = tuple[str, str, str]
_TYPE = "type "  # in front of the interaction types that a walk of an explanation names


def without(estimator: AnyPairEstimator, facts: Sequence[Named]) -> AnyPairEstimator:
    """Return a fitted model without some facts (head, relation, tail).

    Parameters
    ----------
    estimator
        Fitted; stays as it is.
    facts
        As explanations name them: a relation of the background graph, or the type of a known
        interaction, by id, with or without "type" before it. Of interactions without an order both
        orders go.

    Raises
    ------
    FormatError
        Neither in the graph nor known: such as an edge of similarity, which is no stated fact.
    UsageError
        The method reads neither.
    """
    estimator._require_fitted()
    if not (estimator.graphical or estimator.relational):
        raise UsageError(
            f"method {estimator.method!r} reads neither a graph nor known interactions",
            remedy="ask a run of emergnn or walks",
        )
    task = copy.copy(estimator.task_)
    background, known = _resolved(estimator, facts)
    own = task.background.triples
    kept = own[~_among(own, background)]
    kept.setflags(write=False)
    task.background = replace(task.background, triples=kept)
    task._visible = {}
    for split in ("valid", "test"):
        rows = estimator.task_.visible(split)
        left = rows[~_among(rows, known)]
        left.setflags(write=False)
        task._visible[split] = left
    again = copy.copy(estimator)
    again.task_ = task
    again._rebuild(estimator._tensors())
    return again


def _resolved(estimator: AnyPairEstimator, facts: Sequence[Named]) -> tuple[IntArray, IntArray]:
    """Rows of the background graph, and of known interactions."""
    task = estimator.task_
    graph, data = task.background, task.data
    relations, types = ({n: i for i, n in enumerate(v)} for v in (graph.relations, data.types))
    entities = {name: i for i, name in enumerate(graph.entities)}
    for i, label in enumerate(graph.labels):
        entities.setdefault(label or graph.entities.name(i), i)
    readable = {folded(data.label(i)): i for i in range(data.n_drugs)}
    edges: list[tuple[int, int, int]] = []
    pairs: list[tuple[int, int, int]] = []
    for head, relation, tail in facts:
        h, t = (entities.get(n, readable.get(folded(n))) for n in (head, tail))
        kind = types.get(relation.removeprefix(_TYPE), types.get(relation))
        r = relations.get(relation)
        found = False
        if h is not None and t is not None and r is not None:
            edges.append((h, r, t))
            found = bool((graph.triples == (h, r, t)).all(1).any())
        if not found and h is not None and t is not None and kind is not None:
            both = [(h, kind, t), *[(t, kind, h)] * data.multilabel]
            pairs += both
            found = bool(_among(task.all_facts(), np.array(both, np.int32)).any())
        if not found:
            raise FormatError(
                f"({head}, {relation}, {tail}) is no fact that the run knows",
                remedy="name facts as its explanations do; what they say of likeness is computed, "
                "not stated",
            )
    return np.array(edges, np.int32).reshape(-1, 3), np.array(pairs, np.int32).reshape(-1, 3)


def _among(rows: IntArray, facts: IntArray) -> npt.NDArray[np.bool_]:
    """Whether each row (n, 3) is one of the facts."""
    sizes = [int(max(part.max(initial=0) for part in (rows, facts))) + 1] * 2
    weights = np.array([sizes[0] * sizes[1], sizes[1], 1], np.int64)
    found: npt.NDArray[np.bool_] = np.isin(
        rows.astype(np.int64) @ weights, facts.astype(np.int64) @ weights
    )
    return found
