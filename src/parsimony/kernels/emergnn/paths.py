"""The digraph of all paths of length ≤ 3 from one drug to another, merged by relation signature.

Between drugs a and b are the neighbourhoods N(a) and N(b), and the middle edges from N(a) to N(b);
identity edges extend shorter paths to length 3. Two neighbours of a with the same multiset of
relations from a (their *signature*) have the same state after layer 1, so layer 2 only needs the
number of messages per signature and relation: a *column* (signature, relation)
(docs/methods/emergnn.md, eqs. 9–11). Nothing here depends on parameters.

Both directions share the middle edges, which are searched from the side with fewer edges.
"""

from __future__ import annotations

import numpy as np

from parsimony.kernels.emergnn.graph import inverse_of
from parsimony.kernels.numerics import kernel

#: The interactions that a pair (u, v) hides: those of u, those of v, those between the two.
#: A known drug is thus treated as new, without changing the graph.
HIDE_FIRST, HIDE_SECOND, HIDE_BETWEEN = 1, 2, 4


@kernel
def is_hidden(r, a, b, pair, hidden, n_types, n_relations):  # type: ignore[no-untyped-def]
    """Return whether the edge between a and b with relation r is hidden by the pair."""
    if (r if r < n_relations else r - n_relations) >= n_types:
        return False
    u, v = pair[0], pair[1]
    if hidden & 1 and (a == u or b == u):
        return True
    if hidden & 2 and (a == v or b == v):
        return True
    return hidden & 4 != 0 and ((a == u and b == v) or (a == v and b == u))


