"""A factorisation machine and a multilayer perceptron over a user's ratings: what merely grows.

Both describe a user by the items of the support alone, s_i = (2 r_i − 1) / √|S|, so that they
answer new users, and know nothing of what others' ratings say beyond what training puts into
vectors.

    user vector  u = Σ_i s_i a_i,   user bias  Σ_i s_i c_i
    fm           ŷ = σ(w + b_v + Σ_i s_i c_i + ⟨e_v, u⟩ + ½ (‖u‖² − Σ_i s_i² ‖a_i‖²))
    rating-mlp   ŷ = σ(b_v + MLP([e_v ; u])), two hidden layers, the second half as wide

(docs/methods/rating_baselines.md, eqs. 7, 8.) The first is S. Rendle, Factorization Machines, ICDM
2010, equation 5, with two fields of features, the item that is asked and those of the support (as
Rendle's "other movies rated"); the second is X. He et al., Neural Collaborative Filtering, WWW
2017, with the user's vector made of the support.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from parsimony.base import Parameters, constructor, tuned_among
from parsimony.ratings.modulated_network import Block
from parsimony.ratings.parameters import TrainingParameters
from parsimony.ratings.support_estimator import SupportEstimator

__all__ = ["FactorisationMachine", "RatingMLP"]


class FactorParameters(TrainingParameters):
    """Parameters of the factorisation machine and of its training."""

    dim: int = Field(
        16, ge=1, le=4096, description="width of an item's vectors, 1 … 4096",
        json_schema_extra=tuned_among(8, 16, 32),
    )  # fmt: skip


class RatingMLPParameters(FactorParameters):
    """And the width of the first hidden layer."""

    units: int = Field(
        64, ge=2, le=16_384, description="width of the first hidden layer, 2 … 16,384",
        json_schema_extra=tuned_among(32, 64, 128),
    )  # fmt: skip


class _Vectors(nn.Module):
    """Vectors and biases of items as they are asked, and as they are rated in a support."""

    def __init__(self, items: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.asked, self.rated = nn.Embedding(items, dim), nn.Embedding(items, dim)
        self.asked_bias, self.rated_bias = nn.Embedding(items, 1), nn.Embedding(items, 1)
        self.mean = nn.Parameter(torch.zeros(()))
        for table in (self.asked, self.rated):
            nn.init.normal_(table.weight, std=0.1)
        for table in (self.asked_bias, self.rated_bias):
            nn.init.zeros_(table.weight)
        self.drop = nn.Dropout(dropout)

    def weights(self, block: Block) -> Tensor:
        """The weights s of the support, (B, n, 1)."""
        n = block.support.sum(1, keepdim=True).clamp_min(1)
        return (block.support * (2 * block.ratings - 1) / n.sqrt())[..., None]


class _Factors(_Vectors):
    """The factorisation machine."""

    def forward(self, block: Block, gates: None = None) -> Tensor:
        """Logits (B, n) of all items."""
        weight, rated = self.weights(block), self.drop(self.rated(block.items))
        user = (weight * rated).sum(1)
        own = (weight * self.rated_bias(block.items)).sum(1)
        own = own + (user.square() - (weight * rated).square().sum(1)).sum(1, keepdim=True) / 2
        asked = self.drop(self.asked(block.items)) @ user[..., None]
        found: Tensor = (asked + self.asked_bias(block.items)).squeeze(-1) + own + self.mean
        return found


class _Perceptron(_Vectors):
    """The multilayer perceptron."""

    def __init__(self, items: int, dim: int, hidden: int, dropout: float) -> None:
        super().__init__(items, dim, dropout)
        self.layers = nn.Sequential(
            nn.Linear(2 * dim, hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden, hidden // 2), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden // 2, 1),
        )  # fmt: skip

    def forward(self, block: Block, gates: None = None) -> Tensor:
        """Logits (B, n) of all items."""
        user = (self.weights(block) * self.rated(block.items)).sum(1, keepdim=True)
        asked = self.asked(block.items)
        x = self.drop(torch.cat([asked, user.expand_as(asked)], -1))
        found: Tensor = (self.layers(x) + self.asked_bias(block.items)).squeeze(-1)
        return found


class FactorisationMachine(SupportEstimator[FactorParameters]):
    """A factorisation machine over the item that is asked and those of the support."""

    method = "fm"
    paper = "Rendle, Factorization Machines, ICDM 2010"
    Parameters: ClassVar[type[Parameters]] = FactorParameters
    __init__ = constructor(FactorParameters)
    fallback = "predicted from the items' biases alone"
    gates = None

    def _network(self, seed: int) -> nn.Module:
        p = self.resolved_
        return _seeded(seed, lambda: _Factors(len(self.task_.data.items), p.dim, p.dropout))


class RatingMLP(SupportEstimator[RatingMLPParameters]):
    """A multilayer perceptron over the vectors of the item and of the support."""

    method = "rating-mlp"
    paper = "He et al., Neural Collaborative Filtering, WWW 2017"
    Parameters: ClassVar[type[Parameters]] = RatingMLPParameters
    __init__ = constructor(RatingMLPParameters)
    fallback = "predicted from the items alone"
    gates = None

    def _network(self, seed: int) -> nn.Module:
        p, items = self.resolved_, len(self.task_.data.items)
        return _seeded(seed, lambda: _Perceptron(items, p.dim, p.units, p.dropout))


def _seeded(seed: int, make: Any) -> nn.Module:
    """Make a network; torch's global generator stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made: nn.Module = make()
    return made
