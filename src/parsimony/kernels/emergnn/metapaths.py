"""Typed walks of length ≤ 3 between two drugs, counted by metapath (docs/methods/metapaths.md).

A walk u –r₁→ x –r₂→ y –r₃→ v does not return to u and reaches v only at the end; shorter walks are
padded with the identity: (r₁, I, I) and (r₁, I, r₃). A *metapath* (here also ``signature``) is the
triple of the relations' *kinds*, where all interaction types are one kind (with its direction). For
a metapath with exactly one interaction the counts are also kept by that interaction's type.

The work per pair is that of :mod:`parsimony.kernels.emergnn.paths`: the two neighbourhoods and the
edges between them. Counts are accumulated over the middle edges; walks are never enumerated.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from parsimony.errors import InvalidParameter
from parsimony.kernels.emergnn.graph import ActiveGraph, inverse_of
from parsimony.kernels.emergnn.paths import is_hidden, middle_edges, neighbourhood
from parsimony.kernels.numerics import kernel

IntArray = npt.NDArray[np.int32]
MAX_KINDS = 400  # limit of the lookup table of all metapaths: 400³ entries are 256 MB


class WalkKinds(NamedTuple):
    """The kinds of relations that metapaths distinguish."""

    of: IntArray  # (2R + 1,) the kind of every message relation; that of the identity last
    n: int

    def code(self, first: int, second: int, third: int) -> int:
        """The code of a metapath."""
        return (first * self.n + second) * self.n + third

    def signature(self, code: int) -> tuple[int, int, int]:
        """The kinds of a metapath, from its code."""
        return code // self.n**2, code // self.n % self.n, code % self.n


def walk_kinds(n_types: int, n_relations: int, undirected: npt.NDArray[np.bool_]) -> WalkKinds:
    """Collapse the interaction types, and both directions of undirected relations.

    Parameters
    ----------
    n_types, n_relations
        D and R of the graph.
    undirected
        (R,) whether a relation has no direction.

    Raises
    ------
    InvalidParameter
        There are too many kinds for the table of metapaths.
    """
    stored = np.where(np.arange(n_relations) < n_types, 0, np.arange(n_relations) - n_types + 1)
    back = np.where(undirected, stored, stored + n_relations)
    every = np.concatenate([stored, back, [2 * n_relations]])
    distinct, of = np.unique(every, return_inverse=True)
    if len(distinct) > MAX_KINDS:
        raise InvalidParameter(
            f"the graph has {n_relations - n_types:,} relations: too many to count all metapaths "
            f"({len(distinct):,} kinds of steps, at most {MAX_KINDS})",
            remedy="merge rare relations, or use another background graph",
        )
    return WalkKinds(of.astype(np.int32), len(distinct))


def count_walks(
    graph: ActiveGraph,
    pairs: IntArray,
    hidden: npt.NDArray[np.uint8],
    kinds: WalkKinds,
    signatures: npt.NDArray[np.int64],
    typed: npt.NDArray[np.int64],
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Count the walks of pairs by metapath.

    Parameters
    ----------
    graph
        The active edges.
    pairs
        (n, 2) first and second drug.
    hidden
        (n,) what each pair hides (HIDE_FIRST, HIDE_SECOND, HIDE_BETWEEN).
    kinds
        The kinds of relations.
    signatures
        (f,) codes of the metapaths to count.
    typed
        (s,) codes of metapaths with one interaction to count by its type.

    Returns
    -------
    counts : csr array, shape (n, f)
    by_type : csr array, shape (n, s · n_types)
        Column s · n_types + t.
    """
    tables = []
    for codes in (signatures, typed):
        table = np.full(kinds.n**3, -1, np.int32)
        table[codes] = np.arange(len(codes), dtype=np.int32)
        tables.append(table)
    found = _count(
        graph.indptr, graph.neighbour, graph.relation, graph.n_types, graph.n_relations,
        np.ascontiguousarray(pairs, np.int32), hidden, kinds.of, kinds.n,
        tables[0], len(signatures), tables[1], len(typed),
    )  # fmt: skip
    widths = (len(signatures), len(typed) * graph.n_types)
    one, other = (
        sparse.csr_array((count, column, ptr), shape=(len(pairs), width))
        for (ptr, column, count), width in zip((found[:3], found[3:]), widths, strict=True)
    )
    return one, other


@kernel
def _flush(touched, n, sums, columns, counts, at):  # type: ignore[no-untyped-def]
    """Append the touched sums as a row in ascending order, and reset them to zero."""
    if at + n > columns.shape[0]:
        room = 2 * columns.shape[0] + n
        wider = np.empty(room, np.int32)
        wider[:at] = columns[:at]
        more = np.empty(room, np.float32)
        more[:at] = counts[:at]
        columns, counts = wider, more
    row = np.sort(touched[:n])
    for i in range(n):
        columns[at + i] = row[i]
        counts[at + i] = sums[row[i]]
        sums[row[i]] = 0
    return columns, counts, at + n


