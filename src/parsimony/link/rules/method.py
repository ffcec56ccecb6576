"""Method "rules": mine rules from the training facts, answer by them, say which ones.

Learning is counting; validation selects how confidences are smoothed and combined and how many
rules of a relation are used. The model is its rules: ``knowledge()`` returns them, ``fit(task,
knowledge=rules)`` takes edited ones back.
"""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from annotated_types import Ge
from pydantic import Field

from parsimony import base
from parsimony.base import Fitting, constructor, tuned, tuned_among
from parsimony.errors import EmptySplit
from parsimony.explain import EvidenceEdge, Explanation, Faithfulness, Path, Step
from parsimony.explain.parts import Side
from parsimony.graph import KnowledgeGraph
from parsimony.knowledge.rule_bodies import LONGEST
from parsimony.knowledge.rule_branches import (
    Branch,
    Branches,
    encode_branch,
    entity_names,
    from_branch,
)
from parsimony.knowledge.rule_counts import encode_rule, relation_names
from parsimony.knowledge.rule_mining import mine_rules
from parsimony.knowledge.rule_walks import without_facts
from parsimony.knowledge.rules import Rule, format_rules
from parsimony.link.estimator import LinkEstimator
from parsimony.link.question import Question
from parsimony.link.rules.clustering import PAIRS
from parsimony.link.rules.combining import (
    AGGREGATIONS,
    BEST_TWO,
    Aggregation,
    Combination,
    Plan,
    weighed,
)
from parsimony.link.rules.constants import known_here
from parsimony.link.rules.scoring import Grounding, RuleScorer, apply_rules
from parsimony.link.rules.selecting import chosen_by_group, reciprocal_ranks, spread_sample
from parsimony.link.rules.small_books import choose, small_books, unlimited
from parsimony.link.shortest_walk import NO_WALK, shortest_walk, steps
from parsimony.link.task import QuerySet
from parsimony.metrics import Ranks
from parsimony.run.atomic import write_atomic
from parsimony.run.deadline import Deadline
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.run.restoring import require_indices, require_tensors
from parsimony.run.seeds import rng
from parsimony.stopping import held, stopped

__all__ = ["RuleReasoner", "RuleReasonerParameters", "apply_rules"]

IntArray = npt.NDArray[np.int32]

SMOOTHINGS = (1.0, 5.0, 20.0)
EVIDENCE = {"support": np.int64, "body_count": np.int64, "confidence": np.float64}
GAIN = 1e-3  # that rules about an entity, which are many, have to bring in validation MRR
BY_RELATION = "those that the best way to combine them needs, by relation"
NO_ENDS = -2  # instead of the entities of a rule that names none
MINING = 0.6  # of the time to learn
WAYS = (*AGGREGATIONS, BEST_TWO)
THRESHOLDS = (0.2, 0.5, 0.8)  # overlaps of rules from which they are one cluster
CLUSTERING = 0.5  # of the time left for the clusters of rules
SAMPLE = 100  # validation queries of each relation and side that the choices are measured on
SHORTENING = 0.5  # of the time after mining, for small books where one is wanted
MAX_RULES = (100, None)  # per relation; None: all that were mined


