"""Self-supervised training of the molecular encoder, without any label.

A fraction of a molecule's atoms is masked; the encoder predicts the elements of the masked atoms
(W. Hu et al., ICLR 2020), the molecule's Morgan fingerprint, and its descriptors. All three are
computed from the molecule itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from parsimony import base
from parsimony.chem.descriptors import molecule_features
from parsimony.chem.fingerprints import BITS, morgan_fingerprints
from parsimony.chem.graphs import ELEMENTS, MASKED, molecule_graphs
from parsimony.datasets.archive import cache_folder
from parsimony.errors import InvalidParameter, UsageError
from parsimony.molecules.encoder.gin import GIN, MoleculeBatch, mean_pool
from parsimony.molecules.meta.inputs import PLAIN
from parsimony.molecules.table import load_molecules
from parsimony.run.cost import Cost
from parsimony.run.folder import CONFIG, MODEL, RunFolder
from parsimony.run.renamed import renamed
from parsimony.run.restoring import restoring
from parsimony.run.seeds import rng
from parsimony.training import trainer
from parsimony.training.network import NetworkLearner
from parsimony.training.trainer import Schedule, Trainer

__all__ = ["EncoderParameters", "default_artefact", "load_encoder", "pretrain"]

SETS = ("tox21", "sider", "toxcast", "muv")
ARTEFACT = "molecular encoder"


class EncoderParameters(base.Parameters):
    """Parameters of the encoder and of its training."""

    layers: int = Field(3, ge=1, le=64, description="layers of the GIN, 1 … 64; published 5")
    width: int = Field(
        128, ge=1, le=4096, description="width of the states, 1 … 4,096; published 300"
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout of states, [0, 1)")
    max_molecules: int = Field(25_000, ge=1, description="most molecules of one set, ≥ 1")
    masked: float = Field(0.15, ge=0, lt=1, description="fraction of masked atoms, [0, 1)")
    lr: float = Field(2e-3, gt=0, description="peak learning rate of Adam, > 0")
    batch: int = Field(256, ge=2, description="molecules per step, ≥ 2")
    epochs: int = Field(12, ge=1, description="passes over the molecules, ≥ 1")
    seed: int = Field(0, ge=0, description="seed of all randomness, ≥ 0")


def default_artefact(layers: int = 3, width: int = 128) -> Path:
    """Default folder of an encoder of this size, in the user's cache."""
    return cache_folder() / "encoders" / f"gin-{layers}x{width}"


def unlabelled(parameters: EncoderParameters, mirror: str | None = None) -> list[str]:
    """Return the distinct molecules of the four sets, at most ``max_molecules`` of each."""
    found: dict[str, None] = {}
    for name in SETS:
        forms = load_molecules(name, mirror=mirror).forms
        drawn = rng(parameters.seed, "pretrain", name).permutation(len(forms))
        drawn = drawn[: parameters.max_molecules]
        found |= dict.fromkeys(forms[i] for i in np.sort(drawn))
    return list(found)


class SelfSupervised(nn.Module):
    """The encoder with a head for each of the three targets."""

    def __init__(self, parameters: EncoderParameters) -> None:
        super().__init__()
        self.encoder = GIN(parameters.layers, parameters.width, parameters.dropout)
        d = parameters.width
        self.element = nn.Linear(d, ELEMENTS)
        self.bits = nn.Sequential(nn.Linear(d, 2 * d), nn.ReLU(), nn.Linear(2 * d, BITS))
        self.descriptor = nn.Linear(d, PLAIN)

    def losses(
        self, batch: MoleculeBatch, hidden: Tensor, bits: Tensor, described: Tensor
    ) -> dict[str, Tensor]:
        """Losses of a batch whose atoms ``hidden`` are masked."""
        truth = batch.element[hidden]
        batch.element = batch.element.index_fill(0, hidden, MASKED)
        h = self.encoder.states(batch)
        pooled = mean_pool(batch, h)
        found = {
            "bits": functional.binary_cross_entropy_with_logits(self.bits(pooled), bits),
            "descriptors": functional.smooth_l1_loss(self.descriptor(pooled), described),
        }
        if len(hidden):
            found["masked"] = functional.cross_entropy(self.element(h[hidden]), truth)
        return found


