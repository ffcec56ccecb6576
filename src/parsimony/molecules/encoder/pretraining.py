"""Self-supervised training of the molecular encoder, without any label.

Three things are asked of a molecule of which a share of the atoms is masked: the elements of the
masked atoms (W. Hu et al., ICLR 2020), its Morgan fingerprint, and its descriptors. All three are
computed from the molecule itself.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, ValidationError
from torch import Tensor, nn
from torch.nn import functional

from parsimony import base
from parsimony.chem.descriptors import molecule_features
from parsimony.chem.fingerprints import BITS, morgan_fingerprints
from parsimony.chem.graphs import ELEMENTS, MASKED, molecule_graphs
from parsimony.datasets.archive import cache_folder
from parsimony.errors import (
    CorruptRun,
    InvalidParameter,
    TrainingDiverged,
    UnknownParameter,
    UsageError,
    suggest,
)
from parsimony.molecules.encoder.gin import GIN, MoleculeBatch, mean_pool
from parsimony.molecules.meta.inputs import PLAIN
from parsimony.molecules.table import load_molecules
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng
from parsimony.run.torch_state import moments, part, restore_moments

__all__ = ["EncoderParameters", "default_artefact", "load_encoder", "pretrain"]

SETS = ("tox21", "sider", "toxcast", "muv")
ARTEFACT = "molecular encoder"


class EncoderParameters(base.Parameters):
    """Parameters of the encoder and of its training."""

    layers: int = Field(3, ge=1, description="layers of the GIN, ≥ 1; published 5")
    width: int = Field(128, ge=1, description="width of the states, ≥ 1; published 300")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout of states, [0, 1)")
    most: int = Field(25_000, ge=1, description="molecules drawn of one set at most, ≥ 1")
    masked: float = Field(0.15, ge=0, lt=1, description="share of masked atoms, [0, 1)")
    lr: float = Field(2e-3, gt=0, description="greatest learning rate of Adam, > 0")
    batch: int = Field(256, ge=2, description="molecules a step, ≥ 2")
    epochs: int = Field(12, ge=1, description="passes over the molecules, ≥ 1")
    seed: int = Field(0, ge=0, description="seed of all randomness, ≥ 0")


def default_artefact(layers: int = 3, width: int = 128) -> Path:
    """Where the encoder of a size is kept when no place is named: in the user's cache."""
    return cache_folder() / "encoders" / f"gin-{layers}x{width}"


def unlabelled(parameters: EncoderParameters, mirror: str | None = None) -> list[str]:
    """Return the distinct SMILES of the four sets, at most ``most`` of each."""
    found: dict[str, None] = {}
    for name in SETS:
        smiles = load_molecules(name, mirror=mirror).smiles
        drawn = rng(parameters.seed, "pretrain", name).permutation(len(smiles))[: parameters.most]
        found |= dict.fromkeys(smiles[i] for i in np.sort(drawn))
    return list(found)


class SelfSupervised(nn.Module):
    """The encoder with a head for each question."""

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


