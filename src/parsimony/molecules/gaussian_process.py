"""The Gaussian process of one support: kernel, coefficients and scores of method "multitask".

Its mean and kernel stand at the head of :mod:`parsimony.molecules.multitask`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.chem.fingerprints import tanimoto
from parsimony.molecules.estimator import Adapted, FloatArray, IntArray

__all__ = ["Process", "Represented"]


@dataclass(frozen=True, eq=False)
class Represented:
    """What the head needs of molecules: (n, …) arrays."""

    mean: npt.NDArray[np.float32]
    logits: npt.NDArray[np.float32]
    units: npt.NDArray[np.float32]
    bits: npt.NDArray[np.uint8]
    descriptors: npt.NDArray[np.float32]


class Process(Adapted):
    """The posterior mean of the Gaussian process of one support.

    Parameters
    ----------
    represented
        All molecules.
    support
        Rows of the labelled ones.
    weights
        The parts of the kernel.
    """

    def __init__(self, represented: Represented, support: IntArray, weights: Any) -> None:
        self.of, self.support, self.weights_of = represented, support, weights
        self.parameters = len(support)
        self.gram = self.kernel(support).astype(np.float64)

    def learn(self, labels: npt.NDArray[np.int8], mean: float, noise: float) -> Process:
        """Solve for the coefficients of the support."""
        wrong = np.where(labels == 1, 1.0, -1.0) - mean * self.of.mean[self.support]
        ridge = noise * np.eye(len(labels))
        self.mean, self.alpha = mean, np.linalg.solve(self.gram + ridge, wrong - wrong.mean())
        return self

    def kernel(self, molecules: IntArray) -> npt.NDArray[np.float32]:
        """k(x, S), (n, n_support)."""
        of, own, p = self.of, self.support, self.weights_of
        found = np.zeros((len(molecules), len(own)), np.float32)
        for weight, rows in (
            (p.logits, of.logits), (p.units, of.units), (p.descriptors, of.descriptors),
        ):  # fmt: skip
            if weight:
                found += weight * (rows[molecules] @ rows[own].T)
        if p.fingerprints:
            found += p.fingerprints * tanimoto(of.bits[molecules], of.bits[own])
        return found

    def score(self, molecules: IntArray) -> FloatArray:
        """Mean plus correction, (n,)."""
        score: FloatArray = self.mean * self.of.mean[molecules]
        return score + self.kernel(molecules) @ self.alpha

    def weights(self, molecules: IntArray) -> FloatArray:
        """What each support adds to the prior, without its sign."""
        return np.abs(self.kernel(molecules) * self.alpha)
