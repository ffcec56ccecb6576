"""Base class of link-prediction estimators."""

from __future__ import annotations

import copy
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, TypedDict, cast

import numpy as np
import numpy.typing as npt

from parsimony import base
from parsimony.answers import Answers, Measures
from parsimony.base import Estimator, ParametersT
from parsimony.base.finishing import RANKING, writing_seconds
from parsimony.decoding import checked, read_json
from parsimony.errors import CorruptRun, InvalidParameter, UsageError
from parsimony.graph import KnowledgeGraph
from parsimony.link.frequency import FLOOR, UNREACHED
from parsimony.link.sampled_ranking import rank_within, sample_note
from parsimony.link.strata import LARGE, measure_strata, strata_of
from parsimony.link.task import LinkTask, QuerySet
from parsimony.metrics import Ranks
from parsimony.metrics.bootstrap import resampled_means
from parsimony.metrics.guard import require_scores
from parsimony.run.deadline import Deadline
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.run.steps import step_done
from parsimony.training.probe import Probe

IntArray = npt.NDArray[np.int32]
NOTES = "notes.json"
_TABLE = 1 << 26  # scores that are held at once


class Query(TypedDict, total=False):
    """A question by names: one of head and tail, and the relation."""

    head: str
    relation: str
    tail: str


