"""What all embedding models share as estimators: fit, rank, score, explain, save, load."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field

from parsimony import base
from parsimony.errors import CorruptRun, UsageError
from parsimony.explain import Explanation
from parsimony.link.embeddings.batches import GroupedQueries
from parsimony.link.embeddings.epoch import Schedule, State, train
from parsimony.link.embeddings.objective import Objective, Penalties
from parsimony.link.embeddings.presets import embedding_preset
from parsimony.link.embeddings.ranking import Ranker
from parsimony.link.embeddings.scoring import Scoring
from parsimony.link.embeddings.tables import Table, Team, torch_threads
from parsimony.link.estimator import LinkEstimator
from parsimony.link.task import LinkTask, QuerySet
from parsimony.metrics import Ranks
from parsimony.run.cost import Cost
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng

IntArray = npt.NDArray[np.int32]

#: Products of an epoch, in operations, up to which every query is compared with all entities:
#: about a quarter of an hour on one core.
ALL_ENTITIES = 6e13
SHARED_NEGATIVES = 4096


class EmbeddingParameters(base.Parameters):
    """Parameters of the trainer, whatever the scoring function."""

    dim: int = Field(128, ge=1, le=4096, description="numbers of an entity (d), 1 … 4096")
    lr: float = Field(0.1, gt=0, description="learning rate of Adagrad, > 0")
    decay: float = Field(0.98, gt=0, le=1, description="learning-rate factor an epoch, in (0, 1]")
    batch: int = Field(256, ge=1, description="distinct queries a step, ≥ 1")
    negatives: int | None = Field(
        None, ge=0,
        description="entities a batch is compared with; 0: all; left out: all where an epoch takes "
        "minutes, else 4096",
    )  # fmt: skip
    n3: float = Field(1e-3, ge=0, description="weight of the cubed 3-norm a mention, ≥ 0")
    l2: float = Field(0.0, ge=0, description="weight of the squared 2-norm a mention, ≥ 0")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout on query vectors, [0, 1)")
    input_dropout: float = Field(
        0.0, ge=0, lt=1, description="dropout on the vectors that make a query, [0, 1)"
    )
    unit_ball: bool = Field(False, description="keep entity vectors in the unit ball")
    reciprocal: bool = Field(
        False, description="a relation vector of its own for each direction of asking"
    )
    init: float = Field(0.1, gt=0, description="standard deviation of the first vectors, > 0")
    epochs: int = Field(100, ge=1, description="most epochs, ≥ 1")
    patience: int = Field(20, ge=1, description="epochs without improvement before stopping, ≥ 1")
    every: int = Field(1, ge=1, description="epochs between two looks at validation, ≥ 1")
    eval_batch: int = Field(512, ge=1, description="queries a scoring block, ≥ 1")
    average: float = Field(
        0.0, ge=0, lt=1,
        description="share of the past in the mean of the vectors over epochs, which answers; "
        "0: the last vectors",
    )  # fmt: skip
    seed: int = Field(0, ge=0, description="seed of all randomness, ≥ 0")
    threads: int = Field(
        default_factory=lambda: min(os.cpu_count() or 1, 8), ge=1, le=64, description="threads"
    )


class EmbeddingEstimator(LinkEstimator):
    """Vectors of entities and relations, trained by softmax over all answers."""

    resolved_: Any
    entity_: npt.NDArray[np.float32]
    relation_: npt.NDArray[np.float32]

    @abstractmethod
    def _scoring(self) -> Scoring:
        """The scoring function of the resolved parameters."""

    # ---- fitting -----------------------------------------------------------------------------

    def resolve_parameters(self, task: LinkTask, **options: Any) -> Any:
        """Given parameters over the preset over the defaults."""
        given = self.parameters.model_dump(include=self.parameters.model_fields_set)
        preset = embedding_preset(self.method, task.data.name) if task.data.registered else {}
        values = preset | given
        values |= {name: value for name, value in options.items() if value is not None}
        resolved = self._validate(values)
        if resolved.negatives is None:
            operations = 12.0 * len(task.train_graph) * task.data.n_entities * resolved.dim
            negatives = 0 if operations <= ALL_ENTITIES else SHARED_NEGATIVES
            resolved = resolved.model_copy(update={"negatives": negatives})
        return resolved

    def _setup(self, task: LinkTask, resolved: Any) -> None:
        if task.inductive:
            raise UsageError(
                f"{self.method} has no vectors for the entities of {task.test_data.name}",
                remedy="answer about new entities with redgnn, adaprop or rules",
            )
        self.task_, self.resolved_ = task, resolved
        self.scoring_ = self._scoring()
        self.shapes_ = {
            "entity": (task.data.n_entities, resolved.dim),
            "relation": (
                task.n_relations * (1 + resolved.reciprocal),
                self.scoring_.relation_width(resolved.dim),
            ),
        }
        self.parameters_count_ = sum(n * width for n, width in self.shapes_.values())

    def prepare(self, task: LinkTask, *, epochs: int | None = None) -> dict[str, Any]:
        """Resolve the parameters for a task; returns what config.toml will hold."""
        self._setup(task, self.resolve_parameters(task, epochs=epochs))
        return self.config()

    def fit(
        self,
        task: LinkTask,
        *,
        run: RunFolder | None = None,
        epochs: int | None = None,
        time_budget: float | None = None,
        device: str = "cpu",
        quiet: bool = True,
        **_: Any,
    ) -> EmbeddingEstimator:
        """Train on a task; with a run folder, checkpointed and resumed from there.

        Parameters
        ----------
        task
            Link prediction on one graph.
        run
            Where to keep checkpoints and the result.
        epochs
            Overrides the parameter of that name.
        time_budget
            Wall seconds, over all resumed parts; an epoch that would not fit is not begun.
        device
            "cpu", or a torch device for the plain form.

        Raises
        ------
        UsageError
            An inductive pair of graphs: its test entities have no vectors.
        TrainingDiverged
            The loss is not finite.
        """
        p = self.resolve_parameters(task, epochs=epochs)
        self._setup(task, p)
        tensors, state, previous = self._start(run, device)
        tables = {
            name: Table(
                torch.from_numpy(tensors[f"{name}.weight"]).to(device),
                torch.from_numpy(tensors[f"{name}.state"]).to(device),
            )
            for name in self.shapes_
        }
        ledger = Cost(self.parameters_count_, task.n_labels, previous)
        penalties = Penalties.of(p)
        schedule = Schedule(
            p.epochs, p.batch, p.negatives, p.lr, p.decay, p.patience, p.every,
            p.average, p.seed,
        )
        queries = GroupedQueries.of(
            task.train_graph.triples, task.data.n_entities, task.n_relations, p.reciprocal
        )
        valid = task.queries("valid") if len(task.data.valid) else None
        with self._team() as team:
            objective = Objective(
                self.scoring_, tables["entity"], tables["relation"], penalties,
                team if torch.device(device).type == "cpu" else None,
            )  # fmt: skip

            def validate(vectors: dict[str, torch.Tensor]) -> dict[str, float]:
                assert valid is not None
                ranker = self._ranker(vectors["entity"], vectors["relation"])
                with Progress(len(valid.answer), "validation", quiet=quiet) as progress:
                    return ranker.rank(valid, progress, team).metrics()

            self.ended_ = train(
                objective, queries, state, schedule, ledger, validate if valid else None,
                run=run, time_budget=time_budget, quiet=quiet,
            )  # fmt: skip
        self.entity_, self.relation_ = state.best["entity"], state.best["relation"]
        self.history_, self.best_epoch_ = state.history, state.best_epoch
        self.seconds_, self.cost_ = state.seconds, ledger
        return self

    def _start(
        self, run: RunFolder | None, device: str
    ) -> tuple[dict[str, npt.NDArray[Any]], State, dict[str, Any] | None]:
        """Tables, state and bill of the run's checkpoint, or fresh ones."""
        checkpoint = None if run is None else run.load_checkpoint()
        if checkpoint is not None:
            plain, tensors = checkpoint
            previous = plain.pop("ledger")
            best = {name: tensors[f"{name}.best"].copy() for name in self.shapes_}
            # What safetensors gives may be read-only.
            state = State(best, **plain)
            state.mean = {
                name: torch.from_numpy(tensors[f"{name}.mean"].copy()).to(device)
                for name in self.shapes_
                if f"{name}.mean" in tensors
            }
            return {k: v.copy() for k, v in tensors.items()}, state, previous
        first = self._first_vectors()
        tensors = {f"{name}.weight": array for name, array in first.items()}
        tensors |= {f"{name}.state": np.zeros_like(array) for name, array in first.items()}
        return tensors, State({name: array.copy() for name, array in first.items()}), None

    def _first_vectors(self) -> dict[str, npt.NDArray[np.float32]]:
        random = rng(self.resolved_.seed, "vectors")
        return {
            name: random.standard_normal(shape, np.float32) * np.float32(self.resolved_.init)
            for name, shape in self.shapes_.items()
        }

    # ---- scoring -----------------------------------------------------------------------------

    @property
    def _unreached(self) -> float:
        """No score at all: every entity has a vector, so every entity is an answer."""
        return -np.inf

    @contextmanager
    def _team(self) -> Iterator[Team]:
        """The kernels' threads; torch takes as many meanwhile."""
        with torch_threads(self.resolved_.threads):
            team = Team(self.resolved_.threads)
            try:
                yield team
            finally:
                team.close()

    def _ranker(self, entity: torch.Tensor, relation: torch.Tensor) -> Ranker:
        return Ranker(
            self.scoring_, entity, relation, self.task_.n_relations,
            reciprocal=self.resolved_.reciprocal, block=self.resolved_.eval_batch,
        )  # fmt: skip

    def ranker(self) -> Ranker:
        """The fitted vectors, ready to be asked."""
        self._require_fitted()
        return self._ranker(torch.from_numpy(self.entity_), torch.from_numpy(self.relation_))

    def _rank(self, queries: QuerySet, progress: Progress) -> Ranks:
        with self._team() as team:
            return self.ranker().rank(queries, progress, team)

    def _score(self, head: IntArray, relation: IntArray) -> npt.NDArray[np.float32]:
        out = np.empty((len(head), self.task_.data.n_entities), np.float32)
        with self._team():
            for part, scores in self.ranker().scores(head, relation):
                out[part] = scores.numpy().T
        return out

    def probability(self, row: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Softmax of the scores over all entities, uncalibrated."""
        weight: npt.NDArray[np.float64] = np.exp(row - row.max(), dtype=np.float64)
        weight /= weight.sum()
        return weight

    def evaluate(self, split: str = "test", *, seed: int = 0, quiet: bool = True) -> dict[str, Any]:
        """Rank a split; on test also tell its facts from corrupted ones.

        Returns
        -------
        dict
            That of :meth:`LinkEstimator.evaluate` and, on test where there are validation facts,
            ``triple_classification``: see :mod:`parsimony.link.embeddings.triple_classification`.
        """
        from parsimony.link.embeddings.triple_classification import classify_triples

        result = super().evaluate(split, seed=seed, quiet=quiet)
        if split == "test" and len(self.task_.data.valid):
            result["triple_classification"] = classify_triples(self, seed=seed)
        return result

    # ---- reasons -----------------------------------------------------------------------------

    def explain(
        self, head: str, relation: str, tail: str, *, n_facts: int = 5, seed: int = 0
    ) -> Explanation:
        """Why (head, relation, tail) gets its score; see :mod:`parsimony.link.embeddings.explain`.

        ``seed`` is there for the contract: nothing is drawn.
        """
        from parsimony.link.embeddings.explain import explain_by_vectors

        self._require_fitted()
        return explain_by_vectors(self, head, relation, tail, n_facts=n_facts)

    #: what the parts of a score are, in a sentence
    PARTS_NOTE: ClassVar[str]

    @abstractmethod
    def parts(self, head: int, relation: int, tail: int) -> dict[str, float]:
        """What the parts of the scoring function add to a score."""

    # ---- persistence -------------------------------------------------------------------------

    def vectors(self, kind: Literal["entity", "relation"] = "entity") -> tuple[list[str], Any]:
        """Names and vectors (n, width); with reciprocal relations r + R is ``r (inverse)``."""
        self._require_fitted()
        data = self.task_.data
        if kind == "entity":
            return [data.entities.name(i) for i in range(data.n_entities)], self.entity_
        names = [data.relations.name(i) for i in range(data.n_relations)]
        if self.resolved_.reciprocal:
            names += [f"{name} (inverse)" for name in names]
        return names, self.relation_

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        return {"entity": self.entity_, "relation": self.relation_}

    def _restore(self, task: LinkTask, config: dict[str, Any], tensors: dict[str, Any]) -> None:
        self._setup(task, self._validate(config["parameters"]))
        for name, shape in self.shapes_.items():
            if name not in tensors or tensors[name].shape != shape:
                raise CorruptRun(
                    f"model.safetensors does not hold {name} {shape}",
                    remedy="train again, or restore the run folder",
                )
            setattr(self, f"{name}_", np.array(tensors[name]))
