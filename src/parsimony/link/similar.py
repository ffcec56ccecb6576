"""Entities like another one: by the model's vectors, or by the facts that both have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from parsimony.graph import KnowledgeGraph
from parsimony.graph.distinct import distinct_keys

__all__ = ["BY_FACTS", "BY_VECTORS", "fact_vectors", "similarities"]

BY_VECTORS = "cosine of the model's vectors"
BY_FACTS = (
    "cosine of what the training facts say of both: of each relation, direction and entity at its "
    "other end, the rarer the more it counts, as log(n / facts with that end)"
)
Floats = npt.NDArray[np.float64]


def fact_vectors(graph: KnowledgeGraph) -> sparse.csr_array:
    """What is said of every entity, (n_entities, n_features), each row of length 1 or 0.

    A feature is a relation in a direction with its other end, (r, →, e) or (r, ←, e). One that m
    of n entities have weighs log(n / m).
    """
    n, r = graph.n_entities, graph.n_relations
    h, k, t = graph.triples.T.astype(np.int64)
    entity = np.concatenate([h, t])
    said = np.concatenate([k * n + t, (k + r) * n + h])
    keys = distinct_keys(entity * (2 * r * n) + said)  # a fact stated twice is said once
    entity, said = keys // (2 * r * n), keys % (2 * r * n)
    _, feature, having = np.unique(said, return_inverse=True, return_counts=True)
    weight = np.log(n / having)[feature.ravel()]
    length = np.sqrt(np.bincount(entity, weight**2, n))
    value = weight / np.maximum(length[entity], 1e-12)
    return sparse.csr_array((value, (entity, feature.ravel())), (n, len(having)))


def similarities(model: Any, facts: Callable[[], sparse.csr_array]) -> tuple[Any, str]:
    """How like each other entities are by a model: a function of one, and what it is.

    Parameters
    ----------
    model
        Fitted.
    facts
        Gives what :func:`fact_vectors` returns; called where the model has no vectors of entities.

    Returns
    -------
    function, str
        From an entity's id, the similarity of every entity, (n_entities,), in [-1, 1].
    """
    if model.by_vectors and hasattr(model, "vectors"):
        table = model.vectors("entity")[1]
        length = np.maximum(np.linalg.norm(table.astype(np.float64), axis=1), 1e-12)

        def by_vectors(entity: int) -> Floats:
            found: Floats = (table @ table[entity]) / (length * length[entity])
            return found

        return by_vectors, BY_VECTORS
    said = facts()

    def by_facts(entity: int) -> Floats:
        found: Floats = (said @ said[[entity]].T).toarray().ravel()
        return found

    return by_facts, BY_FACTS
