"""Relations relative to the query: "the query relation", "its inverse", or by id.

A reasoner learns one vector per relation, so it knows little about relations with few training
queries. If the edges of the query relation and of its inverse have two separate vectors, what is
learned from one relation ("if a plays against b, b plays against a") transfers to others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.kernels.numerics import kernel

IntArray = npt.NDArray[np.int32]


@kernel
def relative_relations(  # type: ignore[no-untyped-def]
    relation, source, row_query, q_relation, n_relations, seen
):
    """Return the rows of the relation table for the edges of a step.

    IN  relation, source (n_edges,): relation id, 2R for the identity, and row of the previous step
        row_query: index of the query of every such row; q_relation: relation of every query
    OUT seen (n_edges,): 2R + 1 for edges of the query relation, 2R + 2 for its inverse
    """
    for i in range(relation.shape[0]):
        r = relation[i]
        q = q_relation[row_query[source[i]]]
        if r == q:
            r = 2 * n_relations + 1
        elif r != 2 * n_relations and abs(r - q) == n_relations:
            r = 2 * n_relations + 2
        seen[i] = r


def relative_relations_reference(relation: IntArray, asked: Any, n_relations: int) -> IntArray:
    """Reference implementation; ``asked``: query relation of every edge, or of all."""
    inverse = np.where(np.asarray(asked) < n_relations, asked + n_relations, asked - n_relations)
    other = np.where(relation == inverse, 2 * n_relations + 2, relation)
    return np.where(relation == asked, 2 * n_relations + 1, other).astype(relation.dtype)
