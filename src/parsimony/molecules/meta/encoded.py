"""Few-shot methods on a frozen encoder: how molecules are represented for them.

The profile has a column for each training task and, behind those, one for each validation task.
While a model learns and is chosen it sees the columns of the training tasks alone; the others are
what is known besides when a test task or a user's molecules are asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field

from parsimony import base
from parsimony.chem.descriptors import molecule_features
from parsimony.chem.fingerprints import BITS, morgan_fingerprints
from parsimony.chem.graphs import MoleculeGraphs, molecule_graphs
from parsimony.errors import DataError, MissingRun
from parsimony.molecules.encoder.gin import GIN
from parsimony.molecules.encoder.pretraining import default_artefact, load_encoder, pretrain
from parsimony.molecules.estimator import FewShotEstimator
from parsimony.molecules.evaluation import EpisodeScores, measure_episodes
from parsimony.molecules.meta.assay_profile import Profile, ProfileValues
from parsimony.molecules.meta.inputs import PLAIN, Represented

__all__ = ["EncodedFewShot", "EncodedParameters"]

FloatArray = npt.NDArray[np.float32]


class EncodedParameters(base.Parameters):
    """Parameters of the representation."""

    encoder: str = Field(
        "auto",
        description="artefact of `parsimony pretrain molecules`; auto: the one in the user's "
        "cache, made where it is missing; random: an untrained encoder",
    )
    layers: int = Field(3, ge=1, description="layers of the encoder, ≥ 1; published 5")
    width: int = Field(128, ge=1, description="width of the encoder, ≥ 1; published 300")
    profile: bool = Field(True, description="read a molecule's labels in the training tasks")
    penalty: float = Field(
        300.0, gt=0, description="ridge penalty of predicting training tasks from structure, > 0"
    )


class EncodedFewShot(FewShotEstimator):
    """Encoder, descriptors and profile of molecules."""

    _encoder: GIN
    _profile: Profile
    _statistics: dict[str, FloatArray]

    # ---- learning ----------------------------------------------------------------------------

    def _learn_representation(self, quiet: bool) -> int:
        """Read or make the encoder, learn the profile; return the number of parameters."""
        self.notes_: list[str] = []
        self._encoder = self._find_encoder(quiet).eval().requires_grad_(False)
        smiles = self.task_.data.smiles
        graphs = molecule_graphs(smiles, quiet=quiet)
        raw = self._encoder.embed(graphs).numpy()
        described = molecule_features(smiles).descriptors[:, :PLAIN]
        bits = morgan_fingerprints(smiles)
        self._statistics = {
            "embedding": _moments(raw), "descriptors": _moments(described),
            "bits": bits.mean(0, dtype=np.float64).astype(np.float32),
        }  # fmt: skip
        x = self._features(raw, described, bits)
        self._profile = Profile.learn(x, self._labels, self.resolved_.penalty)
        values = self._profile.of_data(self._labels)
        self._represented = self._assembled(raw, described, values, graphs)
        encoder = sum(w.numel() for w in self._encoder.parameters())
        return encoder + (self._profile.weights.size if self.resolved_.profile else 0)

    def _find_encoder(self, quiet: bool) -> GIN:
        p = self.resolved_
        if p.encoder == "random":
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(p.seed)
                return GIN(p.layers, p.width)
        path = default_artefact(p.layers, p.width) if p.encoder == "auto" else Path(p.encoder)
        try:
            return load_encoder(path)[0]
        except MissingRun:
            if p.encoder != "auto":
                raise
        sizes = {"layers": p.layers, "width": p.width}
        try:
            made = pretrain(path, sizes, quiet=quiet)
            what = f"{made['molecules']:,} unlabelled molecules"
        except DataError:
            # Without the public sets, the user's own molecules have to do; not for the cache.
            path = path.with_name(f"{path.name}-{self.task_.data.content_hash[:16]}")
            made = pretrain(path, sizes, smiles=self.task_.data.smiles, quiet=quiet)
            what = "these molecules alone, as the public sets are not at hand"
        self.notes_.append(
            f"warning: no pre-trained encoder was there; trained one on {what} in "
            f"{made['seconds']:.0f} s: {path}"
        )
        return load_encoder(path)[0]

    @property
    def _labels(self) -> npt.NDArray[np.int8]:
        """Labels of the training tasks, and behind them those of the validation tasks."""
        columns = np.concatenate([self.task_.train_tasks, self.task_.valid_tasks])
        return self.task_.taught[:, columns]

    def scored(
        self, split: str, shots: int, *, episodes: int | None = None, seed: int = 0,
        quiet: bool = True,
    ) -> EpisodeScores:  # fmt: skip
        """Score the episodes of a split; a validation task sees no validation task's labels."""
        if split != "valid":
            return super().scored(split, shots, episodes=episodes, seed=seed, quiet=quiet)
        self._require_fitted()
        represented = self._molecules().narrow(len(self.task_.train_tasks))
        return measure_episodes(
            self.task_, split, shots,
            lambda support, labels: self._adapt(represented, support, labels),
            episodes=episodes, seed=seed, quiet=quiet,
        )  # fmt: skip

    # ---- representing ------------------------------------------------------------------------

    def _represent(self, smiles: Sequence[str]) -> Represented:
        graphs = molecule_graphs(smiles)
        raw = self._encoder.embed(graphs).numpy()
        described = molecule_features(smiles).descriptors[:, :PLAIN]
        bits = morgan_fingerprints(smiles)
        values = self._profile.of_new(self._features(raw, described, bits))
        known = {text: row for row, text in enumerate(self.task_.data.smiles)}
        found = [(i, known[text]) for i, text in enumerate(smiles) if text in known]
        if found:
            here, there = np.array(found).T
            data = self._profile.of_data(self._labels)
            for name in ("measured", "predicted", "missing"):
                getattr(values, name)[here] = getattr(data, name)[there]
        return self._assembled(raw, described, values, graphs)

    def _features(
        self, raw: FloatArray, described: FloatArray, bits: npt.NDArray[np.uint8]
    ) -> FloatArray:
        """Structure for the profile: embedding, descriptors, fingerprint."""
        s = self._statistics
        parts = [
            0.3 * _standardised(raw, s["embedding"]),
            0.5 * _standardised(described, s["descriptors"]),
            bits.astype(np.float32) - s["bits"],
        ]
        return np.concatenate(parts, 1)

    def _assembled(
        self, raw: FloatArray, described: FloatArray, values: ProfileValues, graphs: MoleculeGraphs
    ) -> Represented:
        s = self._statistics
        if not self.resolved_.profile:
            zero = np.zeros_like(values.measured)
            values = ProfileValues(zero, zero, zero)
        return Represented(
            torch.from_numpy(_standardised(raw, s["embedding"])),
            torch.from_numpy(_standardised(described, s["descriptors"])),
            torch.from_numpy(values.measured),
            torch.from_numpy(values.predicted),
            torch.from_numpy(values.missing),
            graphs,
        )

    # ---- persistence -------------------------------------------------------------------------

    def _representation_tensors(self) -> dict[str, npt.NDArray[Any]]:
        encoder = {f"encoder.{k}": v.numpy() for k, v in self._encoder.state_dict().items()}
        profile = {f"profile.{k}": v for k, v in self._profile.tensors().items()}
        return encoder | profile | {f"statistics.{k}": v for k, v in self._statistics.items()}

    def _restore_representation(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        p = self.resolved_
        self.notes_ = []
        self._encoder = GIN(p.layers, p.width)
        state = {k: torch.from_numpy(v) for k, v in _part(tensors, "encoder.").items()}
        self._encoder.load_state_dict(state)
        self._encoder.eval().requires_grad_(False)
        self._profile = Profile(**_part(tensors, "profile."))
        self._statistics = _part(tensors, "statistics.")
        if self._statistics["bits"].shape != (BITS,):
            raise ValueError(f"fingerprints of {self._statistics['bits'].shape} bits")


def _part(tensors: dict[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {k.removeprefix(prefix): v.copy() for k, v in tensors.items() if k.startswith(prefix)}


def _moments(x: FloatArray) -> FloatArray:
    """Mean and standard deviation, (2, d)."""
    return np.stack([x.mean(0), np.maximum(x.std(0), 1e-4)]).astype(np.float32)


def _standardised(x: FloatArray, moments: FloatArray) -> FloatArray:
    return np.asarray(np.clip((x - moments[0]) / moments[1], -4, 4), np.float32)
