"""Base class of embedding methods: how they learn, rank, score and give reasons."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field

from parsimony.answers import Measures
from parsimony.base import Fitting, Parameters, tuned, tuned_among
from parsimony.base.memory import FIXED
from parsimony.errors import InvalidParameter, UsageError
from parsimony.explain import Analogue, Explanation
from parsimony.explain.parts import Side
from parsimony.graph import KnowledgeGraph
from parsimony.link.embeddings.batches import GroupedQueries
from parsimony.link.embeddings.epoch import EmbeddingLearner
from parsimony.link.embeddings.explain import nearest_facts
from parsimony.link.embeddings.objective import Objective, Penalties
from parsimony.link.embeddings.presets import embedding_preset
from parsimony.link.embeddings.ranking import PIECE, Ranker
from parsimony.link.embeddings.scoring import Scoring
from parsimony.link.embeddings.tables import Table, ThreadPool, torch_threads
from parsimony.link.estimator import LinkEstimator
from parsimony.link.question import Question
from parsimony.link.task import QuerySet
from parsimony.metrics import Ranks
from parsimony.run.cost import resident_memory, usable_cores
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.run.restoring import require_tensors
from parsimony.run.seeds import rng
from parsimony.run.table_shards import RowParts, blocks_of
from parsimony.training.trainer import Schedule
from parsimony.training.workers import Crew, crew

IntArray = npt.NDArray[np.int32]

#: Operations per epoch up to which every query is compared with all entities: about a quarter of
#: an hour on one core.
ALL_ENTITIES = 6e13
SHARED_NEGATIVES = 4096


class EmbeddingParameters(Parameters):
    """Parameters of every embedding method, whatever its scoring function."""

    dim: int = Field(
        128, ge=1, le=4096, description="numbers per entity (d), 1 … 4096",
        json_schema_extra=tuned_among(32, 64, 128, 256),
    )  # fmt: skip
    lr: float = Field(
        0.1, gt=0, le=1e30, description="learning rate of Adagrad, positive",
        json_schema_extra=tuned(0.01, 1.0, log=True),
    )  # fmt: skip
    decay: float | None = Field(
        None, gt=0, le=1,
        description="learning-rate decay per epoch, in (0, 1]; where left out the rate falls along "
        "half a cosine until epochs or time budget end",
    )  # fmt: skip
    batch: int = Field(
        256, ge=1, description="distinct queries per step, ≥ 1",
        json_schema_extra=tuned_among(64, 128, 256, 512),
    )  # fmt: skip
    negatives: int | None = Field(
        None, ge=0,
        description="entities that a batch is compared with; 0: all; default: all where an epoch "
        "takes minutes, else 4096",
    )  # fmt: skip
    n3: float = Field(
        1e-3, ge=0, le=1e6, description="weight of the cubed 3-norm per mention, 0 … 1e6",
        json_schema_extra=tuned(1e-5, 0.1, log=True, zero=True),
    )  # fmt: skip
    l2: float = Field(
        0.0, ge=0, le=1e6, description="weight of the squared 2-norm per mention, 0 … 1e6"
    )
    dropout: float = Field(
        0.1, ge=0, lt=1, description="dropout on query vectors, in [0, 1)",
        json_schema_extra=tuned(0.0, 0.5),
    )  # fmt: skip
    input_dropout: float = Field(
        0.0, ge=0, lt=1, description="dropout on the vectors that make a query, in [0, 1)",
        json_schema_extra=tuned(0.0, 0.5),
    )  # fmt: skip
    unit_ball: bool = Field(False, description="keep entity vectors in the unit ball")
    reciprocal: bool = Field(
        False, description="a separate relation vector for each direction of a query",
        json_schema_extra=tuned_among(False, True),
    )  # fmt: skip
    init: float = Field(
        0.1, gt=0, le=1e30, description="standard deviation of the initial vectors, positive"
    )
    epochs: int = Field(100, ge=1, description="maximum number of epochs, ≥ 1")
    patience: int = Field(20, ge=1, description="epochs without improvement before stopping, ≥ 1")
    validate_every: int = Field(1, ge=1, description="epochs between validations, ≥ 1")
    eval_batch: int = Field(512, ge=1, description="queries per scoring block, ≥ 1")
    ema_decay: float = Field(
        0.0, ge=0, lt=1,
        description="decay of the moving average of the vectors over epochs, which answers; "
        "0: the vectors themselves",
        json_schema_extra=tuned_among(0.0, 0.8, 0.9),
    )  # fmt: skip
    seed: int = Field(0, ge=0, description="seed of all randomness, ≥ 0")
    threads: int = Field(
        default_factory=lambda: min(usable_cores(), 8), ge=1, le=64, description="threads"
    )


P = TypeVar("P", bound=EmbeddingParameters)


class EmbeddingEstimator(LinkEstimator[P]):
    """Vectors of entities and relations, trained by softmax over all answers.

    Attributes
    ----------
    entity_, relation_
        Vectors (n_entities, d) and (n_relations, ·); with ``reciprocal`` 2 n_relations rows.
    """

    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    by_vectors: ClassVar[bool] = True
    shares_batches: ClassVar[bool] = True
    learns_by_contrast: ClassVar[bool] = True
    unknown_entity: ClassVar[str] = "its vector was never trained as an answer"
    unknown_relation: ClassVar[str] = "its vector was never trained"

    scoring_: Scoring
    shapes_: dict[str, tuple[int, int]]
    entity_: npt.NDArray[np.float32] | RowParts
    relation_: npt.NDArray[np.float32]

    @abstractmethod
    def _scoring(self) -> Scoring:
        """The scoring function of the resolved parameters."""

    def use_scoring(self) -> Scoring:
        """Make the scoring function of the resolved parameters, and return it."""
        self.scoring_ = self._scoring()
        return self.scoring_

    # ---- learning ----------------------------------------------------------------------------

    @classmethod
    def preset(cls, name: str) -> dict[str, Any]:
        """Parameters of a registered dataset that differ from the defaults."""
        return embedding_preset(cls.method, name)

    def _setup(self) -> None:
        task, p = self.task_, self.resolved_
        if task.inductive:
            raise UsageError(
                f"{self.method} has no vectors for the entities of {task.test_data.name}",
                remedy="answer about new entities with redgnn, adaprop or rules",
            )
        if p.negatives is None:
            operations = 12.0 * len(task.train_graph) * task.data.n_entities * p.dim
            negatives = 0 if operations <= ALL_ENTITIES else SHARED_NEGATIVES
            p = self.resolved_ = p.model_copy(update={"negatives": negatives})
        if 0 < (p.negatives or 0) < task.data.n_entities:
            self.notes_.append(
                f"each training step compares its queries with about {p.negatives:,} of "
                f"{task.data.n_entities:,} entities (negatives=0: with all)"
            )
        self.use_scoring()
        self.shapes_ = self.shapes(task.data.n_entities, task.n_relations)

    def shapes(self, n_entities: int, n_relations: int) -> dict[str, tuple[int, int]]:
        """Shapes of both tables for a graph."""
        p, width = self.resolved_, self.scoring_.relation_width(self.resolved_.dim)
        return {
            "entity": (n_entities, p.dim), "relation": (n_relations * (1 + p.reciprocal), width)
        }  # fmt: skip

    def _fit(self, fitting: Fitting) -> None:
        if fitting.workers == 1:
            self._fit_alone(fitting)
            return
        from parsimony.link.embeddings.sharded.leader import fit_shared, require_shareable

        require_shareable(self, fitting.workers)
        with crew(fitting.workers, type(self)) as others:
            assert others is not None
            self._answer_with(fit_shared(self, others, fitting))

    @classmethod
    def work(cls, crew: Crew) -> None:
        """Hold rows of another process's training, and train on its facts."""
        from parsimony.link.embeddings.sharded.side import work

        work(crew, cls)

    def schedule(self) -> Schedule:
        """How long to train."""
        p = self.resolved_
        return Schedule(p.epochs, p.patience, p.validate_every, p.ema_decay, p.seed)

    def _fit_alone(self, fitting: Fitting) -> None:
        task, p = self.task_, self.resolved_
        valid = task.queries("valid") if len(task.data.valid) else None
        with self.threads() as pool:
            objective = self.objective(pool, fitting.device)

            def measure(queries: QuerySet) -> dict[str, float]:
                with Progress(len(queries.answer), "validation", quiet=fitting.quiet) as progress:
                    return self.ranker(objective).rank(queries, progress, pool).metrics()

            learner = EmbeddingLearner(
                objective, self.training_queries(), batch=p.batch, negatives=p.negatives or 0,
                lr=p.lr, decay=p.decay, valid=valid, measure=measure,
            )  # fmt: skip
            learner.queries_at_once = p.eval_batch
            self._train(learner, self.schedule(), fitting)
        self._answer_with(learner.weights())

    def _answer_with(self, tables: Mapping[str, Any]) -> None:
        """Take the tables; that of entities may be mapped from shards."""
        entity = tables["entity"]
        self.entity_ = entity if isinstance(entity, RowParts) else entity.cpu().numpy()
        self.relation_ = tables["relation"].cpu().numpy()
        self.parameters_count_ = self.entity_.size + self.relation_.size

    def memory_parts(self) -> dict[str, float]:
        """Tables and their copies; scores of a batch; vectors of the candidates; ranked scores."""
        p, n = self.resolved_, self.task_.data.n_entities
        width = self.shapes_["entity"][1]
        tables = 4.0 * sum(rows * columns for rows, columns in self.shapes_.values())
        copies = 3 + (p.ema_decay > 0)  # live ones, accumulators, the best, their average
        candidates = min(n, (p.negatives or n) + 2 * p.batch)
        parts = {
            "": resident_memory() + FIXED + tables * copies,
            "batch": 4.0 * p.batch * (candidates + 6 * width),
            "eval_batch": 4.0 * p.eval_batch * (PIECE + 6 * width),
        }
        if p.negatives == 0:
            parts[""] += 4.0 * n * width  # the gradient
            return parts
        return parts | {"negatives": 8.0 * candidates * width}

    def objective(self, pool: ThreadPool, device: str = "cpu") -> Objective:
        """The loss over fresh tables; on another device than the CPU in plain torch."""
        tables = {
            name: Table(torch.from_numpy(vectors).to(device))
            for name, vectors in self.first_vectors().items()
        }
        return Objective(
            self.scoring_, tables["entity"], tables["relation"], Penalties.of(self.resolved_),
            pool if device == "cpu" else None, self._symmetric_rows(),
        )  # fmt: skip

    def _symmetric_rows(self) -> Sequence[int]:
        """Rows of the relations whose score is to be symmetric."""
        return ()

    def training_queries(self) -> GroupedQueries:
        """All distinct queries of the training facts."""
        task = self.task_
        return GroupedQueries.of(
            task.train_graph.triples, task.data.n_entities, task.n_relations,
            self.resolved_.reciprocal, task.possible,
        )  # fmt: skip

    def first_vectors(
        self, low: int = 0, high: int | None = None
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Initial vectors, of entities rows low … high alone.

        The numbers are those of the whole: what comes before and after is drawn and forgotten.
        """
        random, scale = rng(self.resolved_.seed, "vectors"), np.float32(self.resolved_.init)
        n, width = self.shapes_["entity"]
        high = n if high is None else high
        entity = np.empty((high - low, width), np.float32)
        for at, end in blocks_of(n, 4 * width):
            drawn = random.standard_normal((end - at, width), np.float32)
            a, b = max(at, low), min(end, high)
            if a < b:
                np.multiply(drawn[a - at : b - at], scale, out=entity[a - low : b - low])
        relation = random.standard_normal(self.shapes_["relation"], np.float32) * scale
        return {"entity": entity, "relation": relation}

    # ---- scoring -----------------------------------------------------------------------------

    @contextmanager
    def threads(self) -> Iterator[ThreadPool]:
        """The threads of the kernels; torch uses as many meanwhile."""
        with torch_threads(self.resolved_.threads):
            pool = ThreadPool(self.resolved_.threads)
            try:
                yield pool
            finally:
                pool.close()

    def ranker(self, objective: Objective | None = None) -> Ranker:
        """The fitted vectors, or those of an objective as it stands, ready to be asked."""
        if objective is None:
            self._require_fitted()
            relation = torch.from_numpy(self.relation_)
            rows = self.entity_
            entity = rows if isinstance(rows, RowParts) else torch.from_numpy(rows)
        else:
            entity, relation = objective.entity.weight, objective.relations()
        return Ranker(
            self.scoring_, entity, relation, self.task_.n_relations,
            reciprocal=self.resolved_.reciprocal, block=self.resolved_.eval_batch,
        )  # fmt: skip

    def _rank(self, queries: QuerySet, progress: Progress) -> Ranks:
        with self.threads() as pool:
            return self.ranker().rank(queries, progress, pool)

    def _score(
        self, head: IntArray, relation: IntArray, graph: KnowledgeGraph | None = None
    ) -> npt.NDArray[np.float32]:
        out = np.empty((len(head), self.task_.data.n_entities), np.float32)
        with self.threads():
            for part, scores in self.ranker().scores(head, relation):
                out[part] = scores.numpy().T
        return out

    def measures(self, split: str, *ranked: Any, seed: int = 0, **more: Any) -> Measures:
        """Measure ranks; on test also tell the split's facts from false ones.

        Returns
        -------
        dict
            That of :meth:`LinkEstimator.measures` and, on test where there are validation facts,
            ``triple_classification``: see :mod:`parsimony.link.embeddings.triple_classification`.
        """
        from parsimony.link.embeddings.triple_classification import classify_triples

        result = super().measures(split, *ranked, seed=seed, **more)
        if split == "test" and len(self.task_.data.valid):
            found = classify_triples(self.task_.data, self.ranker(), seed=seed)
            result["triple_classification"] = found
            if left_out := found["left_out"]:
                result["notes"].append(
                    f"{left_out:,} facts of valid and test are left out of triple_classification: "
                    "no false fact like them was found"
                )
        return result

    # ---- reasons -----------------------------------------------------------------------------

    #: what the parts of a score are, in a sentence
    PARTS_NOTE: ClassVar[str]

    @abstractmethod
    def parts(self, head: int, relation: int, tail: int) -> dict[str, float]:
        """What the parts of the scoring function add to a score, by name."""

    def explain(
        self,
        head: str,
        relation: str,
        tail: str,
        *,
        side: Side = "tail",
        n_facts: int = 5,
        seed: int = 0,
    ) -> Explanation:
        """Say why (head, relation, tail) gets its score: its parts, and the nearest known facts.

        Parameters
        ----------
        side
            "tail" explains the answer to (head, relation, ?), "head" that to (?, relation, tail).
        n_facts
            Known facts that are named at most.
        seed
            Nothing is drawn.

        Raises
        ------
        UnknownEntity, UnknownRelation
            With the nearest known name.
        InvalidParameter
            ``n_facts`` below 1, or another ``side``.
        """
        self._require_fitted()
        if n_facts < 1:
            raise InvalidParameter(f"n_facts must be at least 1. Got {n_facts}")
        task, data = self.task_, self.task_.data
        h, r, t = self.encode_fact(head, relation, tail)
        question = Question.of((h, r, t), side, task.n_relations)
        row = self._score(*question.query)[0]

        def label(entity: int) -> str:
            return data.label(data.entities.name(entity))

        facts = nearest_facts(data.train, self.entity_, h, r, t)
        cut = [f"the {n_facts:,} most similar of {len(facts):,} known facts are given"]
        return Explanation(
            query=(head, relation, tail),
            score=float(row[question.answer]),
            probability=float(self.probability(row)[question.answer]),
            rank=question.rank(row, task),
            labels={e: data.label(e) for e in sorted({head, tail}) if data.label(e) != e},
            model=self.method,
            known=task.split_of(h, r, t) or "no",
            side=side,
            # With reciprocal relations a question for heads is scored by a vector of its own.
            parts=self.parts(*(question if self.resolved_.reciprocal else (h, r, t))),
            parts_note=self.PARTS_NOTE,
            analogues=tuple(
                Analogue(f"{label(a)} —{relation}→ {label(b)}", similarity)
                for similarity, a, b in facts[:n_facts]
            ),
            notes=(*self._doubts([h, t], r), *cut * (len(facts) > n_facts)),
        )

    # ---- persistence -------------------------------------------------------------------------

    def vectors(
        self, of: Literal["entity", "relation"] = "entity"
    ) -> tuple[list[str], npt.NDArray[np.float32]]:
        """Names and vectors (n, width); with reciprocal relations r + R is ``r (inverse)``."""
        self._require_fitted()
        data = self.task_.data
        if of == "entity":
            return [data.entities.name(i) for i in range(data.n_entities)], np.asarray(self.entity_)
        names = [data.relations.name(i) for i in range(data.n_relations)]
        if self.resolved_.reciprocal:
            names += [f"{name} (inverse)" for name in names]
        return names, self.relation_

    def _require_finite(self) -> None:
        if not isinstance(self.entity_, RowParts):  # shards were looked through when mapped
            super()._require_finite()

    def _tensors(self) -> dict[str, Any]:
        return {"entity": self.entity_, "relation": self.relation_}

    def _restore(self, run: RunFolder, tensors: dict[str, npt.NDArray[Any]]) -> None:
        require_tensors(tensors, self.shapes_)
        self._answer_with({
            name: table if isinstance(table, RowParts)
            else torch.from_numpy(np.array(table, np.float32))
            for name, table in tensors.items() if name in self.shapes_
        })  # fmt: skip
