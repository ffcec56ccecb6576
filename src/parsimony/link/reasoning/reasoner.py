"""What RED-GNN and AdaProp share as estimators: fit, score, evaluate, predict, save, load."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from parsimony.errors import CorruptRun
from parsimony.explain import Explanation
from parsimony.graph import KnowledgeGraph
from parsimony.kernels.redgnn.frontier import Scratch, expand, start
from parsimony.knowledge import Rule
from parsimony.link.estimator import LinkEstimator
from parsimony.link.reasoning.architecture import Architecture
from parsimony.link.reasoning.epoch import Schedule, State, train
from parsimony.link.reasoning.sharding import Engine, one_torch_thread
from parsimony.link.reasoning.weights import Weights, layout
from parsimony.link.task import LinkTask
from parsimony.run.cost import Cost
from parsimony.run.folder import RunFolder
from parsimony.run.seeds import rng

IntArray = npt.NDArray[np.int32]


def choose_layers(graph: KnowledgeGraph, seed: int, *, most_edges: int = 5000) -> int:
    """The largest L ≤ 5 whose last step visits at most ``most_edges`` edges a query on average.

    Long paths help on sparse graphs and only cost on dense ones, where all is reached in a few
    steps; at least 2, so that a rule has two atoms.
    """
    heads = graph.triples[
        np.sort(rng(seed, "layers").choice(len(graph), min(64, len(graph)), replace=False)), 0
    ]
    frontier, row_query = start(heads, np.zeros_like(heads), share=False)
    scratch = Scratch(graph.n_entities)
    for layer in range(1, 6):
        step = expand(
            graph.digraph[:3], graph.n_relations, frontier, row_query, scratch, collapse=False
        )
        if step.edges_visited > most_edges * len(heads):
            return max(layer - 1, 2)
        frontier, row_query = step.frontier, step.query
    return 5


class Reasoner(LinkEstimator):
    """A reasoner over relational digraphs with one flat vector of weights."""

    resolved_: Any
    weights_: Weights

    @classmethod
    @abstractmethod
    def preset(cls, name: str) -> dict[str, Any]:
        """Published parameters of a registered dataset, ours where they differ, or nothing."""

    @abstractmethod
    def _top_k(self, graph: KnowledgeGraph) -> int | None: ...

    def resolve_parameters(self, task: LinkTask, **options: Any) -> Any:
        """Given parameters over the preset over the defaults; L chosen by the graph if open."""
        given = self.parameters.model_dump(include=self.parameters.model_fields_set)
        values = (self.preset(task.data.name) if task.data.registered else {}) | given
        values |= {name: value for name, value in options.items() if value is not None}
        resolved = self._validate(values)
        if resolved.n_layers is None:
            layers = choose_layers(task.train_graph, resolved.seed)
            resolved = resolved.model_copy(update={"n_layers": layers})
        return resolved

    def _setup(self, task: LinkTask, resolved: Any, device: str) -> None:
        self.task_, self.resolved_, self.device_ = task, resolved, device
        self.architecture_ = Architecture(
            task.n_relations, resolved.dim, resolved.attention_dim, resolved.n_layers,
            resolved.activation, resolved.dropout, self._top_k(task.train_graph), resolved.relative,
        )  # fmt: skip
        self.shapes_ = layout(
            task.n_relations, resolved.dim, resolved.attention_dim, resolved.n_layers,
            sampler=self.architecture_.top_k is not None, relative=resolved.relative,
        )  # fmt: skip
        self.parameters_count_ = sum(int(np.prod(s)) for s in self.shapes_.values())
        self._engines: dict[str, Engine] = {}

    def prepare(self, task: LinkTask, *, epochs: int | None = None) -> dict[str, Any]:
        """Resolve the parameters for a task; returns what config.toml will hold."""
        self._setup(task, self.resolve_parameters(task, epochs=epochs), "cpu")
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
    ) -> Reasoner:
        """Train on a task; with a run folder, checkpointed every epoch and resumed from there.

        Parameters
        ----------
        task
            Link prediction on one graph or an inductive pair.
        run
            Where to keep checkpoints and the result.
        epochs
            Overrides the parameter of that name.
        time_budget
            Wall seconds, over all resumed parts; an epoch that would not fit is not begun. With a
            larger budget, or more epochs, a run folder's training goes on.
        device
            "cpu", or a torch device for the plain form.

        Raises
        ------
        TrainingDiverged
            The loss is not finite.
        """
        resolved = self.resolve_parameters(task, epochs=epochs)
        self._setup(task, resolved, device)
        weights = Weights(self.shapes_).initialise(rng(resolved.seed, "weights"))
        zeros = np.zeros_like(weights.flat)
        state = State(weights, weights.flat.copy(), weights.flat.copy(), zeros, zeros.copy())
        previous = None
        if run is not None:
            checkpoint = run.load_checkpoint()
            if checkpoint is not None:
                plain, tensors = checkpoint
                previous = plain.pop("ledger")
                state = State(
                    Weights(self.shapes_, tensors["weights"].copy()),
                    tensors["average"].copy(), tensors["best"].copy(),
                    tensors["first_moment"].copy(), tensors["second_moment"].copy(), **plain,
                )  # fmt: skip
        self.cost_ = Cost(
            parameters=self.parameters_count_, labels=task.n_labels, previous=previous
        )
        schedule = Schedule(
            epochs=resolved.epochs, batch=resolved.batch, eval_batch=resolved.eval_batch,
            lr=resolved.lr, decay=resolved.decay, weight_decay=resolved.weight_decay,
            fact_ratio=resolved.fact_ratio, patience=resolved.patience,
            remove_one_hop=resolved.remove_one_hop, mask_answers=resolved.mask_answers,
            average=resolved.average, unreached=self._unreached, seed=resolved.seed,
        )  # fmt: skip
        with one_torch_thread():
            engine = Engine(task.train_graph, self.architecture_, resolved.threads, device)
            try:
                self.ended_ = train(
                    task, engine, state, schedule, self.cost_,
                    run=run, time_budget=time_budget, quiet=quiet,
                )  # fmt: skip
            finally:
                engine.close()
        self.weights_ = Weights(self.shapes_, state.best.copy())
        self.history_, self.best_epoch_ = state.history, state.best_epoch
        self.seconds_ = state.seconds
        return self

    def probability(self, row: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Softmax of the scores over all entities, uncalibrated."""
        weight: npt.NDArray[np.float64] = np.exp(row - row.max(), dtype=np.float64)
        weight /= weight.sum()
        return weight

    # ---- scoring -----------------------------------------------------------------------------

    def engine(self, graph: KnowledgeGraph) -> Engine:
        """Forward passes on a graph (made once)."""
        key = graph.content_hash
        if key not in self._engines:
            self._engines[key] = Engine(
                graph, self.architecture_, self.resolved_.threads, self.device_
            )
        return self._engines[key]

    def _rank(self, queries: Any, progress: Any) -> Any:
        with one_torch_thread():
            return self.engine(queries.graph).rank(
                self.weights_, queries, self.resolved_.eval_batch,
                unreached=self._unreached, progress=progress,
            )  # fmt: skip

    def _score(
        self,
        head: IntArray,
        relation: IntArray,
        active: npt.NDArray[np.uint8] | None = None,
    ) -> npt.NDArray[np.float32]:
        graph = self.task_.test_graph
        out = np.full((len(head), graph.n_entities), self._unreached, np.float32)
        with one_torch_thread():
            for which, frontier, scores, _ in self.engine(graph).frontiers(
                self.weights_, head, relation, self.resolved_.eval_batch, active
            ):
                for b in range(which.stop - which.start):
                    inside = slice(frontier.ptr[b], frontier.ptr[b + 1])
                    out[which.start + b, frontier.node[inside]] = scores[frontier.row[inside]]
        return out

    # ---- persistence -------------------------------------------------------------------------

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        return {name: np.ascontiguousarray(self.weights_[name]) for name in self.weights_}

    def _restore(self, task: LinkTask, config: dict[str, Any], tensors: dict[str, Any]) -> None:
        self._setup(task, self._validate(config["parameters"]), "cpu")
        self.weights_ = Weights(self.shapes_)
        for name, view in ((n, self.weights_[n]) for n in self.weights_):
            if name not in tensors or tensors[name].shape != view.shape:
                raise CorruptRun(
                    f"model.safetensors does not hold {name} {view.shape}",
                    remedy="train again, or restore the run folder",
                )
            view[...] = tensors[name]

    # ---- reasons -----------------------------------------------------------------------------

    def explain(
        self,
        head: str,
        relation: str,
        tail: str,
        *,
        n_paths: int = 5,
        draws: int = 20,
        choose: Literal["contribution", "attention"] = "contribution",
        seed: int = 0,
    ) -> Explanation:
        """Why an answer gets its score; see :mod:`parsimony.link.reasoning.explain`."""
        from parsimony.link.reasoning.explain import explain_answer

        self._require_fitted()
        with one_torch_thread():  # one query's products are too small to be shared out
            return explain_answer(
                self, head, relation, tail, n_paths=n_paths, draws=draws,
                seed=seed, choose=choose,
            )  # fmt: skip

    def knowledge(
        self,
        top: int = 100,
        *,
        samples: int | None = None,
        n_paths: int = 3,
        quiet: bool = True,
    ) -> list[Rule]:
        """Path rules read out of the model, counted on the training graph.

        Parameters
        ----------
        top
            Most rules.
        samples, n_paths
            Training facts asked a relation, by default so many that all relations together ask
            about 240, and walks taken an answer: more find more rules.
        """
        from parsimony.link.reasoning.explain import read_rules_out

        self._require_fitted()
        with one_torch_thread():
            return read_rules_out(self, top=top, samples=samples, n_paths=n_paths, quiet=quiet)
