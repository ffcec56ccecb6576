"""TransE and RotatE: baselines that score by distance, trained like the others."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from parsimony import base
from parsimony.link.embeddings.distance import RotatEScoring, TransEScoring
from parsimony.link.embeddings.estimator import EmbeddingEstimator, EmbeddingParameters
from parsimony.link.embeddings.scoring import Scoring
from parsimony.run.seeds import rng


class RotatEParameters(EmbeddingParameters):
    """Parameters of RotatE."""

    dim: int = Field(
        128, ge=2, le=4096, multiple_of=2,
        description="real numbers of an entity (d), even: d / 2 complex ones",
    )  # fmt: skip


class GeometricEstimator(EmbeddingEstimator):
    """Scores are negative distances: there is no symbol to write."""

    PARTS_NOTE: ClassVar[str] = "The score is how far the head, moved by the relation, misses."

    def knowledge(self, top: int | None = None, *, quiet: bool = True) -> list[Any]:
        """Return nothing: the scoring function is fixed."""
        self._require_fitted()
        return []

    def parts(self, head: int, relation: int, tail: int) -> dict[str, float]:
        """Return the distance, the only part."""
        row = self._score(np.array([head], np.int32), np.array([relation], np.int32))[0]
        return {"− distance from the moved head to the tail": float(row[tail])}


class TransE(GeometricEstimator):
    """Bordes et al., NIPS 2013: −‖h + r − t‖₂."""

    method: ClassVar[str] = "transe"
    Parameters: ClassVar[type[base.Parameters]] = EmbeddingParameters

    def _scoring(self) -> Scoring:
        return TransEScoring()


class RotatE(GeometricEstimator):
    """Sun et al., ICLR 2019: −‖h ∘ exp(i θ_r) − t‖₂."""

    method: ClassVar[str] = "rotate"
    Parameters: ClassVar[type[base.Parameters]] = RotatEParameters

    def _scoring(self) -> Scoring:
        return RotatEScoring()

    def _first_vectors(self) -> dict[str, npt.NDArray[np.float32]]:
        """Angles begin anywhere on the circle."""
        first = super()._first_vectors()
        shape = self.shapes_["relation"]
        angle = rng(self.resolved_.seed, "angles").uniform(-np.pi, np.pi, shape)
        return first | {"relation": angle.astype(np.float32)}
