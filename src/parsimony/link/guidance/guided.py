"""A method with a knowledge book around it: what the book says bears on what the method answers.

Uses, each by itself (``knowledge_as``): ``facts`` that follow complete the graph that is walked or
trained on; the rules' score is a ``prior`` of the answers' scores; impossible answers are behind a
``mask``; a ``restriction`` walks only relations that rules of the asked one use; a masked ``loss``
compares no answer with impossible ones.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from typing import Any, ClassVar, Self, cast

import numpy as np
import numpy.typing as npt

from parsimony.answers import Measures
from parsimony.base import Fitting, constructor
from parsimony.errors import EmptySplit, UsageError
from parsimony.explain import Explanation
from parsimony.graph import KnowledgeGraph
from parsimony.knowledge import Rule
from parsimony.knowledge.book import KnowledgeBook, book_from_table, write_book
from parsimony.knowledge.book_check import contradictions
from parsimony.link.blend import described, member_of
from parsimony.link.blocks import blocks
from parsimony.link.estimator import LinkEstimator
from parsimony.link.guidance.applied import USES, AppliedBook, Use
from parsimony.link.guidance.learning import (
    AGGREGATIONS,
    learned_prior,
    mask_note,
    shuffled_queries,
)
from parsimony.link.guidance.parameters import GuidedParameters
from parsimony.link.guidance.possible_answers import PossibleAnswers
from parsimony.link.guidance.prior import Prior
from parsimony.link.guidance.reasons import origins
from parsimony.link.question import Question
from parsimony.link.rules.grounding import groundings
from parsimony.link.task import QuerySet
from parsimony.link.weighing import counted
from parsimony.metrics import Ranks
from parsimony.run.cost import Cost
from parsimony.run.deadline import Deadline
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress

__all__ = ["BOOK", "Guided", "GuidedParameters"]

IntArray = npt.NDArray[np.int32]
BOOK = "book.toml"


class Guided(LinkEstimator[GuidedParameters]):
    """A method, and a book that bears on its answers.

    Attributes
    ----------
    member_
        The fitted method.
    book_, uses_
        The book, and how it is used.
    prior_
        The rules and their weights, where it is a prior.
    """

    ranks_apart: ClassVar[bool] = False
    method: ClassVar[str] = "guided"
    paper: ClassVar[str] = "rules and axioms around a learned model"
    takes_knowledge: ClassVar[bool] = True
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    Parameters = GuidedParameters
    __init__ = constructor(GuidedParameters)

    member_: LinkEstimator[Any]
    book_: KnowledgeBook
    uses_: tuple[Use, ...]
    prior_: Prior | None

    # ---- fitting -----------------------------------------------------------------------------

    def _setup(self) -> None:
        first = member_of(self.resolved_.member, self.resolved_)
        first.prepare(self.task_)
        known = described(first)
        self.resolved_ = self.resolved_.model_copy(update={"member": known})
        self.member_ = member_of(known, self.resolved_)
        self.member_.prepare(self.task_)
        self.notes_ = list(self.member_.notes_)
        self.prior_ = None

    def _fit(self, fitting: Fitting) -> None:
        """Train the member on the facts and what follows from them, then learn the weights."""
        book = KnowledgeBook() if fitting.knowledge is None else fitting.knowledge
        if fitting.knowledge is None:
            self.notes_.append("no book was given (--knowledge): the method answers alone")
        self._take(book)
        broken = contradictions(book, self.task_.train_graph)
        self.notes_ += [row["sentence"] for row in broken]
        member, limits = self.member_, dict[str, Any](device=fitting.device, quiet=fitting.quiet)
        budget = Deadline(fitting.time_budget)
        if fitting.time_budget is not None:
            limits["time_budget"] = 0.9 * fitting.time_budget
        if fitting.device not in ("cpu", *member.devices):
            limits["device"] = "cpu"
        if "loss" in self.uses_:
            self.notes_.append(self._applied.mask_loss())
        task = self._applied.walked_task
        if fitting.run is None:
            member.fit(task, **limits)
        else:
            folder = fitting.run.path / "checkpoints" / "member"
            with closing(RunFolder.create(folder, member.config(), resume=True)) as inner:
                member.fit(task, run=inner, **limits)
        self.history_, self.best_epoch_ = member.history_, member.best_epoch_
        self.ended_ = member.ended_
        self.cost_.add(flops=member.cost_.flops)
        self.training_notes_ += member.training_notes_
        self.parameters_count_ = member.parameters_count_
        self._try_mask(budget.part(0.3))
        if "prior" in self.uses_:
            self._learn_prior(budget)
        self._tell()

    @classmethod
    def around(
        cls,
        model: LinkEstimator[Any],
        book: KnowledgeBook,
        *,
        knowledge_as: str | Iterable[str] | None = None,
        sure: float | None = None,
        deadline: Deadline | None = None,
    ) -> Self:
        """Put a book around a fitted method, or another book around a guided one.

        A guided run keeps the weights that it has learned, so that an edited book changes exactly
        the answers that rest on the entries edited; of others they are learned on validation, on
        as many queries as the deadline allows.

        Raises
        ------
        InvalidParameter
            Another use, or a confidence outside [0, 1].
        """
        old = model if isinstance(model, Guided) else None
        member = model.member_ if isinstance(model, Guided) else model
        task, more = model.task_, dict[str, Any]()
        if old is not None:
            more |= {"knowledge_as": old.uses_, "sure": old.resolved_.sure}
        if knowledge_as is not None:
            more["knowledge_as"] = knowledge_as
        if sure is not None:
            more["sure"] = sure
        protocol = {"protocol": task.protocol}
        self = cls(member=described(member), **more, **protocol)
        self.history_, self.best_epoch_, self.ended_ = [], 0, ""
        self.prepare(task)
        self.cost_, self.seconds_ = Cost(0, task.n_labels, {}), 0.0
        self.parameters_count_ = member.parameters_count_
        self._take(book)
        self.member_ = copy.copy(member)  # so that the model given keeps its own graph
        self.member_.task_ = self._applied.walked_task
        if member.by_vectors and "facts" in self.uses_ and (
            old is None or self._applied.inferences != old._applied.inferences
        ):  # fmt: skip
            self.notes_.append(
                f"warning: {member.method} has its facts in its vectors: those that the book "
                "infers are not used before it is fitted with it"
            )
        until = deadline or Deadline()
        if old is None:
            self._try_mask(until.part(0.3))
        if "prior" in self.uses_:
            if old is not None and old.prior_ is not None:
                self._keep_weights(old.prior_)
            else:
                self._learn_prior(until)
        self._tell()
        return cast(Self, self)

    def _take(self, book: KnowledgeBook) -> None:
        """Read a book for the task's relations, and settle how it is used."""
        wanted, sure = self.resolved_.knowledge_as, self.resolved_.sure
        self._applied = AppliedBook(book, self.task_, wanted=wanted, sure=sure)
        self.book_, self.uses_ = book, self._applied.uses
        walks = not self.member_.by_vectors and hasattr(self.member_, "propagation")
        if "restriction" in self.uses_ and not walks:
            raise UsageError(
                f"method {self.member_.method} walks no edges: nothing can be restricted",
                remedy="--set knowledge_as=prior, or --method redgnn",
            )
        if "loss" in self.uses_ and not self.member_.learns_by_contrast:
            raise UsageError(
                f"the loss of method {self.member_.method} compares no answers",
                remedy="--set knowledge_as=mask, or --method complex",
            )
        self._sem, self._edges = PossibleAnswers(), 0

    def _tell(self) -> None:
        """Note what of the book was applied, and to how many relations."""
        n = self.task_.n_relations
        self.notes_ += self._applied.notes_on_facts()
        if self.prior_ is not None:
            some = self.prior_.weight.reshape(2, n) > 0
            self.notes_.append(
                f"prior: {len(self.prior_.rules):,} rules ({self.prior_.aggregation}) weigh in for "
                f"{int(some.any(0).sum()):,} of {n:,} relations"
            )
        self.notes_ += self._applied.notes_on_answers()

    # ---- learned on validation ---------------------------------------------------------------

    def _try_mask(self, deadline: Deadline) -> None:
        """Leave the mask out where it was not asked for and right answers fall behind it."""
        if self.resolved_.knowledge_as is not None or "mask" not in self.uses_:
            return
        try:
            queries = shuffled_queries(self.task_, self.resolved_.seed)
        except EmptySplit:
            return
        note = mask_note(self._member_scores, self._applied, queries, deadline)
        if note is not None:
            self._use(tuple(use for use in self.uses_ if use != "mask"))
            self.notes_.append(note)

    def _use(self, uses: tuple[Use, ...]) -> None:
        self.uses_ = self._applied.uses = uses

    def _learn_prior(self, deadline: Deadline) -> None:
        """Learn what the rules are worth, on as many queries as the deadline allows."""
        seed, rules = self.resolved_.seed, self._applied.prior_rules
        concluded = {self.task_.data.relations.index(rule.head.relation) for rule in rules}
        try:
            queries = shuffled_queries(self.task_, seed, of=concluded)
        except EmptySplit:
            queries = None
        if not queries:
            weight = np.zeros(2 * self.task_.n_relations)
            self.prior_ = Prior(rules, "noisy-or", weight, 1.0)
            of = "" if queries is None else " of the relations that rules conclude"
            self.notes_.append(f"warning: no validation facts{of}: the rules' weight is 0")
            return
        self.prior_, note = learned_prior(
            self._member_scores, self._applied, queries, deadline, seed=seed
        )
        self.notes_.append(note)

    def _keep_weights(self, learned: Prior) -> None:
        rules = self._applied.prior_rules
        self.prior_ = Prior(rules, learned.aggregation, learned.weight, learned.spread)

    # ---- scoring -----------------------------------------------------------------------------

    def on(self, graph: KnowledgeGraph) -> Self:
        """The member on another graph and what follows from it by the book."""
        again = super().on(graph)
        again._applied = self._applied.apart()
        again.member_ = self.member_.on(again._applied.whole(graph))
        return again

    def _member_scores(
        self, head: IntArray, relation: IntArray, graph: KnowledgeGraph
    ) -> npt.NDArray[np.float32]:
        """The member's scores, each relation's queries on the graph that they may walk."""
        whole = self._applied.whole(graph)
        if "restriction" not in self.uses_:
            return self.member_._score(head, relation, whole)
        out = np.empty((len(head), graph.n_entities), np.float32)
        for asked, rows in self._applied.restriction.groups(relation, self.task_.n_relations):
            part = self._applied.restriction.graph(whole, asked)
            out[rows] = self.member_._score(head[rows], relation[rows], part)
            if part is not whole:  # one graph of hundreds is held at a time
                walked = cast(Any, self.member_)._propagations.pop(part.content_hash)
                self._edges += sum(shard.counts.edges_visited for shard in walked.shards)
                walked.close()
        return out

    def compare_walks(self, queries: QuerySet) -> dict[str, float]:
        """Edges walked for some queries and their MRR, on all relations and as restricted."""
        found = dict[str, float]()
        with Progress(2 * len(queries), "walking", quiet=True) as progress:
            for name, model in (("whole", self.member_), ("restricted", self)):
                walked = cast(Any, self.member_).propagation(self._applied.whole(queries.graph))
                begin = sum(shard.counts.edges_visited for shard in walked.shards)
                self._edges = 0
                asked = replace(queries, graph=self._applied.whole(queries.graph))
                ranks = model._rank(asked if name == "whole" else queries, progress)
                end = sum(shard.counts.edges_visited for shard in walked.shards)
                found[f"edges {name}"] = float(end - begin + self._edges)
                found[f"mrr {name}"] = ranks.metrics()["mrr"]
        return found

    def _mixed(
        self, head: IntArray, relation: IntArray, graph: KnowledgeGraph
    ) -> npt.NDArray[np.float32]:
        """Scores with the prior, not masked."""
        scores = self._member_scores(head, relation, graph)
        if self.prior_ is None:
            return scores
        weight = self.prior_.weight[relation]
        if not (weight > 0).any():
            return scores
        feature = self.prior_.feature(head, relation, self._applied.whole(graph))
        return self.prior_.added(scores, feature, weight)

    def _score(
        self, head: IntArray, relation: IntArray, graph: KnowledgeGraph | None = None
    ) -> npt.NDArray[np.float32]:
        graph = graph or self.task_.test_graph
        out = np.empty((len(head), graph.n_entities), np.float32)
        for rows in blocks(len(head), graph.n_entities):
            asked = head[rows], relation[rows]
            scores = self._mixed(*asked, graph)
            possible = self._applied.possible(*asked, graph)
            out[rows] = scores if possible is None else np.where(possible, scores, -np.inf)
        return out

    @property
    def _unreached(self) -> float:
        """The member's; with a mask what is left out is told by the score −∞."""
        return -np.inf if "mask" in self.uses_ else self.member_._unreached

    def _reached(self, row: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
        return super()._reached(row) if "mask" in self.uses_ else self.member_._reached(row)

    def probability(self, row: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """The member's, of what is possible."""
        if not np.isfinite(row).any():
            return np.zeros(len(row))
        return self.member_.probability(row)

    def _rank(self, queries: QuerySet, progress: Progress) -> Ranks:
        order = np.arange(len(queries))
        if "restriction" in self.uses_:  # so that a block asks for few relations
            order = np.argsort(queries.relation % self.task_.n_relations, kind="stable")
        sorted_ = queries.take(order)
        greater, equal = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        most = 1024 if "restriction" in self.uses_ else 64
        for rows in blocks(len(sorted_), queries.graph.n_entities, most):
            asked = sorted_.head[rows], sorted_.relation[rows]
            scores = self._mixed(*asked, queries.graph)
            possible = self._applied.possible(*asked, queries.graph)
            found = counted(scores, sorted_, rows.start, possible)
            self._sem.count(self._applied, scores, sorted_, rows.start, possible)
            greater.append(found[0])
            equal.append(found[1])
            progress.advance(rows.stop - rows.start)
        relation, n = queries.answer_relation, self.task_.n_relations
        back = _places(queries, order)
        return Ranks(
            np.concatenate(greater)[back], np.concatenate(equal)[back], relation % n, relation // n
        )

    def evaluate(
        self,
        split: str = "test",
        *,
        seed: int = 0,
        quiet: bool = True,
        deadline: Deadline | None = None,
    ) -> Measures:
        """Rank a split; ``metrics`` also hold ``sem@10`` where the book has domains or ranges.

        That is the share of possible ones among the ten best candidates, of queries whose answers
        have a stated domain or range. A true answer that the mask forbids is ranked last, and a
        note says how many there were.
        """
        self._sem = PossibleAnswers()
        result = super().evaluate(split, seed=seed, quiet=quiet, deadline=deadline)
        if self._sem.shown:
            result["metrics"]["sem@10"] = self._sem.possible / self._sem.shown
        if self._sem.forbidden:
            result["notes"].append(
                f"warning: {self._sem.forbidden:,} of {result['n_queries']:,} true answers are "
                "impossible by the book: they are ranked last"
            )
        return result

    # ---- reasons -----------------------------------------------------------------------------

    @property
    def gives_reasons(self) -> bool:
        """Whether the member explains."""
        return self.member_.gives_reasons

    def explain(self, head: str, relation: str, tail: str, **choices: Any) -> Explanation:
        """Why the member answers so, and what the book adds: rules, inferred edges, the mask."""
        self._require_fitted()
        found: Explanation = self.member_.explain(head, relation, tail, **choices)
        fact = self.encode_fact(head, relation, tail)
        question = Question.of(fact, choices.get("side", "tail"), self.task_.n_relations)
        row, rules = self._score(*question.query)[0], tuple[Rule, ...]()
        notes = origins(found, self._applied)
        if self.prior_ is not None and self.prior_.weight[question.relation] > 0:
            graph = self._applied.whole(self.task_.test_graph)
            grounded = groundings(self.prior_.scorer(graph), *fact, n_rules=5)
            rules = tuple(each.rule for each in grounded)
            feature = self.prior_.feature(*question.query, graph)[0, question.answer]
            added = float(self.prior_.weight[question.relation] * self.prior_.spread * feature)
            notes.append(
                f"{added:.3g} of the score is the book's rules, {len(rules)} of them named"
            )
        possible = self._applied.possible(*question.query, self.task_.test_graph)
        if possible is not None and not possible[0, question.answer]:
            notes.append("warning: this answer is impossible by the book")
        return replace(
            found, score=float(row[question.answer]), rank=question.rank(row, self.task_),
            probability=float(self.probability(row)[question.answer]),
            rules=(*rules, *(rule for rule in found.rules if rule not in rules)),
            notes=(*dict.fromkeys([*notes, *found.notes, *self.notes_]),),
        )  # fmt: skip

    def knowledge(self, top: int = 100, *, quiet: bool = True, **more: Any) -> list[Any]:
        """What the member has learned."""
        self._require_fitted()
        return self.member_.knowledge(top=top, quiet=quiet, **more)

    def knowledge_table(
        self, top: int, *, quiet: bool = True, deadline: Deadline | None = None
    ) -> dict[str, Any]:
        """The member's."""
        return self.member_.knowledge_table(top, quiet=quiet, deadline=deadline)

    def description_bytes(self) -> int:
        """Bytes of the member, of the rules that weigh in, and of their weights."""
        self._require_fitted()
        text = 0
        if self.prior_ is not None:
            text = len("\n".join(map(str, self.prior_.rules)).encode())
            text += self.prior_.weight.nbytes
        return self.member_.description_bytes() + text

    # ---- persistence -------------------------------------------------------------------------

    def write(self, run: RunFolder) -> None:
        """Write model, data and the book into an open run folder."""
        super().write(run)
        write_book(self.book_, run.path / BOOK)

    def _tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        found: dict[str, npt.NDArray[np.generic]] = {
            f"member.{name}": tensor for name, tensor in self.member_._tensors().items()
        }
        found["uses"] = np.array([use in self.uses_ for use in USES], np.int32)
        if self.prior_ is not None:
            found["prior.weight"] = self.prior_.weight
            found["prior.spread"] = np.array([self.prior_.spread])
            aggregation = AGGREGATIONS.index(self.prior_.aggregation)
            found["prior.aggregation"] = np.array([aggregation], np.int32)
        return found

    def _restore(self, run: RunFolder, tensors: dict[str, npt.NDArray[Any]]) -> None:
        uses = [use for use, used in zip(USES, tensors["uses"].tolist(), strict=False) if used]
        if uses:
            self.resolved_ = self.resolved_.model_copy(update={"knowledge_as": tuple(uses)})
        self._take(book_from_table(run.read_toml(BOOK) or {}, str(run.path / BOOK)))
        self._use(tuple(uses))
        start = "member."
        own = {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
        self.member_.prepare(self._applied.walked_task)
        self.member_._restore(run, own)
        self.parameters_count_ = self.member_.parameters_count_
        if "prior.weight" in tensors:
            aggregation = AGGREGATIONS[int(tensors["prior.aggregation"][0])]
            spread = float(tensors["prior.spread"][0])
            self.prior_ = Prior(
                self._applied.prior_rules, aggregation, tensors["prior.weight"], spread
            )


def _places(queries: QuerySet, order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where the answers of the queries in their own order stand in those of another order."""
    count = np.diff(queries.answer_ptr)
    begin = np.empty(len(order), np.int64)
    begin[order] = np.cumsum(count[order]) - count[order]
    found: npt.NDArray[np.int64] = np.arange(count.sum()) + np.repeat(
        begin - queries.answer_ptr[:-1], count
    )
    return found