#: they bring the three losses to about the same initial size
_WEIGHTS = {"bits": 5.0, "descriptors": 1.0, "masked": 0.5}


def pretrain(
    out: Path | str | None = None,
    parameters: dict[str, Any] | None = None,
    *,
    smiles: Sequence[str] | None = None,
    time_budget: float | None = None,
    mirror: str | None = None,
    quiet: bool = True,
) -> dict[str, Any]:
    """Train an encoder and write the artefact; resumes where an earlier call was interrupted.

    Parameters
    ----------
    out
        Folder of the artefact; by default in the user's cache. A finished one is kept.
    parameters
        Fields of :class:`EncoderParameters`.
    smiles
        Molecules to learn from; by default those of Tox21, SIDER, ToxCast and MUV.
    time_budget
        Most wall seconds over all resumed parts; the learning rate then decays with time where
        that is faster than with steps. Work before the first step counts, but is not cut.

    Returns
    -------
    dict
        ``artefact, molecules, parameters, epochs, losses, seconds``.

    Raises
    ------
    TrainingDiverged
        A loss is not finite.
    UnknownParameter, InvalidParameter
        No such parameter, or a value outside its limits.
    """
    p = EncoderParameters.of(parameters or {}, "pretraining")
    out = default_artefact(p.layers, p.width) if out is None else Path(out)
    if (out / "checksums.json").exists():
        run = RunFolder.open(out)
        run.require_same(_config(p))
        summary: dict[str, Any] = run.read_json("summary.json")
        return summary | {"artefact": str(out)}  # it may have been moved or copied
    smiles = smiles or unlabelled(p, mirror)
    with RunFolder.create(out, _config(p), resume=True) as run, torch.random.fork_rng(devices=[]):
        summary = _train(p, smiles, run, time_budget, quiet)
        run.write_json("summary.json", summary)
    return summary


def load_encoder(path: Path | str) -> tuple[GIN, EncoderParameters]:
    """Read an artefact of :func:`pretrain`.

    Raises
    ------
    MissingRun, CorruptRun, RunVersionError
        No artefact, an unfinished, damaged or other one.
    """
    run = RunFolder.open(path)
    if run.config.get("artefact") != ARTEFACT:
        raise UsageError(
            "this folder holds no encoder", remedy="parsimony pretrain molecules", where=str(path)
        )
    with restoring(run.path / CONFIG):
        p = EncoderParameters(**renamed(run.config["parameters"], EncoderParameters.model_fields))
        gin = GIN(p.layers, p.width, p.dropout)
    with restoring(run.path / MODEL):
        gin.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in run.load_model().items()})
    return gin, p


def _config(p: EncoderParameters) -> dict[str, Any]:
    return {"artefact": ARTEFACT, "parameters": p.model_dump()}


def _train(
    p: EncoderParameters,
    smiles: Sequence[str],
    run: RunFolder,
    time_budget: float | None,
    quiet: bool,
) -> dict[str, Any]:
    """Train all epochs, write the encoder; returns the summary."""
    if len(smiles) < 2:
        raise InvalidParameter(f"pretraining needs at least 2 molecules. Got {len(smiles)}")
    begin, kept = trainer.clock(), run.load_checkpoint()
    earlier = 0.0 if kept is None else float(kept[0]["seconds"])
    torch.manual_seed(p.seed)
    learner = _Pretraining(p, smiles, quiet)
    if time_budget is not None:
        learner.begin, learner.time_budget = begin - earlier, time_budget
    encoder = learner.network.encoder
    size = sum(w.numel() for w in encoder.parameters())
    outcome = Trainer(
        Schedule(p.epochs, seed=p.seed, stream=("pretrain", "epoch")), Cost(size, 0), run=run,
        time_budget=time_budget, spent=trainer.clock() - begin, quiet=quiet,
    ).train(learner)  # fmt: skip
    run.save_model({k: v.numpy() for k, v in encoder.state_dict().items()})
    return {
        "artefact": str(run.path),
        "molecules": len(smiles),
        "parameters": size,
        "epochs": len(outcome.history),
        "losses": {k: v for k, v in outcome.history[-1].items() if k in _WEIGHTS},
        "seconds": outcome.seconds,
    }


