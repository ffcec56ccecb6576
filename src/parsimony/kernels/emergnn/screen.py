"""The flows between one drug and many others, sharing the work for the one.

If all pairs have a drug a in common, the edges out of N(a) are sorted once by target. The middle
edges to N(v) are then looked up at the nodes of N(v), instead of being searched among all edges of
a neighbourhood, and merged as they are read; layer 2 of the flows from a is merged once for all
entities; and (a, v) and (v, a) share one path digraph. The results equal those of
:mod:`parsimony.kernels.emergnn.flow`, which is the reference.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from parsimony.kernels.dense import constant
from parsimony.kernels.emergnn.flow import direction, incoming
from parsimony.kernels.emergnn.graph import inverse_of
from parsimony.kernels.emergnn.paths import is_hidden, merged, neighbourhood
from parsimony.kernels.numerics import kernel
from parsimony.kernels.products import chosen


@kernel
def two_hops(indptr, neighbour, relation, node):  # type: ignore[no-untyped-def]
    """Return the edges out of some nodes, sorted by target.

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
def edges_to(hops, node_b):  # type: ignore[no-untyped-def]
    """Return the edges of :func:`parsimony.kernels.emergnn.paths.middle_edges`, sorted by N(b)."""
    ptr, source, kind = hops
    most = np.int64(0)
    for j in range(node_b.shape[0]):
        most += ptr[node_b[j] + 1] - ptr[node_b[j]]
    found = np.empty((most, 3), np.int32)
    n = 0
    for j in range(node_b.shape[0]):
        for m in range(ptr[node_b[j]], ptr[node_b[j] + 1]):
            found[n, 0] = source[m]
            found[n, 1] = kind[m]
            found[n, 2] = j
            n += 1
    return found


