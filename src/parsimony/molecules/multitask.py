"""Method "multitask": a network of all training tasks, and a closed-form head for a new one.

A network learns all training tasks at once (:mod:`parsimony.molecules.property_network`). A
new task is a Gaussian process over molecules whose mean and kernel are made of what the network
has learned:

    mean     m(x) = s z̄(x), the mean of the standardised logits of the training tasks
    kernel   k(x, x') = a z(x)·z(x')/T + b cos(h(x), h(x')) + c tanimoto(x, x') + d v(x)·v(x')/D
    score    m(x) + k(x, S) (k(S, S) + σ² I)⁻¹ (y − m(S) − mean(y − m(S))),  y = ±1

with logits z, hidden units h, Morgan fingerprints and standardised descriptors v. Nothing is
iterated for a new task; its adapted numbers are the 2K coefficients of its support. Without labels
the score is m: a molecule that is active in most training tasks is likely to be active in the next
(docs/methods/few_shot.md, eqs. 4–6).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any, ClassVar, cast

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn

from parsimony import base
from parsimony.base import Fitting, constructor
from parsimony.chem.descriptors import MoleculeFeatures, molecule_features
from parsimony.metrics.multilabel import roc_auc
from parsimony.molecules.adapted import Adapted, IntArray, LabelArray
from parsimony.molecules.episodes import evaluation_episodes
from parsimony.molecules.estimator import FewShotEstimator
from parsimony.molecules.fragment_network import PropertyNetwork
from parsimony.molecules.gaussian_process import KernelFeatures, Process
from parsimony.molecules.graph_network import graph_features
from parsimony.molecules.property_network import (
    NetworkParameters,
    PropertyLearner,
    property_networks,
)
from parsimony.training import trainer
from parsimony.training.keeping import part
from parsimony.training.trainer import Schedule, require_format

__all__ = ["MultiTask"]

FINAL = "all"  # the phase that learns all training tasks
PATIENCE = 3  # validations without improvement before choosing ends
CHOOSING = 5  # most episodes of a validation task that epochs and weights are chosen by
SUPPORTS = 40  # supports in all, of each number of shots, where there are many validation tasks


class MultiTaskParameters(NetworkParameters):
    """Parameters of the networks and of the head."""

    epochs: int | None = Field(
        None, ge=1, description="epochs of the network, ≥ 1; chosen where left out"
    )
    max_epochs: int = Field(192, ge=1, description="most epochs that are tried, ≥ 1")
    mean: float | None = Field(
        None, ge=0, description="weight s of the training tasks' mean, ≥ 0; chosen where left out"
    )
    logits: float = Field(1.0, ge=0, description="weight a of the logits in the kernel, ≥ 0")
    units: float = Field(
        1.0, ge=0, description="weight b of the hidden units, ≥ 0",
        json_schema_extra=base.tuned(0.1, 10.0, log=True),
    )  # fmt: skip
    fingerprints: float = Field(
        3.0, ge=0, description="weight c of the fingerprints, ≥ 0",
        json_schema_extra=base.tuned(0.1, 10.0, log=True),
    )  # fmt: skip
    descriptors: float = Field(1.0, ge=0, description="weight d of the descriptors, ≥ 0")
    noise: float | None = Field(
        None, ge=1e-6, description="variance σ² of a label, ≥ 1e-6; chosen where left out"
    )


MEANS = (0.3, 1.0)
NOISES = (3.0, 10.0, 30.0)
#: mean and noise → ROC-AUC
Measured = dict[tuple[float, float], float]


class _Choosing(PropertyLearner):
    """Training with the validation tasks held out, which choose epochs, mean and noise.

    The mean and noise of the best epoch are part of the state, so that checkpoints keep them.
    """

    def __init__(
        self, features: MoleculeFeatures, labels: LabelArray, p: MultiTaskParameters,
        measure: Callable[[list[PropertyNetwork]], Measured],
    ) -> None:  # fmt: skip
        super().__init__(features, labels, p)
        self.measure = measure
        self.choice = torch.tensor(_head(p), dtype=torch.float64)

    def state(self) -> dict[str, Tensor]:
        """The networks, mean and noise."""
        return super().state() | {"choice": self.choice}

    def validate(self) -> dict[str, float]:
        """The best ROC-AUC over means and noises."""
        self.measure_logits()
        found = self.measure(self.networks)
        best = max(found, key=lambda choice: found[choice])
        self.choice.copy_(torch.tensor(best))
        return {"roc_auc": found[best]}


class MultiTask(FewShotEstimator[MultiTaskParameters, KernelFeatures]):
    """A multi-task network, and a Gaussian process on top of it for a new task."""

    method: ClassVar[str] = "multitask"
    paper = "B. Ramsundar et al., arXiv 1502.02072"
    Parameters: ClassVar[type[base.Parameters]] = MultiTaskParameters
    __init__ = constructor(MultiTaskParameters)
    weighing = "contribution to the correction of the mean"
    #: networks that never saw the validation tasks, and those that learned all
    _held: list[PropertyNetwork]
    _networks: list[PropertyNetwork]
    _held_features: KernelFeatures | None

    def _setup(self) -> None:
        super()._setup()
        self._held, self._networks, self._held_features = [], [], None

    # ---- learning ----------------------------------------------------------------------------

    def _fit(self, fitting: Fitting) -> None:
        """Choose epochs, mean and noise with the validation tasks held out, then learn from all.

        Choosing gets at most half of the time budget.
        """
        begin, task, given = trainer.clock(), self.task_, self.resolved_
        features = self._read(task.data.smiles)
        kept, spent = _chosen_before(fitting, given.epochs)
        spent += trainer.clock() - begin
        if kept is None and task.has("valid"):
            kept, spent = self._choose(features, fitting, spent)
        mean, noise = _head(given)
        epochs, mean, noise, limit = (kept or {}).get(
            "chosen", (given.epochs or given.max_epochs, mean, noise, np.inf)
        )
        chosen = {"epochs": int(epochs), "mean": float(mean), "noise": float(noise)}
        self.resolved_ = given.model_copy(update=chosen)
        self._held = _networks(part(kept or {}, "held."), given.graph_layers)
        labels = task.visible_labels[:, task.data.train_tasks]
        learner = PropertyLearner(features, labels, given)
        self._train(
            learner, Schedule(int(epochs), seed=given.seed), fitting, spent=spent, phase=FINAL,
            carried=kept,
        )  # fmt: skip
        learner.measure_logits()
        self._networks = learner.networks
        self.parameters_count_ = sum(w.numel() for w in learner.network.parameters())
        if limit < np.inf:
            self.ended_ = "time budget"

    def _choose(
        self, features: MoleculeFeatures, fitting: Fitting, spent: float
    ) -> tuple[dict[str, npt.NDArray[Any]], float]:
        """Learn without the validation tasks; return what was chosen, and the seconds spent."""
        p, task, limit = self.resolved_, self.task_, fitting.time_budget
        if limit is not None:
            fitting = replace(fitting, time_budget=(limit + spent) / 2)
        epochs = p.epochs or p.max_epochs
        learner = _Choosing(features, task.train_labels, p, partial(self._validated, features))
        looks = (epochs,) if p.epochs else _looks(epochs)
        outcome = self._train(
            learner,
            Schedule(epochs, patience=PATIENCE, validate_every=looks, seed=p.seed),
            fitting, spent=spent, phase="choosing",
        )  # fmt: skip
        learner.measure_logits()
        cut = limit is not None and outcome.ended == "time budget"
        best = p.epochs or outcome.best_epoch
        chosen = [best, *learner.choice.tolist(), limit if cut else np.inf]
        held = {f"held.{name}": w.numpy() for name, w in learner.network.state_dict().items()}
        return {"chosen": np.array(chosen), **held}, outcome.seconds

    def _validated(self, features: MoleculeFeatures, networks: list[PropertyNetwork]) -> Measured:
        """ROC-AUC by mean and noise, over tasks, episodes and shots; one kernel for all."""
        p, kernel_features = self.resolved_, represent(networks, features)
        means = MEANS if p.mean is None else (p.mean,)
        choices = list(product(means, NOISES if p.noise is None else (p.noise,)))
        found: dict[tuple[float, float], list[float]] = {choice: [] for choice in choices}
        number = min(max(SUPPORTS // len(self.task_.valid_tasks), 1), CHOOSING)
        for shots in self.task_.options.shots:
            for episode in evaluation_episodes(
                self.task_, "valid", shots, episodes=number, seed=p.seed
            ):
                process = Process(kernel_features, episode.support, p)
                kernel = process.kernel(episode.queries)
                for mean, noise in choices:
                    process.learn(episode.labels, mean, noise)
                    score = mean * kernel_features.mean[episode.queries] + kernel @ process.alpha
                    found[mean, noise].append(roc_auc(episode.answers == 1, score))
        return {choice: float(np.mean(values)) for choice, values in found.items()}

    # ---- features and adapting ---------------------------------------------------------------

    def _featurize(self, smiles: Sequence[str]) -> KernelFeatures:
        return represent(self._networks, self._read(smiles))

    def _read(self, smiles: Sequence[str]) -> MoleculeFeatures:
        """What the networks read of molecules."""
        return (graph_features if self.resolved_.graph_layers else molecule_features)(smiles)

    def _features_for(self, split: str) -> KernelFeatures:
        """Features of a split; for validation tasks by the networks that never saw them."""
        if split != "valid" or not self._held:
            return self._molecules()
        if self._held_features is None:
            self._held_features = represent(self._held, self._read(self.task_.data.smiles))
        return self._held_features

    def _adapt(self, features: KernelFeatures, support: IntArray, labels: LabelArray) -> Adapted:
        p = self.resolved_
        return Process(features, support, p).learn(labels, *_head(p))

    # ---- persistence -------------------------------------------------------------------------

    def _tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        return {
            f"{kind}.{name}": w.numpy()
            for kind, networks in (("held", self._held), ("all", self._networks))
            for name, w in nn.ModuleList(networks).state_dict().items()
        }

    def _rebuild(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        self._held, self._networks = (
            _networks(part(tensors, f"{kind}."), self.resolved_.graph_layers)
            for kind in ("held", "all")
        )
        if not self._networks:
            raise ValueError("no network of all molecules")


def _chosen_before(
    fitting: Fitting, epochs: int | None
) -> tuple[dict[str, npt.NDArray[Any]] | None, float]:
    """What an interrupted run has chosen, where that stands, and seconds spent in vain.

    A choice that an earlier time budget cut short is made again where there is more time, and one
    for other epochs where these are given.
    """
    checkpoint = None if fitting.run is None else fitting.run.load_checkpoint()
    if checkpoint is None:
        return None, 0.0
    plain, tensors = checkpoint
    require_format(plain, fitting.run)
    if plain["phase"] != FINAL:
        return None, 0.0
    kept = {k: v.numpy() for k, v in part(tensors, "carried.").items()}
    limit = np.inf if fitting.time_budget is None else fitting.time_budget
    if kept and (kept["chosen"][-1] < limit or epochs not in (None, kept["chosen"][0])):
        return None, float(plain["seconds"])
    return kept, 0.0


def _head(p: MultiTaskParameters) -> tuple[float, float]:
    """Mean and noise, or the usual ones where they are not chosen."""
    return MEANS[-1] if p.mean is None else p.mean, p.noise or NOISES[1]


def _looks(epochs: int) -> tuple[int, ...]:
    """Epochs at which validation is looked at: 1, 2, 3, 4, 6, 8, 12, 16, 24, 32 … and the last."""
    powers = [2**i for i in range(12)]
    return tuple(sorted({e for p in powers for e in (p, p + p // 2) if e <= epochs} | {epochs}))


def _networks(tensors: dict[str, Tensor], layers: int | None) -> list[PropertyNetwork]:
    """Make the networks 0, 1, 2 … of a state."""
    count = len({name.split(".")[0] for name in tensors})
    made = nn.ModuleList()
    if count:
        n_tasks, hidden = tensors["0.outer.weight"].shape
        made = property_networks(count, n_tasks, hidden, layers=layers)
    made.load_state_dict(tensors)
    networks = cast(list[PropertyNetwork], list(made))
    for network in networks:
        if not bool((network.std > 0).all() and (network.logit_std > 0).all()):
            raise ValueError("a standard deviation that is not positive")
    return networks


def represent(networks: Sequence[PropertyNetwork], features: MoleculeFeatures) -> KernelFeatures:
    """Average the standardised logits of networks, and join their hidden units."""
    logits, units = [], []
    for network in networks:
        hidden, found = network.represent(features)
        logits.append((found - network.logit_mean.numpy()) / network.logit_std.numpy())
        units.append(hidden)
    z: npt.NDArray[np.float32] = np.mean(logits, 0, dtype=np.float32)
    h = np.concatenate(units, 1)
    h /= np.maximum(np.linalg.norm(h, axis=1, keepdims=True), 1e-6)
    values = networks[0].standardised(features)
    mean: npt.NDArray[np.float32] = z.mean(1)
    return KernelFeatures(
        mean, z / np.float32(np.sqrt(z.shape[1])), h, (features.counts > 0).view(np.uint8),
        (values / np.sqrt(values.shape[1])).astype(np.float32),
    )  # fmt: skip
