"""Method "multitask": what the training tasks share, and a closed-form head for a new one.

A network learns all training tasks at once (:mod:`parsimony.molecules.property_network`). A
new task is a Gaussian process over molecules whose mean and kernel are made of what the network
knows:

    mean     m(x) = s z̄(x), the mean of the standardised logits of the training tasks
    kernel   k(x, x') = a z(x)·z(x')/T + b cos(h(x), h(x')) + c tanimoto(x, x') + d v(x)·v(x')/D
    score    m(x) + k(x, S) (k(S, S) + σ² I)⁻¹ (y − m(S) − mean(y − m(S))),  y = ±1

with logits z, hidden units h, Morgan fingerprints and standardised descriptors v. Nothing is
iterated for a new task; its adapted numbers are the 2K coefficients of its support. Before any
label the score is m: an active molecule of most training tasks is likely to be active in the next.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from parsimony import base
from parsimony.chem.descriptors import MoleculeFeatures, molecule_features
from parsimony.metrics.multilabel import roc_auc
from parsimony.molecules.episodes import evaluation_episodes
from parsimony.molecules.estimator import Adapted, FewShotEstimator, IntArray
from parsimony.molecules.evaluation import EpisodeScores, measure_episodes
from parsimony.molecules.gaussian_process import Process, Represented
from parsimony.molecules.property_network import NetworkTraining, PropertyNetwork
from parsimony.run.folder import RunFolder

__all__ = ["MultiTask"]

PATIENCE = 3  # looks at validation without a better one before choosing ends
BETWEEN_CHECKPOINTS = 20.0  # seconds
CHOOSING = 5  # most episodes of a validation task that epochs and weights are chosen by
SUPPORTS = 40  # supports in all, of each number of shots, where there are many validation tasks


class MultiTaskParameters(base.Parameters):
    """Parameters of the network and of the head."""

    hidden: int = Field(256, ge=1, description="hidden units, ≥ 1")
    epochs: int | None = Field(
        None, ge=1, description="epochs of the network, ≥ 1; chosen where left out"
    )
    most_epochs: int = Field(192, ge=1, description="most epochs that are tried, ≥ 1")
    networks: int = Field(1, ge=1, description="networks whose logits are averaged, ≥ 1")
    lr: float = Field(2e-3, gt=0, description="learning rate of AdamW, > 0")
    weight_decay: float = Field(1e-2, ge=0, description="decoupled weight decay, ≥ 0")
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout of hidden units, [0, 1)")
    input_dropout: float = Field(0.2, ge=0, lt=1, description="dropout of inputs, [0, 1)")
    batch: int = Field(256, ge=1, description="molecules a step, ≥ 1")
    mean: float | None = Field(
        None, ge=0, description="weight s of the training tasks' mean, ≥ 0; chosen where left out"
    )
    logits: float = Field(1.0, ge=0, description="weight a of the logits in the kernel, ≥ 0")
    units: float = Field(1.0, ge=0, description="weight b of the hidden units, ≥ 0")
    fingerprints: float = Field(3.0, ge=0, description="weight c of the fingerprints, ≥ 0")
    descriptors: float = Field(1.0, ge=0, description="weight d of the descriptors, ≥ 0")
    noise: float | None = Field(
        None, gt=0, description="variance σ² of a label, > 0; chosen where left out"
    )
    seed: int = Field(0, ge=0, description="seed of all randomness, ≥ 0")


MEANS = (0.3, 1.0)
NOISES = (3.0, 10.0, 30.0)


class MultiTask(FewShotEstimator):
    """A multi-task network, and a Gaussian process on top of it for a new task."""

    method: ClassVar[str] = "multitask"
    Parameters: ClassVar[type[base.Parameters]] = MultiTaskParameters
    weighing = "share in the correction of the prior"
    _represented_held: Represented | None = None

    # ---- learning ----------------------------------------------------------------------------

    def _learn(
        self, *, run: RunFolder | None, time_budget: float | None, device: str, quiet: bool
    ) -> int:
        """Choose epochs and noise with the validation tasks held out, then learn from all."""
        task, given = self.task_, self.resolved_
        self._features = molecule_features(task.data.smiles)
        chosen = given.model_copy(
            update={
                "epochs": given.epochs or given.most_epochs,
                "mean": MEANS[-1] if given.mean is None else given.mean,
                "noise": given.noise or NOISES[1],
            }
        )
        self.resolved_ = chosen
        self._held: list[Trained] = []
        self._networks: list[Trained] = []
        self._run, self._saved = run, time.perf_counter()
        self._kept = None if run is None else run.load_checkpoint()
        if task.has("valid"):
            self._choose(given, quiet)
        else:
            self._held = self._train("held", task.train_tasks, quiet)
        self._networks = self._train("all", task.data.train_tasks, quiet)
        self.best_epoch_ = self.resolved_.epochs
        self.ended_ = "epochs"
        return sum(w.numel() for trained in self._networks for w in trained.network.parameters())

    def _choose(self, given: Any, quiet: bool) -> None:
        """Look at validation after epochs 1, 2, 4, 8 … and keep the best."""
        task, p = self.task_, self.resolved_
        trainings = [self._training(task.train_tasks, number) for number in range(p.networks)]
        looks = _looks(p.epochs) if given.epochs is None else [p.epochs]
        best = -1.0
        if self._kept is not None:
            plain, tensors = self._kept
            self.history_, best = plain["history"], plain["best"]
            self.resolved_ = p.model_copy(update=plain["chosen"])
            self._held = _restored(tensors, "held.")
            if plain["phase"] == "choosing":
                for number, training in enumerate(trainings):
                    training.restore(_under(tensors, f"training.{number}."))
                self._kept = None
            else:
                return
        while not self._chosen(looks):
            epoch = len(self.history_) + 1
            losses = [self._epoch(training, p.epochs, quiet) for training in trainings]
            record: dict[str, Any] = {"epoch": epoch, "loss": float(np.mean(losses))}
            if epoch in looks:
                found = [Trained.of(training.network, self._features) for training in trainings]
                represented = represent(found, self._features)
                for choice, score in self._validated(represented, _choices(given)).items():
                    record["valid_roc_auc"] = max(score, record.get("valid_roc_auc", -1.0))
                    if score > best:
                        best, self._held = score, [trained.copy() for trained in found]
                        mean, noise = choice
                        chosen = {"epochs": epoch, "mean": mean, "noise": noise}
                        self.resolved_ = p.model_copy(update=chosen)
            self.history_.append(record)
            if self._run is not None:
                self._run.log(**record)
            self._keep("choosing", trainings, best, last=self._chosen(looks))

    def _chosen(self, looks: list[int]) -> bool:
        """Whether choosing has ended: no better look for a while, or the last one."""
        done = len(self.history_)
        late = sum(self.resolved_.epochs < look <= done for look in looks) >= PATIENCE
        return late or done >= looks[-1]

    def _validated(
        self, represented: Represented, choices: list[tuple[float, float]]
    ) -> dict[tuple[float, float], float]:
        """ROC-AUC by mean and noise, over tasks, episodes and shots; one kernel for all."""
        found: dict[tuple[float, float], list[float]] = {choice: [] for choice in choices}
        number = min(max(SUPPORTS // len(self.task_.valid_tasks), 1), CHOOSING)
        for shots in self.task_.options.shots:
            for episode in evaluation_episodes(
                self.task_, "valid", shots, episodes=number, seed=self.resolved_.seed
            ):
                process = Process(represented, episode.support, self.resolved_)
                kernel = process.kernel(episode.queries)
                for mean, noise in choices:
                    process.learn(episode.labels, mean, noise)
                    score = mean * represented.mean[episode.queries] + kernel @ process.alpha
                    found[mean, noise].append(roc_auc(episode.answers == 1, score))
        return {choice: float(np.mean(values)) for choice, values in found.items()}

    def _training(self, tasks: IntArray, number: int) -> NetworkTraining:
        p = self.resolved_
        return NetworkTraining(
            self._features, self.task_.taught[:, tasks], hidden=p.hidden, lr=p.lr,
            weight_decay=p.weight_decay, dropout=p.dropout, input_dropout=p.input_dropout,
            batch=p.batch, seed=p.seed + 1000 * number,
        )  # fmt: skip

    def _epoch(self, training: NetworkTraining, epochs: int, quiet: bool) -> float:
        loss = training.epoch(f"epoch {training.done + 1}/{epochs}", quiet)
        self.cost_.add(flops=training.flops())
        return loss

    def _train(self, phase: str, tasks: IntArray, quiet: bool) -> list[Trained]:
        """Train all networks for the chosen epochs, one after another."""
        p, found = self.resolved_, []
        kept = self._kept if self._kept and self._kept[0]["phase"] == phase else None
        if kept is not None:
            found = _restored(kept[1], "found.")
            self._kept = None
        elif self._kept is not None and phase == "held":  # further on already
            return _restored(self._kept[1], "held.")
        while len(found) < p.networks:
            training = self._training(tasks, len(found))
            if kept is not None:
                training.restore(_under(kept[1], "training.0."))
                kept = None
            while training.done < p.epochs:
                self._epoch(training, p.epochs, quiet)
                self._keep(phase, [training], found=found)
            found.append(Trained.of(training.network, self._features))
        return found

    def _keep(
        self, phase: str, trainings: list[NetworkTraining], best: float = 0.0,
        found: Sequence[Trained] = (), *, last: bool = False,
    ) -> None:  # fmt: skip
        """Write a checkpoint, if the one before is old enough."""
        if self._run is None or not (last or _is_old(self._saved)):
            return
        parts: dict[str, Sequence[NetworkTraining | Trained]] = {
            "training": trainings, "held": self._held, "found": found,
        }  # fmt: skip
        tensors = {
            f"{name}.{number}.{key}": array
            for name, part in parts.items()
            for number, one in enumerate(part)
            for key, array in one.tensors().items()
        }
        chosen = self.resolved_.model_dump(include={"epochs", "mean", "noise"})
        plain = {
            "phase": phase, "history": self.history_, "best": best, "chosen": chosen,
            "ledger": self.cost_.as_dict(),
        }  # fmt: skip
        self._run.save_checkpoint(plain, tensors)
        self._saved = time.perf_counter()

    # ---- representing and adapting -----------------------------------------------------------

    def _represent(self, smiles: Sequence[str]) -> Represented:
        return represent(self._networks, molecule_features(smiles))

    def scored(
        self, split: str, shots: int, *, episodes: int | None = None, seed: int = 0,
        quiet: bool = True,
    ) -> EpisodeScores:  # fmt: skip
        """Score the episodes of a split; validation tasks by the networks that never saw them."""
        if split != "valid" or not hasattr(self, "_held"):
            return super().scored(split, shots, episodes=episodes, seed=seed, quiet=quiet)
        if self._represented_held is None:
            self._represented_held = represent(
                self._held, molecule_features(self.task_.data.smiles)
            )
        represented = self._represented_held
        return measure_episodes(
            self.task_, split, shots,
            lambda support, labels: self._adapt(represented, support, labels),
            episodes=episodes, seed=seed, quiet=quiet,
        )  # fmt: skip

    def _forget(self) -> None:
        super()._forget()
        self._represented_held = None

    def _adapt(
        self, represented: Represented, support: IntArray, labels: npt.NDArray[np.int8]
    ) -> Adapted:
        p = self.resolved_
        return Process(represented, support, p).learn(labels, p.mean, p.noise)

    # ---- persistence -------------------------------------------------------------------------

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        return {
            f"{kind}.{i}.{name}": array
            for kind, part in (("held", self._held), ("all", self._networks))
            for i, trained in enumerate(part)
            for name, array in trained.tensors().items()
        }

    def _restore(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        self._held, self._networks = (_restored(tensors, f"{kind}.") for kind in ("held", "all"))


def _is_old(saved: float) -> bool:
    return time.perf_counter() - saved > BETWEEN_CHECKPOINTS


def _under(tensors: dict[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays whose names begin with ``prefix``, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _restored(tensors: dict[str, npt.NDArray[Any]], prefix: str) -> list[Trained]:
    """Networks 0, 1, 2 … of those under ``prefix``."""
    own = _under(tensors, prefix)
    count = 1 + max((int(name.split(".")[0]) for name in own), default=-1)
    return [Trained.from_tensors(_under(own, f"{number}.")) for number in range(count)]


def _choices(given: Any) -> list[tuple[float, float]]:
    """Mean and noise that are tried: the given ones, or all."""
    means = MEANS if given.mean is None else (given.mean,)
    return list(product(means, NOISES if given.noise is None else (given.noise,)))


def _looks(epochs: int) -> list[int]:
    """Epochs at which validation is looked at: 1, 2, 3, 4, 6, 8, 12, 16, 24, 32 … and the last."""
    powers = [2**i for i in range(12)]
    return sorted({e for p in powers for e in (p, p + p // 2) if e <= epochs} | {epochs})


@dataclass(eq=False)
class Trained:
    """A network, and mean and standard deviation (n_tasks,) of its logits over the data."""

    network: PropertyNetwork
    mean: npt.NDArray[np.float32]
    std: npt.NDArray[np.float32]

    @classmethod
    def of(cls, network: PropertyNetwork, features: MoleculeFeatures) -> Trained:
        """Measure the logits of a network."""
        _, logits = network.represent(features)
        return cls(network, logits.mean(0), np.maximum(logits.std(0), 1e-6))

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Named arrays."""
        found = {name: w.numpy().copy() for name, w in self.network.state_dict().items()}
        return found | {"logit_mean": self.mean, "logit_std": self.std}

    @classmethod
    def from_tensors(cls, tensors: dict[str, npt.NDArray[Any]]) -> Trained:
        """Make what ``tensors`` named."""
        import torch

        state = {k: torch.from_numpy(v.copy()) for k, v in tensors.items() if "logit_" not in k}
        n_tasks, hidden = state["outer.weight"].shape
        network = PropertyNetwork(n_tasks, hidden)
        network.load_state_dict(state)
        return cls(network, tensors["logit_mean"], tensors["logit_std"])

    def copy(self) -> Trained:
        """Return a copy that further training does not change."""
        return Trained.from_tensors(self.tensors())


def represent(networks: list[Trained], features: MoleculeFeatures) -> Represented:
    """Average the standardised logits of networks, and join their hidden units."""
    logits, units = [], []
    for trained in networks:
        hidden, found = trained.network.represent(features)
        logits.append((found - trained.mean) / trained.std)
        units.append(hidden)
    z: npt.NDArray[np.float32] = np.mean(logits, 0, dtype=np.float32)
    h = np.concatenate(units, 1)
    h /= np.maximum(np.linalg.norm(h, axis=1, keepdims=True), 1e-6)
    values = networks[0].network.standardised(features)
    mean: npt.NDArray[np.float32] = z.mean(1)
    return Represented(
        mean, z / np.float32(np.sqrt(z.shape[1])), h, (features.counts > 0).view(np.uint8),
        (values / np.sqrt(values.shape[1])).astype(np.float32),
    )  # fmt: skip
