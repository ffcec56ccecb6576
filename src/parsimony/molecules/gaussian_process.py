"""The Gaussian process of one support: kernel, coefficients and scores of method "multitask".

Its mean and kernel stand at the head of :mod:`parsimony.molecules.multitask`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from parsimony.chem.fingerprints import tanimoto, tanimoto_shares
from parsimony.molecules.adapted import Adapted, FloatArray, IntArray, LabelArray

__all__ = ["KernelFeatures", "KernelWeights", "Process"]


@dataclass(frozen=True, eq=False)
class KernelFeatures:
    """What mean and kernel read of molecules: (n, …) arrays."""

    mean: npt.NDArray[np.float32]
    logits: npt.NDArray[np.float32]
    units: npt.NDArray[np.float32]
    bits: npt.NDArray[np.uint8]
    descriptors: npt.NDArray[np.float32]


class KernelWeights(Protocol):
    """The weights a, b, c, d of the parts of the kernel."""

    @property
    def logits(self) -> float:
        """a: products of the standardised logits."""

    @property
    def units(self) -> float:
        """b: cosines of the hidden units."""

    @property
    def fingerprints(self) -> float:
        """c: Tanimoto similarities of the fingerprints."""

    @property
    def descriptors(self) -> float:
        """d: products of the descriptors."""


class Process(Adapted):
    """The posterior mean of the Gaussian process of one support.

    Parameters
    ----------
    features
        Of all molecules.
    support
        Rows of the labelled ones.
    weights
        Of the parts of the kernel.
    """

    beside = "the network's logits and hidden units, and the descriptors"

    def __init__(self, features: KernelFeatures, support: IntArray, weights: KernelWeights) -> None:
        self.of, self.support, self.weights_of = features, support, weights
        self.parameters = len(support)
        self.gram = self.kernel(support).astype(np.float64)

    def learn(self, labels: LabelArray, mean: float, noise: float) -> Process:
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
        """Absolute contribution of each support to the correction of the mean, (n, n_support)."""
        return np.abs(self.kernel(molecules) * self.alpha)

    def bit_shares(self, molecules: IntArray) -> FloatArray | None:
        """What each bit adds through the Tanimoto part of the kernel; the rest is on no atom."""
        if not self.weights_of.fingerprints:
            return None
        of = self.of.bits
        alpha = self.weights_of.fingerprints * self.alpha
        return tanimoto_shares(of[molecules], of[self.support], alpha)