@kernel
def all_edges(hops):  # type: ignore[no-untyped-def]
    """Return every edge of :func:`two_hops` as (source, relation, entity)."""
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
    """Return rows of a matrix of :func:`merged` over all entities, with the columns they need.

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
def forth_to(  # type: ignore[no-untyped-def]
    hops, node_a, group_a, n_groups, node_b, degree_ptr, degree_relation, degree_weight,
    pair, hidden, n_types, n_relations, like,
):  # fmt: skip
    """Return the matrix of :func:`merged` from a to b, from sorted edges; no background state.

    IN  group_a (len(node_a),) the signature of each neighbour, −1 if the pair hides all its edges
    """
    ptr, source, kind = hops
    messages = 2 * n_relations + 1
    n_rows = node_b.shape[0]
    most = np.int64(0)
    for j in range(n_rows):
        most += ptr[node_b[j] + 1] - ptr[node_b[j]]
    number = np.full(n_groups * messages, np.int32(-1), np.int32)
    columns_most = min(most, n_groups * messages)
    out_state = np.empty(columns_most, np.int32)
    out_kind = np.empty(columns_most, np.int32)
    last = np.full(columns_most, np.int64(-1), np.int64)
    column = np.empty(most, np.int32)
    weight = np.empty(most, like.dtype)
    out_ptr = np.zeros(n_rows + 1, np.int64)
    scale = np.empty(messages, np.float64)
    columns = 0
    n = 0
    for j in range(n_rows):
        y = node_b[j]
        first = n
        for k in range(degree_ptr[y], degree_ptr[y + 1]):
            scale[degree_relation[k]] = degree_weight[k]
        for m in range(ptr[y], ptr[y + 1]):
            i = source[m]
            r = kind[m]
            if group_a[i] < 0 or is_hidden(r, node_a[i], y, pair, hidden, n_types, n_relations):
                continue
            key = group_a[i] * messages + r
            c = number[key]
            if c < 0:
                c = np.int32(columns)
                number[key] = c
                out_state[c] = group_a[i]
                out_kind[c] = r
                columns += 1
            if last[c] >= first:
                weight[last[c]] += scale[r]
            else:
                last[c] = n
                column[n] = c
                weight[n] = scale[r]
                n += 1
        out_ptr[j + 1] = n
    return out_ptr, column[:n], weight[:n], out_state[:columns], out_kind[:columns]


@kernel
def slots_of(hops, node_a, degree_ptr, degree_relation, degree_weight, n_relations, like):  # type: ignore[no-untyped-def]
    """Number the slots of the neighbours of a: a slot is a neighbour with an incoming relation.

    OUT slot (n_edges,) of every sorted edge, reversed
        row, kind, weight (n_slots,) the neighbour, the relation, the factor of its message
    """
    _, source, kind = hops
    messages = 2 * n_relations + 1
    n_a = node_a.shape[0]
    number = np.full(n_a * messages, np.int32(-1), np.int32)
    slot = np.empty(source.shape[0], np.int32)
    row = np.empty(source.shape[0], np.int32)
    entering = np.empty(source.shape[0], np.int32)
    n = 0
    for m in range(source.shape[0]):
        r = inverse_of(kind[m], n_relations)
        key = source[m] * messages + r
        if number[key] < 0:
            number[key] = n
            row[n] = source[m]
            entering[n] = r
            n += 1
        slot[m] = number[key]
    weight = np.empty(n, like.dtype)
    for i in range(n_a):
        for k in range(degree_ptr[node_a[i]], degree_ptr[node_a[i] + 1]):
            at = number[i * messages + degree_relation[k]]
            if at >= 0:
                weight[at] = degree_weight[k]
    return slot, row[:n].copy(), entering[:n].copy(), weight


@kernel
def back_from(  # type: ignore[no-untyped-def]
    hops, slots, count, touched, number, node_a, moved, n_rows, node_b, group_b, n_groups,
    pair, hidden, n_types, n_relations, like,
):  # fmt: skip
    """Return the matrix of :func:`merged` from b to a, from sorted edges; no background state.

    SCRATCH count (n_slots,) zeros and number (2R + 1,) −1 before and after; touched (n_slots,)
    """
    ptr, source, kind = hops
    slot, slot_row, slot_kind, slot_weight = slots
    n_b = node_b.shape[0]
    start = np.zeros(n_groups + 1, np.int64)
    most = np.int64(0)
    for j in range(n_b):
        start[group_b[j] + 1] += 1
        most += ptr[node_b[j] + 1] - ptr[node_b[j]]
    for g in range(n_groups):
        start[g + 1] += start[g]
    order = np.empty(n_b, np.int32)
    cursor = start.copy()
    for j in range(n_b):
        order[cursor[group_b[j]]] = j
        cursor[group_b[j]] += 1
    row = np.empty(most, np.int32)
    column = np.empty(most, np.int32)
    weight = np.empty(most, like.dtype)
    out_state = np.empty(most, np.int32)
    out_kind = np.empty(most, np.int32)
    out_ptr = np.zeros(n_rows + 1, np.int64)
    columns = 0
    n = 0
    for g in range(n_groups):
        seen = 0
        for at in range(start[g], start[g + 1]):
            y = node_b[order[at]]
            for m in range(ptr[y], ptr[y + 1]):
                if hidden and (
                    moved[source[m]] < 0
                    or is_hidden(kind[m], node_a[source[m]], y, pair, hidden, n_types, n_relations)
                ):
                    continue
                s = slot[m]
                if count[s] == 0:
                    touched[seen] = s
                    seen += 1
                count[s] += 1
        first = columns
        for k in range(seen):
            s = touched[k]
            r = slot_kind[s]
            c = number[r]
            if c < 0:
                c = np.int32(columns)
                number[r] = c
                out_state[c] = g
                out_kind[c] = r
                columns += 1
            i = moved[slot_row[s]]
            row[n] = i
            column[n] = c
            weight[n] = count[s] * slot_weight[s]
            out_ptr[i + 1] += 1
            count[s] = 0
            n += 1
        for c in range(first, columns):
            number[out_kind[c]] = -1
    for i in range(n_rows):
        out_ptr[i + 1] += out_ptr[i]
    place = out_ptr[:-1].copy()
    out_column = np.empty(n, np.int32)
    out_weight = np.empty(n, like.dtype)
    for m in range(n):
        to = place[row[m]]
        place[row[m]] += 1
        out_column[to] = column[m]
        out_weight[to] = weight[m]
    return out_ptr, out_column, out_weight, out_state[:columns], out_kind[:columns]


@kernel
def run(form, dim,  # type: ignore[no-untyped-def]
    indptr, neighbour, relation, degree_ptr, degree_relation, degree_count, degree_weight,
    n_relations, n_types, drug, rows, pairs, hidden, f, alpha, e, w, wt, b, biased, out,
):  # fmt: skip
    """Both directions of every row's pair; rows with the same two drugs are adjacent."""
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
    slots = slots_of(
        hops, every[0], degree_ptr, degree_relation, degree_weight, n_relations, like
    )  # fmt: skip
    count = np.zeros(slots[1].shape[0], np.int32)
    touched = np.empty(slots[1].shape[0], np.int32)
    column_of = np.full(2 * n_relations + 1, np.int32(-1), np.int32)
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
        if hide:
            group_of = np.full(same.shape[0], np.int32(-1), np.int32)
            for j in range(same.shape[0]):
                if moved[j] >= 0:
                    group_of[j] = group_a[moved[j]]
            forth = forth_to(
                hops, every[0], group_of, begin_a.shape[0], node_v, degree_ptr, degree_relation,
                degree_weight, pairs[i], hide, n_types, n_relations, like,
            )  # fmt: skip
        else:
            forth = rows_of(whole, node_v, number)
        if biased:
            back = merged(
                edges_to(hops, node_v), True, group_v, begin_v.shape[0], node_a, degree_ptr,
                degree_relation, degree_count, degree_weight, n_relations, biased, like,
            )  # fmt: skip
        else:
            back = back_from(
                hops, slots, count, touched, column_of, every[0], moved, node_a.shape[0],
                node_v, group_v, begin_v.shape[0], pairs[i], hide, n_types, n_relations, like,
            )  # fmt: skip
        first = pairs[i, 0]
        while at < rows.shape[0]:
            i = rows[at]
            if pairs[i, 0] + pairs[i, 1] - drug != v or hidden[i] != hide:
                break
            # what is hidden for one drug only is swapped with the pair
            if hide & 3 != 0 and pairs[i, 0] != first:
                break
            side = 0 if pairs[i, 0] == drug else 1
            incoming(v, degree_ptr, degree_relation, degree_weight, scale)
            direction(form, dim,
                forth, begin_a, end_a, kept_a, begin_v, end_v, kept_v, group_v, n_relations,
                scale, f[i, side], alpha[i], e, w, wt, b, out[i, side],
                False, f[i, 0], f[i, 1], alpha[i], e, wt, b,
            )  # fmt: skip
            incoming(drug, degree_ptr, degree_relation, degree_weight, scale)
            direction(form, dim,
                back, begin_v, end_v, kept_v, begin_a, end_a, kept_a, group_a, n_relations,
                scale, f[i, 1 - side], alpha[i], e, w, wt, b, out[i, 1 - side],
                False, f[i, 0], f[i, 1], alpha[i], e, wt, b,
            )  # fmt: skip
            at += 1


def around(dim: int, *arguments: Any) -> None:
    """Run the flows of pairs with a common drug.

    Parameters
    ----------
    dim
        Dimension of the states.
    *arguments
        ``*graph, drug, rows, pairs, hidden, f, alpha, e, w, wt, b, biased, out``: as for
        :func:`parsimony.kernels.emergnn.flow.forward`, plus the common drug.
    """
    run(chosen(), constant(dim), *arguments)
