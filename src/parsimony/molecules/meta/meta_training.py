"""Meta-training: a network learns, over training tasks, to adapt to a support by one pass.

Each step draws some training tasks and a number of shots; of each task a support and queries, half
of them active. The task's own column of the profile is hidden. The model that scores best on the
validation tasks is kept.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn

from parsimony.base import Fitting, tuned
from parsimony.chem.graphs import MoleculeGraphs
from parsimony.errors import InvalidParameter
from parsimony.molecules.adapted import Adapted, FloatArray, IntArray, LabelArray
from parsimony.molecules.episodes import training_episode
from parsimony.molecules.meta.encoded import EncodedFewShot, EncodedParameters
from parsimony.molecules.meta.inputs import Inputs, MetaFeatures
from parsimony.molecules.task import MoleculeTask
from parsimony.run.seeds import rng
from parsimony.training import trainer
from parsimony.training.keeping import part
from parsimony.training.network import NetworkLearner
from parsimony.training.trainer import Schedule

__all__ = ["Episodes", "MetaNetwork", "MetaParameters", "MetaTrained"]

CHUNK = 1024  # queries scored at once
LOOK = 3  # episodes of each validation task that a model is judged by


class MetaParameters(EncodedParameters):
    """Parameters of meta-training."""

    steps: int = Field(1000, ge=0, le=4000, description="most meta-steps, 0 … 4,000")
    tasks: int = Field(4, ge=1, le=1000, description="tasks per step, 1 … 1,000; published 9")
    queries: int = Field(
        32, ge=2, le=10_000, description="queries per task and step, 2 … 10,000; published 16"
    )
    lr: float = Field(
        1e-3, gt=0, description="initial learning rate of AdamW, > 0; it decays to 0",
        json_schema_extra=tuned(2e-4, 0.02, log=True),
    )  # fmt: skip
    weight_decay: float = Field(
        1e-3, ge=0, description="weight decay of AdamW, ≥ 0",
        json_schema_extra=tuned(1e-5, 0.1, log=True, zero=True),
    )  # fmt: skip
    validate_every: int = Field(100, ge=1, description="steps between validations, ≥ 1")
    patience: int = Field(
        6, ge=1, description="validations without improvement before stopping, ≥ 1"
    )
    hidden_dropout: float = Field(
        0.2, ge=0, lt=1, description="dropout of inputs, [0, 1)", json_schema_extra=tuned(0.0, 0.5)
    )


class Episodes(NamedTuple):
    """Training episodes of T tasks, with the same number of shots.

    Attributes
    ----------
    support, queries
    labels, answers : (T, n), 0 or 1
    """

    support: Inputs
    labels: Tensor
    queries: Inputs
    answers: Tensor


class MetaNetwork(nn.Module, ABC):
    """A network that adapts: what a method of this kind has to implement."""

    @abstractmethod
    def loss(self, episodes: Episodes) -> Tensor:
        """Return the loss of a step."""

    @abstractmethod
    def adapt(self, support: Inputs, labels: Tensor) -> Any:
        """Return what scoring needs of a support, for one task."""

    @abstractmethod
    def score(self, state: Any, queries: Inputs) -> tuple[Tensor, Tensor | None]:
        """Score queries (1, n): scores (n,), and the weights (n, S) of the supports."""

    @abstractmethod
    def adapted_parameters(self, state: Any) -> int:
        """Count the numbers that belong to one task."""

    def by_embedding(self, state: Any) -> Tensor | None:
        """The vector (d,) whose product with a query's embedding is a part of its score.

        The rest of the score does not depend on the embedding. None where there is no such part.
        """
        return None


class MetaLearner(NetworkLearner):
    """Training on episodes of the training tasks; its epochs are single steps.

    Parameters
    ----------
    network
        Trained in place.
    molecules
        Features, with the columns of the training tasks alone.
    validate
        Measures the network on the validation tasks.
    """

    network: MetaNetwork

    def __init__(
        self,
        network: MetaNetwork,
        molecules: MetaFeatures,
        task: MoleculeTask,
        p: MetaParameters,
        validate: Callable[[], dict[str, float]],
    ) -> None:
        optimizer = torch.optim.AdamW(network.parameters(), lr=p.lr, weight_decay=p.weight_decay)
        super().__init__(network, optimizer, clip=1.0)
        self.molecules, self.task, self.p = molecules, task, p
        self.drawable = drawable_tasks(task)
        self._validate = validate

    def losses(
        self, number: int, drawn: np.random.Generator
    ) -> tuple[int, Iterator[tuple[Tensor, int]]]:
        """Draw the steps up to ``number``, each from a generator of its own."""
        every = self.p.validate_every
        steps = range((number - 1) // every * every + 1, number + 1)
        return len(steps), ((self._loss(step), 1) for step in steps)

    def _loss(self, step: int) -> Tensor:
        drawn = rng(self.p.seed, "meta-step", step)
        torch.manual_seed(int(drawn.integers(1 << 60)))  # of dropout
        self.set_lr(self.p.lr * (1 - (step - 1) / self.p.steps))
        return self.network.loss(self._draw(drawn))

    def validate(self) -> dict[str, float]:
        """ROC-AUC on the validation tasks, where there are some."""
        self.network.eval()
        return self._validate()

    def _draw(self, drawn: np.random.Generator) -> Episodes:
        """Draw tasks and, of each, a support and balanced queries."""
        p, task, molecules = self.p, self.task, self.molecules
        shots = int(drawn.choice(list(self.drawable)))
        columns = {int(t): i for i, t in enumerate(task.train_tasks)}
        half = max(p.queries // 2, 1)
        rows, labels, queries, answers, hidden = [], [], [], [], []
        for column in drawn.choice(self.drawable[shots], p.tasks).tolist():
            episode = training_episode(
                task, shots, 2 * half, drawn, column=int(column), balanced=True
            )
            rows.append(episode.support)
            labels.append(episode.labels)
            # A class with few molecules is repeated.
            chosen = [np.resize(np.flatnonzero(episode.answers == label), half) for label in (0, 1)]
            at = np.concatenate(chosen)
            queries.append(episode.queries[at])
            answers.append(episode.answers[at])
            hidden.append(columns[int(column)])
        own = np.array(hidden)
        return Episodes(
            molecules.inputs(np.stack(rows), own), _tensor(labels),
            molecules.inputs(np.stack(queries), own), _tensor(answers),
        )  # fmt: skip


def drawable_tasks(task: MoleculeTask) -> dict[int, npt.NDArray[np.int32]]:
    """The training tasks with enough molecules, by the number of shots."""
    found = {shots: task.drawable("train", shots) for shots in task.options.shots}
    return {shots: tasks for shots, tasks in found.items() if len(tasks)}


MetaT = TypeVar("MetaT", bound=MetaParameters)


class MetaTrained(EncodedFewShot[MetaT]):
    """Base class of methods that meta-train a network over frozen features.

    Attributes
    ----------
    on_look
        Called after each validation with this estimator and the record of the history; it can
        watch, not choose.
    """

    _network: MetaNetwork
    on_look: Callable[[MetaTrained[Any], Mapping[str, Any]], None] | None = None

    @abstractmethod
    def _build(self, columns: int) -> MetaNetwork:
        """Make the network for a profile of so many columns."""

    def _fit(self, fitting: Fitting) -> None:
        begin, p, task = trainer.clock(), self.resolved_, self.task_
        learned = self._learn_features(fitting)
        # Weights are drawn from torch's global generator; the user's own stays as it is.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(p.seed)
            self._network = self._build(len(task.train_tasks))
        if drawable_tasks(task):
            molecules = self._molecules().narrow(len(task.train_tasks))
            every, watch = p.validate_every, self.on_look
            self._train(
                MetaLearner(self._network, molecules, task, p, self._validated),
                Schedule(
                    p.steps, patience=p.patience * every, validate_every=every, seed=p.seed,
                    stream=("meta-training",), stride=every, validate_first=True,
                ),
                fitting,
                spent=trainer.clock() - begin,
                on_look=None if watch is None else lambda record: watch(self, record),
            )  # fmt: skip
        self._network.eval()
        self._features = None  # those of a loaded run have to be the same
        self.parameters_count_ = learned + sum(w.numel() for w in self._network.parameters())

    def _validated(self) -> dict[str, float]:
        if not self.task_.has("valid"):
            return {}
        return {"roc_auc": self._validate_roc_auc(episodes=LOOK, seed=self.resolved_.seed)}

    # ---- adapting ----------------------------------------------------------------------------

    def _adapt(self, features: MetaFeatures, support: IntArray, labels: LabelArray) -> Adapted:
        if len(np.unique(labels)) < 2:
            raise InvalidParameter("a support needs molecules of either class")
        return _AdaptedNetwork(self._network, features, support, labels, self._on_atoms)

    # ---- persistence -------------------------------------------------------------------------

    def _tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        network = {f"network.{k}": v.numpy() for k, v in self._network.state_dict().items()}
        return self._feature_tensors() | network

    def _rebuild(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        self._rebuild_features(tensors)
        with torch.random.fork_rng(devices=[]):
            self._network = self._build(len(self.task_.train_tasks))
        self._network.load_state_dict(part(tensors, "network."))
        self._network.eval()


class _AdaptedNetwork(Adapted):
    """A network that has seen a support."""

    beside = "what the profile in other tasks, the prior score and the task's offset add"
    spread = "an atom stands for its state in the encoder, which holds what is a few bonds away"
    no_atoms = (
        "its head reads the encoder through another network, so that a score is no sum over atoms"
    )

    def __init__(
        self, network: MetaNetwork, molecules: MetaFeatures, support: IntArray, labels: LabelArray,
        on_atoms: Callable[[MoleculeGraphs, FloatArray], list[npt.NDArray[np.float64]]],
    ) -> None:  # fmt: skip
        self.network, self.molecules, self._on_atoms = network, molecules, on_atoms
        self.state = network.adapt(
            molecules.inputs(support[None]), torch.from_numpy(labels.astype(np.float32))[None]
        )
        self.parameters = network.adapted_parameters(self.state)

    @torch.no_grad()
    def _all(self, molecules: IntArray) -> list[tuple[Tensor, Tensor | None]]:
        return [
            self.network.score(self.state, self.molecules.inputs(molecules[None, at : at + CHUNK]))
            for at in range(0, len(molecules), CHUNK)
        ]

    def score(self, molecules: IntArray) -> FloatArray:
        """Scores of molecules."""
        return cast(FloatArray, torch.cat([s for s, _ in self._all(molecules)]).numpy())

    def weights(self, molecules: IntArray) -> FloatArray | None:
        """Weights of the supports."""
        parts: Sequence[Tensor | None] = [w for _, w in self._all(molecules)]
        found = [w for w in parts if w is not None]
        return cast(FloatArray, torch.cat(found).numpy()) if found else None

    def atom_shares(
        self, molecules: IntArray, forms: Sequence[str]
    ) -> list[npt.NDArray[np.float64]] | None:
        """Of the part of the score that is linear in the embedding, where there is one."""
        direction = self.network.by_embedding(self.state)
        if direction is None:
            return None
        return self._on_atoms(self.molecules.graphs.take(molecules), direction.numpy())


def _tensor(parts: list[npt.NDArray[np.int8]]) -> Tensor:
    return torch.from_numpy(np.stack(parts).astype(np.float32))
