"""Method "blend": the weighted sum of two methods' standardised scores.

The scores of a query are brought to one scale by their mean and standard deviation over all
entities; what a method does not reach has the least score that it gave. The weight is chosen on
validation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from parsimony import base
from parsimony.base import Fitting, constructor
from parsimony.errors import EmptySplit, UsageError
from parsimony.explain import Explanation
from parsimony.graph import KnowledgeGraph
from parsimony.knowledge import Rule
from parsimony.link.blocks import blocks
from parsimony.link.estimator import LinkEstimator
from parsimony.link.question import Question
from parsimony.link.task import LinkTask, QuerySet
from parsimony.link.weighing import counted, cross_fitted, halves
from parsimony.methods import resolve
from parsimony.metrics import Ranks
from parsimony.metrics.bootstrap import resampled_means
from parsimony.run.cost import Cost
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.run.renamed import renamed
from parsimony.run.steps import step_done

__all__ = ["Blend", "described", "member_of", "standardised"]

IntArray = npt.NDArray[np.int32]
Member = dict[str, Any]
#: weights of the first member that are compared on validation
WEIGHTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
#: queries that a weight is chosen on at most
MOST_QUERIES = 4000


class BlendParameters(base.Parameters):
    """Parameters of a blend."""

    members: tuple[Member, ...] = Field(
        ({"method": "rules"}, {"method": "redgnn"}), min_length=2, max_length=2,
        description='two methods with their parameters: [{"method": "rules"}, …]',
    )  # fmt: skip
    weight: float | None = Field(
        None, ge=0, le=1,
        description="weight of the first member, in [0, 1]; chosen on validation where left out",
    )  # fmt: skip
    protocol: Literal["redgnn", "grail"] = Field("redgnn", description="inductive protocol")
    seed: int = Field(0, ge=0, lt=2**63, description="seed of the members and of samples, ≥ 0")


def standardised(scores: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
    """Scores (n, n_entities) with mean 0 and standard deviation 1 in each row.

    −∞ becomes the least finite score of its row first; a row without differences becomes 0.
    """
    found = np.asarray(scores, np.float64)
    finite = np.isfinite(found)
    least = np.where(finite, found, np.inf).min(1, keepdims=True)
    found = np.where(finite, found, np.where(np.isfinite(least), least, 0.0))
    found -= found.mean(1, keepdims=True)
    spread = found.std(1, keepdims=True)
    found /= np.where(spread > 1e-12, spread, 1.0)
    return found.astype(np.float32)


class Blend(LinkEstimator[BlendParameters]):
    """Two methods' scores, standardised and added.

    Attributes
    ----------
    members_
        The fitted methods.
    weight_
        Of the first.

    Raises
    ------
    UnknownParameter, InvalidParameter
        A member without a known method, or with parameters that its method does not have.
    """

    method: ClassVar[str] = "blend"
    paper: ClassVar[str] = "weighted sum of standard scores"
    Parameters = BlendParameters
    __init__ = constructor(BlendParameters)

    members_: Sequence[LinkEstimator[Any]]
    weight_: float

    @classmethod
    def _validate(cls, values: Mapping[str, Any]) -> BlendParameters:
        parameters = super()._validate(values)
        for given in parameters.members:
            member_of(given, parameters)
        return parameters

    @classmethod
    def compared(
        cls, members: Sequence[LinkEstimator[Any]], *, units: int | None = None, seed: int = 0
    ) -> tuple[Self, npt.NDArray[np.float64]]:
        """Blend fitted methods, and measure the blend as ``resampled(units=units)`` would.

        That is on its queries and draws, so that the result is paired with those of the members.
        The queries of one half are ranked with the weight that the other half chooses, so that the
        choice does not flatter the blend, which takes the weight that all of them choose.

        Parameters
        ----------
        members
            Two fitted methods of one task.
        seed
            Of the blend.
        """
        task: LinkTask = members[0].task_
        self: Self = cls(members=[described(member) for member in members], seed=seed)
        self.history_, self.best_epoch_, self.ended_ = [], 0, ""
        self.prepare(task)
        self.members_ = list(members)
        self.parameters_count_ = sum(member.parameters_count_ for member in members) + 1
        self.cost_, self.seconds_ = Cost(self.parameters_count_, task.n_labels), 0.0
        queries = task.queries("valid").sample(units)
        table = 1.0 / self.ranks_by_weight(queries, WEIGHTS)

        def choose(
            table: npt.NDArray[np.float64], seen: npt.NDArray[np.bool_]
        ) -> npt.NDArray[np.integer[Any]]:
            return np.full(table.shape[1], int(table[:, seen].mean(1).argmax()))

        found = cross_fitted(table, halves(queries), choose)
        self._take_weight(WEIGHTS[int(table.mean(1).argmax())])
        return self, resampled_means(found)

    def _setup(self) -> None:
        members = [member_of(given, self.resolved_) for given in self.resolved_.members]
        for member in members:
            member.prepare(self.task_)
        self.resolved_ = self.resolved_.model_copy(
            update={"members": tuple(described(member) for member in members)}
        )
        self.members_ = members

    def _fit(self, fitting: Fitting) -> None:
        """Train the members one after another, each with its own checkpoints."""
        left = fitting.time_budget
        for k, member in enumerate(self.members_):
            limits: dict[str, Any] = {"device": fitting.device, "quiet": fitting.quiet}
            if left is not None:
                limits["time_budget"] = left / (len(self.members_) - k)
            if fitting.device not in ("cpu", *member.devices):
                limits["device"] = "cpu"
            if fitting.run is None:
                member.fit(self.task_, **limits)
            else:
                folder = fitting.run.path / "checkpoints" / f"member-{k}"
                with closing(RunFolder.create(folder, member.config(), resume=True)) as inner:
                    member.fit(self.task_, run=inner, **limits)
            left = None if left is None else max(left - member.seconds_, 0.0)
            self.history_ += [{"member": k, **record} for record in member.history_]
            self.cost_.add(flops=member.cost_.flops)
            self.notes_ += [f"{member.method}: {note}" for note in member.notes_]
        late = any(member.ended_ == "time budget" for member in self.members_)
        self.ended_ = "time budget" if late else ""
        self.parameters_count_ = sum(m.parameters_count_ for m in self.members_) + 1
        given = self.resolved_.weight
        self._take_weight(self._choose_weight() if given is None else given)

    def _choose_weight(self) -> float:
        """The weight that is best on validation; an even one where there is none."""
        try:
            queries = self.task_.queries("valid").sample(MOST_QUERIES, self.resolved_.seed)
        except EmptySplit:
            return 0.5
        table = 1.0 / self.ranks_by_weight(queries, WEIGHTS)
        return WEIGHTS[int(table.mean(1).argmax())]

    def _take_weight(self, weight: float) -> None:
        self.weight_ = weight
        self.resolved_ = self.resolved_.model_copy(update={"weight": weight})

    def ranks_by_weight(
        self, queries: QuerySet, weights: Sequence[float]
    ) -> npt.NDArray[np.float64]:
        """Filtered ranks (n_weights, n_answers) of all answers with each weight."""
        found = np.empty((len(weights), len(queries.answer)))
        for rows in blocks(len(queries), queries.graph.n_entities):
            asked = queries.head[rows], queries.relation[rows]
            first, second = self._standardised(*asked, queries.graph)
            for k, weight in enumerate(weights):
                scores = weight * first + (1 - weight) * second
                greater, equal = counted(scores, queries, rows.start)
                answers = slice(queries.answer_ptr[rows.start], queries.answer_ptr[rows.stop])
                found[k, answers] = 1 + greater + equal / 2
        return found

    # ---- scoring -----------------------------------------------------------------------------

    def on(self, graph: KnowledgeGraph) -> Self:
        """Both members on another graph."""
        again = super().on(graph)
        again.members_ = [member.on(graph) for member in self.members_]
        return again

    def _standardised(
        self, head: IntArray, relation: IntArray, graph: KnowledgeGraph
    ) -> list[npt.NDArray[np.float32]]:
        of = () if graph is self.task_.test_graph else (graph,)
        return [standardised(member._score(head, relation, *of)) for member in self.members_]

    def _score(
        self, head: IntArray, relation: IntArray, graph: KnowledgeGraph | None = None
    ) -> npt.NDArray[np.float32]:
        graph = graph or self.task_.test_graph
        out = np.empty((len(head), graph.n_entities), np.float32)
        for rows in blocks(len(head), graph.n_entities):
            step_done()
            first, second = self._standardised(head[rows], relation[rows], graph)
            out[rows] = self.weight_ * first + (1 - self.weight_) * second
        return out

    def _rank(self, queries: QuerySet, progress: Progress) -> Ranks:
        greater, equal = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for rows in blocks(len(queries), queries.graph.n_entities):
            scores = self._score(queries.head[rows], queries.relation[rows], queries.graph)
            found = counted(scores, queries, rows.start)
            greater.append(found[0])
            equal.append(found[1])
            progress.advance(rows.stop - rows.start)
        relation, n = queries.answer_relation, self.task_.n_relations
        return Ranks(np.concatenate(greater), np.concatenate(equal), relation % n, relation // n)

    # ---- reasons -----------------------------------------------------------------------------

    def _able(self) -> list[LinkEstimator[Any]]:
        """The members that give reasons: those by walks, then the heavier first."""
        weights = (self.weight_, 1 - self.weight_)
        order = sorted(
            zip(weights, self.members_, strict=True),
            key=lambda pair: (pair[1].by_vectors, -pair[0]),
        )
        return [member for _, member in order if member.gives_reasons]

    @property
    def gives_reasons(self) -> bool:
        """Whether a member explains."""
        return any(member.gives_reasons for member in self.members_)

    def explain(self, head: str, relation: str, tail: str, **choices: Any) -> Explanation:
        """Why a member answers so, one by walks if there is one; a note says which.

        Raises
        ------
        UsageError
            No member gives reasons.
        """
        from dataclasses import replace

        self._require_fitted()
        able = self._able()
        if not able:
            raise UsageError("no member of this blend gives reasons", remedy="blend in rules")
        found: Explanation = able[0].explain(head, relation, tail, **choices)
        fact = self.encode_fact(head, relation, tail)
        question = Question.of(fact, choices.get("side", "tail"), self.task_.n_relations)
        row = self._score(*question.query)[0]
        first, second = self.members_
        note = (
            f"score, probability and rank are those of the blend of {first.method} "
            f"({self.weight_:g}) and {second.method} ({1 - self.weight_:g}); the reasons are those "
            f"of {able[0].method}"
        )
        return replace(
            found, score=float(row[question.answer]), rank=question.rank(row, self.task_),
            probability=float(self.probability(row)[question.answer]), model=self.method,
            notes=(note, *found.notes),
        )  # fmt: skip

    def knowledge(self, top: int = 100, *, quiet: bool = True) -> list[Rule]:
        """The rules of the member that has some, the heavier first."""
        for member in self._able():
            found = member.knowledge(top=top, quiet=quiet)
            if rules := [each for each in found if isinstance(each, Rule)]:
                return rules
        return []

    def description_bytes(self) -> int:
        """Bytes of both members and of the weight."""
        self._require_fitted()
        return sum(member.description_bytes() for member in self.members_) + 8

    # ---- persistence -------------------------------------------------------------------------

    def _tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        return {
            f"{k}.{name}": tensor
            for k, member in enumerate(self.members_)
            for name, tensor in member._tensors().items()
        }

    def _restore(self, run: RunFolder, tensors: dict[str, npt.NDArray[Any]]) -> None:
        for k, member in enumerate(self.members_):
            start = f"{k}."
            own = {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
            member._restore(run, own)
        self.weight_ = 0.5 if self.resolved_.weight is None else self.resolved_.weight
        self.parameters_count_ = sum(m.parameters_count_ for m in self.members_) + 1


def member_of(given: Member, of: base.Parameters) -> LinkEstimator[Any]:
    """Make one member from its method and parameters."""
    settings = dict(given)
    cls = resolve(str(settings.pop("method", "")))
    if not issubclass(cls, LinkEstimator) or issubclass(cls, Blend) or cls.method == "guided":
        raise UsageError(f"{cls.method!r} cannot be a member", remedy="members rank entities")
    fields = cls.Parameters.model_fields
    for name in ("seed", "protocol"):
        if name in fields:
            settings.setdefault(name, getattr(of, name))
    member: LinkEstimator[Any] = cls(**renamed(settings, fields))
    return member


def described(member: LinkEstimator[Any]) -> Member:
    """Method and parameters, from which :func:`member_of` makes it again."""
    return {
        "method": member.method, **member.resolved_.model_dump(exclude_none=True, mode="json")
    }  # fmt: skip
