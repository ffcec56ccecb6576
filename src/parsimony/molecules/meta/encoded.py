"""Base class of few-shot methods on a frozen encoder: the features of molecules.

The profile has a column for each training task, followed by one for each validation task. While a
model is trained and chosen it sees the columns of the training tasks alone; the others are known as
well when a test task or a user's molecules are predicted.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field

from parsimony import base
from parsimony.base import Fitting
from parsimony.base.estimate import Estimate, OnlyEstimated
from parsimony.chem.descriptors import molecule_features
from parsimony.chem.fingerprints import BITS, morgan_fingerprints
from parsimony.chem.graphs import MoleculeGraphs, molecule_graphs
from parsimony.chem.smiles import canonical_forms
from parsimony.errors import CorruptRun, DataError, MissingRun, RunExists
from parsimony.molecules.encoder.gin import GIN
from parsimony.molecules.encoder.pretraining import default_artefact, load_encoder, pretrain
from parsimony.molecules.estimator import FewShotEstimator
from parsimony.molecules.meta.assay_profile import Profile, ProfileValues
from parsimony.molecules.meta.atom_states import embedding_shares
from parsimony.molecules.meta.inputs import PLAIN, MetaFeatures
from parsimony.run.restoring import require_tensors

__all__ = ["EncodedFewShot", "EncodedParameters"]

FloatArray = npt.NDArray[np.float32]
_BOUND = 4.0  # standard deviations, at which features are cut off


class EncodedParameters(base.Parameters):
    """Parameters of the features."""

    encoder: str = Field(
        "auto",
        description="artefact of `parsimony pretrain molecules`; auto: the one in the user's "
        "cache, made where it is missing; random: an untrained encoder",
    )
    layers: int = Field(3, ge=1, le=64, description="layers of the encoder, 1 … 64; published 5")
    width: int = Field(
        128, ge=1, le=4096, description="width of the encoder, 1 … 4,096; published 300"
    )
    profile: bool = Field(True, description="use a molecule's labels in the training tasks")
    seed: int = Field(0, ge=0, description="seed of all randomness, ≥ 0")
    penalty: float = Field(
        300.0, gt=0, description="ridge penalty of predicting training tasks from structure, > 0",
        json_schema_extra=base.tuned(10.0, 3000.0, log=True),
    )  # fmt: skip


EncodedT = TypeVar("EncodedT", bound=EncodedParameters)


class EncodedFewShot(FewShotEstimator[EncodedT, MetaFeatures]):
    """Encoder, descriptors and profile of molecules.

    Attributes
    ----------
    notes_
        Which encoder was made, where there was none.
    """

    notes_: list[str]
    _encoder: GIN
    _profile: Profile
    _statistics: dict[str, FloatArray]

    # ---- learning ----------------------------------------------------------------------------

    def _learn_features(self, fitting: Fitting) -> int:
        """Read or make the encoder, learn the profile; return the number of parameters."""
        self.notes_ = []
        self._encoder = self._find_encoder(fitting).eval().requires_grad_(False)
        smiles = self.task_.data.smiles
        graphs = molecule_graphs(smiles, quiet=fitting.quiet)
        raw = self._encoder.embed(graphs).numpy()
        described = molecule_features(smiles).descriptors[:, :PLAIN]
        bits = morgan_fingerprints(smiles)
        self._statistics = {
            "embedding": _moments(raw), "descriptors": _moments(described),
            "bits": bits.mean(0, dtype=np.float64).astype(np.float32),
        }  # fmt: skip
        x = self._structure(raw, described, bits)
        self._profile = Profile.learn(x, self._labels, self.resolved_.penalty)
        values = self._profile.of_data(self._labels)
        self._features = self._assembled(raw, described, values, graphs)
        encoder = sum(w.numel() for w in self._encoder.parameters())
        return encoder + (self._profile.weights.size if self.resolved_.profile else 0)

    def _find_encoder(self, fitting: Fitting) -> GIN:
        p = self.resolved_
        if p.encoder == "random":
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(p.seed)
                return GIN(p.layers, p.width)
        path = default_artefact(p.layers, p.width) if p.encoder == "auto" else Path(p.encoder)
        try:
            return load_encoder(path)[0]
        except (MissingRun, CorruptRun):
            if p.encoder != "auto":
                raise
        if fitting.only_estimate:
            why = "no pre-trained encoder is here: it is trained first, which takes long"
            raise OnlyEstimated(Estimate(self.method, notes=(why,)))
        sizes, limit, quiet = {"layers": p.layers, "width": p.width}, None, fitting.quiet
        if fitting.time_budget is not None:
            # Half of the budget, for an artefact of its own: the whole one stays to be made.
            limit, path = fitting.time_budget / 2, path.with_name(f"{path.name}-short")
        try:
            made, encoder = _pretrained(path, sizes, time_budget=limit, quiet=quiet)
            what = f"{made['molecules']:,} unlabelled molecules"
        except DataError:
            # The public sets are not at hand: use the user's own molecules, for these data alone.
            path = path.with_name(f"{path.name}-{self.task_.data.content_hash[:16]}")
            made, encoder = _pretrained(
                path, sizes, smiles=self.task_.data.forms, time_budget=limit, quiet=quiet
            )
            what = "these molecules alone, as the public sets are not at hand"
        self.notes_.append(
            f"warning: no pre-trained encoder was there; trained one on {what} in "
            f"{made['seconds']:.0f} s: {made['artefact']}"
        )
        return encoder

    @property
    def _labels(self) -> npt.NDArray[np.int8]:
        """Labels of the training tasks, and behind them those of the validation tasks."""
        columns = np.concatenate([self.task_.train_tasks, self.task_.valid_tasks])
        return self.task_.visible_labels[:, columns]

    def _features_for(self, split: str) -> MetaFeatures:
        """The features of a split; validation tasks read no validation task's labels."""
        features = self._molecules()
        return features.narrow(len(self.task_.train_tasks)) if split == "valid" else features

    # ---- features ----------------------------------------------------------------------------

    def _featurize(self, smiles: Sequence[str]) -> MetaFeatures:
        graphs = molecule_graphs(smiles)
        raw = self._encoder.embed(graphs).numpy()
        described = molecule_features(smiles).descriptors[:, :PLAIN]
        bits = morgan_fingerprints(smiles)
        values = self._profile.of_new(self._structure(raw, described, bits))
        known = self.task_.data.row_of
        found = [
            (i, known[form]) for i, form in enumerate(canonical_forms(smiles)) if form in known
        ]
        if found:
            here, there = np.array(found).T
            data = self._profile.of_data(self._labels)
            for name in ("measured", "predicted", "missing"):
                getattr(values, name)[here] = getattr(data, name)[there]
        return self._assembled(raw, described, values, graphs)

    def _on_atoms(
        self, graphs: MoleculeGraphs, direction: npt.NDArray[np.floating[Any]]
    ) -> list[npt.NDArray[np.float64]]:
        """What each atom adds to a linear function of the embedding."""
        moments = self._statistics["embedding"]
        return embedding_shares(self._encoder, graphs, moments, _BOUND, direction)

    def _structure(
        self, raw: FloatArray, described: FloatArray, bits: npt.NDArray[np.uint8]
    ) -> FloatArray:
        """What the profile is predicted from: embedding, descriptors, fingerprint."""
        s = self._statistics
        parts = [
            0.3 * _standardised(raw, s["embedding"]),
            0.5 * _standardised(described, s["descriptors"]),
            bits.astype(np.float32) - s["bits"],
        ]
        return np.concatenate(parts, 1)

    def _assembled(
        self, raw: FloatArray, described: FloatArray, values: ProfileValues, graphs: MoleculeGraphs
    ) -> MetaFeatures:
        s = self._statistics
        if not self.resolved_.profile:
            zero = np.zeros_like(values.measured)
            values = ProfileValues(zero, zero, zero)
        return MetaFeatures(
            torch.from_numpy(_standardised(raw, s["embedding"])),
            torch.from_numpy(_standardised(described, s["descriptors"])),
            torch.from_numpy(values.measured),
            torch.from_numpy(values.predicted),
            torch.from_numpy(values.missing),
            graphs,
        )

    # ---- persistence -------------------------------------------------------------------------

    def _feature_tensors(self) -> dict[str, npt.NDArray[Any]]:
        encoder = {f"encoder.{k}": v.numpy() for k, v in self._encoder.state_dict().items()}
        profile = {f"profile.{k}": v for k, v in self._profile.tensors().items()}
        return encoder | profile | {f"statistics.{k}": v for k, v in self._statistics.items()}

    def _rebuild_features(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        p = self.resolved_
        self.notes_ = []
        self._encoder = GIN(p.layers, p.width)
        state = {k: torch.from_numpy(v) for k, v in _part(tensors, "encoder.").items()}
        self._encoder.load_state_dict(state)
        self._encoder.eval().requires_grad_(False)
        self._statistics = _part(tensors, "statistics.")
        shapes = {"embedding": (2, p.width), "descriptors": (2, PLAIN), "bits": (BITS,)}
        require_tensors(self._statistics, shapes)
        profile, (n, t) = _part(tensors, "profile."), self._labels.shape
        per_task = dict.fromkeys(("mean", "scale", "missing", "spread"), (t,))
        require_tensors(
            profile, {**per_task, "weights": (p.width + PLAIN + BITS, t), "own": (n, t)}
        )
        self._profile = Profile(**{k: v.astype(np.float32) for k, v in profile.items()})


def _pretrained(path: Path, sizes: dict[str, Any], **how: Any) -> tuple[dict[str, Any], GIN]:
    """Make an encoder in the cache, in place of a damaged one; or, where it cannot, elsewhere.

    Elsewhere is a folder that does not stay: the cache is read-only, or another process trains the
    same encoder there at this moment.
    """
    for _ in range(2):
        try:
            made = pretrain(path, sizes, **how)
            return made, load_encoder(path)[0]
        except (CorruptRun, MissingRun):
            shutil.rmtree(path, ignore_errors=True)
        except (OSError, RunExists):
            break
    with tempfile.TemporaryDirectory(prefix="parsimony-") as folder:
        made = pretrain(Path(folder) / path.name, sizes, **how)
        made["artefact"] = f"kept in the run alone, as {path} could not be written"
        return made, load_encoder(Path(folder) / path.name)[0]


def _part(tensors: dict[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {k.removeprefix(prefix): v.copy() for k, v in tensors.items() if k.startswith(prefix)}


def _moments(x: FloatArray) -> FloatArray:
    """Mean and standard deviation, (2, d)."""
    return np.stack([x.mean(0), np.maximum(x.std(0), 1e-4)]).astype(np.float32)


def _standardised(x: FloatArray, moments: FloatArray) -> FloatArray:
    return np.asarray(np.clip((x - moments[0]) / moments[1], -_BOUND, _BOUND), np.float32)
