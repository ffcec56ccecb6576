"""Answer queries by rules alone (docs/methods/rules.md).

For a query (x, r, ?) every rule ``r(X,Y) <- body`` walks its body from X = x; whatever it reaches
is an answer with the rule's confidence. A query for heads, relation ``r + R``, walks the bodies
from Y. The confidences of the rules that reach the same answer are combined:

    noisy-or   score = -Σ log(1 - confidence), so that 1 - exp(-score) is the probability that at
               least one rule is right, taken as independent (eq. 5)
    max        score = 0.999 · best + 0.001 · second best confidence: ties are broken by the next
               (eq. 6)

Smoothing adds s pairs for which the rule was wrong: support / (body count + s), so that 2/2 does
not beat 90/100 (eq. 4). It touches only confidences that are the ratio of their counts, not edited
ones.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidParameter
from parsimony.graph.knowledge_graph import KnowledgeGraph
from parsimony.kernels.numerics import kernel
from parsimony.kernels.ranking import filtered_counts
from parsimony.knowledge.rule_branches import Branch, encode_branch, entity_names
from parsimony.knowledge.rule_counts import count_rules, encode_rule, relation_names
from parsimony.knowledge.rule_walks import (
    PathTrie,
    WalkIndex,
    build_trie,
    build_walk_index,
    expand,
    has_other_walk,
    is_own,
)
from parsimony.knowledge.rules import Rule
from parsimony.link.rules.constants import BranchRules
from parsimony.link.task import QuerySet
from parsimony.metrics.guard import require_scores
from parsimony.run.progress import Progress

__all__ = ["Aggregation", "Grounding", "RuleScorer", "apply_rules"]

Aggregation = Literal["noisy-or", "max"]
Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

SURE = 1 - 1e-6  # a confidence of 1 counts as this in a noisy-or, else all else would be ties
SECOND = 1e-3


class Grounding(NamedTuple):
    """A rule that supports an answer, and walks of its body that do.

    ``walks`` holds edges (head, relation, tail, inverse): a fact in its stored order, and whether
    it is walked from tail to head. They lead from the head of the explained fact to its tail; those
    of a rule about an entity begin at the other entity of the fact, and end where the body does.
    """

    rule: Rule
    confidence: float
    walks: tuple[tuple[tuple[int, int, int, bool], ...], ...]


class _Body(NamedTuple):
    """All rules for one query relation."""

    trie: PathTrie
    weight: npt.NDArray[np.float64]  # per trie node, 0 where no rule ends
    deepest: int  # of the trie's nodes


_NO_BODY = _Body(build_trie([])[0], np.zeros(0), 0)


@kernel
def _lead(v, w, additive, best, second, nodes, n):  # type: ignore[no-untyped-def]
    """Take in that a rule of weight w leads to v; return the number of nodes so far."""
    if w <= 0:
        return n
    if best[v] == 0:
        nodes[n] = v
        n += 1
    if additive:
        best[v] += w
    elif w > best[v]:
        second[v] = best[v]
        best[v] = w
    elif w > second[v]:
        second[v] = w
    return n


@kernel
def _score(  # type: ignore[no-untyped-def]
    indptr, relation, neighbour, step, depth, end, weight, x, found, found_weight, additive,
    levels, stamp, mark, best, second, nodes, scores,
):  # fmt: skip
    """Scores of everything that the rules reach from x.

    IN  the WalkIndex; a trie with weight (n_nodes,); found, found_weight: what other rules lead to
        additive: sum the weights, else the best two
        levels (depth + 1, n_entities), stamp, mark (1,), best, second (n_entities,): scratch
    OUT nodes, scores (returned size,)
    """
    sizes = np.zeros(levels.shape[0], np.int64)
    sizes[0] = 1
    levels[0, 0] = x
    n = 0
    for j in range(len(found)):
        n = _lead(found[j], found_weight[j], additive, best, second, nodes, n)
    i = 0
    while i < len(step):
        d = depth[i]
        mark[0] += 1
        sizes[d] = expand(
            indptr, relation, neighbour,
            levels[d - 1], sizes[d - 1], step[i], stamp, mark[0], levels[d],
        )  # fmt: skip
        if sizes[d] == 0:
            i = end[i]
            continue
        w = weight[i]
        if w > 0:
            for j in range(sizes[d]):
                n = _lead(levels[d, j], w, additive, best, second, nodes, n)
        i += 1
    for j in range(n):
        v = nodes[j]
        scores[j] = best[v] if additive else (1 - SECOND) * best[v] + SECOND * second[v]
        best[v] = 0
        second[v] = 0
    return n


class RuleScorer:
    """Rules ready to answer queries on a graph.

    Parameters
    ----------
    rules : iterable of Rule
        Path rules and rules about an entity; those without any evidence are counted on ``graph``
        first. Of rules that are equal but for their evidence the most confident counts.
    graph : KnowledgeGraph
        The facts to walk.
    aggregation : {"noisy-or", "max"}
    smoothing : float
        Wrong pairs added to every counted rule, ≥ 0.

    Raises
    ------
    UnknownRelation, UnknownEntity, InvalidParameter
        A relation or an entity that the graph does not have; a body that is no path; a parameter
        out of range.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        graph: KnowledgeGraph,
        *,
        aggregation: Aggregation = "noisy-or",
        smoothing: float = 0.0,
        index: WalkIndex | None = None,
    ) -> None:
        if aggregation not in ("noisy-or", "max"):
            raise InvalidParameter(
                f"unknown aggregation {aggregation!r}", remedy="use 'noisy-or' or 'max'"
            )
        if not smoothing >= 0:
            raise InvalidParameter(f"smoothing is {smoothing}", remedy="use 0 or more")
        self.graph, self.aggregation, self.smoothing = graph, aggregation, smoothing
        self.index = build_walk_index(graph) if index is None else index
        self.rules = _with_evidence(list(rules), graph)
        ids = {name: i for i, name in enumerate(relation_names(graph))}
        self._of_relation: dict[int, dict[tuple[int, ...], Rule]] = {}
        about: dict[Branch, Rule] = {}
        names: dict[str, int] = {}
        if any(rule.names_entity for rule in self.rules):
            names = {name: i for i, name in enumerate(entity_names(graph))}
        for rule in self.rules:
            if rule.names_entity:
                branch = encode_branch(rule, ids, names)
                if self.confidence(rule) > self.confidence(about.setdefault(branch, rule)):
                    about[branch] = rule
                continue
            head, path = encode_rule(rule, ids)
            of_head = self._of_relation.setdefault(head, {})
            rival = of_head.get(path)
            if rival is None or self.confidence(rule) > self.confidence(rival):
                of_head[path] = rule
        self._about, self._about_rules = BranchRules(list(about), self.index), list(about.values())
        self._about_weight = self._weights(map(self.confidence, self._about_rules))
        self._bodies: dict[int, _Body | None] = {}
        n = graph.n_entities
        self._stamp, self._mark = np.zeros(n, np.int64), np.zeros(1, np.int64)
        self._best, self._second = np.zeros(n), np.zeros(n)
        self._nodes, self._scores = np.empty(n, np.int32), np.empty(n, np.float32)
        self._levels = np.empty((1, n), np.int32)

    def confidence(self, rule: Rule) -> float:
        """Return the confidence that a rule is used with."""
        if rule.is_counted and rule.confidence == rule.support / rule.body_count:
            return rule.support / (rule.body_count + self.smoothing)
        return rule.confidence

    def _weights(self, confidences: Iterable[float]) -> npt.NDArray[np.float64]:
        """Return what confidences add to a score."""
        weight = np.array(list(confidences), np.float64)
        return -np.log1p(-np.minimum(weight, SURE)) if self.aggregation == "noisy-or" else weight

    def on(self, index: WalkIndex) -> RuleScorer:
        """Return the same rules on other facts about the same entities."""
        other = copy.copy(self)
        other.index, other._about = index, self._about.on(index)
        return other

    def _body(self, relation: int) -> _Body | None:
        """Return the trie of a query relation, bodies walked from Y for ``r + R``."""
        if relation not in self._bodies:
            n = self.index.n_relations
            rules = self._of_relation.get(relation % n, {})
            weighted = [(path, self.confidence(rule)) for path, rule in rules.items()]
            weighted = [(path, weight) for path, weight in weighted if weight > 0]
            body = None
            if weighted:
                paths = [path for path, _ in weighted]
                if relation >= n:
                    paths = [tuple(map(self.index.inverse, reversed(path))) for path in paths]
                trie, node_of = build_trie(paths)
                weight = np.zeros(len(trie.step))
                weight[node_of] = self._weights(confidence for _, confidence in weighted)
                body = _Body(trie, weight, int(trie.depth.max()))
            self._bodies[relation] = body
        return self._bodies[relation]

    def reached(self, entity: int, relation: int) -> tuple[Ints, Floats]:
        """Answer one query: the entities that some rule reaches, and their scores above 0.

        The arrays are overwritten by the next call.
        """
        body = self._body(relation) or _NO_BODY
        found, by = self._about.fired(entity, relation)
        # Here, not where the body is made: scorers on other facts share bodies, not scratch.
        if len(self._levels) <= body.deepest:
            self._levels = np.empty((body.deepest + 1, self.graph.n_entities), np.int32)
        n = _score(
            *self.index[:3], *body.trie, body.weight, entity,
            found, self._about_weight[by], self.aggregation == "noisy-or",
            self._levels, self._stamp, self._mark, self._best, self._second,
            self._nodes, self._scores,
        )  # fmt: skip
        return self._nodes[:n], self._scores[:n]

    def score(self, entity: npt.ArrayLike, relation: npt.ArrayLike) -> Floats:
        """Score all entities, (n_queries, n_entities); 0 where no rule leads."""
        entities, relations = np.atleast_1d(entity), np.atleast_1d(relation)
        out = np.zeros((len(entities), self.graph.n_entities), np.float32)
        for row, x, r in zip(out, entities.tolist(), relations.tolist(), strict=True):
            nodes, scores = self.reached(x, r)
            row[nodes] = scores
        return out

    def rank(
        self, queries: QuerySet, *, unreached: float = 0.0, progress: Progress | None = None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Count, for every answer of a ``QuerySet``, the candidates above it and beside it."""
        greater = np.zeros(len(queries.answer), np.int64)
        equal = np.zeros(len(queries.answer), np.int64)
        stamp = np.zeros(self.graph.n_entities, np.int64)
        position, tick = np.zeros(self.graph.n_entities, np.int64), np.zeros(1, np.int64)
        rows = np.arange(self.graph.n_entities)
        for i in range(len(queries)):
            nodes, scores = self.reached(int(queries.head[i]), int(queries.relation[i]))
            require_scores(scores)
            known = slice(queries.known_ptr[i], queries.known_ptr[i + 1])
            answers = slice(queries.answer_ptr[i], queries.answer_ptr[i + 1])
            filtered_counts(
                np.array([0, len(nodes)]), nodes, rows, scores, self.graph.n_entities, unreached,
                np.array([0, known.stop - known.start]), queries.known[known],
                np.array([0, answers.stop - answers.start]), queries.answer[answers],
                stamp, position, tick, greater[answers], equal[answers],
            )  # fmt: skip
            if progress is not None:
                progress.advance(1)
        return greater, equal

    def groundings(
        self, head: int, relation: int, tail: int, *, n_rules: int = 5, n_walks: int = 1
    ) -> list[Grounding]:
        """Say why: the most confident rules that lead from head to tail, with their walks.

        Walks that use the fact (head, relation, tail) itself are left out.

        Parameters
        ----------
        head, relation, tail : int
            ``relation`` below n_relations.
        n_rules, n_walks : int
            Most rules, and most walks of each.
        """
        # A path rule is one with a path; of the others, i is known to lead from head to tail.
        rules: list[tuple[Rule, tuple[int, ...], int]] = [
            (rule, path, -1) for path, rule in self._of_relation.get(relation, {}).items()
        ]
        entities, by = self._about.fired(head, relation)
        rules += [(self._about_rules[i], (), i) for i in by[entities == tail].tolist()]
        found: list[Grounding] = []
        for rule, path, i in sorted(
            rules, key=lambda item: (-self.confidence(item[0]), len(item[0].body), item[1:])
        ):
            confidence = self.confidence(rule)
            if len(found) == n_rules or confidence == 0:
                break
            if i >= 0:
                walks = self._about.walks(i, relation, head, tail, n_walks)
            elif has_other_walk(*self.index, np.array(path, np.int32), head, relation, tail):
                walks = self._walks(path, head, relation, tail, n_walks)
            else:
                continue
            found.append(Grounding(rule, confidence, tuple(walks)))
        return found

    def walked_facts(self, head: int, relation: int) -> set[tuple[int, int, int]]:
        """Return all facts that some rule walks in answering (head, relation, ?)."""
        body = self._body(relation)
        n = self.index.n_relations
        facts: set[tuple[int, int, int]] = set()
        levels: list[set[int]] = [{head}]
        for step, depth in zip(body.trie.step, body.trie.depth, strict=True) if body else ():
            del levels[depth:]
            levels.append(set())
            for u in levels[depth - 1]:
                for v in self.index.neighbours(u, step).tolist():
                    levels[depth].add(v)
                    facts.add((v, int(step) - n, u) if step >= n else (u, int(step), v))
        for v, i in zip(*(a.tolist() for a in self._about.fired(head, relation)), strict=True):
            for walk in self._about.walks(i, relation, head, v):
                facts |= {edge[:3] for edge in walk}
        return facts

    def _walks(
        self, path: tuple[int, ...], x: int, r: int, y: int, n_walks: int
    ) -> list[tuple[tuple[int, int, int, bool], ...]]:
        """List walks along a path from x to y, without the fact (x, r, y)."""
        n = self.index.n_relations
        # Sets of entities from which the rest of the path reaches y prune the search.
        reach = [{y}]
        for step in reversed(path[1:]):
            back = self.index.inverse(step)
            reach.append({v for u in reach[-1] for v in self.index.neighbours(u, back).tolist()})
        reach.reverse()
        found: list[tuple[tuple[int, int, int, bool], ...]] = []

        def walk(u: int, d: int, edges: tuple[tuple[int, int, int, bool], ...]) -> None:
            if d == len(path):
                found.append(edges)
                return
            for v in self.index.neighbours(u, path[d]).tolist():
                if len(found) >= n_walks:
                    return
                if v in reach[d] and not is_own(u, path[d], v, x, r, y, n):
                    inverse = path[d] >= n
                    fact = (v, path[d] - n, u, True) if inverse else (u, path[d], v, False)
                    walk(v, d + 1, (*edges, fact))

        walk(x, 0, ())
        return found


def _with_evidence(rules: list[Rule], graph: KnowledgeGraph) -> list[Rule]:
    bare = [i for i, rule in enumerate(rules) if not rule.is_counted and rule.confidence == 0]
    for i, counted in zip(bare, count_rules([rules[i] for i in bare], graph), strict=True):
        rules[i] = counted
    return rules


def apply_rules(
    rules: Iterable[Rule],
    graph: KnowledgeGraph,
    queries: npt.ArrayLike,
    *,
    aggregation: Aggregation = "noisy-or",
    smoothing: float = 0.0,
    block: int = 256,
) -> Iterator[Floats]:
    """Score queries by rules alone, block by block.

    Parameters
    ----------
    rules : iterable of Rule
    graph : KnowledgeGraph
    queries : integer array, shape (n, 2)
        Entity and relation; relation r + n_relations asks for heads.
    aggregation : {"noisy-or", "max"}
    smoothing : float
    block : int
        Queries per block.

    Yields
    ------
    float32 array, shape (≤ block, n_entities)
        0 where no rule leads.
    """
    pairs = np.asarray(queries, dtype=np.int32).reshape(-1, 2)
    scorer = RuleScorer(rules, graph, aggregation=aggregation, smoothing=smoothing)
    for start in range(0, len(pairs), block):
        yield scorer.score(pairs[start : start + block, 0], pairs[start : start + block, 1])