class RuleReasonerParameters(base.Parameters):
    """Parameters of rule mining and of answering by rules."""

    max_length: int | None = Field(
        None, ge=1, le=4, description="most body atoms, 1 … 4; chosen by the graph where left out",
        json_schema_extra=tuned_among(None, 2, 3),
    )  # fmt: skip
    min_support: int = Field(
        3, ge=1, description="facts that a rule must explain at least, ≥ 1",
        json_schema_extra=tuned(1, 30, log=True),
    )  # fmt: skip
    min_confidence: float = Field(
        0.001, ge=0, le=1, description="least confidence, in [0, 1]",
        json_schema_extra=tuned(1e-3, 0.3, log=True, zero=True),
    )  # fmt: skip
    per_relation: int = Field(2000, ge=1, description="most rules kept per relation, ≥ 1")
    constants: bool | None = Field(
        None, description="use rules about an entity; selected on validation where left out"
    )
    aggregation: Literal["max", "noisy-or", "clusters"] | None = Field(
        None, description="how rules are combined; selected per relation where left out"
    )
    threshold: float | None = Field(
        None, gt=0, le=1, description="overlap of the pairs of rules of one cluster, in (0, 1]; "
        "selected where left out",
    )  # fmt: skip
    smoothing: float | None = Field(
        None, ge=0, description="wrong pairs added to each rule; selected on validation if left out"
    )
    max_rules: int | None = Field(
        None, ge=1, description="most rules used per relation; selected where left out"
    )
    small: Literal["knee"] | Annotated[int, Ge(1)] | None = Field(
        None, description="a small book by a linear program: most rules, ≥ 1, or 'knee', as few as "
        "keep 95 % of the validation MRR; all rules where left out",
    )  # fmt: skip
    unreached: Literal["zero", "below"] = Field(
        "zero", description="score of entities that no rule reaches; both rank them last"
    )
    protocol: Literal["redgnn", "grail"] = Field("redgnn", description="inductive protocol")
    seed: int = Field(0, ge=0, description="seed of the bootstrap, ≥ 0")


