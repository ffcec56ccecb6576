"""Method "rules": mine rules from the training facts, answer by them, say which ones.

Learning is counting; validation selects how confidences are smoothed and combined and how many
rules of a relation are used. The model is its rules: ``knowledge()`` returns them, ``fit(task,
knowledge=rules)`` takes edited ones back.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from parsimony import base
from parsimony.base import Fitting, constructor, tuned, tuned_among
from parsimony.errors import EmptySplit
from parsimony.explain import EvidenceEdge, Explanation, Faithfulness, Path, Step
from parsimony.explain.parts import Side
from parsimony.graph import KnowledgeGraph
from parsimony.knowledge.rule_branches import (
    Branch,
    Branches,
    encode_branch,
    entity_names,
    from_branch,
)
from parsimony.knowledge.rule_counts import encode_rule, relation_names
from parsimony.knowledge.rule_mining import LONGEST, mine_rules
from parsimony.knowledge.rule_walks import without_facts
from parsimony.knowledge.rules import Rule, format_rules
from parsimony.link.estimator import LinkEstimator
from parsimony.link.question import Question
from parsimony.link.rules.constants import known_here
from parsimony.link.rules.scoring import Grounding, RuleScorer, apply_rules
from parsimony.link.sampled_ranking import rank_within
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
AGGREGATIONS = ("max", "noisy-or")
EVIDENCE = {"support": np.int64, "body_count": np.int64, "confidence": np.float64}
NO_ENDS = -2  # instead of the entities of a rule that names none
MINING = 0.6  # of the time to learn
MAX_RULES = (100, None)  # per relation; None: all that were mined


class RuleReasonerParameters(base.Parameters):
    """Parameters of rule mining and of answering by rules."""

    max_length: int | None = Field(
        None, ge=1, le=3, description="most body atoms, 1 … 3; chosen by the graph where left out",
        json_schema_extra=tuned_among(None, 2, 3),
    )  # fmt: skip
    min_support: int = Field(
        3, ge=1, description="facts that a rule must explain at least, ≥ 1",
        json_schema_extra=tuned(1, 30, log=True),
    )  # fmt: skip
    min_confidence: float = Field(
        0.02, ge=0, le=1, description="least confidence, in [0, 1]",
        json_schema_extra=tuned(1e-3, 0.3, log=True, zero=True),
    )  # fmt: skip
    per_relation: int = Field(2000, ge=1, description="most rules kept per relation, ≥ 1")
    constants: bool = Field(
        True, description="also rules about an entity, where validation prefers them"
    )
    aggregation: Literal["max", "noisy-or"] | None = Field(
        None, description="max or noisy-or; selected on validation where left out"
    )
    smoothing: float | None = Field(
        None, ge=0, description="wrong pairs added to each rule; selected on validation if left out"
    )
    max_rules: int | None = Field(
        None, ge=1, description="most rules used per relation; selected where left out"
    )
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
            rules = RuleScorer(fitting.knowledge, graph).rules
        else:
            with held():
                rules = mine_rules(
                    graph,
                    max_length=given.max_length,
                    min_support=given.min_support,
                    min_confidence=given.min_confidence,
                    per_relation=given.per_relation,
                    constants=given.constants and not self.task_.inductive,
                    stop=lambda: mining.passed() or stopped(),
                    timed=mining.limited,
                    notes=self.notes_,
                )
        late = mining.passed()
        every_rule = given.max_rules is not None or fitting.knowledge is not None
        named = any(rule.names_entity for rule in rules) and fitting.knowledge is None
        choices = list(
            itertools.product(
                AGGREGATIONS if given.aggregation is None else (given.aggregation,),
                SMOOTHINGS if given.smoothing is None else (given.smoothing,),
                (given.max_rules,) if every_rule else MAX_RULES,
                (False, True) if named else (given.constants,),
            )
        )
        try:
            valid = self.task_.queries("valid") if len(choices) > 1 else None
        except EmptySplit:  # nothing to select on: the first choice
            valid = None
        best, whole = -1.0, valid
        for i, (aggregation, smoothing, max_rules, constants) in enumerate(choices):
            values = {"aggregation": aggregation, "smoothing": smoothing, "max_rules": max_rules}
            if named:
                values["constants"] = constants
            some = [rule for rule in rules if constants or not named or not rule.names_entity]
            chosen = given.model_copy(update=values), _most_sure(some, max_rules, smoothing)
            if valid is None:
                self.resolved_, self.rules_ = chosen
                break
            turn = None if i else budget.part(1 / len(choices))  # the others ask the same queries
            ranks, valid = self._selecting(valid, *chosen, turn, quiet=fitting.quiet)
            mrr = ranks.metrics()["mrr"]
            entry = {"epoch": i, "valid_mrr": mrr, "rules": len(chosen[1]), **values}
            self.history_.append(entry)
            if fitting.run is not None:
                fitting.run.log(**{k: value for k, value in entry.items() if value is not None})
            if mrr > best:
                best, self.best_epoch_ = mrr, i
                self.resolved_, self.rules_ = chosen
            if (budget.passed() or stopped()) and i + 1 < len(choices):
                late = True
                break
        if named and not self.resolved_.constants:
            rules = [rule for rule in rules if not rule.names_entity]
            self.notes_.append("rules about an entity are not used: validation is better without")
        if len(self.rules_) < len(rules):
            self.notes_.append(
                f"the {self.resolved_.max_rules:,} most confident rules of each relation are used, "
                f"{len(self.rules_):,} of {len(rules):,} (max_rules)"
            )
        if not self.rules_:
            self.notes_.append("warning: no rule was found: every answer scores alike")
        if whole is not None and valid is not whole:
            self.training_notes_.append(
                f"how to combine the rules was chosen on {len(valid or ()):,} of {len(whole):,} "
                f"validation queries, drawn with seed {given.seed}, as all would take too long"
            )
        if stopped() or late:
            self.ended_ = "interrupted" if stopped() else "time budget"
            left = len(choices) - len(self.history_)
            if left and valid is not None:
                self.notes_.append(
                    f"warning: the time ended before {left} of {len(choices)} ways to combine the "
                    "rules were measured"
                )
        self.parameters_count_ = len(self.rules_)

    def _selecting(
        self, queries: QuerySet, resolved: RuleReasonerParameters, rules: list[Rule],
        deadline: Deadline | None, *, quiet: bool,
    ) -> tuple[Ranks, QuerySet]:  # fmt: skip
        """Ranks by a choice, and the queries that the time allowed."""
        scorer = self._scorer(queries.graph, resolved, rules)
        with Progress(len(queries), "selecting", quiet=quiet) as progress:
            return rank_within(
                lambda some, bar: self._ranks_of(scorer, some, bar),
                queries, progress, deadline, resolved.seed,
            )  # fmt: skip

    def knowledge(self, top: int | None = None, *, quiet: bool = True) -> list[Rule]:
        """Return the rules, most confident first, with the evidence of the training facts."""
        self._require_fitted()
        return self.rules_[:top]

    # ---- scoring -----------------------------------------------------------------------------

    def scorer(self, graph: KnowledgeGraph) -> RuleScorer:
        """Return the rules ready to answer on a graph (made once)."""
        key = graph.content_hash
        if key not in self._scorers:
            self._scorers[key] = self._scorer(graph, self.resolved_, self.rules_)
        return self._scorers[key]

    def _scorer(
        self, graph: KnowledgeGraph, resolved: RuleReasonerParameters, rules: list[Rule]
    ) -> RuleScorer:
        combined = resolved.model_dump(include={"aggregation", "smoothing"}, exclude_none=True)
        return RuleScorer(known_here(rules, graph), graph, **combined)

    def probability(self, row: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Probability that each entity is an answer, by the rules' confidences; not exclusive."""
        score = np.maximum(row, 0.0).astype(np.float64)
        noisy_or: npt.NDArray[np.float64] = -np.expm1(-score)
        return noisy_or if self.resolved_.aggregation == "noisy-or" else score

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
        groundings = scorer.groundings(*fact, n_rules=n_paths)
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
        return {
            "head": arrays.step,
            "body": arrays.path,
            "ends": np.stack([arrays.constant, arrays.end], axis=1),
            **{
                name: np.array([getattr(rule, name) for rule in self.rules_], dtype)
                for name, dtype in EVIDENCE.items()
            },
            "smoothing": np.array([self.resolved_.smoothing]),
            "aggregation": np.array([AGGREGATIONS.index(self.resolved_.aggregation)], np.int32),
        }

    def _restore(self, run: RunFolder, tensors: dict[str, npt.NDArray[Any]]) -> None:
        names, n = relation_names(self.task_.train_graph), self.task_.n_relations
        rules = len(tensors["head"])
        require_tensors(
            tensors, {"head": (rules,), "body": (rules, None), "aggregation": (1,)}, "i"
        )
        require_tensors(tensors, {"smoothing": (1,)})
        for name, dtype in EVIDENCE.items():
            require_tensors(tensors, {name: (rules,)}, np.dtype(dtype).kind)
        ends = tensors.get("ends", np.full((rules, 2), NO_ENDS, np.int32))  # before 0.2
        require_tensors({"ends": ends}, {"ends": (rules, 2)}, "i")
        require_indices(ends, self.task_.train_graph.n_entities, "ends", least=NO_ENDS)
        require_indices(tensors["head"], 2 * n, "head")
        require_indices(tensors["head"][ends[:, 0] == NO_ENDS], n, "head")
        require_indices(tensors["body"], 2 * n, "body", least=-1)
        require_indices(tensors["aggregation"], len(AGGREGATIONS), "aggregation")
        if any(tensors[name].min(initial=0) < 0 for name in EVIDENCE):
            raise ValueError("a negative count or confidence of a rule")
        selected = {
            "smoothing": float(tensors["smoothing"][0]),
            "aggregation": AGGREGATIONS[int(tensors["aggregation"][0])],
        }
        self.resolved_ = self._validate(self.resolved_.model_dump() | selected)
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


def _as_branch(head: int, path: tuple[int, ...]) -> Branch:
    return Branch(head, NO_ENDS, path, NO_ENDS)


def _most_sure(rules: Sequence[Rule], most: int | None, smoothing: float) -> list[Rule]:
    """The most confident rules of each head relation, at most so many, in their order."""
    if most is None:
        return list(rules)
    of_head: dict[str, list[tuple[float, int]]] = {}
    for i, rule in enumerate(rules):
        sure = rule.support / (rule.body_count + smoothing) if rule.is_counted else rule.confidence
        of_head.setdefault(rule.head.relation, []).append((-sure, i))
    kept = sorted(i for ranked in of_head.values() for _, i in sorted(ranked)[:most])
    return [rules[i] for i in kept]