class LinkEstimator(Estimator[LinkTask, ParametersT]):
    """Ranks, scores and predicts, once a method has ``_rank`` and ``_score``.

    Attributes
    ----------
    notes_
        What the method reduced, sampled or chose by itself.
    """

    Task: ClassVar[type[base.Task]] = LinkTask
    headline: ClassVar[str] = "mrr"
    asks_either_side: ClassVar[bool] = True
    #: what follows where an entity, or a relation, has no fact to be known by
    unknown_entity: ClassVar[str] = "no walk leads to or from it"
    unknown_relation: ClassVar[str] = "nothing was learned about it"
    samples: ClassVar[bool] = True
    #: whether a query's rank is the same whatever other queries are ranked beside it
    ranks_apart: ClassVar[bool] = True
    #: whether its reasons are parts of vectors, not walks
    by_vectors: ClassVar[bool] = False
    #: whether its loss compares an answer with all others, so that impossible ones can be left out
    learns_by_contrast: ClassVar[bool] = False

    notes_: list[str]

    def prepare(self, task: LinkTask, *, epochs: int | None = None) -> dict[str, Any]:
        """Resolve the parameters for a task; returns what config.toml will hold."""
        self.notes_ = []
        return super().prepare(task, epochs=epochs)

    @classmethod
    def preset(cls, name: str) -> dict[str, Any]:
        """Parameters of a registered dataset that differ from the defaults."""
        return {}

    def _preset(self, task: LinkTask) -> dict[str, Any]:
        return self.preset(task.data.name) if task.data.registered else {}

    def _rank(self, queries: QuerySet, progress: Progress) -> Ranks:
        """Filtered ranks of all answers of a query set; here by sorting out all scores."""
        greater = np.empty(len(queries.answer), np.int64)
        equal = np.empty(len(queries.answer), np.int64)
        for i in range(len(queries)):
            step_done()
            asked = queries.head[i : i + 1], queries.relation[i : i + 1]
            # a method of another package may know of the test graph alone
            other = queries.graph is not self.task_.test_graph
            row = (self._score(*asked, queries.graph) if other else self._score(*asked))[0]
            require_scores(row, unreached=True)
            answers = slice(queries.answer_ptr[i], queries.answer_ptr[i + 1])
            rivals = np.ones(len(row), bool)
            rivals[queries.known[queries.known_ptr[i] : queries.known_ptr[i + 1]]] = False
            own = row[queries.answer[answers]][:, None]
            greater[answers] = (row[rivals] > own).sum(1)
            equal[answers] = (row[rivals] == own).sum(1)
            progress.advance(1)
        relation, n = queries.answer_relation, self.task_.n_relations
        return Ranks(greater, equal, relation % n, relation // n)

    def on(self, graph: KnowledgeGraph) -> Self:
        """The same model, asked on another graph of the same entities; nothing is learned anew."""
        self._require_fitted()
        again = copy.copy(self)
        again.task_ = self.task_.walking(graph)
        return again

    @abstractmethod
    def _score(
        self, head: IntArray, relation: IntArray, graph: KnowledgeGraph | None = None
    ) -> npt.NDArray[np.float32]:
        """Scores of all entities of a graph, the test graph by default: (n_queries, n_entities)."""

    @property
    def _unreached(self) -> float:
        """The score of entities that are not reached and answer the relation nowhere."""
        return UNREACHED[getattr(self.resolved_, "unreached", "below")]

    def _reached(self, row: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
        """Which entities the method reaches, by their scores."""
        if self._unreached == FLOOR:  # by how often they answer the relation
            return np.asarray((row < FLOOR) | (row >= 0))
        return np.asarray(row != self._unreached)

    def probability(self, row: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Probabilities of all entities from one query's scores (n_entities,), uncalibrated.

        The softmax of the scores, where a method has nothing better.
        """
        weight: npt.NDArray[np.float64] = np.exp(row - row.max(), dtype=np.float64)
        weight /= weight.sum()
        return weight

    # ---- measuring ---------------------------------------------------------------------------

    def evaluate(
        self,
        split: str = "test",
        *,
        seed: int = 0,
        quiet: bool = True,
        deadline: Deadline | None = None,
    ) -> Measures:
        """Rank the answers of a split, heads and tails, filtered (docs/conventions.md).

        Parameters
        ----------
        split
            "valid" or "test".
        seed
            Of the bootstrap behind the intervals, and of a sample.
        deadline
            Where ranking all queries would outlast it, a random sample is ranked, and a note says
            so.

        Returns
        -------
        dict
            ``split, policy, metrics, optimistic, pessimistic, interval, n_queries, per_relation,
            strata`` and ``seconds, queries_per_second, notes``. ``metrics`` holds ``mrr`` and
            ``hits@k``, fractions in [0, 1]; ``strata`` is of
            :func:`parsimony.link.strata.measure_strata`.

        Raises
        ------
        EmptySplit
            The split has no facts.
        """
        self._require_fitted()
        queries = self.task_.queries(split)
        begin = time.perf_counter()
        whole = len(queries.answer)
        with Progress(len(queries), f"ranking {split}", quiet=quiet) as progress:
            ranks, queries = rank_within(self._rank, queries, progress, deadline, seed)
        seconds = time.perf_counter() - begin
        sampled = sample_note(split, len(ranks), whole, seconds, seed)
        return self.measures(split, ranks, queries, seconds, seed=seed, sampled=sampled)

    def measures(
        self, split: str, ranks: Ranks, queries: QuerySet, seconds: float, *, seed: int = 0,
        sampled: Sequence[str] = (),
    ) -> Measures:  # fmt: skip
        """Return what :meth:`evaluate` does, of ranks that are known already.

        Parameters
        ----------
        ranks, queries
            Of a split's queries, in their order.
        seconds
            What ranking took.
        sampled
            Notes, where these are not all of the split.
        """
        whole = len(self.task_.queries(split).answer) if sampled else len(ranks)
        names = [self.task_.data.relations.name(i) for i in range(self.task_.n_relations)]
        return Measures(
            {
                "split": split,
                **ranks.summary(seed),
                "per_relation": ranks.per_relation(names),
                "strata": measure_strata(ranks, strata_of(queries), seed),
                "seconds": seconds,
                "queries_per_second": len(queries) / seconds,
                "notes": [*self._notes_of(split, queries), *sampled],
            }
            | ({"sampled": {"ranked": len(ranks), "of": whole, "seed": seed}} if sampled else {})
        )

    def _notes_of(self, split: str, queries: QuerySet) -> list[str]:
        """What is to be known about measures on a split: data, protocol, method."""
        entity, relation = self._without_facts(queries.graph)
        about = np.repeat(queries.head, np.diff(queries.answer_ptr))
        unknown = entity[about] | entity[queries.answer]
        notes = [*self.task_.notes_of(split), *self.notes_]
        if len(queries.graph) > LARGE:
            notes.append(f"no strata by distance: the graph has more than {LARGE:,} facts")
        for of, what, follows in (
            (unknown, "an entity", self.unknown_entity),
            (
                relation[queries.answer_relation % self.task_.n_relations],
                "a relation",
                self.unknown_relation,
            ),
        ):
            notes += _of_unknown(of, what, follows)
        return notes

    def _reserve(self, found: Probe, left: float) -> float | None:
        """Seconds to rank validation and test, to read out knowledge, and to write."""
        if not found.queries:
            return None
        facts = [self.task_.n_facts(split) for split in ("valid", "test")]
        queries = found.queries * sum(facts) / facts[0]
        return min(1.2 * queries * found.query_seconds, RANKING * left) + writing_seconds(left)

    def _without_facts(
        self, graph: KnowledgeGraph
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Which entities have no fact in a graph, and which relations none that was learned."""
        return graph.degrees == 0, ~self.task_.learned

    def _doubts(self, entities: Sequence[int], relation: int) -> list[str]:
        """Say which entities or relations of a question the model knows nothing about."""
        data, n = self.task_.test_data, self.task_.n_relations
        no_entity, no_relation = self._without_facts(self.task_.test_graph)
        doubts = [
            f"warning: {data.label(int(e))} has no training fact: {self.unknown_entity}"
            for e in dict.fromkeys(entities)
            if no_entity[e]
        ]
        if no_relation[relation % n]:
            name = data.relations.name(relation % n)
            doubts.append(f"warning: {name} has no training fact: {self.unknown_relation}")
        return doubts

    def ranks(
        self, split: str = "test", *, queries: QuerySet | None = None, quiet: bool = True
    ) -> Ranks:
        """Filtered rank of every answer of a split, in the order of the task's queries.

        ``queries``: others than those of the task, on a graph of the same entities.
        """
        self._require_fitted()
        queries = queries or self.task_.queries(split)
        with Progress(len(queries), f"ranking {split}", quiet=quiet) as progress:
            return self._rank(queries, progress)

    def resampled(
        self, split: str = "valid", *, units: int | None = None, seed: int = 0
    ) -> npt.NDArray[np.float64]:
        """Return the MRR of a split, then of resamples of its queries, (1 + draws,)."""
        self._require_fitted()
        queries = self.task_.queries(split).sample(units, seed)
        with Progress(len(queries), "comparing", quiet=True) as progress:
            return resampled_means(1.0 / self._rank(queries, progress).ranks(), seed)

    def scores(
        self, queries: npt.ArrayLike, *, graph: KnowledgeGraph | None = None
    ) -> npt.NDArray[np.float32]:
        """Score all entities for queries (n, 2) of entity and relation id (r + R asks for heads).

        Walked is the test graph of the task, or another one of the same entities.

        Returns
        -------
        array
            (n, n_entities); larger is better, the unit is the method's own; −∞ for what the method
            does not reach.

        Raises
        ------
        InvalidParameter
            An id of no entity, or of no relation.
        TrainingDiverged
            A score is NaN or +∞.
        """
        self._require_fitted()
        pairs = np.asarray(queries, np.int32).reshape(-1, 2)
        walked = graph or self.task_.test_graph
        limits = {"entity": walked.n_entities, "relation": 2 * self.task_.n_relations}
        for (what, n), ids in zip(limits.items(), pairs.T, strict=True):
            if wrong := ids[(ids < 0) | (ids >= n)].tolist():
                raise InvalidParameter(
                    f"{wrong[0]} is the id of no {what}", remedy=f"give ids from 0 to {n - 1:,}"
                )
        asked = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
        # a method of another package may know of the test graph alone
        table = self._score(*asked) if graph is None else self._score(*asked, graph)
        require_scores(table, unreached=True)
        return table

    # ---- predicting --------------------------------------------------------------------------

    def encode(self, query: Query, notes: list[str] | None = None) -> tuple[int, int]:
        """(entity, relation) ids of a query by names; relation r + R asks for heads.

        With ``notes`` a name is also found under another spelling, which is noted
        (:meth:`parsimony.graph.names.NameIndex.find`).

        Raises
        ------
        UsageError
            Not exactly one of head and tail.
        UnknownEntity, UnknownRelation
            With the nearest known name.
        """
        data = self.task_.test_data
        head, tail = query.get("head"), query.get("tail")
        if (head is None) != (tail is None):
            given = head if tail is None else tail
            entity = data.entities.index(cast(str, given), notes=notes)
            relation = data.relations.index(query["relation"], notes=notes)
            return entity, relation + self.task_.n_relations * (head is None)
        raise UsageError("a query names either its head or its tail", remedy="give one of them")

    def _as_known(self, query: Query, entity: int, relation: int) -> dict[str, Any]:
        """The query as the data spell its names."""
        data, n = self.task_.test_data, self.task_.n_relations
        end = "head" if query.get("head") is not None else "tail"
        known = {end: data.entities.name(entity), "relation": data.relations.name(relation % n)}
        return {name: known.get(name, given) for name, given in query.items()}

    def as_known(
        self, head: str, relation: str | None, tail: str, notes: list[str]
    ) -> tuple[str, str | None, str]:
        """The names of a fact as the data spell them."""
        entities, relations = self.task_.test_data.entities, self.task_.test_data.relations
        if relation is not None:
            relation = relations.name(relations.index(relation, notes=notes))
        h, t = (entities.name(entities.index(name, notes=notes)) for name in (head, tail))
        return h, relation, t

    def encode_fact(self, head: str, relation: str | None, tail: str) -> tuple[int, int, int]:
        """Ids of (head, relation, tail) by names.

        Raises
        ------
        UsageError
            No relation.
        UnknownEntity, UnknownRelation
            With the nearest known name.
        """
        if relation is None:
            raise UsageError("no relation is named", remedy="--relation R")
        entities, relations = self.task_.test_data.entities, self.task_.test_data.relations
        return entities.index(head), relations.index(relation), entities.index(tail)

    def predict(
        self,
        head: str | None = None,
        relation: str = "",
        tail: str | None = None,
        *,
        top: int = 10,
        candidates: Sequence[str] | None = None,
        drop_known: bool = False,
    ) -> Answers:
        """The best answers to (head, relation, ?) or (?, relation, tail).

        Parameters
        ----------
        top
            How many answers.
        candidates
            Entities to choose among; all by default.
        drop_known
            Leave out facts of any split.

        Returns
        -------
        Answers
            ``{"query", "answers": [{"entity", "score", "probability"}], "notes"}``; entities that
            the method does not reach from the query are no answers unless they are candidates. The
            probability is uncalibrated: a reasoner's is the softmax over all entities, rules give
            their confidence. ``notes`` say where a name was found under another spelling, what was
            left out, and what the model cannot know.

        Raises
        ------
        UnknownEntity, UnknownRelation
            With the nearest known name, or all that are spelled alike.
        """
        query = Query(relation=relation)
        if head is not None:
            query["head"] = head
        if tail is not None:
            query["tail"] = tail
        answers = self.predict_batch([query], top=top, candidates=candidates, drop_known=drop_known)
        found = next(answers)
        found["notes"] = [*self.task_.data.notes, *self.notes_, *found["notes"]]
        return found

    def predict_batch(
        self,
        queries: Sequence[Query],
        *,
        top: int = 10,
        candidates: Sequence[str] | None = None,
        drop_known: bool = False,
        batch: int = 64,
    ) -> Iterator[Answers]:
        """``predict`` for many queries, scored in batches, in the order given.

        The notes of an answer are those on its own query.
        """
        self._require_fitted()
        if top < 1:
            raise UsageError(f"top must be at least 1. Got {top}", remedy="for example top=10")
        data = self.task_.test_data
        allowed, common = None, list[str]()
        if candidates is not None:
            found = [data.entities.index(name, notes=common) for name in candidates]
            allowed = np.array(found, np.int64)
        spelled = [list(common) for _ in queries]
        encoded = [self.encode(query, own) for query, own in zip(queries, spelled, strict=True)]
        ids = np.array(encoded, np.int32).reshape(-1, 2)
        known = self.task_.filters(not self.task_.inductive)
        batch = max(1, min(batch, _TABLE // max(data.n_entities, 1)))
        for at in range(0, len(ids), batch):
            step_done()
            part = ids[at : at + batch]
            scores = self.scores(part)
            ptr, answers = known(part[:, 0], part[:, 1])
            for i, row in enumerate(scores):
                probability = self.probability(row)
                keep = self._reached(row)
                if allowed is not None:
                    keep = np.isin(np.arange(len(row)), allowed)
                if drop_known:
                    keep[answers[ptr[i] : ptr[i + 1]]] = False
                index = np.flatnonzero(keep)
                best = index[_best(row[index], top)]
                notes = self._doubts([int(part[i, 0])], int(part[i, 1]))
                if len(index) > top:
                    notes.append(f"the best {top:,} of {len(index):,} answers are given")
                yield Answers(
                    query=self._as_known(queries[at + i], *part[i].tolist()),
                    notes=[*spelled[at + i], *notes],
                    answers=[
                        {
                            "entity": data.entities.name(int(e)),
                            "score": float(row[e]),
                            "probability": float(probability[e]),
                        }
                        for e in best
                    ],
                )

    def knowledge_table(
        self, top: int, *, quiet: bool = True, deadline: Deadline | None = None
    ) -> dict[str, Any]:
        """What knowledge.toml holds; what takes long to read out ends with a deadline."""
        return super().knowledge_table(top, quiet=quiet)

    def rules_notes(self) -> list[str]:
        """Notes on the rules that :meth:`knowledge` returns."""
        return list(self.notes_)

    def notes_on(self, queries: Sequence[Query]) -> list[str]:
        """Notes on many queries together: of the data, the method, and what it cannot know."""
        ids = np.array([self.encode(query) for query in queries], np.int32).reshape(-1, 2)
        entity, relation = self._without_facts(self.task_.test_graph)
        notes = [*self.task_.data.notes, *self.notes_]
        for of, what, follows in (
            (entity[ids[:, 0]], "an entity", self.unknown_entity),
            (relation[ids[:, 1] % self.task_.n_relations], "a relation", self.unknown_relation),
        ):
            notes += _of_unknown(of, what, follows)
        return notes

    # ---- persistence -------------------------------------------------------------------------

    def write(self, run: RunFolder) -> None:
        """Write model, data and notes into an open run folder."""
        super().write(run)
        if self.notes_:
            run.write_json(NOTES, self.notes_)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a run folder; see :meth:`parsimony.base.Estimator.load`."""
        self, notes = super().load(path), Path(path) / NOTES
        if notes.exists():
            kept = read_json(notes, error=CorruptRun)
            self.notes_ = checked(list[str], kept, str(notes), error=CorruptRun)
        return self


def _best(scores: npt.NDArray[np.float32], top: int) -> npt.NDArray[np.intp]:
    """Return the places of the highest scores, the first of equal ones first."""
    chosen = np.arange(len(scores))
    if top < len(scores):
        least = np.partition(scores, len(scores) - top)[len(scores) - top]
        chosen = np.flatnonzero(scores >= least)
    return chosen[np.argsort(-scores[chosen], kind="stable")[:top]]


def _of_unknown(unknown: npt.NDArray[np.bool_], what: str, follows: str) -> list[str]:
    """Say how many of several queries ask what no fact can tell."""
    n, of = int(unknown.sum()), f"of {len(unknown):,} queries"
    return [f"warning: {n:,} {of} are about {what} without a training fact: {follows}"] * (n > 0)
