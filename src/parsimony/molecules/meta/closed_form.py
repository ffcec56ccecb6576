"""Heads on the frozen encoder that adapt in closed form: ridge regression and class prototypes.

Ridge regression with a prior (a Gaussian process whose mean and kernel are learned over the
training tasks; differentiable closed-form heads: L. Bertinetto et al., ICLR 2019):

    k(x, x') = a ⟨p, p'⟩/C + b ⟨s, s'⟩/C + c ⟨e, e'⟩/d
    α = (K + λ I)⁻¹ (y − f₀ − c₀),    f(x) = f₀(x) + c₀ + Σ_i α_i k(x, x_i)

p, s and e are the measured and predicted profile and the embedding, f₀ the score expected of a
molecule in any task, c₀ the task's offset by generalised least squares (docs/methods/few_shot.md,
eqs. 1–3). Prototypes: distances to
the class means of a learned projection (J. Snell et al., NeurIPS 2017), added to f₀.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from parsimony import base
from parsimony.base import constructor
from parsimony.molecules.meta.inputs import Inputs, MoleculeInput, TransferPrior
from parsimony.molecules.meta.meta_training import (
    Episodes,
    MetaNetwork,
    MetaParameters,
    MetaTrained,
)

__all__ = ["Prototype", "Ridge"]


class RidgeNetwork(MetaNetwork):
    """Prior mean, kernel weights and noise."""

    def __init__(self) -> None:
        super().__init__()
        self.prior = TransferPrior()
        self.kernel = nn.Parameter(torch.tensor([-2.0, -3.0, -3.0]))  # logarithms of a, b, c
        self.noise = nn.Parameter(torch.tensor(1.0))  # logarithm of λ
        self.scale = nn.Parameter(torch.tensor(0.5))  # logarithm, of logits

    def _terms(self, x: Inputs, y: Inputs) -> Tensor:
        """The three terms of the kernel, (T, n, m, 3)."""
        n = x.n_columns
        products = [
            x.measured @ y.measured.mT / n,
            x.predicted @ y.predicted.mT / n,
            x.embedding @ y.embedding.mT / x.embedding.shape[-1],
        ]
        return torch.stack(products, -1)

    def _solve(self, support: Inputs, labels: Tensor) -> tuple[Tensor, Tensor]:
        """α (T, S) and c₀ (T, 1)."""
        k = self._terms(support, support) @ self.kernel.exp()
        k = k + self.noise.exp() * torch.eye(k.shape[-1])
        residual = 2 * labels - 1 - self.prior(support)
        both = torch.linalg.solve(k, torch.stack([residual, torch.ones_like(residual)], -1))
        offset = both[..., 0].sum(-1, keepdim=True) / both[..., 1].sum(-1, keepdim=True)
        return both[..., 0] - offset * both[..., 1], offset

    def loss(self, episodes: Episodes) -> Tensor:
        """Cross-entropy of the queries."""
        alpha, offset = self._solve(episodes.support, episodes.labels)
        k = self._terms(episodes.queries, episodes.support) @ self.kernel.exp()
        f = self.prior(episodes.queries) + (k @ alpha[..., None])[..., 0] + offset
        logits = self.scale.exp() * f
        return functional.binary_cross_entropy_with_logits(logits, episodes.answers)

    @torch.no_grad()
    def adapt(self, support: Inputs, labels: Tensor) -> Any:
        """Solve once."""
        return support, *self._solve(support, labels)

    def score(self, state: Any, queries: Inputs) -> tuple[Tensor, Tensor | None]:
        """Scores, and the absolute contribution of each support."""
        support, alpha, offset = state
        k = self._terms(queries, support) @ self.kernel.exp()
        parts = k * alpha[:, None]
        f = self.prior(queries) + parts.sum(-1) + offset
        return self.scale.exp() * f[0], parts[0].abs()

    @torch.no_grad()
    def by_embedding(self, state: Any) -> Tensor:
        """Σ_i α_i c e_i/d, on the scale of the scores."""
        support, alpha, _ = state
        direction = (alpha[0, :, None] * support.embedding[0]).sum(0) / support.embedding.shape[-1]
        found: Tensor = (self.scale + self.kernel[2]).exp() * direction
        return found

    def adapted_parameters(self, state: Any) -> int:
        """α and c₀."""
        return int(state[1].numel()) + 1


class RidgeParameters(MetaParameters):
    """Parameters of the ridge head."""

    lr: float = Field(
        5e-3, gt=0, description="initial learning rate of AdamW, > 0; it decays to 0",
        json_schema_extra=base.tuned(2e-4, 0.05, log=True),
    )  # fmt: skip
    validate_every: int = Field(50, ge=1, description="steps between validations, ≥ 1")


class Ridge(MetaTrained[RidgeParameters]):
    """Ridge regression on the frozen encoder and the profile, its prior learned."""

    method: ClassVar[str] = "ridge"
    paper = "L. Bertinetto et al., ICLR 2019"
    Parameters: ClassVar[type[base.Parameters]] = RidgeParameters
    __init__ = constructor(RidgeParameters)
    weighing = "contribution to the score"

    def _build(self, columns: int) -> MetaNetwork:
        return RidgeNetwork()


class PrototypeNetwork(MetaNetwork):
    """A projection, and distances to the classes' means."""

    def __init__(self, embedding: int, columns: int, width: int, dropout: float) -> None:
        super().__init__()
        self.prior = TransferPrior()
        self.input = MoleculeInput(embedding, columns, 2 * width, dropout)
        self.project = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * width, width))
        self.scale = nn.Parameter(torch.tensor(-1.0))  # logarithm, of distances

    def _means(self, support: Inputs, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Prototypes (T, 2, width), and the weight of each support in its own (T, 2, S)."""
        of = torch.stack([1 - labels, labels], 1)
        weights = of / of.sum(-1, keepdim=True)
        return weights @ self.project(self.input(support)), weights

    def _logits(self, means: Tensor, queries: Inputs) -> Tensor:
        z = self.project(self.input(queries))
        distance = (z[:, :, None] - means[:, None]).square().mean(-1)
        found: Tensor = self.prior(queries) + self.scale.exp() * (
            distance[..., 0] - distance[..., 1]
        )
        return found

    def loss(self, episodes: Episodes) -> Tensor:
        """Cross-entropy of the queries."""
        means, _ = self._means(episodes.support, episodes.labels)
        logits = self._logits(means, episodes.queries)
        return functional.binary_cross_entropy_with_logits(logits, episodes.answers)

    @torch.no_grad()
    def adapt(self, support: Inputs, labels: Tensor) -> Any:
        """Take the means."""
        return self._means(support, labels)

    def score(self, state: Any, queries: Inputs) -> tuple[Tensor, Tensor | None]:
        """Scores; supports have no weights."""
        return self._logits(state[0], queries)[0], None

    def adapted_parameters(self, state: Any) -> int:
        """The two prototypes."""
        return int(state[0].numel())


class PrototypeParameters(MetaParameters):
    """Parameters of the prototype network."""

    dim: int = Field(
        64, ge=1, le=4096, description="width of the projection, 1 … 4,096",
        json_schema_extra=base.tuned_among(32, 64, 128, 256),
    )  # fmt: skip


class Prototype(MetaTrained[PrototypeParameters]):
    """Distances to class prototypes on the frozen encoder and the profile."""

    method: ClassVar[str] = "prototype"
    paper = "J. Snell et al., NeurIPS 2017"
    Parameters: ClassVar[type[base.Parameters]] = PrototypeParameters
    __init__ = constructor(PrototypeParameters)

    def _build(self, columns: int) -> MetaNetwork:
        p = self.resolved_
        return PrototypeNetwork(p.width, columns, p.dim, p.hidden_dropout)
