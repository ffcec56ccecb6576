"""Method "rules": mine rules from the training facts, answer by them, say which ones.

Learning is counting; validation selects how confidences are smoothed and combined and how many
rules of a relation are used. The model is its rules: ``knowledge()`` returns them, ``fit(task,
knowledge=rules)`` takes edited ones back.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from parsimony.base import Fitting, constructor
from parsimony.errors import FormatError
from parsimony.explain import Explanation, Faithfulness
from parsimony.explain.parts import Side
from parsimony.graph import KnowledgeGraph
from parsimony.knowledge.rule_mining import mine_rules
from parsimony.knowledge.rule_walks import without_facts
from parsimony.knowledge.rules import Rule, format_rules, parse_rule
from parsimony.link.estimator import LinkEstimator
from parsimony.link.frequency import Frequencies
from parsimony.link.question import Question
from parsimony.link.rules.choosing import Choosing
from parsimony.link.rules.combining import (
    BEST_TWO,
)
from parsimony.link.rules.deleting import Deletions, scores_without
from parsimony.link.rules.grounding import groundings
from parsimony.link.rules.parameters import RuleReasonerParameters
from parsimony.link.rules.reasons import drawn, no_path
from parsimony.link.rules.scoring import RuleScorer, apply_rules
from parsimony.link.rules.storing import as_tensors, read_rules, read_ways
from parsimony.link.rules.ways import Ways
from parsimony.link.struck_graph import StruckGraph
from parsimony.link.task import QuerySet
from parsimony.metrics import Ranks
from parsimony.run.atomic import remove_folder, write_atomic
from parsimony.run.deadline import Deadline
from parsimony.run.engine import Engine, ProcessEngine
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng
from parsimony.run.shards import Shards
from parsimony.stopping import held, stopped

__all__ = ["RuleReasoner", "RuleReasonerParameters", "apply_rules"]

IntArray = npt.NDArray[np.int32]

MINING = 0.6  # of the time to learn
SHORTENING = 0.5  # of the time after mining, for small books where one is wanted


class RuleReasoner(LinkEstimator[RuleReasonerParameters]):
    """Path rules and rules about an entity with exact evidence, combined by noisy-or or maximum.

    Attributes
    ----------
    rules_
        Those used, most confident first.
    ways_
        How those of each query relation are combined.
    """

    method: ClassVar[str] = "rules"
    paper: ClassVar[str] = "after AMIE, WWW 2013, and AnyBURL, IJCAI 2019"
    takes_knowledge: ClassVar[bool] = True
    counts_in_shards: ClassVar[bool] = True
    finishing: ClassVar[float] = 0.25
    Parameters = RuleReasonerParameters
    __init__ = constructor(RuleReasonerParameters)

    rules_: list[Rule]
    ways_: Ways

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
            with held(), _shards_of(fitting) as (engine, shards):
                rules = mine_rules(
                    graph,
                    max_length=given.max_length,
                    min_support=given.min_support,
                    min_confidence=given.min_confidence,
                    per_relation=given.per_relation,
                    constants=given.constants is not False and not self.task_.inductive,
                    stop=stopped,
                    seconds=mining.left() if mining.limited else None,
                    notes=self.notes_,
                    engine=engine,
                    shards=shards,
                    quiet=fitting.quiet,
                )
        run = fitting.run
        choosing = Choosing(
            self.task_, given, rules, rest=self._rest, quiet=fitting.quiet,
            log=(lambda **_: None) if run is None else run.log,
        )  # fmt: skip
        choosing.select(
            budget.part(1 - SHORTENING) if given.small else budget,
            whole_book=fitting.knowledge is not None,
        )
        if given.small and choosing.rules:
            choosing.shorten(None if given.small == "knee" else given.small, budget)
        self.rules_, self.ways_, self.resolved_ = choosing.rules, choosing.ways, choosing.given
        self.history_, self.best_epoch_ = choosing.history, choosing.best
        self.notes_ += choosing.notes
        self.training_notes_ += choosing.training_notes
        if not self.rules_:
            self.notes_.append("warning: no rule was found: every answer scores alike")
        if stopped() or mining.passed() or budget.passed():
            self.ended_ = "interrupted" if stopped() else "time budget"
        self.parameters_count_ = self._numbers()

    def _numbers(self) -> int:
        """How many confidences and learned weights are used."""
        return len(self.rules_) + sum(int((w > 0).sum()) for w in self.ways_.learned.values())

    def knowledge(self, top: int | None = None, *, quiet: bool = True) -> list[Rule]:
        """Return the rules, most confident first, with the evidence of the training facts."""
        self._require_fitted()
        return self.rules_[:top]

    def without_rules(self, texts: Sequence[str]) -> Self:
        """The same method without some of its rules, given as text; evidence is not compared.

        Raises
        ------
        FormatError
            A text that is no rule, or none of these.
        """
        gone = {parse_rule(text).clause for text in texts}
        if lacking := sorted(gone - {rule.clause for rule in self.rules_}):
            raise FormatError(
                f"no such rule is used: {lacking[0]}", remedy="name rules as the run lists them"
            )
        again = copy.copy(self)
        again.rules_ = [rule for rule in self.rules_ if rule.clause not in gone]
        again._scorers = {}
        return again

    # ---- scoring -----------------------------------------------------------------------------

    def scorer(self, graph: KnowledgeGraph) -> RuleScorer:
        """Return the rules ready to answer on a graph (made once)."""
        key = graph.content_hash
        if key not in self._scorers:
            self._scorers[key] = self._scorer(graph)
        return self._scorers[key]

    def on(self, graph: KnowledgeGraph) -> Self:
        """The rules, with the confidences that they have, on another graph."""
        again = super().on(graph)
        again._scorers = dict(self._scorers)
        return again

    def _scorer(self, graph: KnowledgeGraph) -> RuleScorer:
        if isinstance(graph, StruckGraph):
            whole = self.scorer(graph.whole)
            return whole.on(without_facts(whole.index, map(tuple, graph.struck.tolist())))
        return self.ways_.scorer(self.rules_, graph)

    def probability(self, row: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Probability that each entity is an answer, by the rules' confidences; not exclusive."""
        score = np.maximum(row, 0.0).astype(np.float64)
        old = self.ways_.combinations[0].aggregation == BEST_TWO
        probability: npt.NDArray[np.float64] = score if old else -np.expm1(-score)
        return probability

    def _rank(self, queries: QuerySet, progress: Progress) -> Ranks:
        return self._ranks_of(self.scorer(queries.graph), queries, progress)

    def _ranks_of(self, scorer: RuleScorer, queries: QuerySet, progress: Progress) -> Ranks:
        greater, equal = scorer.rank(queries, unreached=self._rest(scorer), progress=progress)
        relation, n = queries.answer_relation, self.task_.n_relations
        return Ranks(greater, equal, relation % n, relation // n)

    def _score(
        self, head: IntArray, relation: IntArray, graph: KnowledgeGraph | None = None
    ) -> npt.NDArray[np.float32]:
        scorer = self.scorer(graph or self.task_.test_graph)
        scores = scorer.score(head, relation)
        for row, r in zip(scores, np.atleast_1d(relation).tolist(), strict=True):
            self._fill(row, r, scorer)
        return scores

    def _fill(self, row: npt.NDArray[np.float32], relation: int, scorer: RuleScorer) -> None:
        """Write the scores of what no rule reaches into a row that is 0 there."""
        if self.resolved_.unreached == "frequency":
            scorer.frequencies.fill(row, relation)
        else:
            row[row == 0] = self._unreached

    def _rest(self, scorer: RuleScorer) -> float | Frequencies:
        """What ranks entities that no rule reaches."""
        return scorer.frequencies if self.resolved_.unreached == "frequency" else self._unreached

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
        scorer = self.scorer(self.task_.test_graph)
        asked = question.entity, question.relation
        without = Deletions(scorer.index, [fact])
        without.add([])
        followed, walked = without.follow(scorer, *asked)
        nodes, scores = scorer.combined(followed.under(0), question.relation)
        row = np.zeros(scorer.graph.n_entities, np.float32)
        row[nodes] = scores
        self._fill(row, question.relation, scorer)
        leading = followed.rules_to(0, question.answer).tolist()
        found = groundings(
            scorer, *fact, n_rules=n_paths, backwards=side == "head", leading=leading
        )
        evidence = sorted({edge[:3] for g in found for walk in g.walks for edge in walk})
        faithfulness = None
        if evidence and draws:
            random, n = rng(seed, "faithfulness", *question), min(len(evidence), len(walked))
            drawn_at = [random.choice(len(walked), n, replace=False) for _ in range(draws)]
            others = [[*map(without.fact, walked[at].tolist())] for at in drawn_at]
            left = scores_without(scorer, question, [fact], [evidence, *others])
            deleted, *drops = (float(row[question.answer] - score) for score in left)
            faithfulness = Faithfulness.of(
                deleted, float(np.mean(drops)), len(evidence), draws, len(walked) - len(evidence)
            )
        paths, subgraph = drawn(found, data, backwards=side == "head")
        mentioned = {head, tail} | {name for e in subgraph for name in (e.head, e.tail)}
        return Explanation(
            query=(head, relation, tail),
            score=float(row[question.answer]),
            paths=paths,
            rules=tuple(g.rule for g in found),
            subgraph=subgraph,
            faithfulness=faithfulness,
            probability=float(self.probability(row)[question.answer]),
            rank=question.rank(row, self.task_),
            labels={name: data.label(name) for name in sorted(mentioned)},
            model=self.method,
            known=self.task_.split_of(*fact) or "no",
            side=side,
            no_path=""
            if paths
            else no_path(question, fact, self.task_, self.rules_, self.resolved_.max_length),
            path_order="By weight, the confidence of the rule.",
            notes=(*self.notes_, *self._doubts([fact[0], fact[2]], fact[1])),
        )

    # ---- persistence -------------------------------------------------------------------------

    def write(self, run: RunFolder) -> None:
        """Write model, data and the rules as text into an open run folder."""
        super().write(run)
        write_atomic(run.path / "rules.txt", format_rules(self.rules_))

    def description_bytes(self) -> int:
        """Bytes of the rules as text, and of learned weights in half precision."""
        self._require_fitted()
        weights = self._numbers() - len(self.rules_)
        return len(format_rules(self.rules_).encode()) + 2 * weights

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        return as_tensors(self.rules_, self.ways_, self.task_.train_graph)

    def _restore(self, run: RunFolder, tensors: dict[str, npt.NDArray[Any]]) -> None:
        graph = self.task_.train_graph
        self.rules_ = read_rules(tensors, graph)
        self.ways_ = read_ways(tensors, self.rules_, graph)
        if "combination" not in tensors:  # before 0.2: one way for all relations
            one = self.ways_.combinations[0]
            aggregation = "max" if one.aggregation == BEST_TWO else one.aggregation
            values = {"aggregation": aggregation, "smoothing": one.smoothing}
            self.resolved_ = self._validate(self.resolved_.model_dump() | values)
        self.parameters_count_ = self._numbers()


@contextmanager
def _shards_of(fitting: Fitting) -> Iterator[tuple[Engine | None, Shards]]:
    """Where to count, and where in the run finished shards are kept until all is counted."""
    engine = fitting.engine or (ProcessEngine(fitting.workers) if fitting.workers > 1 else None)
    folder = None if fitting.run is None else fitting.run.path / "shards"
    if engine is not None and folder is not None:
        folder.mkdir(exist_ok=True)
    try:
        yield engine, Shards(folder)
    finally:
        if engine is not None and engine is not fitting.engine:
            engine.close()
    if folder is not None:  # also where a run that was begun with an engine ends without one
        remove_folder(folder)
