"""Which rules about an entity answer a query, and by which facts.

For a query (x, h, ?) a rule ``h(X,c) <- body`` answers c if its body holds for X = x; for
(?, h, c) it answers every entity for which its body holds. See
:mod:`parsimony.knowledge.rule_branches` for what the rules mean.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from parsimony.graph.knowledge_graph import KnowledgeGraph
from parsimony.kernels.numerics import kernel
from parsimony.knowledge.rule_branches import (
    ANY,
    Branch,
    Branches,
    entity_ids,
    has_branch,
    holders,
    step_nodes,
)
from parsimony.knowledge.rule_walks import WalkIndex, first_at_least
from parsimony.knowledge.rules import Constant, Rule

__all__ = ["BranchRules", "known_here"]

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Edge = tuple[int, int, int, bool]


def known_here(rules: Iterable[Rule], graph: KnowledgeGraph) -> list[Rule]:
    """Return the rules that name no entity but the graph's: elsewhere the others say nothing."""
    rules = list(rules)
    if not any(rule.names_entity for rule in rules):
        return rules
    known = entity_ids(graph)

    def here(rule: Rule) -> bool:
        terms = (term for atom in (rule.head, *rule.body) for term in atom.terms)
        return all(term.name in known for term in terms if isinstance(term, Constant))

    return [rule for rule in rules if here(rule)]


@kernel
def _concluded(  # type: ignore[no-untyped-def]
    indptr, relation, neighbour, n_relations, step, constant, path, end, chosen, x, entity, rule
):
    """Collect the constants of the chosen rules whose bodies hold for x.

    IN  the WalkIndex; Branches; chosen (n,): rules
    OUT entity, rule (returned size,)
    """
    n = 0
    for i in chosen:
        length = 0
        while length < path.shape[1] and path[i, length] >= 0:
            length += 1
        if length == 1 and end[i] >= 0:
            last = indptr[x + 1]
            at = first_at_least(relation, neighbour, indptr[x], last, path[i, 0], end[i])
            holds = at < last and relation[at] == path[i, 0] and neighbour[at] == end[i]
            holds = holds and x != constant[i] and x != end[i]
        else:
            holds = has_branch(
                indptr, relation, neighbour, path[i, :length], x, constant[i], end[i]
            )
        if holds:
            entity[n], rule[n] = constant[i], i
            n += 1
    return n


@kernel
def _concluding(  # type: ignore[no-untyped-def]
    indptr, relation, neighbour, n_relations, step, constant, path, end, chosen,
    step_ptr, step_node, stamp, mark, levels,
):  # fmt: skip
    """Collect the entities for which the bodies of the chosen rules hold.

    IN  the WalkIndex; Branches; chosen (n,): rules; step_nodes
        stamp (n_entities,), mark (1,), levels (2, n_entities): scratch
    OUT returned: entities and rules, one row per pair
    """
    entity, rule = np.empty(1024, np.int32), np.empty(1024, np.int32)
    n = 0
    for i in chosen:
        length = 0
        while length < path.shape[1] and path[i, length] >= 0:
            length += 1
        size = holders(
            indptr, relation, neighbour, n_relations, step_ptr, step_node,
            path[i, :length], constant[i], end[i], stamp, mark, levels,
        )  # fmt: skip
        if n + size > len(entity):
            room = max(n + size, 2 * len(entity))
            wider, longer = np.empty(room, np.int32), np.empty(room, np.int32)
            wider[:n], longer[:n] = entity[:n], rule[:n]
            entity, rule = wider, longer
        entity[n : n + size] = levels[0, :size]
        rule[n : n + size] = i
        n += size
    return entity[:n], rule[:n]


class BranchRules:
    """Rules about entities, ready to answer queries.

    Parameters
    ----------
    branches : sequence of Branch
        Distinct.
    index : WalkIndex
        The facts to walk.
    """

    def __init__(self, branches: Sequence[Branch], index: WalkIndex) -> None:
        self.branches = tuple(branches)
        self.arrays = Branches.of(self.branches)
        self._of_step: dict[int, Ints] = {}
        self._of_constant: dict[tuple[int, int], Ints] = {}
        by_step: dict[int, list[int]] = {}
        by_constant: dict[tuple[int, int], list[int]] = {}
        for i, branch in enumerate(self.branches):
            if branch.path == (branch.step,) and branch.end == branch.constant:
                continue  # the fact itself
            by_step.setdefault(branch.step, []).append(i)
            by_constant.setdefault((branch.constant, index.inverse(branch.step)), []).append(i)
        self._of_step = {key: np.array(some, np.int32) for key, some in by_step.items()}
        self._of_constant = {key: np.array(some, np.int32) for key, some in by_constant.items()}
        self._set(index)

    def on(self, index: WalkIndex) -> BranchRules:
        """Return the same rules on other facts about the same entities."""
        other = copy.copy(self)
        other._set(index)
        return other

    def _set(self, index: WalkIndex) -> None:
        self.index = index
        self._step_nodes: tuple[Longs, Ints] | None = None  # made when asked for
        n = index.n_entities if self.branches else 0
        self._scratch = np.zeros(n, np.int64), np.zeros(1, np.int64), np.empty((2, n), np.int32)
        self._found = np.empty((2, len(self.branches)), np.int32)

    def fired(self, entity: int, relation: int) -> tuple[Ints, Ints]:
        """Answer one query: entities and the rules that lead to them, one pair each.

        ``relation`` runs to ``2 * n_relations``, the upper half for queries for heads. The arrays
        may be overwritten by the next call.
        """
        forward = self._of_step.get(relation)
        backward = self._of_constant.get((entity, relation))
        found, by = self._found
        n = 0
        if forward is not None:
            n = _concluded(*self.index, *self.arrays, forward, entity, found, by)
        if backward is None:
            return found[:n], by[:n]
        if self._step_nodes is None:
            self._step_nodes = step_nodes(self.index)
        more, of = _concluding(
            *self.index, *self.arrays, backward, *self._step_nodes, *self._scratch
        )
        return np.concatenate([found[:n], more]), np.concatenate([by[:n], of])

    def walks(
        self, i: int, relation: int, entity: int, answer: int, n_walks: int = 1
    ) -> list[tuple[Edge, ...]]:
        """List chains by which rule i answers a query so, as edges (see ``Grounding``)."""
        branch, n = self.branches[i], self.index.n_relations
        x = entity if branch.step == relation and branch.constant == answer else answer
        found: list[tuple[Edge, ...]] = []

        def walk(used: tuple[int, ...], edges: tuple[Edge, ...]) -> None:
            if len(edges) == len(branch.path):
                found.append(edges)
                return
            u, step = used[-1], branch.path[len(edges)]
            ends = len(edges) + 1 == len(branch.path) and branch.end != ANY
            for v in [branch.end] if ends else self.index.neighbours(u, step).tolist():
                if len(found) >= n_walks:
                    return
                if ends and v not in self.index.neighbours(u, step):
                    return
                if not ends and v in (*used, branch.constant, branch.end):
                    continue
                fact = (v, step - n, u, True) if step >= n else (u, step, v, False)
                walk((*used, v), (*edges, fact))

        walk((x,), ())
        return found
