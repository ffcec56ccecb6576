"""Baselines that learn from the support alone, on Morgan fingerprints.

``tanimoto``: the most similar supports. ``fingerprint-ridge``: kernel ridge regression in closed
form. ``fingerprint-lr`` and ``fingerprint-rf``: scikit-learn's logistic regression and random
forest. None is trained on other tasks; only their few settings are chosen on validation tasks.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from itertools import product
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from parsimony import base
from parsimony.base import Fitting, constructor
from parsimony.chem.fingerprints import morgan_fingerprints, tanimoto, tanimoto_shares
from parsimony.errors import MissingExtra
from parsimony.molecules.adapted import Adapted, FloatArray, IntArray, LabelArray
from parsimony.molecules.estimator import FewShotEstimator
from parsimony.run.restoring import require_tensors

__all__ = ["FingerprintForest", "FingerprintLogistic", "FingerprintRidge", "Tanimoto"]

Bits = npt.NDArray[np.uint8]
N_BITS = 2048
CHOOSING = 3  # episodes of each validation task that a setting is chosen by


class FingerprintParameters(base.Parameters):
    """Parameters of every method on fingerprints."""

    seed: int = Field(0, ge=0, description="seed of the supports and of the model, ≥ 0")


FingerprintT = TypeVar("FingerprintT", bound=FingerprintParameters)


class FingerprintMethod(FewShotEstimator[FingerprintT, Bits]):
    """A head fitted to the fingerprints of the support."""

    #: parameter → the values tried where it is left out
    choices: ClassVar[dict[str, tuple[Any, ...]]] = {}

    def _featurize(self, smiles: Sequence[str]) -> Bits:
        return morgan_fingerprints(smiles, n_bits=N_BITS)

    def _fit(self, fitting: Fitting) -> None:
        """Choose on validation tasks what was left out, as long as the time budget lasts."""
        begin, given = time.perf_counter(), self.resolved_
        open_ = {k: v for k, v in self.choices.items() if getattr(given, k) is None}
        tried = [dict(zip(open_, values, strict=True)) for values in product(*open_.values())]
        best, best_score = tried[0], -1.0
        for choice in tried if len(tried) > 1 and self.task_.has("valid") else ():
            self.resolved_ = given.model_copy(update=choice)
            score = self._validate_roc_auc(episodes=CHOOSING, seed=given.seed)
            if fitting.run is not None:
                fitting.run.log(**choice, valid_roc_auc=score)
            if score > best_score:
                best, best_score = choice, score
            limit = np.inf if fitting.time_budget is None else fitting.time_budget
            if time.perf_counter() - begin > limit and choice is not tried[-1]:
                self.ended_ = "time budget"
                break
        self.resolved_ = given.model_copy(update=best)

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        # A safetensors file holds at least one array.
        return {"n_bits": np.array([N_BITS], np.int64)}

    def _rebuild(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        require_tensors(tensors, {"n_bits": (1,)}, "i")
        if int(tensors["n_bits"][0]) != N_BITS:
            raise ValueError(f"fingerprints of {int(tensors['n_bits'][0])} bits")


class TanimotoParameters(FingerprintParameters):
    """Parameters of the most similar supports."""

    power: float | None = Field(
        None, gt=0, description="exponent of the similarity, > 0; chosen where left out"
    )


class Tanimoto(FingerprintMethod[TanimotoParameters]):
    """Mean Tanimoto^p to the active supports minus that to the inactive ones.

    docs/methods/few_shot.md, eq. 7.
    """

    method: ClassVar[str] = "tanimoto"
    paper = "D. Rogers and M. Hahn, J. Chem. Inf. Model. 50, 2010"
    Parameters: ClassVar[type[base.Parameters]] = TanimotoParameters
    __init__ = constructor(TanimotoParameters)
    choices: ClassVar[dict[str, tuple[Any, ...]]] = {"power": (1.0, 2.0, 4.0, 8.0)}
    weighing = "Tanimoto similarity"

    def _adapt(self, features: Bits, support: IntArray, labels: LabelArray) -> Adapted:
        sign = np.where(labels == 1, 1 / (labels == 1).sum(), -1 / (labels == 0).sum())
        return _Kernel(features, support, sign, 0.0, self.resolved_.power or 1.0)


class FingerprintRidgeParameters(FingerprintParameters):
    """Parameters of kernel ridge regression."""

    kernel: Literal["tanimoto", "linear"] | None = Field(
        None, description="tanimoto or linear, of fingerprints; chosen where left out"
    )
    ridge: float | None = Field(
        None, ge=1e-6, description="penalty λ beside a unit diagonal, ≥ 1e-6; chosen where left out"
    )


class FingerprintRidge(FingerprintMethod[FingerprintRidgeParameters]):
    """Kernel ridge regression of ±1 on fingerprints: α = (K + λ I)⁻¹ (y − ȳ).

    With the Tanimoto kernel it is the posterior mean of a Gaussian process over molecules
    (docs/methods/few_shot.md, eq. 8).
    """

    method: ClassVar[str] = "fingerprint-ridge"
    paper = "L. Ralaivola et al., Neural Networks 18, 2005"
    Parameters: ClassVar[type[base.Parameters]] = FingerprintRidgeParameters
    __init__ = constructor(FingerprintRidgeParameters)
    choices: ClassVar[dict[str, tuple[Any, ...]]] = {
        "kernel": ("tanimoto", "linear"), "ridge": (0.01, 0.1, 1.0, 10.0),
    }  # fmt: skip

    def _adapt(self, features: Bits, support: IntArray, labels: LabelArray) -> Adapted:
        p = self.resolved_
        bits = features[support]
        linear = p.kernel == "linear"
        gram = (_scaled(bits) @ _scaled(bits).T if linear else tanimoto(bits, bits)).astype(float)
        target = np.where(labels == 1, 1.0, -1.0)
        ridge = (p.ridge or 0.0) * np.eye(len(gram))
        alpha = np.linalg.solve(gram + ridge, target - target.mean())
        return _Kernel(features, support, alpha, float(target.mean()), linear=linear)


class _Kernel(Adapted):
    """s(x) = Σ_i α_i k(x, x_i) + c."""

    beside = "the constant"

    def __init__(
        self, bits: Bits, support: IntArray, alpha: FloatArray, offset: float, power: float = 1.0,
        *, linear: bool = False,
    ) -> None:  # fmt: skip
        self.bits, self.own, self.alpha = bits, bits[support], alpha
        self.offset, self.power, self.linear = offset, power, linear
        self.parameters = len(alpha)

    def _similar(self, molecules: IntArray) -> FloatArray:
        bits = self.bits[molecules]
        if self.linear:
            found: FloatArray = _scaled(bits) @ _scaled(self.own).T
            return found
        return tanimoto(bits, self.own) ** self.power

    def score(self, molecules: IntArray) -> FloatArray:
        score: FloatArray = self._similar(molecules) @ self.alpha + self.offset
        return score

    def weights(self, molecules: IntArray) -> FloatArray:
        """Absolute contribution of each support to the score, (n, n_support)."""
        return np.abs(self._similar(molecules) * self.alpha)

    def bit_shares(self, molecules: IntArray) -> FloatArray:
        """What each bit adds: Σ_i α_i of the part of k(x, x_i) that it makes; the rest is c."""
        if self.linear:
            x, own = (_scaled(bits).astype(float) for bits in (self.bits[molecules], self.own))
            shares: FloatArray = x * (self.alpha @ own)
            return shares
        bits = self.bits[molecules]
        return tanimoto_shares(bits, self.own, self.alpha, self.power)


def _scaled(bits: Bits) -> npt.NDArray[np.float32]:
    """Bits divided by their norm, so that the linear kernel has a unit diagonal."""
    x = bits.astype(np.float32)
    norm = np.sqrt(x.sum(1, keepdims=True))
    scaled: npt.NDArray[np.float32] = x / np.maximum(norm, 1)
    return scaled


# ---- scikit-learn ----------------------------------------------------------------------------


class _Classifier(Adapted):
    """A fitted classifier of scikit-learn."""

    def __init__(self, bits: Bits, model: Any, parameters: int) -> None:
        self.bits, self.model, self.parameters = bits, model, parameters

    def score(self, molecules: IntArray) -> FloatArray:
        """Log-odds of the class probabilities, clipped to [0.001, 0.999]."""
        p = np.clip(self.model.predict_proba(self.bits[molecules])[:, 1], 1e-3, 1 - 1e-3)
        score: FloatArray = np.log(p / (1 - p))
        return score


class _Linear(_Classifier):
    """Logistic regression: its log-odds are a sum over bits."""

    beside = "the constant, and what the bounds of the score cut off"

    def bit_shares(self, molecules: IntArray) -> FloatArray:
        """What each bit that is set adds: its coefficient."""
        shares: FloatArray = self.bits[molecules] * self.model.coef_[0].astype(float)
        return shares


class ClassifierMethod(FingerprintMethod[FingerprintT]):
    """A classifier of scikit-learn on the support."""

    fitted: ClassVar[type[_Classifier]] = _Classifier

    @abstractmethod
    def _classifier(self) -> Any:
        """Make the classifier."""

    @abstractmethod
    def _count(self, model: Any) -> int:
        """Numbers that were fitted to the support."""

    def _adapt(self, features: Bits, support: IntArray, labels: LabelArray) -> Adapted:
        try:
            model = self._classifier()
        except ImportError:
            raise MissingExtra(
                f"method {self.method} needs scikit-learn",
                remedy="pip install 'parsimony-learning[calib]'",
            ) from None
        model.fit(features[support], labels)
        return self.fitted(features, model, self._count(model))


class LogisticParameters(FingerprintParameters):
    """Parameters of logistic regression."""

    strength: float | None = Field(
        None, gt=0, description="inverse of the L2 penalty, C > 0; chosen where left out"
    )


class FingerprintLogistic(ClassifierMethod[LogisticParameters]):
    """Logistic regression on fingerprints."""

    method: ClassVar[str] = "fingerprint-lr"
    paper = "scikit-learn"
    Parameters: ClassVar[type[base.Parameters]] = LogisticParameters
    __init__ = constructor(LogisticParameters)
    fitted = _Linear
    choices: ClassVar[dict[str, tuple[Any, ...]]] = {"strength": (0.001, 0.01, 0.1, 1.0, 10.0)}

    def _classifier(self) -> Any:
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=self.resolved_.strength, max_iter=500)

    def _count(self, model: Any) -> int:
        return int(model.coef_.size) + 1


class ForestParameters(FingerprintParameters):
    """Parameters of a random forest."""

    trees: int = Field(200, ge=1, le=10_000, description="trees, 1 … 10,000")


class FingerprintForest(ClassifierMethod[ForestParameters]):
    """Random forest on fingerprints."""

    method: ClassVar[str] = "fingerprint-rf"
    paper = "L. Breiman, Machine Learning 45, 2001"
    Parameters: ClassVar[type[base.Parameters]] = ForestParameters
    __init__ = constructor(ForestParameters)

    def _classifier(self) -> Any:
        from sklearn.ensemble import RandomForestClassifier

        p = self.resolved_
        return RandomForestClassifier(p.trees, random_state=p.seed, n_jobs=1)

    def _count(self, model: Any) -> int:
        """Thresholds and leaves of all trees."""
        return int(sum(tree.tree_.node_count for tree in model.estimators_))
