"""TransE and RotatE: baselines that score by distance, trained like the others."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from parsimony.base import Parameters, constructor, tuned_among
from parsimony.link.embeddings.distance import RotatEScoring, TransEScoring
from parsimony.link.embeddings.estimator import EmbeddingEstimator, EmbeddingParameters, P
from parsimony.link.embeddings.scoring import Scoring
from parsimony.run.seeds import rng


class RotatEParameters(EmbeddingParameters):
    """Parameters of RotatE."""

    dim: int = Field(
        128, ge=2, le=4096, multiple_of=2,
        description="real numbers per entity (d), even: d / 2 complex ones",
        json_schema_extra=tuned_among(32, 64, 128, 256),
    )  # fmt: skip


class GeometricEstimator(EmbeddingEstimator[P]):
    """Scores are negative distances: there is no symbol to write."""

    PARTS_NOTE: ClassVar[str] = "The score is how far the head, moved by the relation, misses."

    def parts(self, head: int, relation: int, tail: int) -> dict[str, float]:
        """Return the negative distance, the only part."""
        row = self._score(np.array([head], np.int32), np.array([relation], np.int32))[0]
        return {"− distance from the moved head to the tail": float(row[tail])}


class TransE(GeometricEstimator[EmbeddingParameters]):
    """−‖h + r − t‖₂: a relation is a translation."""

    method: ClassVar[str] = "transe"
    paper: ClassVar[str] = "Bordes et al., NIPS 2013"
    Parameters: ClassVar[type[Parameters]] = EmbeddingParameters
    __init__ = constructor(EmbeddingParameters)

    def _scoring(self) -> Scoring:
        return TransEScoring()


class RotatE(GeometricEstimator[RotatEParameters]):
    """−‖h ∘ exp(i θ_r) − t‖₂: a relation is a rotation of complex numbers."""

    method: ClassVar[str] = "rotate"
    paper: ClassVar[str] = "Sun et al., ICLR 2019"
    Parameters: ClassVar[type[Parameters]] = RotatEParameters
    __init__ = constructor(RotatEParameters)

    def _scoring(self) -> Scoring:
        return RotatEScoring()

    def first_vectors(
        self, low: int = 0, high: int | None = None
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Angles are uniform on the circle."""
        first = super().first_vectors(low, high)
        shape = self.shapes_["relation"]
        angle = rng(self.resolved_.seed, "angles").uniform(-np.pi, np.pi, shape)
        return first | {"relation": angle.astype(np.float32)}