class _Pretraining(NetworkLearner):
    """The three losses over molecules, and a learning rate that rises and falls."""

    network: SelfSupervised
    #: on the trainer's clock, all resumed parts joined
    begin: float = 0.0
    time_budget: float = np.inf

    def __init__(self, p: EncoderParameters, smiles: Sequence[str], quiet: bool) -> None:
        network = SelfSupervised(p)
        super().__init__(network, torch.optim.Adam(network.parameters(), lr=p.lr))
        self.p = p
        self.graphs = molecule_graphs(smiles, quiet=quiet)
        self.bits = np.packbits(morgan_fingerprints(smiles), axis=1)
        self.described = torch.from_numpy(
            _standardised(molecule_features(smiles).descriptors[:, :PLAIN])
        )
        self.total, self.seen = dict.fromkeys(_WEIGHTS, 0.0), 0

    def losses(
        self, number: int, drawn: np.random.Generator
    ) -> tuple[int, Iterator[tuple[Tensor, int]]]:
        """Draw batches of all molecules."""
        n = len(self.graphs)
        order = drawn.permutation(n)
        self.total, self.seen = dict.fromkeys(_WEIGHTS, 0.0), 0
        batches = [order[at : at + self.p.batch] for at in range(0, n, self.p.batch)]
        if len(batches[-1]) < 2:  # BatchNorm needs two
            batches.pop()

        def each() -> Iterator[tuple[Tensor, int]]:
            for i, rows in enumerate(batches):
                self._schedule(number - 1 + i * self.p.batch / n)
                losses = self._losses(rows, drawn)
                for name, value in losses.items():
                    self.total[name] += float(value.detach()) * len(rows)
                self.seen += len(rows)
                weighted = [_WEIGHTS[name] * value for name, value in losses.items()]
                yield torch.stack(weighted).sum(), len(rows)

        return sum(map(len, batches)), each()

    def parts(self) -> dict[str, float]:
        """The mean of each loss over the epoch."""
        return {name: total / max(self.seen, 1) for name, total in self.total.items()}

    def _schedule(self, epochs: float) -> None:
        """Warm up over half an epoch, then decay linearly with steps, or with time if faster."""
        done = max(epochs / self.p.epochs, (trainer.clock() - self.begin) / self.time_budget)
        self.set_lr(self.p.lr * min(1.0, 0.1 + 2 * epochs) * max(1 - done, 0.02))

    def _losses(self, rows: npt.NDArray[np.int64], drawn: np.random.Generator) -> dict[str, Tensor]:
        batch = MoleculeBatch(self.graphs.take(rows))
        atoms = len(batch.element)
        hidden = torch.from_numpy(np.flatnonzero(drawn.random(atoms) < self.p.masked))
        bits = np.unpackbits(self.bits[rows], axis=1)[:, :BITS].astype(np.float32)
        return self.network.losses(
            batch, hidden, torch.from_numpy(bits), self.described[torch.from_numpy(rows)]
        )


def _standardised(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    x = np.nan_to_num(values, posinf=0, neginf=0)
    scaled = (x - x.mean(0)) / np.maximum(x.std(0), 1e-6)
    return np.asarray(np.clip(scaled, -5, 5), np.float32)
