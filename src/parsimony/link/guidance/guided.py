"""A method with a knowledge book around it: what the book says bears on what the method answers.

Uses, each by itself (``knowledge_as``): ``facts`` that follow complete the graph that is walked or
trained on; the rules' score is a ``prior`` of the answers' scores; impossible answers are behind a
``mask``; a ``restriction`` walks only relations that rules of the asked one use.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self, cast

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from parsimony import base
from parsimony.answers import Measures
from parsimony.base import Fitting, constructor
from parsimony.errors import EmptySplit, UsageError
from parsimony.explain import Explanation
from parsimony.graph import KnowledgeGraph
from parsimony.knowledge import Rule
from parsimony.knowledge.book import KnowledgeBook, book_from_table, write_book
from parsimony.knowledge.book_check import contradictions, of_vocabulary
from parsimony.link.blend import Member, described, member_of
from parsimony.link.estimator import LinkEstimator
from parsimony.link.guidance.completion import Completion, complete
from parsimony.link.guidance.entries import (
    inferences_of,
    masking_axioms,
    prior_rules,
)
from parsimony.link.guidance.graph_task import CompletedTask
from parsimony.link.guidance.mask import Mask
from parsimony.link.guidance.prior import SHRINKAGE, WEIGHTS, Prior, shrunk_choice
from parsimony.link.guidance.restriction import Restriction
from parsimony.link.question import Question
from parsimony.link.rules.scoring import Aggregation
from parsimony.link.task import LinkTask, QuerySet
from parsimony.link.weighing import counted, cross_fitted, halves
from parsimony.metrics import Ranks
from parsimony.run.cost import Cost
from parsimony.run.deadline import Deadline
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng

__all__ = ["BOOK", "USES", "Guided"]

IntArray = npt.NDArray[np.int32]
Use = Literal["facts", "prior", "mask", "restriction"]
USES: tuple[Use, ...] = ("facts", "prior", "mask", "restriction")
BOOK = "book.toml"
#: queries that weights are learned on at most
MOST_QUERIES = 4000
#: inferred edges of an explanation that its notes name
MOST_ORIGINS = 10
_BLOCK = 64
_AGGREGATIONS: tuple[Aggregation, ...] = ("noisy-or", "max")


class GuidedParameters(base.Parameters):
    """Parameters of a method with a book around it."""

    member: Member = Field(
        {"method": "redgnn"}, description='the method with its parameters: {"method": "redgnn", …}'
    )
    knowledge_as: tuple[Use, ...] | None = Field(
        None, min_length=1,
        description="uses of the book: facts, prior, mask, restriction; default: the first three, "
        "as far as it has entries for them",
    )  # fmt: skip
    sure: float = Field(
        0.95,
        ge=0,
        le=1,
        description="least confidence of a counted entry that infers facts or masks, in [0, 1]",
    )
    protocol: Literal["redgnn", "grail"] = Field("redgnn", description="inductive protocol")
    seed: int = Field(0, ge=0, lt=2**63, description="seed of the member and of samples, ≥ 0")

    @field_validator("knowledge_as", mode="before")
    @classmethod
    def _words(cls, given: Any) -> Any:
        """Take "mask,facts" as well."""
        return [word.strip() for word in given.split(",")] if isinstance(given, str) else given


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
        if fitting.run is None:
            member.fit(self._walked_task, **limits)
        else:
            folder = fitting.run.path / "checkpoints" / "member"
            with closing(RunFolder.create(folder, member.config(), resume=True)) as inner:
                member.fit(self._walked_task, run=inner, **limits)
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
    ) -> Self:
        """Put a book around a fitted method, or another book around a guided one.

        A guided run keeps the weights that it has learned, so that an edited book changes exactly
        the answers that rest on the entries edited; of others they are learned on validation.

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
        self.member_.task_ = self._walked_task
        if member.by_vectors and "facts" in self.uses_ and (
            old is None or self._inferences() != old._inferences()
        ):  # fmt: skip
            self.notes_.append(
                f"warning: {member.method} has its facts in its vectors: those that the book "
                "infers are not used before it is fitted with it"
            )
        if old is None:
            self._try_mask(Deadline(None))
        if "prior" in self.uses_:
            if old is not None and old.prior_ is not None:
                self._keep_weights(old.prior_)
            else:
                self._learn_prior(Deadline(None))
        self._tell()
        return cast(Self, self)

    def _take(self, book: KnowledgeBook) -> None:
        """Read a book for the task's relations, and settle how it is used."""
        of_vocabulary(book, self.task_.train_graph)
        self.book_ = book
        names = self._relation_names()
        wanted = self.resolved_.knowledge_as
        self._rules = book.rules
        self._prior_rules = prior_rules(book, self._rules, names)
        supported: dict[str, bool] = {
            "facts": bool(self._inferences()),
            "prior": bool(self._prior_rules),
            "mask": bool(masking_axioms(book, self.resolved_.sure)),
        }
        chosen = [use for use in USES if supported.get(use, False)]
        self.uses_ = tuple(chosen) if wanted is None else wanted
        walks = not self.member_.by_vectors and hasattr(self.member_, "propagation")
        if "restriction" in self.uses_ and not walks:
            raise UsageError(
                f"method {self.member_.method} walks no edges: nothing can be restricted",
                remedy="--set knowledge_as=prior, or --method redgnn",
            )
        self._walked_task: LinkTask = self.task_
        if "facts" in self.uses_:
            inferences = self._inferences()
            self._walked_task = CompletedTask.of(
                self.task_, lambda graph: complete(graph, inferences)
            )
        self._masks: dict[str, Mask] = {}
        self._completed: dict[str, KnowledgeGraph] = {}
        self._restriction = Restriction(self._rules, names)
        self._sem, self._forbidden, self._edges = Counter[str](), 0, 0

    def _inferences(self) -> list[Any]:
        return inferences_of(self.book_, self._relation_names(), self.resolved_.sure)

    def _relation_names(self) -> list[str]:
        relations = self.task_.data.relations
        return [relations.name(i) for i in range(self.task_.n_relations)]

    def _tell(self) -> None:
        """Note what of the book was applied, and to how many relations."""
        n = self.task_.n_relations
        of = f"of {n:,} relations"
        if isinstance(self._walked_task, CompletedTask):
            done = self._walked_task.completion
            added = done.graph.triples[done.n_stated :]
            self.notes_.append(
                f"facts: {done.n_inferred:,} inferred from {done.n_stated:,} stated ones, of "
                f"{len(np.unique(added[:, 1])):,} {of}" + self._told_in_splits(added)
            )
            self.notes_ += [
                f"warning: {entry} was left out of the inference: it has too many groundings"
                for entry in done.left_out
            ]
        if self.prior_ is not None:
            some = self.prior_.weight.reshape(2, n) > 0
            self.notes_.append(
                f"prior: {len(self.prior_.rules):,} rules ({self.prior_.aggregation}) weigh in for "
                f"{int(some.any(0).sum()):,} {of}"
            )
        if "mask" in self.uses_:
            mask = self._mask(self.task_.test_graph)
            about = {asked % n for asked in mask.relations}
            self.notes_.append(f"mask: impossible answers of {len(about):,} {of} are last")
            self.notes_ += [
                f"warning: no entity is a {name}: its domains and ranges are not used"
                for name in dict.fromkeys(mask.without_members)
            ]
        if "restriction" in self.uses_:
            self.notes_.append(
                f"restriction: queries of {len(self._restriction.used):,} {of} walk only what "
                "rules use"
            )
        if not self.uses_:
            self.notes_.append("warning: the book has no entry that bears on these relations")

    def _told_in_splits(self, added: npt.NDArray[np.int32]) -> str:
        """How many inferred facts valid and test ask for: they follow from training facts alone."""
        inferred = {*map(tuple, added.tolist())}
        data = self.task_.data
        asked = {
            split: len({*map(tuple, getattr(data, split).tolist())} & inferred)
            for split in ("valid", "test")
        }
        if not any(asked.values()):
            return ""
        return (
            f"; {asked['valid']:,} of them stand in valid and {asked['test']:,} in test, though "
            "only training facts are premises"
        )

    # ---- learned on validation ---------------------------------------------------------------

    def _try_mask(self, deadline: Deadline) -> None:
        """Leave the mask out where it was not asked for and right answers fall behind it."""
        if self.resolved_.knowledge_as is not None or "mask" not in self.uses_:
            return
        try:
            queries = self._shuffled()
        except EmptySplit:
            return
        totals, n = np.zeros(2), 0
        for at in range(0, len(queries), _BLOCK):
            if n and deadline.passed():
                break
            rows = slice(at, min(at + _BLOCK, len(queries)))
            asked = queries.head[rows], queries.relation[rows]
            scores = self._member_scores(*asked, queries.graph)
            for i, possible in enumerate((None, self._possible(*asked, queries.graph))):
                greater, equal = counted(scores, queries, at, possible)
                totals[i] += (1 / (1 + greater + equal / 2)).sum()
            n += int(queries.answer_ptr[rows.stop] - queries.answer_ptr[at])
        without, masked = (totals / max(n, 1)).tolist()
        if masked < without:
            self.uses_ = tuple(use for use in self.uses_ if use != "mask")
            self.notes_.append(
                f"the mask is left out: validation MRR {without:.4f} without, {masked:.4f} with "
                "it; the book calls right answers impossible (--set knowledge_as=mask applies it)"
            )

    def _shuffled(self) -> QuerySet:
        """Validation queries in random order, so that any first part is a sample of them."""
        queries = self.task_.queries("valid").sample(MOST_QUERIES, self.resolved_.seed)
        return queries.take(rng(self.resolved_.seed, "validation").permutation(len(queries)))

    def _blank_prior(self, aggregation: Aggregation) -> Prior:
        return Prior(self._prior_rules, aggregation, np.zeros(2 * self.task_.n_relations), 1.0)

    def _learn_prior(self, deadline: Deadline) -> None:
        """Choose aggregation, shrinkage and weights on validation.

        Half of the queries is ranked with what the other half chooses; what is best so is then
        chosen by all. Where nothing gains, all weights are 0.
        """
        try:
            queries = self._shuffled()
        except EmptySplit:
            self.prior_ = self._blank_prior("noisy-or")
            self.notes_.append("warning: no validation facts: the rules' weight is 0")
            return
        priors = [self._blank_prior(aggregation) for aggregation in _AGGREGATIONS]
        spread = self._spread(queries)
        for prior in priors:
            prior.spread = spread
        tables, done = self._ranked_by_weight(queries, priors, deadline)
        queries = queries.take(np.arange(done))
        group, half = queries.answer_relation, halves(queries)
        n = 2 * self.task_.n_relations

        def chosen(k: float | None) -> Callable[[Any, Any], Any]:
            def choose(table: Any, seen: Any) -> Any:
                return shrunk_choice(table[:, seen], group[seen], n, k)[group]

            return choose

        best = float(tables[0][0].mean())
        self.prior_ = priors[0]
        before = best
        for prior, table in zip(priors, tables, strict=True):
            for k in SHRINKAGE:
                found = float(cross_fitted(table, half, chosen(k)).mean())
                if found > best + 1e-9:
                    best, self.prior_ = found, prior
                    rows = shrunk_choice(table, group, n, k)
                    prior.weight = np.array(WEIGHTS)[rows]
        gain = f"validation MRR {before:.4f} without, {best:.4f} with (each half by the other)"
        self.notes_.append(f"prior: weights learned on {len(queries):,} queries: {gain}")

    def _keep_weights(self, learned: Prior) -> None:
        self.prior_ = Prior(self._prior_rules, learned.aggregation, learned.weight, learned.spread)

    def _spread(self, queries: QuerySet) -> float:
        """The median of the scores' standard deviation within a query, of some of them."""
        some = queries.sample(200, self.resolved_.seed)
        rows = self._member_scores(some.head, some.relation, queries.graph)
        found = [float(row[np.isfinite(row)].std()) for row in rows if np.isfinite(row).any()]
        middle = float(np.median(found)) if found else 1.0
        return middle if middle > 0 else 1.0

    def _ranked_by_weight(
        self, queries: QuerySet, priors: Sequence[Prior], deadline: Deadline
    ) -> tuple[list[npt.NDArray[np.float64]], int]:
        """1/rank of every answer with each weight for all relations, (n_weights, n_answers).

        Ends with the block in which the deadline passes: also how many queries were ranked.
        """
        found = [np.empty((len(WEIGHTS), len(queries.answer))) for _ in priors]
        done = 0
        for at in range(0, len(queries), _BLOCK):
            if done and deadline.passed():
                break
            rows = slice(at, min(at + _BLOCK, len(queries)))
            done = rows.stop
            asked = queries.head[rows], queries.relation[rows]
            scores = self._member_scores(*asked, queries.graph)
            possible = self._possible(*asked, queries.graph)
            answers = slice(queries.answer_ptr[at], queries.answer_ptr[rows.stop])
            for prior, table in zip(priors, found, strict=True):
                feature = prior.feature(*asked, self._whole(queries.graph))
                for k, weight in enumerate(WEIGHTS):
                    mixed = prior.added(scores, feature, np.full(len(scores), weight))
                    greater, equal = counted(mixed, queries, at, possible)
                    table[k, answers] = 1 / (1 + greater + equal / 2)
        n_answers = int(queries.answer_ptr[done])
        return [table[:, :n_answers] for table in found], done

    # ---- scoring -----------------------------------------------------------------------------

    def on(self, graph: KnowledgeGraph) -> Self:
        """The member on another graph and what follows from it by the book."""
        again = super().on(graph)
        again._masks, again._completed = dict(self._masks), dict(self._completed)
        if isinstance(self._walked_task, CompletedTask):
            again._completed[graph.content_hash] = self._walked_task.infer(graph).graph
        again.member_ = self.member_.on(again._whole(graph))
        return again

    def _whole(self, graph: KnowledgeGraph) -> KnowledgeGraph:
        """The graph that is walked in place of one of the task's: with what follows from it."""
        if not isinstance(self._walked_task, CompletedTask):
            return graph
        key = graph.content_hash
        if key not in self._completed:
            task = self._walked_task
            known = {
                self.task_.train_graph.content_hash: lambda: task.completion,
                self.task_.test_graph.content_hash: lambda: task.test_completion,
            }
            done: Completion = known[key]() if key in known else task.infer(graph)
            self._completed[key] = done.graph
        return self._completed[key]

    def _member_scores(
        self, head: IntArray, relation: IntArray, graph: KnowledgeGraph
    ) -> npt.NDArray[np.float32]:
        """The member's scores, each relation's queries on the graph that they may walk."""
        whole = self._whole(graph)
        if "restriction" not in self.uses_:
            return self.member_._score(head, relation, whole)
        out = np.empty((len(head), graph.n_entities), np.float32)
        for asked, rows in self._restriction.groups(relation, self.task_.n_relations):
            part = self._restriction.graph(whole, asked)
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
                walked = cast(Any, self.member_).propagation(self._whole(queries.graph))
                begin = sum(shard.counts.edges_visited for shard in walked.shards)
                self._edges = 0
                asked = replace(queries, graph=self._whole(queries.graph))
                ranks = model._rank(asked if name == "whole" else queries, progress)
                end = sum(shard.counts.edges_visited for shard in walked.shards)
                found[f"edges {name}"] = float(end - begin + self._edges)
                found[f"mrr {name}"] = ranks.metrics()["mrr"]
        return found

    def _mask(self, graph: KnowledgeGraph) -> Mask:
        key = graph.content_hash
        if key not in self._masks:
            test = graph.n_entities == self.task_.test_data.n_entities
            data = self.task_.test_data if test else self.task_.data
            names = [data.entities.name(i) for i in range(graph.n_entities)]
            self._masks[key] = Mask(
                masking_axioms(self.book_, self.resolved_.sure), self.book_.types,
                graph, names, self._relation_names(),
            )  # fmt: skip
        return self._masks[key]

    def _possible(
        self, head: IntArray, relation: IntArray, graph: KnowledgeGraph
    ) -> npt.NDArray[np.bool_] | None:
        return self._mask(graph).possible(head, relation) if "mask" in self.uses_ else None

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
        feature = self.prior_.feature(head, relation, self._whole(graph))
        return self.prior_.added(scores, feature, weight)

    def _score(
        self, head: IntArray, relation: IntArray, graph: KnowledgeGraph | None = None
    ) -> npt.NDArray[np.float32]:
        graph = graph or self.task_.test_graph
        out = np.empty((len(head), graph.n_entities), np.float32)
        for at in range(0, len(head), _BLOCK):
            asked = head[at : at + _BLOCK], relation[at : at + _BLOCK]
            scores = self._mixed(*asked, graph)
            possible = self._possible(*asked, graph)
            out[at : at + _BLOCK] = (
                scores if possible is None else np.where(possible, scores, -np.inf)
            )
        return out

    @property
    def _unreached(self) -> float:
        """The member's; with a mask what is left out is told by the score −∞."""
        return -np.inf if "mask" in self.uses_ else self.member_._unreached

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
        block = 1024 if "restriction" in self.uses_ else _BLOCK
        for at in range(0, len(sorted_), block):
            rows = slice(at, min(at + block, len(sorted_)))
            asked = sorted_.head[rows], sorted_.relation[rows]
            scores = self._mixed(*asked, queries.graph)
            possible = self._possible(*asked, queries.graph)
            found = counted(scores, sorted_, at, possible)
            self._measure_sem(scores, sorted_, at, possible)
            greater.append(found[0])
            equal.append(found[1])
            progress.advance(rows.stop - at)
        relation, n = queries.answer_relation, self.task_.n_relations
        back = _places(queries, order)
        return Ranks(
            np.concatenate(greater)[back], np.concatenate(equal)[back], relation % n, relation // n
        )

    def _measure_sem(
        self,
        scores: npt.NDArray[np.float32],
        queries: QuerySet,
        at: int,
        masked: npt.NDArray[np.bool_] | None,
    ) -> None:
        """Count how many of the ten best candidates were possible, where a domain or range is."""
        if not masking_axioms(self.book_, self.resolved_.sure):
            return
        mask = self._mask(queries.graph)
        typed = np.array(sorted(mask.typed), np.int32)
        for i, row in enumerate(scores):
            q = at + i
            answers = queries.answer[queries.answer_ptr[q] : queries.answer_ptr[q + 1]]
            if masked is not None:
                self._forbidden += int((~masked[i, answers]).sum())
            if queries.relation[q] not in typed:
                continue
            possible = mask.possible(queries.head[q : q + 1], queries.relation[q : q + 1])[0]
            candidate = np.ones(len(row), bool)
            candidate[queries.known[queries.known_ptr[q] : queries.known_ptr[q + 1]]] = False
            candidate[answers] = True
            if masked is not None:
                candidate &= masked[i]
            index = np.flatnonzero(candidate)
            top = index[np.argsort(-row[index], kind="stable")[:10]]
            self._sem["possible"] += int(possible[top].sum())
            self._sem["shown"] += len(top)

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
        self._sem, self._forbidden = Counter(), 0
        result = super().evaluate(split, seed=seed, quiet=quiet, deadline=deadline)
        if self._sem["shown"]:
            result["metrics"]["sem@10"] = self._sem["possible"] / self._sem["shown"]
        if self._forbidden:
            result["notes"].append(
                f"warning: {self._forbidden:,} of {result['n_queries']:,} true answers are "
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
        row, notes, rules = self._score(*question.query)[0], list[str](), tuple[Rule, ...]()
        if isinstance(self._walked_task, CompletedTask):
            notes += self._origins(found)
        if self.prior_ is not None and self.prior_.weight[question.relation] > 0:
            graph = self._whole(self.task_.test_graph)
            groundings = self.prior_.scorer(graph).groundings(*fact, n_rules=5)
            rules = tuple(g.rule for g in groundings)
            feature = self.prior_.feature(*question.query, graph)[0, question.answer]
            added = float(self.prior_.weight[question.relation] * self.prior_.spread * feature)
            notes.append(
                f"{added:.3g} of the score is the book's rules, {len(rules)} of them named"
            )
        possible = self._possible(*question.query, self.task_.test_graph)
        if possible is not None and not possible[0, question.answer]:
            notes.append("warning: this answer is impossible by the book")
        return replace(
            found, score=float(row[question.answer]), rank=question.rank(row, self.task_),
            probability=float(self.probability(row)[question.answer]),
            rules=(*rules, *(rule for rule in found.rules if rule not in rules)),
            notes=(*dict.fromkeys([*notes, *found.notes, *self.notes_]),),
        )  # fmt: skip

    def _origins(self, found: Explanation) -> list[str]:
        """Say of the edges named which are inferred, and from what."""
        data, task = self.task_.test_data, cast(CompletedTask, self._walked_task)
        steps = [step for path in found.paths for step in path.steps]
        steps += [edge.step for edge in found.subgraph]
        notes = list[str]()
        for name in dict.fromkeys((step.head, step.relation, step.tail) for step in steps):
            if len(notes) == MOST_ORIGINS:
                break
            fact = data.entities.index(name[0]), data.relations.index(name[1])
            origin = task.test_completion.origin(*fact, data.entities.index(name[2]))
            if origin is not None:
                told = " and ".join(
                    f"{data.relations.name(r)}({data.entities.name(h)}, {data.entities.name(t)})"
                    for h, r, t in origin[1].tolist()
                )
                notes.append(f"{name[1]}({name[0]}, {name[2]}) is inferred by {origin[0]}: {told}")
        return notes

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
            aggregation = _AGGREGATIONS.index(self.prior_.aggregation)
            found["prior.aggregation"] = np.array([aggregation], np.int32)
        return found

    def _restore(self, run: RunFolder, tensors: dict[str, npt.NDArray[Any]]) -> None:
        uses = [use for use, used in zip(USES, tensors["uses"].tolist(), strict=True) if used]
        if uses:
            self.resolved_ = self.resolved_.model_copy(update={"knowledge_as": tuple(uses)})
        self._take(book_from_table(run.read_toml(BOOK) or {}, str(run.path / BOOK)))
        self.uses_ = tuple(uses)
        start = "member."
        own = {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
        self.member_.prepare(self._walked_task)
        self.member_._restore(run, own)
        self.parameters_count_ = self.member_.parameters_count_
        if "prior.weight" in tensors:
            aggregation = _AGGREGATIONS[int(tensors["prior.aggregation"][0])]
            spread = float(tensors["prior.spread"][0])
            self.prior_ = Prior(self._prior_rules, aggregation, tensors["prior.weight"], spread)


def _places(queries: QuerySet, order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where the answers of the queries in their own order stand in those of another order."""
    count = np.diff(queries.answer_ptr)
    begin = np.empty(len(order), np.int64)
    begin[order] = np.cumsum(count[order]) - count[order]
    found: npt.NDArray[np.int64] = np.arange(count.sum()) + np.repeat(
        begin - queries.answer_ptr[:-1], count
    )
    return found