class RuleReasoner(LinkEstimator[RuleReasonerParameters]):
    """Path rules and rules about an entity with exact evidence, combined by noisy-or or maximum.

    Attributes
    ----------
    rules_
        Those used, most confident first.
    """

    method: ClassVar[str] = "rules"
    paper: ClassVar[str] = "after AMIE, WWW 2013, and AnyBURL, IJCAI 2019"
    takes_knowledge: ClassVar[bool] = True
    finishing: ClassVar[float] = 0.25
    Parameters = RuleReasonerParameters
    __init__ = constructor(RuleReasonerParameters)

    rules_: list[Rule]
    combinations_: dict[int, Combination]  # of each query relation

    def _setup(self) -> None:
        self._scorers: dict[str, RuleScorer] = {}

    def _fit(self, fitting: Fitting) -> None:
        """Mine on the training facts, or take the rules given, and select on validation.

        After three fifths of the budget no further relation is mined. The choices are measured on
        as many validation queries as the rest allows, all on the same.
        """
        budget, given = Deadline(fitting.time_budget), self.resolved_
        mining = budget.part(MINING)
        graph = self.task_.train_graph
        if fitting.knowledge is not None:
            rules = RuleScorer(fitting.knowledge.rules, graph).rules
        else:
            with held():
                rules = mine_rules(
                    graph,
                    max_length=given.max_length,
                    min_support=given.min_support,
                    min_confidence=given.min_confidence,
                    per_relation=given.per_relation,
                    constants=given.constants is not False and not self.task_.inductive,
                    stop=lambda: mining.passed() or stopped(),
                    timed=mining.limited,
                    notes=self.notes_,
                )
        choosing = budget.part(1 - SHORTENING) if given.small else budget
        self._select(rules, choosing, fitting, whole_book=fitting.knowledge is not None)
        if given.small and self.rules_:
            self._shorten(None if given.small == "knee" else given.small, budget, fitting)
        if not self.rules_:
            self.notes_.append("warning: no rule was found: every answer scores alike")
        if stopped() or mining.passed() or budget.passed():
            self.ended_ = "interrupted" if stopped() else "time budget"
        self.parameters_count_ = len(self.rules_)

    def _choices(self, rules: Sequence[Rule], *, whole_book: bool) -> list[Combination]:
        """List the ways to combine that the parameters leave open, the first where none is tried.

        Those with rules about an entity come last: they must be better, not only as good.
        """
        given = self.resolved_
        thresholds = THRESHOLDS if given.threshold is None else (given.threshold,)
        ways: list[tuple[Aggregation, float]] = [
            (aggregation, threshold)
            for aggregation in AGGREGATIONS
            if given.aggregation in (None, aggregation)
            for threshold in (thresholds if aggregation == "clusters" else (0.0,))
        ]
        every = whole_book or given.max_rules is not None
        named = any(rule.names_entity for rule in rules)
        constants = (False, True) if given.constants is None and not whole_book else (True,)
        return [
            Combination(aggregation, smoothing, threshold, max_rules, about)
            for about in (constants if named else (True,))
            for aggregation, threshold in ways
            for smoothing in (SMOOTHINGS if given.smoothing is None else (given.smoothing,))
            for max_rules in ((given.max_rules,) if every else MAX_RULES)
        ]

    def _select(
        self, rules: list[Rule], deadline: Deadline, fitting: Fitting, *, whole_book: bool
    ) -> None:
        """Choose on validation how the rules of each relation and side are combined."""
        n, given = self.task_.n_relations, self.resolved_
        choices = self._choices(rules, whole_book=whole_book)
        thresholds = sorted({c.threshold for c in choices if c.threshold})
        scorer = RuleScorer(rules, self.task_.train_graph, thresholds=thresholds)
        if thresholds and given.aggregation is None and _too_slow(scorer, n, deadline):
            choices = [c for c in choices if not c.threshold]
            thresholds = []
            self.training_notes_.append(
                "the time is too short to tell which rules say the same: no clusters were tried"
            )
        try:
            valid = self.task_.queries("valid") if len(choices) > 1 else None
        except EmptySplit:  # nothing to select on: the first choice
            valid = None
        chosen: npt.NDArray[np.integer] = np.zeros(2 * n, np.int64)
        overall = 0
        plans: dict[int, list[Plan]] = {}
        if valid is not None:
            asked = spread_sample(valid, SAMPLE, given.seed)
            on = scorer  # the plans' numbers of rules hold elsewhere too: path rules come first
            if valid.graph.content_hash != scorer.graph.content_hash:
                on = RuleScorer([r for r in scorer.rules if not r.names_entity], valid.graph)

            def of_relation(relation: int) -> list[Plan]:
                if relation not in plans:
                    plans[relation] = _plans(scorer, relation, choices)
                return plans[relation]

            with Progress(len(asked), "selecting", quiet=fitting.quiet) as progress:
                reciprocal, done = reciprocal_ranks(
                    on, asked, of_relation, progress, deadline, unreached=self._unreached
                )
            sizes = np.diff(asked.answer_ptr[: done + 1])
            group = np.repeat(asked.relation[:done], sizes)
            half = np.repeat(np.arange(done) % 2, sizes)
            worth = reciprocal - GAIN * np.array([choice.constants for choice in choices])
            chosen = chosen_by_group(worth, group, 2 * n, half)
            overall = int(worth.mean(axis=0).argmax())
            measured = [*reciprocal.mean(axis=0).tolist()]
            measured.append(float(reciprocal[np.arange(len(group)), chosen[group]].mean()))
            for i, mrr in enumerate(measured):
                way = choices[i]._asdict() if i < len(choices) else {"aggregation": "per relation"}
                entry = {"epoch": i, "valid_mrr": mrr, **way}
                self.history_.append(entry)
                if fitting.run is not None:
                    fitting.run.log(**{k: v for k, v in entry.items() if v is not None})
            self.best_epoch_ = int(np.argmax(measured))
            self._say_how(chosen, overall, choices, group, measured)
            if done < len(valid):
                self.training_notes_.append(
                    f"how to combine rules was chosen on {done:,} of {len(valid):,} validation "
                    f"queries, at most {SAMPLE} of a relation and side (seed {given.seed})"
                )
        best = choices[overall]
        values = {"aggregation": best.aggregation, "smoothing": best.smoothing,
                  "max_rules": best.max_rules}  # fmt: skip
        if best.threshold:
            values["threshold"] = best.threshold
        if any(rule.names_entity for rule in rules) and given.constants is None:
            values["constants"] = any(choices[i].constants for i in chosen)
        self.resolved_ = given.model_copy(update=values)
        self.combinations_ = {r: choices[int(chosen[r])] for r in range(2 * n)}
        kept: set[Rule] = set()
        for r, combination in self.combinations_.items():
            own, plan = scorer.rules_of(r), plans.get(r, [])
            order = (plan[int(chosen[r])] if plan else scorer.plan(r, combination)).order
            kept.update(own[i] for i in order.tolist())
        self.rules_ = [rule for rule in dict.fromkeys(scorer.rules) if rule in kept]
        self._thresholds = thresholds
        self._labels: dict[Rule, npt.NDArray[np.int32]] = {}
        if any(c.aggregation == "clusters" for c in self.combinations_.values()):
            for r in range(n):
                labels = scorer.labels(r)
                self._labels |= dict(zip(scorer.rules_of(r), labels, strict=True))
        if scorer.clustered_on_some:
            self.training_notes_.append(
                f"of {len(scorer.clustered_on_some):,} of {n:,} relations the overlap of rules was "
                f"measured on about {PAIRS:,} of the pairs that they predict, drawn with seed 0"
            )
        if len(self.rules_) < len(rules):
            self.notes_.append(
                f"{len(self.rules_):,} of {len(rules):,} rules are used, {BY_RELATION}"
            )

    def _say_how(
        self, chosen: npt.NDArray[np.integer], overall: int, choices: Sequence[Combination],
        group: npt.NDArray[np.integer], measured: Sequence[float],
    ) -> None:  # fmt: skip
        """Note how rules are combined, and what choosing by relation brought."""
        sides = np.unique(group)
        ways = collections.Counter(_way(choices[int(chosen[r])]) for r in sides)
        told = ", ".join(f"{way} ({count})" for way, count in ways.most_common())
        if np.all(chosen[sides] == overall):
            self.training_notes_.append(f"rules are combined by {_way(choices[overall])}")
            return
        self.training_notes_.append(
            f"rules are combined by relation and side: {told}; validation MRR "
            f"{measured[-1]:.3f}, by {_way(choices[overall])} for all {measured[overall]:.3f}"
        )

    def _shorten(self, most: int | None, deadline: Deadline, fitting: Fitting) -> None:
        """Replace the rules by few, weighed together; what books of other sizes keep is logged."""
        try:
            valid = self.task_.queries("valid")
        except EmptySplit:
            raise EmptySplit(
                f"{self.task_.data.name} has no validation facts to measure small books on",
                remedy="split some facts off into valid.txt and fit again",
            ) from None
        seed, n = self.resolved_.seed, self.task_.n_relations
        asked = spread_sample(valid, SAMPLE, seed)
        scorer, on = self.scorer(self.task_.train_graph), self.scorer(valid.graph)

        def rank(plans: Callable[[int], list[Plan]]) -> npt.NDArray[np.float64]:
            with Progress(len(asked), "measuring small books", quiet=fitting.quiet) as progress:
                reciprocal, _ = reciprocal_ranks(
                    on, asked, functools.cache(plans), progress, deadline, unreached=self._unreached
                )
            mrr: npt.NDArray[np.float64] = reciprocal.mean(axis=0)
            return mrr

        books, whole = small_books(
            scorer, self.task_, rank, most=most, deadline=deadline, seed=seed, quiet=fitting.quiet
        )
        if not books:
            self.training_notes_.append(
                "warning: no small book was found: no rule leads to a training fact, or the time "
                "was too short"
            )
            return
        book, n_rules = choose(books, whole, most), len(self.rules_)
        for other in books:
            entry = {"epoch": len(self.history_), "rules": other.rules, "book_mrr": other.mrr}
            self.history_.append({**entry, "chosen": other is book})
            if fitting.run is not None:
                fitting.run.log(**self.history_[-1])
        front = ", ".join(f"{each.rules:,} → {each.mrr:.3f}" for each in books)
        self.notes_ = [note for note in self.notes_ if not note.endswith(BY_RELATION)]
        self.notes_.append(
            f"a small book: {book.rules:,} of {n_rules:,} rules keep {book.mrr / whole:.1%} of the "
            f"validation MRR, {book.mrr:.3f} of {whole:.3f}"
            + "; their confidences are weights"
            * book.added_up
        )
        self.training_notes_.append(f"small books, rules → validation MRR: {front}")
        changed: dict[str, Any] = {"max_rules": None}
        if book.added_up:
            self.rules_ = weighed((scorer.rules_of(r), w) for r, w in book.weights.items())
            self.combinations_ = dict.fromkeys(range(2 * n), Combination("noisy-or"))
            changed |= {"aggregation": "noisy-or", "smoothing": 0.0, "threshold": None}
            self._thresholds, self._labels = [], {}
        else:
            own = ((scorer.rules_of(r), w) for r, w in book.weights.items())
            kept = {rules[k] for rules, w in own for k in np.flatnonzero(w)}
            self.rules_ = [rule for rule in self.rules_ if rule in kept]
            self.combinations_ = {r: unlimited(c) for r, c in self.combinations_.items()}
        self.resolved_ = self.resolved_.model_copy(update=changed)
        self._scorers.clear()

    def knowledge(self, top: int | None = None, *, quiet: bool = True) -> list[Rule]:
        """Return the rules, most confident first, with the evidence of the training facts."""
        self._require_fitted()
        return self.rules_[:top]

    # ---- scoring -----------------------------------------------------------------------------

    def scorer(self, graph: KnowledgeGraph) -> RuleScorer:
        """Return the rules ready to answer on a graph (made once)."""
        key = graph.content_hash
        if key not in self._scorers:
            self._scorers[key] = self._scorer(graph)
        return self._scorers[key]

    def _scorer(self, graph: KnowledgeGraph) -> RuleScorer:
        rules = known_here(self.rules_, graph)
        return RuleScorer(
            rules, graph, combinations=self.combinations_,
            labels=self._labels or None, thresholds=self._thresholds,
        )  # fmt: skip

    def probability(self, row: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Probability that each entity is an answer, by the rules' confidences; not exclusive."""
        score = np.maximum(row, 0.0).astype(np.float64)
        old = self.combinations_[0].aggregation == BEST_TWO
        probability: npt.NDArray[np.float64] = score if old else -np.expm1(-score)
        return probability

    def _rank(self, queries: QuerySet, progress: Progress) -> Ranks:
        return self._ranks_of(self.scorer(queries.graph), queries, progress)

    def _ranks_of(self, scorer: RuleScorer, queries: QuerySet, progress: Progress) -> Ranks:
        greater, equal = scorer.rank(queries, unreached=self._unreached, progress=progress)
        relation, n = queries.answer_relation, self.task_.n_relations
        return Ranks(greater, equal, relation % n, relation // n)

    def _score(
        self, head: IntArray, relation: IntArray, graph: KnowledgeGraph | None = None
    ) -> npt.NDArray[np.float32]:
        scores = self.scorer(graph or self.task_.test_graph).score(head, relation)
        if self._unreached:
            scores[scores == 0] = self._unreached
        return scores

    # ---- reasons -----------------------------------------------------------------------------

    def explain(
        self,
        head: str,
        relation: str,
        tail: str,
        *,
        side: Side = "tail",
        n_paths: int = 5,
        draws: int = 20,
        seed: int = 0,
    ) -> Explanation:
        """Say which rules lead to the answer, by which facts, and what deleting them does.

        The explained fact is taken out of the graph first, if it is there. Faithfulness compares
        deleting the named facts with deleting as many, drawn with ``seed``, that any rule walked
        for this query.

        Parameters
        ----------
        side
            "tail" explains the answer to (head, relation, ?), "head" that to (?, relation, tail).

        Returns
        -------
        Explanation

        Raises
        ------
        UnknownEntity, UnknownRelation
        InvalidParameter
            Another ``side``.
        """
        self._require_fitted()
        data = self.task_.test_data
        fact = self.encode_fact(head, relation, tail)
        question = Question.of(fact, side, self.task_.n_relations)
        whole = self.scorer(self.task_.test_graph)
        scorer = whole.on(without_facts(whole.index, [fact]))
        row = scorer.score(*question.query)[0]
        groundings = scorer.groundings(*fact, n_rules=n_paths, backwards=side == "head")
        evidence = {edge[:3] for g in groundings for walk in g.walks for edge in walk}
        faithfulness = None
        if evidence and draws:
            pool = sorted(scorer.walked_facts(question.entity, question.relation))
            random = rng(seed, "faithfulness", *question)
            drops = [
                self._drop(scorer, question, [pool[i] for i in chosen])
                for chosen in (
                    random.choice(len(pool), min(len(evidence), len(pool)), replace=False)
                    for _ in range(draws)
                )
            ]
            deleted = self._drop(scorer, question, sorted(evidence))
            faithfulness = Faithfulness.of(
                deleted, float(np.mean(drops)), len(evidence), draws, len(pool) - len(evidence)
            )
        paths, subgraph = self._drawn(groundings, backwards=side == "head")
        mentioned = {head, tail} | {name for e in subgraph for name in (e.head, e.tail)}
        return Explanation(
            query=(head, relation, tail),
            score=float(row[question.answer]),
            paths=paths,
            rules=tuple(g.rule for g in groundings),
            subgraph=subgraph,
            faithfulness=faithfulness,
            probability=float(self.probability(row)[question.answer]),
            rank=question.rank(row, self.task_),
            labels={name: data.label(name) for name in sorted(mentioned)},
            model=self.method,
            known=self.task_.split_of(*fact) or "no",
            side=side,
            no_path="" if paths else self._no_path(question, fact),
            path_order="By weight, the confidence of the rule.",
            notes=(*self.notes_, *self._doubts([fact[0], fact[2]], fact[1])),
        )

    def _no_path(self, question: Question, fact: tuple[int, int, int]) -> str:
        """Why no rule leads to an answer."""
        relation = self.task_.test_data.relations.name(fact[1])
        length = shortest_walk(self.task_.test_graph, question.entity, question.answer, fact)
        if length is None:
            return NO_WALK
        bodies = [len(rule.body) for rule in self.rules_ if rule.head.relation == relation]
        if not bodies:
            return f"no rule concludes {relation}"
        depth = self.resolved_.max_length or max(bodies)
        if length <= depth:
            return f"no rule for {relation} follows a walk that joins them"
        found = (
            f"no walk of {steps(depth)}, the longest body of a rule for {relation}, joins them; "
            f"the shortest has {length}"
        )
        if length > LONGEST:
            return f"{found}, more than the body of a rule may have"
        return f"{found}: mine rules with max_length={length}"

    def _drop(
        self, scorer: RuleScorer, question: Question, facts: Sequence[tuple[int, int, int]]
    ) -> float:
        """Return how much the score falls when facts are deleted."""
        less = scorer.on(without_facts(scorer.index, facts))
        whole, left = (s.score(*question.query)[0, question.answer] for s in (scorer, less))
        return float(whole - left)

    def _drawn(
        self, groundings: Sequence[Grounding], *, backwards: bool
    ) -> tuple[tuple[Path, ...], tuple[EvidenceEdge, ...]]:
        """Return the walks of groundings as paths by names, and their edges by layer.

        Walks lead from head to tail; ``backwards`` turns them round, as a query for heads walks.
        """
        entities, relations = self.task_.test_data.entities, self.task_.test_data.relations
        paths: list[Path] = []
        attention: dict[tuple[int, Step], float] = {}
        for grounding in groundings:
            turned = backwards and not grounding.rule.names_entity
            for walk in grounding.walks:
                steps = tuple(
                    Step(
                        entities.name(head),
                        relations.name(relation),
                        entities.name(tail),
                        "inverse" if inverse != turned else "forward",
                    )
                    for head, relation, tail, inverse in (reversed(walk) if turned else walk)
                )
                paths.append(Path(grounding.confidence, steps))
                for layer, step in enumerate(steps, start=1):
                    attention.setdefault((layer, step), grounding.confidence)
        subgraph = tuple(
            EvidenceEdge(layer, step.head, step.relation, step.tail, step.direction, weight)
            for (layer, step), weight in attention.items()
        )
        return tuple(paths), subgraph

    # ---- persistence -------------------------------------------------------------------------

    def write(self, run: RunFolder) -> None:
        """Write model, data and the rules as text into an open run folder."""
        super().write(run)
        write_atomic(run.path / "rules.txt", format_rules(self.rules_))

    def description_bytes(self) -> int:
        """Bytes of the rules as text."""
        self._require_fitted()
        return len(format_rules(self.rules_).encode())

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Heads, padded bodies (steps, -1 behind the last) and evidence, one row per rule.

        Of a rule about an entity the head is a step, and ``ends`` has the entities of head and
        body, -1 where the body ends anywhere; that of a path rule are NO_ENDS.
        """
        graph = self.task_.train_graph
        ids = {name: i for i, name in enumerate(relation_names(graph))}
        entities = {name: i for i, name in enumerate(entity_names(graph))}
        encoded = [
            encode_branch(rule, ids, entities)
            if rule.names_entity
            else _as_branch(*encode_rule(rule, ids))
            for rule in self.rules_
        ]
        arrays = Branches.of(encoded)
        none = np.zeros(len(self._thresholds), np.int32)
        return {
            "head": arrays.step,
            "body": arrays.path,
            "ends": np.stack([arrays.constant, arrays.end], axis=1),
            **{
                name: np.array([getattr(rule, name) for rule in self.rules_], dtype)
                for name, dtype in EVIDENCE.items()
            },
            "combination": np.array([
                (WAYS.index(c.aggregation), c.smoothing, c.threshold, c.max_rules or 0,
                 c.constants)
                for _, c in sorted(self.combinations_.items())
            ]),
            "thresholds": np.array(self._thresholds),
            "cluster": np.array(
                [self._labels.get(rule, none) for rule in self.rules_], np.int32
            ).reshape(len(self.rules_), len(none)),
        }  # fmt: skip

    def _restore(self, run: RunFolder, tensors: dict[str, npt.NDArray[Any]]) -> None:
        names, n = relation_names(self.task_.train_graph), self.task_.n_relations
        rules = len(tensors["head"])
        require_tensors(tensors, {"head": (rules,), "body": (rules, None)}, "i")
        for name, dtype in EVIDENCE.items():
            require_tensors(tensors, {name: (rules,)}, np.dtype(dtype).kind)
        ends = tensors.get("ends", np.full((rules, 2), NO_ENDS, np.int32))  # before 0.2
        require_tensors({"ends": ends}, {"ends": (rules, 2)}, "i")
        require_indices(ends, self.task_.train_graph.n_entities, "ends", least=NO_ENDS)
        require_indices(tensors["head"], 2 * n, "head")
        require_indices(tensors["head"][ends[:, 0] == NO_ENDS], n, "head")
        require_indices(tensors["body"], 2 * n, "body", least=-1)
        if any(tensors[name].min(initial=0) < 0 for name in EVIDENCE):
            raise ValueError("a negative count or confidence of a rule")
        if "combination" in tensors:
            self._restore_combinations(tensors)
        else:  # before 0.2: one way for all relations
            require_tensors(tensors, {"aggregation": (1,)}, "i")
            require_tensors(tensors, {"smoothing": (1,)})
            require_indices(tensors["aggregation"], 2, "aggregation")
            aggregation = AGGREGATIONS[int(tensors["aggregation"][0])]
            one = Combination(
                BEST_TWO if aggregation == "max" else aggregation, float(tensors["smoothing"][0])
            )
            self.combinations_ = dict.fromkeys(range(2 * n), one)
            values = {"aggregation": aggregation, "smoothing": one.smoothing}
            self.resolved_ = self._validate(self.resolved_.model_dump() | values)
            self._thresholds = []
        self.rules_ = []
        entities = entity_names(self.task_.train_graph)
        for head, body, (constant, end), *evidence in zip(
            *(a.tolist() for a in (tensors["head"], tensors["body"], ends)),
            *(tensors[name].tolist() for name in EVIDENCE),
            strict=True,
        ):
            path = tuple(step for step in body if step >= 0)
            if constant == NO_ENDS:
                rule = Rule.from_path(names[head], [(names[step % n], step >= n) for step in path])
            else:
                rule = from_branch(Branch(head, constant, path, end), names, entities)
            self.rules_.append(Rule(rule.head, rule.body, *evidence))
        self.parameters_count_ = len(self.rules_)
        self._labels = {}
        if self._thresholds:
            self._labels = dict(zip(self.rules_, tensors["cluster"], strict=True))

    def _restore_combinations(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        n, rules = self.task_.n_relations, len(tensors["head"])
        require_tensors(tensors, {"combination": (2 * n, 5), "thresholds": (None,)})
        thresholds = tensors["thresholds"].tolist()
        require_tensors(tensors, {"cluster": (rules, len(thresholds))}, "i")
        require_indices(tensors["cluster"], max(rules, 2**31 - 1), "cluster")
        way = tensors["combination"]
        require_indices(way[:, 0].astype(np.int64), len(WAYS), "combination")
        if way.min(initial=0) < 0 or not set(way[way[:, 0] == 2, 2].tolist()) <= set(thresholds):
            raise ValueError("a way to combine rules that there is not")
        self.combinations_ = {
            r: Combination(WAYS[int(a)], s, t, int(most) or None, bool(about))
            for r, (a, s, t, most, about) in enumerate(way.tolist())
        }
        self._thresholds = thresholds


def _as_branch(head: int, path: tuple[int, ...]) -> Branch:
    return Branch(head, NO_ENDS, path, NO_ENDS)


def _too_slow(scorer: RuleScorer, n_relations: int, deadline: Deadline) -> bool:
    """Whether the clusters of all relations would take over half of the time that is left.

    Those of the relation with the most rules are measured; the work grows with the square of their
    number.
    """
    sizes = np.array([len(scorer.rules_of(r)) for r in range(n_relations)], float)
    left = deadline.left()
    if not np.isfinite(left) or not sizes.any():
        return False
    few, many = int(np.where(sizes > 0, sizes, np.inf).argmin()), int(sizes.argmax())
    scorer.labels(few)  # compiles, which is not to be counted
    before = deadline.spent()
    scorer.labels(many)
    taken = max(deadline.spent() - before, 0.0)
    return bool(taken * (sizes**2).sum() > CLUSTERING * left * sizes[many] ** 2)


def _plans(scorer: RuleScorer, relation: int, choices: Sequence[Combination]) -> list[Plan]:
    """Return the plans of a query relation; those that come to the same are the same object."""
    rules = scorer.rules_of(relation)
    about = sum(rule.names_entity for rule in rules)
    most, made = max(about, len(rules) - about), {}
    found = []
    for choice in choices:
        limit = choice.max_rules if (choice.max_rules or most) < most else None
        same = choice._replace(max_rules=limit, constants=choice.constants or not about)
        if same not in made:
            made[same] = scorer.plan(relation, same)
        found.append(made[same])
    return found


def _way(combination: Combination) -> str:
    if combination.aggregation == "clusters":
        return f"clusters from overlap {combination.threshold:g}"
    return combination.aggregation