@kernel
def neighbourhood(indptr, neighbour, relation, x, pair, hidden, n_types, n_relations):  # type: ignore[no-untyped-def]
    """Return the distinct neighbours of x and their signatures, without hidden edges.

    OUT node, group (n_nodes,) the neighbours, and the signature of each
        begin, end (n_groups,) range of the relations of each signature in kept
        kept (n_edges,) relations of the edges of x
    """
    low = indptr[x]
    degree = 0
    target = np.empty(indptr[x + 1] - low, np.int32)
    kept = np.empty(indptr[x + 1] - low, np.int32)
    for e in range(low, indptr[x + 1]):
        if hidden and is_hidden(relation[e], x, neighbour[e], pair, hidden, n_types, n_relations):
            continue
        target[degree] = neighbour[e]
        kept[degree] = relation[e]
        degree += 1
    node = np.empty(degree, np.int32)
    group = np.empty(degree, np.int32)
    begin = np.empty(degree, np.int64)
    end = np.empty(degree, np.int64)
    size = 16
    while size < 2 * degree:
        size *= 2
    table = np.full(size, np.int32(-1), np.int32)
    nodes = 0
    groups = 0
    e = 0
    while e < degree:
        first = e
        key = np.uint64(0)
        while e < degree and target[e] == target[first]:
            key = (key + np.uint64(kept[e]) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
            key ^= key >> np.uint64(29)
            e += 1
        at = np.int64(key & np.uint64(size - 1))
        while True:
            g = table[at]
            if g < 0:
                g = np.int32(groups)
                table[at] = g
                begin[g] = first
                end[g] = e
                groups += 1
                break
            same = end[g] - begin[g] == e - first
            i = 0
            while same and i < e - first:
                same = kept[begin[g] + i] == kept[first + i]
                i += 1
            if same:
                break
            at = (at + 1) & (size - 1)
        node[nodes] = target[first]
        group[nodes] = g
        nodes += 1
    return node[:nodes], group[:nodes], begin[:groups], end[:groups], kept[:degree]


@kernel
def middle_edges(  # type: ignore[no-untyped-def]
    indptr, neighbour, relation, node_a, node_b, position, pair, hidden, n_types, n_relations
):
    """Return visible edges from N(a) to N(b) as (index in N(a), relation, index in N(b)).

    SCRATCH position (n_entities,) int32, all −1 before and after
    """
    cost_a = np.int64(0)
    cost_b = np.int64(0)
    for i in range(node_a.shape[0]):
        cost_a += indptr[node_a[i] + 1] - indptr[node_a[i]]
    for j in range(node_b.shape[0]):
        cost_b += indptr[node_b[j] + 1] - indptr[node_b[j]]
    swap = cost_b < cost_a
    here = node_b if swap else node_a
    there = node_a if swap else node_b
    for j in range(there.shape[0]):
        position[there[j]] = j
    room = 8192
    found = np.empty((room, 3), np.int32)
    n = 0
    for i in range(here.shape[0]):
        low = indptr[here[i]]
        high = indptr[here[i] + 1]
        # so that the loop over edges only checks the position
        if n + high - low > room:
            room = 2 * room + high - low
            larger = np.empty((room, 3), np.int32)
            larger[:n] = found[:n]
            found = larger
        for e in range(low, high):
            j = position[neighbour[e]]
            if j >= 0:
                if hidden and is_hidden(
                    relation[e], here[i], neighbour[e], pair, hidden, n_types, n_relations
                ):
                    continue
                found[n, 0] = i
                found[n, 1] = relation[e]
                found[n, 2] = j
                n += 1
    for j in range(there.shape[0]):
        position[there[j]] = -1
    if swap:
        for m in range(n):
            i = found[m, 2]
            found[m, 2] = found[m, 0]
            found[m, 0] = i
            found[m, 1] = inverse_of(found[m, 1], n_relations)
    return found[:n]


@kernel
def merged(  # type: ignore[no-untyped-def]
    edges, backwards, group, n_groups, rows,
    degree_ptr, degree_relation, degree_count, degree_weight, n_relations, constant, like,
):  # fmt: skip
    """Layer 2 as a sparse matrix: rows are nodes, columns are (signature, relation).

    IN  edges (m, 3) of :func:`middle_edges`, reversed if ``backwards``
        group the signature of every source, of n_groups
        rows (n_rows,) the receiving nodes
        constant: whether the background state, signature n_groups, sends messages as well, along
        every edge into a row (docs/methods/emergnn.md, eq. 10: sources send their excess over it)
        like (0,) an array of the desired precision
    OUT ptr (n_rows + 1,) column, weight (n_entries,)
        state, kind (n_columns,) signature and relation of a column
    """
    messages = 2 * n_relations + 1
    n_rows = rows.shape[0]
    m = edges.shape[0]
    source_at = 2 if backwards else 0
    row_at = 0 if backwards else 2
    # counting sort by row
    where = np.zeros(n_rows + 1, np.int64)
    for e in range(m):
        where[edges[e, row_at] + 1] += 1
    for i in range(n_rows):
        where[i + 1] += where[i]
    sorted_source = np.empty(m, np.int32)
    sorted_kind = np.empty(m, np.int32)
    cursor = where.copy()
    for e in range(m):
        to = cursor[edges[e, row_at]]
        cursor[edges[e, row_at]] += 1
        r = edges[e, 1]
        sorted_source[to] = group[edges[e, source_at]]
        sorted_kind[to] = inverse_of(r, n_relations) if backwards else r

    most = m
    if constant:
        for i in range(n_rows):
            most += degree_ptr[rows[i] + 1] - degree_ptr[rows[i]]
    number = np.full((n_groups + 1) * messages, np.int32(-1), np.int32)
    columns_most = min(most, (n_groups + 1) * messages)
    state = np.empty(columns_most, np.int32)
    kind = np.empty(columns_most, np.int32)
    last = np.full(columns_most, np.int64(-1), np.int64)
    column = np.empty(most, np.int32)
    weight = np.empty(most, like.dtype)
    ptr = np.zeros(n_rows + 1, np.int64)
    scale = np.empty(messages, np.float64)
    columns = 0
    n = 0
    for i in range(n_rows):
        x = rows[i]
        first = n
        if constant or where[i + 1] > where[i]:
            for k in range(degree_ptr[x], degree_ptr[x + 1]):
                scale[degree_relation[k]] = degree_weight[k]
        for e in range(where[i], where[i + 1]):
            r = sorted_kind[e]
            key = sorted_source[e] * messages + r
            c = number[key]
            if c < 0:
                c = np.int32(columns)
                number[key] = c
                state[c] = sorted_source[e]
                kind[c] = r
                columns += 1
            if last[c] >= first:
                weight[last[c]] += scale[r]
            else:
                last[c] = n
                column[n] = c
                weight[n] = scale[r]
                n += 1
        if constant:
            for k in range(degree_ptr[x], degree_ptr[x + 1]):
                r = degree_relation[k]
                key = n_groups * messages + r
                c = number[key]
                if c < 0:
                    c = np.int32(columns)
                    number[key] = c
                    state[c] = n_groups
                    kind[c] = r
                    columns += 1
                column[n] = c
                weight[n] = degree_count[k] * degree_weight[k]
                n += 1
        ptr[i + 1] = n
    return ptr, column[:n], weight[:n], state[:columns], kind[:columns]
