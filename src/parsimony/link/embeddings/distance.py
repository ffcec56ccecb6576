"""Scores by distance: a query is a point, the score of an entity its negative distance to it.

Both models are distances ‖q − e‖₂ between a moved point and an entity, so that one product gives
all of them: ‖q − e‖² = ‖q‖² + ‖e‖² − 2⟨q, e⟩. TransE's paper leaves the choice of norm open;
RotatE's sums the moduli of the complex numbers, PyKEEN's takes the 2-norm as we do.
"""

from __future__ import annotations

import torch
from torch import Tensor

from parsimony.link.embeddings.scoring import Scoring

_LEAST = 1e-9  # of a squared distance: the root has no gradient at 0


class DistanceScoring(Scoring):
    """−‖q − e‖₂."""

    def pairwise(self, query: Tensor, entity: Tensor) -> Tensor:
        """Row by row, the negative distance."""
        return (query - entity).square_().sum(1).sqrt_().neg_()

    def compare(self, candidates: Tensor, query: Tensor, out: Tensor) -> Tensor:
        """One product, then the root in place."""
        torch.mm(candidates, query.T, out=out).mul_(-2)
        out.add_(candidates.square().sum(1)[:, None]).add_(query.square().sum(1))
        out.clamp_(min=_LEAST).sqrt_().neg_()
        self._negative = out.clone()
        return out

    def compare_backward(
        self, gradient: Tensor, candidates: Tensor, query: Tensor, factor: Tensor, out: Tensor
    ) -> Tensor:
        """∂/∂e = (q − e) / ‖q − e‖, ∂/∂q its negative: two products and two sums."""
        pull = gradient.div_(self._negative).neg_()
        del self._negative
        torch.mm(pull, query * factor[:, None], out=out)
        out.addcmul_(candidates, torch.mv(pull, factor)[:, None], value=-1)
        d_query = torch.mm(pull.T, candidates)
        d_query.addcmul_(query, pull.sum(0)[:, None], value=-1)
        return d_query.mul_(factor[:, None])


class TransEScoring(DistanceScoring):
    """−‖h + r − t‖₂ (Bordes et al., NIPS 2013, eq. 1).

    Equation 5 of ``docs/methods/embeddings.md``.
    """

    def query(self, entity: Tensor, relation: Tensor, inverse: bool, out: Tensor) -> Tensor:
        """Return h + r, or t − r."""
        return torch.add(entity, relation, alpha=-1 if inverse else 1, out=out)

    def query_backward(
        self, gradient: Tensor, entity: Tensor, relation: Tensor, inverse: bool
    ) -> tuple[Tensor, Tensor]:
        """Return the gradient itself, with the relation's sign."""
        return gradient, -gradient if inverse else gradient


class RotatEScoring(DistanceScoring):
    """−‖h ∘ exp(i θ_r) − t‖₂ (Sun et al., ICLR 2019, eq. 4); real parts stand first.

    Equation 6 of ``docs/methods/embeddings.md``.
    """

    def relation_width(self, dim: int) -> int:
        """One angle per complex number."""
        return dim // 2

    @staticmethod
    def _turn(relation: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
        """Cosine and sine of the angles; the inverse turns back."""
        return relation.cos(), -relation.sin() if inverse else relation.sin()

    def query(self, entity: Tensor, relation: Tensor, inverse: bool, out: Tensor) -> Tensor:
        """Turn h forwards, or t backwards."""
        cos, sin = self._turn(relation, inverse)
        real, imaginary = entity.chunk(2, 1)
        half = real.shape[1]
        torch.mul(real, cos, out=out[:, :half]).addcmul_(imaginary, sin, value=-1)
        torch.mul(real, sin, out=out[:, half:]).addcmul_(imaginary, cos)
        return out

    def query_backward(
        self, gradient: Tensor, entity: Tensor, relation: Tensor, inverse: bool
    ) -> tuple[Tensor, Tensor]:
        """Turn the gradient back; the angle's is the moment of it."""
        cos, sin = self._turn(relation, inverse)
        real, imaginary = entity.chunk(2, 1)
        g_real, g_imaginary = gradient.chunk(2, 1)
        d_entity = torch.cat(
            [g_real * cos + g_imaginary * sin, g_imaginary * cos - g_real * sin], 1
        )
        turned_real, turned_imaginary = real * cos - imaginary * sin, real * sin + imaginary * cos
        d_angle = g_imaginary * turned_real - g_real * turned_imaginary
        return d_entity, -d_angle if inverse else d_angle