@kernel
def _count(  # type: ignore[no-untyped-def]
    indptr, neighbour, relation, n_types, n_relations,
    pairs, hidden, kind_of, n_kinds, column_of, n_columns, family_of, n_families,
):  # fmt: skip
    """Counts of :func:`count_walks` as two CSR matrices.

    IN  kind_of (2R + 1,) column_of, family_of (n_kinds³,) −1 for metapaths that are not counted
    OUT ptr (n + 1,) column, count (nnz,), and the same by type
    """
    n_pairs = pairs.shape[0]
    idle = 2 * n_relations
    position = np.full(indptr.shape[0] - 1, np.int32(-1), np.int32)
    sums = np.zeros(n_columns, np.int64)
    typed_sums = np.zeros(n_families * n_types, np.int64)
    touched = np.empty(n_columns, np.int32)
    typed_touched = np.empty(n_families * n_types, np.int32)
    ptr = np.zeros(n_pairs + 1, np.int64)
    typed_ptr = np.zeros(n_pairs + 1, np.int64)
    columns = np.empty(1 << 16, np.int32)
    counts = np.empty(1 << 16, np.float32)
    typed_columns = np.empty(1 << 16, np.int32)
    typed_counts = np.empty(1 << 16, np.float32)
    walk = np.empty(3, np.int64)
    for p in range(n_pairs):
        pair, hides = pairs[p], hidden[p]
        u, v = pair[0], pair[1]
        node_u, group_u, begin_u, end_u, kept_u = neighbourhood(
            indptr, neighbour, relation, u, pair, hides, n_types, n_relations
        )
        node_v, group_v, begin_v, end_v, kept_v = neighbourhood(
            indptr, neighbour, relation, v, pair, hides, n_types, n_relations
        )
        edges = middle_edges(
            indptr, neighbour, relation, node_u, node_v, position, pair, hides, n_types, n_relations
        )
        n = 0
        typed_n = 0
        for m in range(edges.shape[0]):
            i, r2, j = edges[m, 0], edges[m, 1], edges[m, 2]
            x, y = node_u[i], node_v[j]
            direct = x == v and y == v and r2 == idle
            if not direct and (x in (u, v) or y in (u, v)):
                continue
            for a in range(begin_u[group_u[i]], end_u[group_u[i]]):
                r1 = kept_u[a]
                for b in range(begin_v[group_v[j]], end_v[group_v[j]]):
                    r3 = inverse_of(kept_v[b], n_relations)
                    if direct and r3 != idle:
                        continue
                    code = (kind_of[r1] * n_kinds + kind_of[r2]) * n_kinds + kind_of[r3]
                    c = column_of[code]
                    if c >= 0:
                        if sums[c] == 0:
                            touched[n] = c
                            n += 1
                        sums[c] += 1
                    f = family_of[code]
                    if f < 0:
                        continue
                    walk[0], walk[1], walk[2] = r1, r2, r3
                    found = 0
                    its_type = 0
                    for k in range(3):
                        stored = walk[k] if walk[k] < n_relations else walk[k] - n_relations
                        if stored < n_types:
                            its_type = stored
                            found += 1
                    if found == 1:
                        c = f * n_types + its_type
                        if typed_sums[c] == 0:
                            typed_touched[typed_n] = c
                            typed_n += 1
                        typed_sums[c] += 1
        columns, counts, ptr[p + 1] = _flush(touched, n, sums, columns, counts, ptr[p])
        typed_columns, typed_counts, typed_ptr[p + 1] = _flush(
            typed_touched, typed_n, typed_sums, typed_columns, typed_counts, typed_ptr[p]
        )
    n, typed_n = ptr[n_pairs], typed_ptr[n_pairs]
    return (
        ptr, columns[:n].copy(), counts[:n].copy(),
        typed_ptr, typed_columns[:typed_n].copy(), typed_counts[:typed_n].copy(),
    )  # fmt: skip


def walks_of(
    graph: ActiveGraph, u: int, v: int, hides: int, kinds: WalkKinds
) -> tuple[Counter[int], Counter[tuple[int, int]]]:
    """Count the walks of one pair by enumeration: the reference of :func:`count_walks`.

    Returns
    -------
    counts
        By code of the metapath.
    by_type
        By code of the metapath and interaction type, where exactly one step is an interaction.
    """
    pair, big, idle = np.array([u, v], np.int32), graph.n_relations, 2 * graph.n_relations

    def steps(x: int) -> list[tuple[int, int]]:
        edges = range(graph.indptr[x], graph.indptr[x + 1])
        found = [(int(graph.relation[e]), int(graph.neighbour[e])) for e in edges]
        return [
            (r, y) for r, y in found
            if r != idle and not is_hidden(r, x, y, pair, hides, graph.n_types, big)
        ]  # fmt: skip

    walks: list[list[int]] = []
    for r1, x in steps(u):
        if x == v:
            walks.append([r1, idle, idle])
        if x in (u, v):
            continue
        for r2, y in steps(x):
            if y == v:
                walks.append([r1, idle, r2])
            if y not in (u, v):
                walks += [[r1, r2, r3] for r3, z in steps(y) if z == v]
    counts: Counter[int] = Counter()
    by_type: Counter[tuple[int, int]] = Counter()
    for walk in walks:
        code = kinds.code(*(int(kinds.of[r]) for r in walk))
        counts[code] += 1
        types = [r % big for r in walk if r != idle and r % big < graph.n_types]
        if len(types) == 1:
            by_type[code, types[0]] += 1
    return counts, by_type
