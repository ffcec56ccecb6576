"""Answer queries by rules alone (docs/methods/rules.md).

For a query (x, r, ?) every rule ``r(X,Y) <- body`` walks its body from X = x; whatever it reaches
is an answer with the rule's confidence. A query for heads, relation ``r + R``, walks the bodies
from Y. :mod:`parsimony.link.rules.combining` combines the confidences of the rules that reach the
same answer (eq. 5 and 6).

Smoothing adds s pairs for which the rule was wrong: support / (body count + s), so that 2/2 does
not beat 90/100 (eq. 4). It touches only confidences that are the ratio of their counts, not edited
ones.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidParameter
from parsimony.graph.knowledge_graph import KnowledgeGraph
from parsimony.kernels.numerics import kernel
from parsimony.kernels.ranking import filtered_counts, nothing_listed
from parsimony.knowledge.rule_branches import Branch, encode_branch, entity_ids
from parsimony.knowledge.rule_counts import count_rules, encode_rule, relation_names
from parsimony.knowledge.rule_walks import (
    PathTrie,
    WalkIndex,
    build_trie,
    build_walk_index,
    expand,
    has_other_walk,
)
from parsimony.knowledge.rules import Rule
from parsimony.link.frequency import FLOOR, Beside, Frequencies, of_one
from parsimony.link.rules.clustering import clusters_of, predicted
from parsimony.link.rules.combining import (
    AGGREGATIONS,
    BEST_TWO,
    Aggregation,
    Combination,
    Firings,
    Plan,
    combine,
    combine_best_two,
    plan_of,
)
from parsimony.link.rules.constants import BranchRules
from parsimony.link.task import QuerySet
from parsimony.metrics.guard import require_scores
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng
from parsimony.run.steps import step_done

__all__ = ["Aggregation", "RuleScorer", "apply_rules"]

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

FEW = 5.0  # wrong pairs added to each rule where the strongest are looked for
THRESHOLD = 0.5  # overlap of the pairs of rules that say the same thing, unless it is chosen


class _Body(NamedTuple):
    """The path rules for one query relation."""

    trie: PathTrie
    rule: Ints  # per trie node: which rule of the relation ends there, or -1
    deepest: int  # of the trie's nodes


class _Relation(NamedTuple):
    """The rules that conclude a relation: path rules, then those about an entity."""

    rules: list[Rule]
    paths: list[tuple[int, ...]]
    about: list[int]  # positions among the rules about an entity


@kernel
def _fire(  # type: ignore[no-untyped-def]
    indptr, relation, neighbour, step, depth, end, ends, x, found, found_by,
    levels, stamp, mark,
):  # fmt: skip
    """Find everything that the rules reach from x, rule by rule.

    IN  the WalkIndex; a trie with ends (n_nodes,): the rule at each node, or -1
        found, found_by: what other rules lead to, grouped by rule
        levels (depth + 1, n_entities), stamp, mark (1,): scratch
    OUT returned: the Firings
    """
    rule, ptr = (
        np.empty(len(step) + len(found), np.int32),
        np.zeros(len(step) + len(found) + 1, np.int64),
    )
    out = np.empty(max(1024, len(found)), np.int32)
    n, k = 0, 0
    for j in range(len(found)):
        if j == 0 or found_by[j] != found_by[j - 1]:
            rule[k] = found_by[j]
            k += 1
        out[n] = found[j]
        n += 1
        ptr[k] = n
    sizes = np.zeros(levels.shape[0], np.int64)
    sizes[0] = 1
    levels[0, 0] = x
    i = 0
    while i < len(step):
        d = depth[i]
        mark[0] += 1
        size = expand(
            indptr, relation, neighbour,
            levels[d - 1], sizes[d - 1], step[i], stamp, mark[0], levels[d],
        )  # fmt: skip
        sizes[d] = size
        if size == 0:
            i = end[i]
            continue
        if ends[i] >= 0:
            if n + size > len(out):
                wider = np.empty(max(n + size, 2 * len(out)), np.int32)
                wider[:n] = out[:n]
                out = wider
            out[n : n + size] = levels[d, :size]
            n += size
            rule[k] = ends[i]
            k += 1
            ptr[k] = n
        i += 1
    return rule[:k], ptr[: k + 1], out[:n]


class RuleScorer:
    """Rules ready to answer queries on a graph.

    Parameters
    ----------
    rules : iterable of Rule
        Path rules and rules about an entity; those without any evidence are counted on ``graph``
        first. Of rules that are equal but for their evidence the most confident counts.
    graph : KnowledgeGraph
        The facts to walk.
    aggregation : {"max", "noisy-or", "clusters"}
    smoothing : float
        Wrong pairs added to every counted rule, ≥ 0.
    threshold : float
        Overlap, in (0, 1], from which rules are one cluster.
    combinations : mapping of int to Combination, optional
        For some query relations, instead of the three above.
    labels : mapping of Rule to (n_thresholds,), optional
        The cluster of each rule at ``thresholds``; measured on ``graph`` where left out.
    thresholds : sequence of float
    learned : mapping of Rule to (n_penalties,), optional
        Weights that were learned at ``penalties``; 0 for others.
    penalties : sequence of float

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
        threshold: float = THRESHOLD,
        combinations: Mapping[int, Combination] | None = None,
        labels: Mapping[Rule, npt.NDArray[np.int32]] | None = None,
        thresholds: Sequence[float] = (),
        learned: Mapping[Rule, npt.NDArray[np.float64]] | None = None,
        penalties: Sequence[float] = (),
        index: WalkIndex | None = None,
    ) -> None:
        if aggregation not in AGGREGATIONS:
            raise InvalidParameter(
                f"unknown aggregation {aggregation!r}", remedy=f"use {', '.join(AGGREGATIONS)}"
            )
        if not smoothing >= 0:
            raise InvalidParameter(f"smoothing is {smoothing}", remedy="use 0 or more")
        self.graph = graph
        self._default = Combination(aggregation, smoothing, threshold)
        self._combinations = dict(combinations or {})
        self._given, self.thresholds = labels, tuple(thresholds) or (threshold,)
        self.penalties = tuple(penalties)
        self._weights = learned or {}
        self.clustered_on_some: set[int] = set()  # relations of which not all pairs were seen
        self.apart: frozenset[int] = frozenset()  # relations whose rules are not compared
        self.index = build_walk_index(graph) if index is None else index
        self.rules = _with_evidence(list(rules), graph)
        ids = {name: i for i, name in enumerate(relation_names(graph))}
        paths: dict[int, dict[tuple[int, ...], Rule]] = {}
        about: dict[Branch, Rule] = {}
        names: Mapping[str, int] = {}
        if any(rule.names_entity for rule in self.rules):
            names = entity_ids(graph)
        for rule in self.rules:
            if rule.names_entity:
                branch = encode_branch(rule, ids, names)
                if self.confidence(rule) > self.confidence(about.setdefault(branch, rule)):
                    about[branch] = rule
                continue
            head, path = encode_rule(rule, ids)
            of_head = paths.setdefault(head, {})
            rival = of_head.get(path)
            if rival is None or self.confidence(rule) > self.confidence(rival):
                of_head[path] = rule
        n_relations = self.index.n_relations
        self.about = BranchRules(list(about), self.index)
        self._relations = {
            head: _Relation(list(some.values()), list(some), []) for head, some in paths.items()
        }
        self.about_place = np.zeros(len(about), np.int32)  # among the rules of its relation
        for i, (branch, rule) in enumerate(about.items()):
            own = self._relations.setdefault(branch.step % n_relations, _Relation([], [], []))
            self.about_place[i] = len(own.rules)
            own.rules.append(rule)
            own.about.append(i)
        self._bodies: dict[int, _Body] = {}
        self._plans: dict[int, Plan] = {}
        self._best_first: dict[int, list[int]] = {}
        self._named: dict[int, npt.NDArray[np.bool_]] = {}
        self._sure: dict[tuple[int, float], list[float]] = {}
        self._labels: dict[int, npt.NDArray[np.int32]] = {}
        n = graph.n_entities
        self._stamp, self._mark = np.zeros(n, np.int64), np.zeros(1, np.int64)
        self._total, self._last = np.zeros(n), np.zeros(n, np.int32)
        self._nodes, self._scores = np.empty(n, np.int32), np.empty(n, np.float32)
        self._levels = np.empty((1, n), np.int32)
        self._frequencies: tuple[WalkIndex, Frequencies] | None = None

    def rules_of(self, relation: int) -> list[Rule]:
        """Return the rules of a query relation, in the order that plans and labels follow."""
        own = self._relations.get(relation % self.index.n_relations)
        return own.rules if own else []

    def paths_of(self, relation: int) -> list[tuple[int, ...]]:
        """Return the bodies of its path rules, which come before those about an entity."""
        own = self._relations.get(relation % self.index.n_relations)
        return own.paths if own else []

    def about_of(self, relation: int) -> list[int]:
        """Return the places of its rules about an entity among all of these."""
        own = self._relations.get(relation % self.index.n_relations)
        return own.about if own else []

    def leading(self, head: int, relation: int, tail: int) -> Callable[[int], bool]:
        """Say of the rules of a relation whether they lead to a fact without its help."""
        entities, by = self.about.fired(head, relation)
        about = {*self.about_place[by[entities == tail]].tolist()}
        paths = self.paths_of(relation)

        def leads(i: int) -> bool:
            if i >= len(paths):
                return i in about
            path = np.array(paths[i], np.int32)
            return bool(has_other_walk(*self.index, path, head, relation, tail))

        return leads

    def combination(self, relation: int) -> Combination:
        """Return how the rules of a query relation are combined."""
        return self._combinations.get(relation, self._default)

    def confidence(self, rule: Rule, smoothing: float | None = None) -> float:
        """Return the confidence that a rule is used with, smoothed as by default if left out."""
        if rule.is_counted and rule.confidence == rule.support / rule.body_count:
            more = self._default.smoothing if smoothing is None else smoothing
            return rule.support / (rule.body_count + more)
        return rule.confidence

    def labels(self, relation: int) -> npt.NDArray[np.int32]:
        """Return the clusters of the rules of a relation, (n_rules, n_thresholds).

        Rules about an entity among path rules are compared with all others. The pairs are those of
        all entities, or of a part of them, drawn by a fixed seed, where they are too many.
        """
        head = relation % self.index.n_relations
        if head not in self._labels:
            rules = self.rules_of(head)
            if self._given is not None:
                found = np.array([self._given[rule] for rule in rules], np.int32)
                found = found.reshape(-1, len(self.thresholds))
            else:
                order = rng(0, "overlap of rules").permutation(self.graph.n_entities)
                predicts, whole = predicted(
                    lambda x: self.fired(x, head), order.tolist(), len(rules)
                )
                if not whole:
                    self.clustered_on_some.add(head)
                found = clusters_of(predicts, self.thresholds, self._confidences(head, FEW))
            self._labels[head] = found
        return self._labels[head]

    def keep_apart(self, relations: Collection[int]) -> None:
        """Compare no rules of these relations: each is a cluster of its own."""
        self.apart = frozenset(relations)
        for r in relations:
            own = np.arange(len(self.rules_of(r)), dtype=np.int32)
            self._labels[r] = np.repeat(own[:, None], len(self.thresholds), axis=1)

    def plan(self, relation: int, combination: Combination) -> Plan:
        """Return how the rules of a query relation are combined by a combination."""
        label = None
        if combination.aggregation == "clusters":
            label = self.labels(relation)[:, self.thresholds.index(combination.threshold)]
        return plan_of(
            combination,
            self._confidences(relation, combination.smoothing),
            label,
            self._about_entities(relation),
            self._atoms(relation),
            self._learned(relation, combination.penalty) if combination.penalty else None,
        )

    def _learned(self, relation: int, penalty: float) -> npt.NDArray[np.float64]:
        """Return the weights of the rules of a relation that were learned, (n_rules,)."""
        at, none = self.penalties.index(penalty), np.zeros(len(self.penalties))
        return np.array([self._weights.get(r, none)[at] for r in self.rules_of(relation)])

    def _about_entities(self, relation: int) -> npt.NDArray[np.bool_]:
        head = relation % self.index.n_relations
        if head not in self._named:
            self._named[head] = np.array([r.names_entity for r in self.rules_of(head)], bool)
        return self._named[head]

    def _atoms(self, relation: int) -> npt.NDArray[np.int32]:
        return np.array([len(rule.body) for rule in self.rules_of(relation)], np.int32)

    def best_first(self, relation: int) -> list[int]:
        """Return the rules that are used in a query, as an explanation lists them.

        The most confident first, then short ones, path rules, and paths in their order.
        """
        if relation not in self._best_first:
            sure, plan = self.confidences(relation), self.plan_used(relation)
            rules, paths = self.rules_of(relation), self.paths_of(relation)

            def key(i: int) -> tuple[object, ...]:
                return -sure[i], len(rules[i].body), i >= len(paths), paths[i : i + 1]

            self._best_first[relation] = sorted(plan.order.tolist(), key=key)
        return self._best_first[relation]

    def confidences(self, relation: int) -> list[float]:
        """Return what the rules of a query relation count with, learned weights included.

        With a weight v that is 1 - (1 - c) exp(-v).
        """
        sure = self._confidences(relation, self.combination(relation).smoothing)
        added = self.plan_used(relation).added
        if not len(added):
            return sure
        found: list[float] = (1 - (1 - np.array(sure)) * np.exp(-added)).tolist()
        return found

    def _confidences(self, relation: int, smoothing: float) -> list[float]:
        key = relation % self.index.n_relations, smoothing
        if key not in self._sure:
            self._sure[key] = [self.confidence(r, smoothing) for r in self.rules_of(relation)]
        return self._sure[key]

    def combined_by(
        self,
        combinations: Mapping[int, Combination],
        learned: Mapping[Rule, npt.NDArray[np.float64]] | None = None,
        penalties: Sequence[float] = (),
    ) -> RuleScorer:
        """Return the same rules combined in other ways."""
        other = copy.copy(self)
        other._combinations = dict(combinations)
        other._weights, other.penalties = learned or {}, tuple(penalties)
        other._plans, other._best_first = {}, {}
        return other

    def on(self, index: WalkIndex) -> RuleScorer:
        """Return the same rules on other facts about the same entities."""
        self._prepare_labels()
        other = copy.copy(self)
        other.index, other.about = index, self.about.on(index)
        return other

    def _prepare_labels(self) -> None:
        """Measure all clusters that are needed, while the facts are those of the graph."""
        n = self.index.n_relations
        for head in self._relations:
            if any(self.combination(r).aggregation == "clusters" for r in (head, head + n)):
                self.labels(head)

    def body(self, relation: int) -> _Body:
        """Return the trie of a query relation, bodies walked from Y for ``r + R``."""
        if relation not in self._bodies:
            n = self.index.n_relations
            paths = self.paths_of(relation)
            if relation >= n:
                paths = [tuple(map(self.index.inverse, reversed(path))) for path in paths]
            trie, node_of = build_trie(paths)
            ends = np.full(len(trie.step), -1, np.int32)
            ends[node_of] = np.arange(len(paths))
            self._bodies[relation] = _Body(trie, ends, int(trie.depth.max(initial=0)))
        return self._bodies[relation]

    def fired(self, entity: int, relation: int) -> Firings:
        """Find what each rule leads to in one query; rules are numbered as by ``rules_of``."""
        body = self.body(relation)
        found, by = self.about.fired(entity, relation)
        # Here, not where the body is made: scorers on other facts share bodies, not scratch.
        if len(self._levels) <= body.deepest:
            self._levels = np.empty((body.deepest + 1, self.graph.n_entities), np.int32)
        return Firings(*_fire(
            *self.index[:3], *body.trie, body.rule, entity, found, self.about_place[by],
            self._levels, self._stamp, self._mark,
        ))  # fmt: skip

    def reached(self, entity: int, relation: int) -> tuple[Ints, Floats]:
        """Answer one query: the entities that some rule reaches, and their scores above 0.

        The arrays are overwritten by the next call.
        """
        return self.combined(self.fired(entity, relation), relation)

    def combined(self, firings: Firings, relation: int) -> tuple[Ints, Floats]:
        """Combine what the rules of a query relation lead to; see :meth:`reached`."""
        plan = self.plan_used(relation)
        if self.combination(relation).aggregation == BEST_TWO:
            return combine_best_two(firings, plan, self.graph.n_entities)
        n = combine(*firings, *plan, self._total, self._last, self._nodes, self._scores)
        return self._nodes[:n], self._scores[:n]

    def plan_used(self, relation: int) -> Plan:
        """Return how the rules of a query relation are combined."""
        if relation not in self._plans:
            self._plans[relation] = self.plan(relation, self.combination(relation))
        return self._plans[relation]

    def score(self, entity: npt.ArrayLike, relation: npt.ArrayLike) -> Floats:
        """Score all entities, (n_queries, n_entities); 0 where no rule leads."""
        entities, relations = np.atleast_1d(entity), np.atleast_1d(relation)
        out = np.zeros((len(entities), self.graph.n_entities), np.float32)
        for row, x, r in zip(out, entities.tolist(), relations.tolist(), strict=True):
            step_done()
            nodes, scores = self.reached(x, r)
            row[nodes] = scores
        return out

    @property
    def frequencies(self) -> Frequencies:
        """How often entities answer relations in the facts that are walked."""
        if self._frequencies is None or self._frequencies[0] is not self.index:
            self._frequencies = self.index, Frequencies.of_index(self.index)
        return self._frequencies[1]

    def rank(
        self,
        queries: QuerySet,
        *,
        unreached: float | Frequencies = 0.0,
        progress: Progress | None = None,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Count, for every answer of a ``QuerySet``, the candidates above it and beside it.

        What no rule reaches has the score ``unreached``, or one by its frequency.
        """
        frequencies = unreached if isinstance(unreached, Frequencies) else None
        rest = FLOOR if isinstance(unreached, Frequencies) else unreached
        greater = np.zeros(len(queries.answer), np.int64)
        equal = np.zeros(len(queries.answer), np.int64)
        stamp = np.zeros(self.graph.n_entities, np.int64)
        position, tick = np.zeros(self.graph.n_entities, np.int64), np.zeros(1, np.int64)
        rows = np.arange(self.graph.n_entities)
        for i in range(len(queries)):
            step_done()
            relation = int(queries.relation[i])
            nodes, scores = self.reached(int(queries.head[i]), relation)
            require_scores(scores)
            at = slice(queries.answer_ptr[i], queries.answer_ptr[i + 1])
            known = of_one(queries.known[queries.known_ptr[i] : queries.known_ptr[i + 1]])
            answers, listed = of_one(queries.answer[at]), nothing_listed(1)
            if frequencies is not None:
                beside = Beside(frequencies, queries.relation[i : i + 1], known, answers)
                beside.reached(*of_one(nodes))
                listed = beside.listed()
            filtered_counts(
                *of_one(nodes), rows, scores, self.graph.n_entities, rest, listed, *known, *answers,
                stamp, position, tick, greater[at], equal[at],
            )  # fmt: skip
            if progress is not None:
                progress.advance(1)
        return greater, equal


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
    aggregation : {"max", "noisy-or", "clusters"}
    smoothing : float
    block : int
        Queries per block.

    Yields
    ------
    float32 array, shape (≤ block, n_entities)
        -log(1 - probability); 0 where no rule leads.
    """
    pairs = np.asarray(queries, dtype=np.int32).reshape(-1, 2)
    scorer = RuleScorer(rules, graph, aggregation=aggregation, smoothing=smoothing)
    for start in range(0, len(pairs), block):
        yield scorer.score(pairs[start : start + block, 0], pairs[start : start + block, 1])
