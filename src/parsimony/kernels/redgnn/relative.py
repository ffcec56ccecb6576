"""Relations as the question sees them: "the one that is asked", "its inverse", or by name.

A reasoner learns a vector a relation, so of a relation that training hardly asked it knows nothing.
Where the edges of the asked relation and of its inverse have two vectors of their own, what one
relation teaches ("if a plays against b, b plays against a") holds for any other.
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
    """Rows of the relation table that the edges of a step read.

    IN  relation, source (n_edges,): relation id, 2R for staying, and row of the step before
        row_query: index of the query of every such row; q_relation: relation of every query
    OUT seen (n_edges,): 2R + 1 where an edge is of the asked relation, 2R + 2 of its inverse
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
    """The readable twin; ``asked``: relation of every edge's query, or of all."""
    inverse = np.where(np.asarray(asked) < n_relations, asked + n_relations, asked - n_relations)
    other = np.where(relation == inverse, 2 * n_relations + 2, relation)
    return np.where(relation == asked, 2 * n_relations + 1, other).astype(relation.dtype)
