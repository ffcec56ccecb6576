"""Filtered rank counts without dense masks, from the reached nodes only or from dense scores.

For an answer with score s: the number of other candidates with a higher score, and with score s,
without all other known answers. Unreached entities all have the same score (0, or −inf with
``unreached=below``), so they are counted, not listed. Those that have another one, by the query's
relation alone, stand in a :class:`Listed` that all its queries share: sorted once, searched by each
query.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.kernels.numerics import kernel

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]
MANY = 8  # answers of a query from which their rivals are sorted
#: entries of a list for each node looked up, from which on they are searched one by one
LONG = 16


class Listed(NamedTuple):
    """Entities whose scores are known although a query does not reach them.

    The list of query b has the entries ``first[b]`` … ``last[b] - 1``.
    """

    first: IntArray  # (n_queries,)
    last: IntArray
    value: npt.NDArray[np.float32]  # (n_entries,) scores where unreached
    ordered: npt.NDArray[np.float32]  # those of each list, ascending
    of_node: IntArray  # (n_nodes,) entry of each node of the frontier, or −1
    of_known: IntArray
    of_answer: IntArray


def nothing_listed(n_queries: int) -> Listed:
    """Return a list of nothing for each query."""
    none, never = np.zeros(n_queries, np.int64), np.zeros(0, np.int64)
    return Listed(none, none, np.zeros(0, np.float32), np.zeros(0, np.float32), *3 * [never])


@kernel
def entries(ptr, node, first, last, entity, place, out):  # type: ignore[no-untyped-def]
    """Find nodes in the lists of their queries.

    IN  ptr (n_queries + 1,) node: those of each query; first, last (n_queries,): its list
        entity (n_entries,): ascending in each list
        place (n_entities,): scratch, 0 before and after
    OUT out (n_nodes,): the entry of each, or −1
    """
    for b in range(ptr.shape[0] - 1):
        low, high = first[b], last[b]
        if high - low <= LONG * (ptr[b + 1] - ptr[b]):
            for j in range(low, high):
                place[entity[j]] = j - low + 1
            for i in range(ptr[b], ptr[b + 1]):
                j = place[node[i]]
                out[i] = low + j - 1 if j > 0 else -1
            for j in range(low, high):
                place[entity[j]] = 0
        else:
            for i in range(ptr[b], ptr[b + 1]):
                j = low + int(np.searchsorted(entity[low:high], node[i]))
                out[i] = j if j < high and entity[j] == node[i] else -1


@kernel
def filtered_counts(  # type: ignore[no-untyped-def]
    ptr, node, row, score, n_entities, unreached, listed, known_ptr, known, answer_ptr, answer,
    stamp, position, tick, greater, equal,
):  # fmt: skip
    """Rank counts of every answer.

    IN  ptr, node, row: the last frontier; score (n_rows,); unreached: the score of the others
        that are not listed
        known_ptr (n_queries + 1,) known: distinct known answers to filter out
        answer_ptr (n_queries + 1,) answer: entities to rank
        stamp, position, tick: scratch over the entities
    OUT greater, equal (n_answers,)
    """
    most = max(0, (ptr[1:] - ptr[:-1]).max()) if len(ptr) > 1 else 0
    rivals = np.empty(most, np.float64)
    most += max(0, (known_ptr[1:] - known_ptr[:-1]).max()) if len(ptr) > 1 else 0
    apart = np.empty(most, np.float64)  # what stands in a query's list and is reached or known
    for b in range(ptr.shape[0] - 1):
        # An entity is stamped where it is reached, or known but not reached; a negative position
        # marks the reached that are known.
        tick[0] += 2
        reached, filtered = tick[0], tick[0] - 1
        unseen = n_entities - (ptr[b + 1] - ptr[b])
        for i in range(ptr[b], ptr[b + 1]):
            stamp[node[i]] = reached
            position[node[i]] = i
        for k in range(known_ptr[b], known_ptr[b + 1]):
            o = known[k]
            if stamp[o] == reached:
                position[o] = -1 - position[o]
            else:
                stamp[o] = filtered
                unseen -= 1
        n = 0
        for i in range(ptr[b], ptr[b + 1]):
            if position[node[i]] >= 0:
                rivals[n] = score[row[i]]
                n += 1
        low, high, m = listed.first[b], listed.last[b], 0
        if high > low:
            for i in range(ptr[b], ptr[b + 1]):
                if listed.of_node[i] >= 0:
                    apart[m] = listed.value[listed.of_node[i]]
                    m += 1
            for k in range(known_ptr[b], known_ptr[b + 1]):
                if stamp[known[k]] == filtered and listed.of_known[k] >= 0:
                    apart[m] = listed.value[listed.of_known[k]]
                    m += 1
            unseen -= high - low - m
        # All answers of a query have the same rivals: many are looked up in their order.
        many = answer_ptr[b + 1] - answer_ptr[b] > MANY
        if many:
            rivals[:n] = np.sort(rivals[:n])
            apart[:m] = np.sort(apart[:m])
        for j in range(answer_ptr[b], answer_ptr[b + 1]):
            v = answer[j]
            s = np.float64(unreached)
            itself = stamp[v] != filtered  # whether it stands among the rivals
            if stamp[v] == reached:
                i = position[v]
                itself = i >= 0
                s = np.float64(score[row[i if itself else -1 - i]])
            elif high > low and listed.of_answer[j] >= 0:
                s = np.float64(listed.value[listed.of_answer[j]])
            above = 0
            same = -1 if itself else 0
            if unreached > s:
                above += unseen
            elif unreached == s:
                same += unseen
            if high > low:
                some = listed.ordered[low:high]
                right = int(np.searchsorted(some, s, side="right"))
                above += high - low - right
                same += right - int(np.searchsorted(some, s, side="left"))
            if many:
                right = int(np.searchsorted(rivals[:n], s, side="right"))
                above += n - right
                same += right - int(np.searchsorted(rivals[:n], s, side="left"))
                right = int(np.searchsorted(apart[:m], s, side="right"))
                above -= m - right
                same -= right - int(np.searchsorted(apart[:m], s, side="left"))
            else:
                for i in range(n):
                    if rivals[i] > s:
                        above += 1
                    elif rivals[i] == s:
                        same += 1
                for i in range(m):
                    if apart[i] > s:
                        above -= 1
                    elif apart[i] == s:
                        same -= 1
            greater[j] = above
            equal[j] = same


@kernel
def higher_counts(scores, query, first, value, low, high, greater, equal):  # type: ignore[no-untyped-def]
    """Add the numbers of given entities that score higher than, or equal to, each answer.

    IN  scores (n_some, n_queries); query (n_answers,): column of each answer, unsigned to avoid a
        check for negative indices; query[k] = k for answers k < first, so that their columns are
        contiguous; value (n_answers,): the answers' own scores; answers low … high − 1 are counted
    OUT greater, equal (n_answers,) are added to
    """
    # Slices from 0 and contiguous scores of a row, so that the comparisons are vectorised.
    n = high - low
    column, than, above, same = query[low:high], value[low:high], greater[low:high], equal[low:high]
    beside = np.empty_like(than)
    m = max(0, min(high, first) - low)
    for e in range(scores.shape[0]):
        row, side = scores[e], scores[e, low : low + m]
        for k in range(m):
            above[k] += np.int32(side[k] > than[k])
            same[k] += np.int32(side[k] == than[k])
        for k in range(m, n):
            beside[k] = row[column[k]]
        for k in range(m, n):
            above[k] += np.int32(beside[k] > than[k])
            same[k] += np.int32(beside[k] == than[k])


@kernel
def leave_out(  # type: ignore[no-untyped-def]
    query, answer, value, known_ptr, known, known_score, low, high, greater, equal
):
    """Subtract the answer itself and the other known answers from its counts.

    IN  query, answer, value (n_answers,); known_ptr (n_queries + 1,) known: distinct known answers
        with their scores
    OUT greater, equal (n_answers,): reduced for answers low … high − 1
    """
    for k in range(low, high):
        equal[k] -= 1
        for i in range(known_ptr[query[k]], known_ptr[query[k] + 1]):
            if known[i] != answer[k]:
                greater[k] -= known_score[i] > value[k]
                equal[k] -= known_score[i] == value[k]


def filtered_counts_reference(
    scores: FloatArray, known: list[list[int]], answers: list[list[int]]
) -> tuple[IntArray, IntArray]:
    """Reference implementation on dense scores (n_queries, n_entities)."""
    greater, equal = [], []
    for query, leave_out, truths in zip(scores, known, answers, strict=True):
        for v in truths:
            candidate = np.ones(len(query), bool)
            candidate[leave_out] = False
            candidate[v] = False
            greater.append(int((query[candidate] > query[v]).sum()))
            equal.append(int((query[candidate] == query[v]).sum()))
    return np.array(greater, np.int64), np.array(equal, np.int64)
