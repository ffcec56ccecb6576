"""Base class of RED-GNN and AdaProp: one flat vector of weights over relational digraphs."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self, TypeVar

import numpy as np
import numpy.typing as npt

from parsimony.base import Fitting
from parsimony.base.memory import FIXED
from parsimony.errors import EmptySplit, InvalidParameter
from parsimony.explain import Explanation
from parsimony.explain.parts import Side
from parsimony.graph import KnowledgeGraph
from parsimony.kernels.products import measured
from parsimony.knowledge import Rule
from parsimony.link.estimator import LinkEstimator
from parsimony.link.reasoning.architecture import Architecture
from parsimony.link.reasoning.crew import CrewPropagation, work
from parsimony.link.reasoning.depth import choose_depth, depth_note, depths
from parsimony.link.reasoning.epoch import ReasonerLearner, queries_of_epoch
from parsimony.link.reasoning.explain import LONGEST_RULE, explain_answer, extract_rules
from parsimony.link.reasoning.parameters import ReasonerParameters
from parsimony.link.reasoning.popularity import best_popularity
from parsimony.link.reasoning.reach import batch_bytes, walked
from parsimony.link.reasoning.sharding import ShardedPropagation, one_torch_thread
from parsimony.link.reasoning.weights import Weights, layout
from parsimony.link.struck_graph import StruckGraph
from parsimony.link.task import QuerySet
from parsimony.metrics import Ranks
from parsimony.run.cost import resident_memory
from parsimony.run.deadline import Deadline
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.run.restoring import require_tensors
from parsimony.run.seeds import rng
from parsimony.training.trainer import Schedule
from parsimony.training.workers import Crew, crew

IntArray = npt.NDArray[np.int32]
POPULARITY = "popularity"
ReasonerT = TypeVar("ReasonerT", bound=ReasonerParameters)


class Reasoner(LinkEstimator[ReasonerT]):
    """A reasoner over relational digraphs with one flat vector of weights.

    Attributes
    ----------
    weights_
        Of the best epoch on validation.
    architecture_
        Dimensions and options of the model.
    popularity_
        Weight of how often an entity answers the relation (eq. 12).
    """

    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    learns_by_contrast: ClassVar[bool] = True
    shares_batches: ClassVar[bool] = True

    weights_: Weights
    architecture_: Architecture
    popularity_: float

    def _architecture(self, n_layers: int) -> Architecture:
        """The model's shape and options."""
        p = self.resolved_
        return Architecture(
            self.task_.n_relations, p.dim, p.attention_dim, n_layers, p.activation, p.dropout,
            relative=p.relative,
        )  # fmt: skip

    def _setup(self) -> None:
        task, p = self.task_, self.resolved_
        if task.training_queries is not None and not len(task.training_queries):
            raise EmptySplit(
                f"the valid split of {task.data.name} is empty: in protocol redgnn it holds the "
                "training queries",
                remedy="fill valid.txt, or --set protocol=grail",
            )
        layers = p.n_layers
        if layers is None:
            found = depths(task.train_graph, p.seed)
            layers = choose_depth(found).steps
            self.notes_.append(depth_note(found, layers))
        self.resolved_ = p.model_copy(update={"n_layers": layers})
        self.architecture_ = self._architecture(layers)
        kept, n_entities = self.architecture_.top_k, task.test_graph.n_entities
        if kept is not None and kept < n_entities:
            self.notes_.append(
                f"each step of a walk goes on from {kept:,} new entities at most (top_k): others "
                "count as not reached"
            )
        asked = queries_of_epoch(task, p.fact_ratio)
        if p.queries_per_epoch is not None and p.queries_per_epoch < asked:
            self.notes_.append(
                f"every epoch draws {p.queries_per_epoch:,} of its {asked:,} training queries "
                "(queries_per_epoch)"
            )
        self.shapes_ = layout(
            task.n_relations, p.dim, p.attention_dim, layers,
            sampler=self.architecture_.top_k is not None, relative=p.relative,
            mix_depths=self.architecture_.mix_depths, mix_criteria=self.architecture_.mix_criteria,
        )  # fmt: skip
        self.parameters_count_ = sum(int(np.prod(s)) for s in self.shapes_.values())
        self.device_ = "cpu"
        self._propagations: dict[str, ShardedPropagation] = {}

    def _fit(self, fitting: Fitting) -> None:
        p, self.device_ = self.resolved_, fitting.device
        self.cost_.products = measured().name
        if fitting.workers > p.threads:
            raise InvalidParameter(
                f"{fitting.workers} workers share the {p.threads} shards of a batch (threads)",
                remedy=f"at most --workers {p.threads}, or a new run with --set "
                f"threads={fitting.workers}",
            )
        self.weights_ = Weights(self.shapes_).initialise(rng(p.seed, "weights"))
        self.popularity_ = 0.0
        if fitting.workers > 1 and self.task_.possible is not None:
            raise InvalidParameter(
                "what a book makes impossible is known to one process", remedy="use one worker"
            )
        schedule = Schedule(p.epochs, p.patience, ema_decay=p.ema_decay, seed=p.seed)
        with crew(fitting.workers, type(self)) as others, one_torch_thread():
            propagation = (
                self.propagation(self.task_.train_graph) if others is None else self._shared(others)
            )
            learner = ReasonerLearner(
                self.task_, propagation, self.weights_, p, quiet=fitting.quiet
            )
            self._train(learner, schedule, fitting)
            self.popularity_ = self._chosen_popularity(learner)

    def _chosen_popularity(self, learner: ReasonerLearner) -> float:
        """The weight of popularity at the best epoch."""
        given, valid = self.resolved_.popularity, learner.valid
        if given != "validation":
            return given
        if valid is None:
            return 0.0
        with Progress(len(valid), "choosing the weight of popularity", quiet=learner.quiet) as bar:
            found, _ = best_popularity(
                learner.propagation, self.weights_, valid, self.resolved_, bar
            )
        if found:
            self.training_notes_.append(
                f"how often an entity answers the relation counts as well: {found:g} log(1 + n), "
                "chosen on validation (popularity)"
            )
        return found

    def _shared(self, others: Crew) -> CrewPropagation:
        """The passes of training, shared with other processes."""
        p, task = self.resolved_, self.task_
        self.training_notes_.append(
            f"{others.size} processes shared every batch; CPU seconds and memory are of the first"
        )
        known = task.training_answers if p.mask_answers else None
        return CrewPropagation(
            task.train_graph, self.architecture_, p.threads, others, known, self.shapes_
        )

    @classmethod
    def work(cls, crew: Crew) -> None:
        """Compute parts of the batches of another process's training."""
        work(crew)

    def memory_parts(self) -> dict[str, float]:
        """What a batch of training queries, or of ranked ones, takes on all threads."""
        p, task = self.resolved_, self.task_
        graph, each = task.train_graph, -(-p.batch // p.threads)
        shards = -(-p.batch // each)
        training = batch_bytes(graph, self.architecture_, each, p.seed, training=True)
        ranking = batch_bytes(graph, self.architecture_, p.eval_batch, p.seed, training=False)
        model = 4.0 * self.parameters_count_ * (6 + p.threads)
        return {
            "": resident_memory() + FIXED + model,
            "batch": training * shards,
            "eval_batch": ranking * p.threads,
        }

    def _reach(self) -> dict[str, float]:
        graph, n = self.task_.train_graph, 32
        steps = walked(graph, self.architecture_, n, self.resolved_.seed, training=False)
        edges = sum(step.visited for step in steps) / n
        return {"edges": edges, "entities": steps[-1].nodes / n, "of": float(graph.n_entities)}

    # ---- scoring -----------------------------------------------------------------------------

    def propagation(self, graph: KnowledgeGraph) -> ShardedPropagation:
        """Forward passes on a graph (made once)."""
        key = graph.content_hash
        if key not in self._propagations:
            self._propagations[key] = ShardedPropagation(
                graph, self.architecture_, self.resolved_.threads, self.device_
            )
        return self._propagations[key]

    def on(self, graph: KnowledgeGraph) -> Self:
        """The same weights on another graph; what is made to walk it goes with the copy."""
        if isinstance(graph, StruckGraph):
            self.propagation(graph.whole)
        again = super().on(graph)
        again._propagations = dict(self._propagations)
        return again

    def _rank(self, queries: QuerySet, progress: Progress) -> Ranks:
        with one_torch_thread():
            return self.propagation(queries.graph).ranks(
                self.weights_, queries, self.resolved_.eval_batch,
                unreached=self.resolved_.unreached, popularity=(self.popularity_,),
                progress=progress,
            )[0]  # fmt: skip

    def _score(
        self,
        head: IntArray,
        relation: IntArray,
        graph: KnowledgeGraph | None = None,
        active: npt.NDArray[np.uint8] | None = None,
    ) -> npt.NDArray[np.float32]:
        graph = graph or self.task_.test_graph
        if isinstance(graph, StruckGraph):  # the whole graph is indexed already
            active, graph = graph.on_whole(active), graph.whole
        p, out = self.resolved_, np.full((len(head), graph.n_entities), self._unreached, np.float32)
        propagation = self.propagation(graph)
        with one_torch_thread():
            for which, frontier, scores, _ in propagation.frontiers(
                self.weights_, head, relation, self.resolved_.eval_batch, active
            ):
                value = scores[frontier.row]
                beside = propagation.beside(
                    frontier, relation[which], p.unreached, [self.popularity_]
                )
                if beside is not None:
                    value = beside.added(value, self.popularity_)
                for b, row in enumerate(out[which]):
                    if beside is not None:
                        entities, rest = propagation.frequencies.of(
                            int(relation[which.start + b]), p.unreached, self.popularity_
                        )
                        row[entities] = rest
                    inside = slice(frontier.ptr[b], frontier.ptr[b + 1])
                    row[frontier.node[inside]] = value[inside]
        if self.popularity_ and active is not None:  # what is struck out makes nobody popular
            struck = graph.triples[active[: len(graph)] == 0]
            for row, r in zip(out, np.atleast_1d(relation).tolist(), strict=True):
                own = struck[struck[:, 1] == r % self.task_.n_relations]
                ends = own[:, 0 if r >= self.task_.n_relations else 2]
                for entity, n in zip(*np.unique(ends, return_counts=True), strict=True):
                    times = propagation.frequencies.times(r, int(entity))
                    rest = np.log1p(max(times - n, 0)) - np.log1p(times)
                    row[entity] += self.popularity_ * rest
        return out

    # ---- persistence -------------------------------------------------------------------------

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        found = {name: np.ascontiguousarray(self.weights_[name]) for name in self.weights_}
        return found | {POPULARITY: np.array([self.popularity_])}

    def _restore(self, run: RunFolder, tensors: dict[str, npt.NDArray[Any]]) -> None:
        shapes: dict[str, tuple[int, ...]] = dict(self.shapes_)
        if POPULARITY in run.config["parameters"]:  # else begun before it was weighed
            shapes[POPULARITY] = (1,)
        require_tensors(tensors, shapes)
        self.popularity_ = float(tensors.get(POPULARITY, [0.0])[0])
        self.weights_ = Weights(self.shapes_)
        for name, view in self.weights_.items():
            view[...] = tensors[name]

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
        choose: Literal["contribution", "attention"] = "contribution",
        seed: int = 0,
    ) -> Explanation:
        """Why an answer gets its score; see :mod:`parsimony.link.reasoning.explain`."""
        self._require_fitted()
        with one_torch_thread():  # one query's products are too small to be shared out
            return explain_answer(
                self, head, relation, tail, side=side, n_paths=n_paths, draws=draws,
                seed=seed, choose=choose,
            )  # fmt: skip

    def knowledge(
        self,
        top: int = 100,
        *,
        samples: int | None = None,
        n_paths: int = 3,
        quiet: bool = True,
        deadline: Deadline | None = None,
    ) -> list[Rule]:
        """Path rules read out of the model, counted on the training graph.

        Parameters
        ----------
        top
            Most rules.
        samples, n_paths
            Training facts queried per relation, by default so many that all relations together
            have about 240, and walks taken per answer: more find more rules.
        deadline
            After which no further fact is queried.
        """
        self._require_fitted()
        with one_torch_thread():
            return extract_rules(
                self, top=top, samples=samples, n_paths=n_paths, quiet=quiet, deadline=deadline
            )

    def knowledge_table(
        self, top: int, *, quiet: bool = True, deadline: Deadline | None = None
    ) -> dict[str, Any]:
        """The rules read out until a deadline."""
        found = self.knowledge(top=top, quiet=quiet, deadline=deadline)
        if deadline is not None and deadline.passed():
            self.training_notes_.append(
                "knowledge.toml holds the rules of fewer sampled facts, as the time ended "
                "(parsimony rules reads out more)"
            )
        return {"rules": [str(rule) for rule in found]}

    def rules_notes(self) -> list[str]:
        """Rules are read out of a sample, and are of bounded length."""
        return [
            *super().rules_notes(),
            f"rules of up to {LONGEST_RULE} atoms, read out of the walks to a sample of training "
            "facts; support and confidence are counted on all of them",
        ]