#: so that the three losses begin at about the same size
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
    """Train an encoder and write the artefact; goes on where an earlier call was interrupted.

    Parameters
    ----------
    out
        Folder of the artefact; by default in the user's cache. A finished one is left as it is.
    parameters
        Fields of :class:`EncoderParameters`.
    smiles
        Molecules to learn from; by default those of Tox21, SIDER, ToxCast and MUV.
    time_budget
        Most wall seconds; the learning rate then falls with time instead of with steps.

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
    p = _validated(parameters or {})
    out = default_artefact(p.layers, p.width) if out is None else Path(out)
    if (out / "checksums.json").exists():
        run = RunFolder.open(out)
        run.require_same(_config(p))
        summary: dict[str, Any] = run.read_json("summary.json")
        return summary
    with RunFolder.create(out, _config(p), resume=True) as run, torch.random.fork_rng(devices=[]):
        summary = _Training(p, smiles or unlabelled(p, mirror), run).all(time_budget, quiet)
        run.write_json("summary.json", summary)
    return summary


def _validated(values: dict[str, Any]) -> EncoderParameters:
    for name in values:
        if name not in EncoderParameters.model_fields:
            raise UnknownParameter(
                f"pretraining has no parameter {name!r}",
                remedy=suggest(name, EncoderParameters.model_fields),
            )
    try:
        return EncoderParameters(**values)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidParameter(
            f"the {first['loc'][0]!r} parameter of pretraining is not valid: {first['msg']}. "
            f"Got {first['input']!r}"
        ) from None


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
    p = EncoderParameters(**run.config["parameters"])
    gin = GIN(p.layers, p.width, p.dropout)
    try:
        gin.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in run.load_model().items()})
    except RuntimeError as error:
        raise CorruptRun(
            f"the tensors are not those of this encoder ({error})",
            remedy="pretrain again", where=str(path),
        ) from None  # fmt: skip
    return gin, p


def _config(p: EncoderParameters) -> dict[str, Any]:
    return {"artefact": ARTEFACT, "parameters": p.model_dump()}


class _Training:
    """The state of a pre-training."""

    def __init__(self, p: EncoderParameters, smiles: Sequence[str], run: RunFolder) -> None:
        self.p, self.run, self.smiles = p, run, smiles
        if len(smiles) < 2:
            raise InvalidParameter(f"nothing to learn from: {len(smiles)} molecules")
        torch.manual_seed(p.seed)
        self.network = SelfSupervised(p)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=p.lr)
        self.history: list[dict[str, Any]] = []
        self.seconds = 0.0

    def all(self, time_budget: float | None, quiet: bool) -> dict[str, Any]:
        """Train all epochs."""
        p = self.p
        begin = time.perf_counter()
        self.graphs = molecule_graphs(self.smiles, quiet=quiet)
        self.bits = np.packbits(morgan_fingerprints(self.smiles), axis=1)
        self.described = torch.from_numpy(
            _standardised(molecule_features(self.smiles).descriptors[:, :PLAIN])
        )
        if (kept := self.run.load_checkpoint()) is not None:
            self._resume(*kept)
        self.seconds += time.perf_counter() - begin
        while len(self.history) < p.epochs:
            if time_budget is not None and self.seconds >= time_budget:
                break
            self._epoch(time_budget, quiet)
        tensors = {k: v.numpy() for k, v in self.network.encoder.state_dict().items()}
        self.run.save_model(tensors)
        return {
            "artefact": str(self.run.path),
            "molecules": len(self.smiles),
            "parameters": sum(w.numel() for w in self.network.encoder.parameters()),
            "epochs": len(self.history),
            "losses": {k: v for k, v in self.history[-1].items() if k in _WEIGHTS}
            if self.history
            else {},
            "seconds": self.seconds,
        }

    def _epoch(self, time_budget: float | None, quiet: bool) -> None:
        p, epoch, n = self.p, len(self.history) + 1, len(self.smiles)
        drawn = rng(p.seed, "pretrain", "epoch", epoch)
        torch.manual_seed(int(drawn.integers(1 << 60)))  # of dropout
        order = drawn.permutation(n)
        total, begin = dict.fromkeys(_WEIGHTS, 0.0), time.perf_counter()
        self.network.train()
        with Progress(n, f"pretraining, epoch {epoch}/{p.epochs}", quiet=quiet) as progress:
            for at in range(0, n, p.batch):
                rows = order[at : at + p.batch]
                if len(rows) < 2:  # BatchNorm needs two
                    continue
                done = (epoch - 1 + at / n) / p.epochs
                if time_budget is not None:
                    done = max(done, (self.seconds + time.perf_counter() - begin) / time_budget)
                rate = min(1.0, 0.1 + (epoch - 1 + at / n) * 2) * max(1 - done, 0.02)
                for group in self.optimizer.param_groups:
                    group["lr"] = p.lr * rate
                losses = self._losses(rows, drawn)
                loss = torch.stack([_WEIGHTS[k] * v for k, v in losses.items()]).sum()
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                for name, value in losses.items():
                    total[name] += float(value.detach()) * len(rows) / n
                progress.advance(len(rows), loss=float(loss.detach()))
        if not np.isfinite(sum(total.values())):
            raise TrainingDiverged(
                f"the loss became {total} in epoch {epoch}", remedy="lower lr (--set lr=…)"
            )
        self.seconds += time.perf_counter() - begin
        record = {"epoch": epoch, **total, "seconds": time.perf_counter() - begin}
        self.history.append(record)
        self.run.log(**record)
        self._checkpoint()

    def _losses(self, rows: npt.NDArray[np.int64], drawn: np.random.Generator) -> dict[str, Tensor]:
        batch = MoleculeBatch(self.graphs.take(rows))
        atoms = len(batch.element)
        hidden = torch.from_numpy(np.flatnonzero(drawn.random(atoms) < self.p.masked))
        bits = np.unpackbits(self.bits[rows], axis=1)[:, :BITS].astype(np.float32)
        return self.network.losses(
            batch, hidden, torch.from_numpy(bits), self.described[torch.from_numpy(rows)]
        )

    def _checkpoint(self) -> None:
        tensors = {f"network.{k}": v.numpy() for k, v in self.network.state_dict().items()}
        tensors |= moments(self.optimizer)
        self.run.save_checkpoint({"history": self.history, "seconds": self.seconds}, tensors)

    def _resume(self, state: dict[str, Any], tensors: dict[str, npt.NDArray[Any]]) -> None:
        self.history, self.seconds = state["history"], state["seconds"]
        self.network.load_state_dict(part(tensors, "network."))
        restore_moments(self.optimizer, tensors)


def _standardised(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    x = np.nan_to_num(values, posinf=0, neginf=0)
    scaled = (x - x.mean(0)) / np.maximum(x.std(0), 1e-6)
    return np.asarray(np.clip(scaled, -5, 5), np.float32)
