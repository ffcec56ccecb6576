"""Adjacency in compressed sparse rows, for traversing the graph."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

__all__ = ["Adjacency", "group_by_node"]


class Adjacency(NamedTuple):
    """Edges grouped by node, in compressed sparse rows.

    The edges of node ``v`` are the positions ``indptr[v]:indptr[v + 1]`` of the other arrays;
    within a node they keep the order of the facts.

    Attributes
    ----------
    indptr : int64 array, shape (n_nodes + 1,)
    neighbour : int32 array, shape (n_edges,)
        The node at the other end.
    relation : int32 array, shape (n_edges,)
    fact : int32 array, shape (n_edges,)
        The row of the triple that the edge stands for.
    """

    indptr: np.ndarray
    neighbour: np.ndarray
    relation: np.ndarray
    fact: np.ndarray

    @property
    def n_nodes(self) -> int:
        """The number of rows."""
        return len(self.indptr) - 1

    @property
    def n_edges(self) -> int:
        """The number of stored edges."""
        return len(self.neighbour)


def stable_order(keys: np.ndarray, n_keys: int) -> tuple[np.ndarray, np.ndarray]:
    """Sort small integers by counting, in O(len(keys) + n_keys).

    Parameters
    ----------
    keys : integer array, shape (n,)
        Values in ``0 … n_keys - 1``.
    n_keys : int

    Returns
    -------
    indptr : int64 array, shape (n_keys + 1,)
    order : int32 array, shape (n,)
        Positions in ``keys``, grouped by key, ascending within a key.
    """
    n = len(keys)
    # SciPy's COO → CSR conversion is a counting sort in C that keeps the order within a row;
    # with the position as the column, no two entries coincide, so none are summed.
    data = np.ones(n, dtype=np.int8)
    columns = np.arange(n, dtype=np.int32)
    rows = sparse.coo_matrix((data, (keys, columns)), shape=(n_keys, max(n, 1))).tocsr()
    return rows.indptr.astype(np.int64), rows.indices.astype(np.int32, copy=False)


def group_by_node(
    nodes: np.ndarray,
    neighbours: np.ndarray,
    relations: np.ndarray,
    facts: np.ndarray,
    n_nodes: int,
) -> Adjacency:
    """Group edges by ``nodes``, keeping the given order within a node.

    Parameters
    ----------
    nodes, neighbours, relations, facts : int32 arrays, shape (n_edges,)
    n_nodes : int

    Returns
    -------
    Adjacency
        Read-only arrays.
    """
    indptr, order = stable_order(nodes, n_nodes)
    arrays = (indptr, neighbours[order], relations[order], facts[order])
    for array in arrays:
        array.flags.writeable = False
    return Adjacency(*arrays)
