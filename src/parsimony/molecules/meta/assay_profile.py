"""Assay profiles: a molecule's measured and predicted labels in the training tasks, as descriptors.

Few-shot sets measure the same molecules in many assays, so a molecule's labels in the training
tasks are known when it is a query of a new task. They are used as descriptors (profile-QSAR;
E. Martin et al., J. Chem. Inf. Model. 51, 2011), beside predictions from structure: ridge
regression of all training tasks at once on embedding, fingerprint and descriptors
(docs/methods/encoder.md, eqs. 5 and 6),

    W = (XᵀX + λ I)⁻¹ XᵀP,    ŝ_i = x_i W

with a molecule's own labels left out in closed form: (ŝ_i − h_ii p_i) / (1 − h_ii), where h is the
diagonal of X (XᵀX + λ I)⁻¹ Xᵀ. For a molecule that no training task measured, ŝ replaces the
measured profile too, as the posterior mean of the standardised labels.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

__all__ = ["Profile", "ProfileValues"]

FloatArray = npt.NDArray[np.float32]
_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class ProfileValues:
    """Profiles of n molecules in T training tasks, each (n, T).

    Attributes
    ----------
    measured
        Standardised labels, 0 where not measured.
    predicted
        Standardised predictions from structure.
    missing
        1 where not measured; for new molecules the task's fraction of unmeasured ones.
    """

    measured: FloatArray
    predicted: FloatArray
    missing: FloatArray


@dataclass(frozen=True, eq=False)
class Profile:
    """A learned profile; see the module.

    Attributes
    ----------
    mean, scale : (T,)
        Fraction of active molecules and its standard deviation.
    missing : (T,)
        Fraction of molecules that were not measured.
    weights : (D, T)
        W.
    spread : (T,)
        Standard deviation of the predictions.
    own : (n, T)
        Predictions of the training molecules with their own labels left out.
    """

    mean: FloatArray
    scale: FloatArray
    missing: FloatArray
    weights: FloatArray
    spread: FloatArray
    own: FloatArray

    @classmethod
    def learn(cls, x: FloatArray, labels: npt.NDArray[np.int8], penalty: float) -> Self:
        """Learn from structure features (n, D) and training labels (n, T), −1 where unmeasured."""
        seen = np.asarray((labels >= 0).any(1))
        known = labels[seen] >= 0
        count = np.maximum(known.sum(0), 1)
        mean = np.asarray((labels == 1).sum(0) / count, np.float32)
        scale = np.sqrt(np.maximum(mean * (1 - mean), 1e-4)).astype(np.float32)
        p = _standardised(labels, mean, scale)
        gram = penalty * np.eye(x.shape[1])
        moment = np.zeros((x.shape[1], labels.shape[1]))
        for at in range(0, len(x), _BLOCK):
            rows = at + np.flatnonzero(seen[at : at + _BLOCK])
            gram += x[rows].T @ x[rows]
            moment += x[rows].T @ p[rows]
        inverse = np.linalg.inv(gram)
        weights = np.asarray(inverse @ moment, np.float32)
        narrow = inverse.astype(np.float32)
        own = np.empty_like(p)
        for at in range(0, len(x), _BLOCK):
            part = x[at : at + _BLOCK]
            leverage = ((part @ narrow) * part).sum(1, keepdims=True)
            leverage = np.minimum(leverage, 0.99) * seen[at : at + _BLOCK, None]
            own[at : at + _BLOCK] = (part @ weights - leverage * p[at : at + _BLOCK]) / (
                1 - leverage
            )
        spread = np.maximum(own.std(0), 1e-3).astype(np.float32)
        return cls(mean, scale, (~known).mean(0).astype(np.float32), weights, spread, own)

    def of_data(self, labels: npt.NDArray[np.int8]) -> ProfileValues:
        """Return the profiles of the molecules that it was learned from."""
        measured = _standardised(labels, self.mean, self.scale)
        missing = (labels < 0).astype(np.float32)
        new = missing.all(1)
        measured[new], missing[new] = self.own[new], self.missing
        return ProfileValues(measured, self.own / self.spread, missing)

    def of_new(self, x: FloatArray) -> ProfileValues:
        """Return the profiles of molecules without measurements: predictions alone."""
        predicted = np.asarray(x @ self.weights, np.float32)
        missing = np.broadcast_to(self.missing, predicted.shape)
        return ProfileValues(predicted, predicted / self.spread, np.ascontiguousarray(missing))

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Named arrays."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _standardised(labels: npt.NDArray[np.int8], mean: FloatArray, scale: FloatArray) -> FloatArray:
    return np.where(labels >= 0, (labels - mean) / scale, 0).astype(np.float32)
