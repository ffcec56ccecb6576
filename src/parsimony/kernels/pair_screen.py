"""The flows between one drug and many others, sharing what belongs to the one.

Where all asked pairs have a drug a in common, the edges out of N(a) are sorted once by where they
go. The middle edges to N(v) are then read off at the nodes of N(v), instead of being looked for
among all edges of a neighbourhood; layer 2 of the flows from a is merged once for all entities;
and (a, v) and (v, a) share one path digraph. The numbers are those of
:mod:`parsimony.kernels.pair_flow`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from parsimony.kernels.dense import constant
from parsimony.kernels.numerics import kernel
from parsimony.kernels.pair_flow import direction, incoming
from parsimony.kernels.pair_paths import is_hidden, merged, neighbourhood


@kernel
def two_hops(indptr, neighbour, relation, node):  # type: ignore[no-untyped-def]
    """Edges out of some nodes, sorted by where they go.

    OUT ptr (n_entities + 1,); source (n_edges,) the index of the node, kind its relation
    """
    n = indptr.shape[0] - 1
    ptr = np.zeros(n + 1, np.int64)
    for i in range(node.shape[0]):
        for e in range(indptr[node[i]], indptr[node[i] + 1]):
            ptr[neighbour[e] + 1] += 1
    for x in range(n):
        ptr[x + 1] += ptr[x]
    cursor = ptr[:-1].copy()
    source = np.empty(ptr[n], np.int32)
    kind = np.empty(ptr[n], np.int32)
    for i in range(node.shape[0]):
        for e in range(indptr[node[i]], indptr[node[i] + 1]):
            to = cursor[neighbour[e]]
            cursor[neighbour[e]] += 1
            source[to] = i
            kind[to] = relation[e]
    return ptr, source, kind


@kernel
def edges_to(hops, node_a, moved, node_b, pair, hidden, n_types, n_relations):  # type: ignore[no-untyped-def]
    """Middle edges as of :func:`parsimony.kernels.pair_paths.middle_edges`, sorted by N(b).

    IN  hops of :func:`two_hops` from node_a, all neighbours of a
        moved (len(node_a),) the index of each among those that the pair leaves, or −1
    """
    ptr, source, kind = hops
    most = np.int64(0)
    for j in range(node_b.shape[0]):
        most += ptr[node_b[j] + 1] - ptr[node_b[j]]
    found = np.empty((most, 3), np.int32)
    n = 0
    for j in range(node_b.shape[0]):
        y = node_b[j]
        for m in range(ptr[y], ptr[y + 1]):
            i = source[m]
            if hidden and (
                moved[i] < 0 or is_hidden(kind[m], node_a[i], y, pair, hidden, n_types, n_relations)
            ):
                continue
            found[n, 0] = moved[i]
            found[n, 1] = kind[m]
            found[n, 2] = j
            n += 1
    return found[:n]


@kernel
def all_edges(hops):  # type: ignore[no-untyped-def]
    """Every edge of :func:`two_hops` as (source, relation, entity)."""
    ptr, source, kind = hops
    found = np.empty((source.shape[0], 3), np.int32)
    for y in range(ptr.shape[0] - 1):
        for m in range(ptr[y], ptr[y + 1]):
            found[m, 0] = source[m]
            found[m, 1] = kind[m]
            found[m, 2] = y
    return found


@kernel
def rows_of(whole, node_b, number):  # type: ignore[no-untyped-def]
    """Rows of a matrix of :func:`merged` over all entities, with the columns that they need.

    SCRATCH number (n_columns,) int32, all −1 before and after
    """
    ptr, column, weight, state, kind = whole
    n_rows = node_b.shape[0]
    out_ptr = np.zeros(n_rows + 1, np.int64)
    for j in range(n_rows):
        out_ptr[j + 1] = out_ptr[j] + ptr[node_b[j] + 1] - ptr[node_b[j]]
    out_column = np.empty(out_ptr[n_rows], np.int32)
    out_weight = np.empty(out_ptr[n_rows], weight.dtype)
    most = min(state.shape[0], out_ptr[n_rows])
    out_state = np.empty(most, np.int32)
    out_kind = np.empty(most, np.int32)
    used = np.empty(most, np.int32)
    columns = 0
    n = 0
    for j in range(n_rows):
        for m in range(ptr[node_b[j]], ptr[node_b[j] + 1]):
            c = number[column[m]]
            if c < 0:
                c = np.int32(columns)
                number[column[m]] = c
                used[c] = column[m]
                out_state[c] = state[column[m]]
                out_kind[c] = kind[column[m]]
                columns += 1
            out_column[n] = c
            out_weight[n] = weight[m]
            n += 1
    for c in range(columns):
        number[used[c]] = -1
    return out_ptr, out_column, out_weight, out_state[:columns], out_kind[:columns]


@kernel
def run(dim,  # type: ignore[no-untyped-def]
    indptr, neighbour, relation, degree_ptr, degree_relation, degree_count, degree_weight,
    n_relations, n_types, drug, rows, pairs, hidden, f, alpha, e, w, wt, b, biased, out,
):  # fmt: skip
    """Both directions of every row's pair; rows of the same two drugs stand together."""
    scale = np.zeros(2 * n_relations + 1, f.dtype)
    like = np.empty(0, f.dtype)
    every = neighbourhood(indptr, neighbour, relation, drug, pairs[0], 0, n_types, n_relations)
    hops = two_hops(indptr, neighbour, relation, every[0])
    same = np.arange(every[0].shape[0], dtype=np.int32)
    whole = merged(
        all_edges(hops), False, every[1], every[2].shape[0],
        np.arange(indptr.shape[0] - 1, dtype=np.int32), degree_ptr, degree_relation,
        degree_count, degree_weight, n_relations, biased, like,
    )  # fmt: skip
    number = np.full(whole[3].shape[0], np.int32(-1), np.int32)
    at = 0
    while at < rows.shape[0]:
        i = rows[at]
        v = pairs[i, 1] if pairs[i, 0] == drug else pairs[i, 0]
        hide = hidden[i]
        mine, moved = every, same
        if hide:
            mine = neighbourhood(
                indptr, neighbour, relation, drug, pairs[i], hide, n_types, n_relations
            )
            moved = np.full(same.shape[0], np.int32(-1), np.int32)
            k = 0
            for j in range(mine[0].shape[0]):
                while every[0][k] != mine[0][j]:
                    k += 1
                moved[k] = j
        node_a, group_a, begin_a, end_a, kept_a = mine
        node_v, group_v, begin_v, end_v, kept_v = neighbourhood(
            indptr, neighbour, relation, v, pairs[i], hide, n_types, n_relations
        )
        edges = edges_to(hops, every[0], moved, node_v, pairs[i], hide, n_types, n_relations)
        if hide:
            forth = merged(
                edges, False, group_a, begin_a.shape[0], node_v, degree_ptr, degree_relation,
                degree_count, degree_weight, n_relations, biased, like,
            )  # fmt: skip
        else:
            forth = rows_of(whole, node_v, number)
        back = merged(
            edges, True, group_v, begin_v.shape[0], node_a, degree_ptr, degree_relation,
            degree_count, degree_weight, n_relations, biased, like,
        )  # fmt: skip
        first = pairs[i, 0]
        while at < rows.shape[0]:
            i = rows[at]
            if pairs[i, 0] + pairs[i, 1] - drug != v or hidden[i] != hide:
                break
            # what is hidden of one drug alone turns with the pair
            if hide & 3 != 0 and pairs[i, 0] != first:
                break
            side = 0 if pairs[i, 0] == drug else 1
            incoming(v, degree_ptr, degree_relation, degree_weight, scale)
            direction(dim,
                forth, begin_a, end_a, kept_a, begin_v, end_v, kept_v, group_v, n_relations,
                scale, f[i, side], alpha[i], e, w, wt, b, out[i, side],
                False, f[i, 0], f[i, 1], alpha[i], e, wt, b,
            )  # fmt: skip
            incoming(drug, degree_ptr, degree_relation, degree_weight, scale)
            direction(dim,
                back, begin_v, end_v, kept_v, begin_a, end_a, kept_a, group_a, n_relations,
                scale, f[i, 1 - side], alpha[i], e, w, wt, b, out[i, 1 - side],
                False, f[i, 0], f[i, 1], alpha[i], e, wt, b,
            )  # fmt: skip
            at += 1


def around(dim: int, *arguments: Any) -> None:
    """Run the flows of pairs that have a drug in common.

    Parameters
    ----------
    dim
        Dimension of the states.
    *arguments
        ``*graph, drug, rows, pairs, hidden, f, alpha, e, w, wt, b, biased, out``: as of
        :func:`parsimony.kernels.pair_flow.forward`, with the common drug.
    """
    run(constant(dim), *arguments)
