"""Bilinear models: any symbol, and the hand-made ones by their names."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field, field_validator

from parsimony import base
from parsimony.knowledge.symbol import Symbol, check_dimension
from parsimony.link.embeddings.estimator import EmbeddingEstimator, EmbeddingParameters
from parsimony.link.embeddings.scoring import BilinearScoring


class NamedParameters(EmbeddingParameters):
    """Parameters of a bilinear model with a symbol of its own."""

    dim: int = Field(
        128, ge=4, le=4096, description="numbers of an entity (d), a multiple of 4, 4 … 4096"
    )
    relation_weight: float = Field(
        0.0, ge=0, description="weight of predicting the relation of every fact, ≥ 0"
    )
    dura: float = Field(
        0.0, ge=0, description="weight of the squared lengths of a query and its answer, ≥ 0"
    )
    joined: bool = Field(
        False, description="n3 of lengths over the chunks that the symbol connects, not of numbers"
    )

    @field_validator("dim")
    @classmethod
    def _four_chunks(cls, value: int) -> int:
        check_dimension(value)
        return value


class BilinearParameters(NamedParameters):
    """Parameters of a bilinear model with any symbol."""

    symbol: str = Field("ComplEx", description="a name, or 4 rows of 4 signed numbers")

    @field_validator("symbol")
    @classmethod
    def _normal_form(cls, value: str) -> str:
        symbol = Symbol.parse(value)
        names = (name for name, named in Symbol.named().items() if named == symbol)
        return next(names, str(symbol))


class BilinearEstimator(EmbeddingEstimator):
    """f(h, r, t) = Σ ±⟨h_i, r_k, t_j⟩ over the blocks of a symbol."""

    Parameters: ClassVar[type[base.Parameters]] = NamedParameters
    named: ClassVar[str] = ""
    PARTS_NOTE: ClassVar[str] = (
        "Blocks of the symbol, which add up to the score: ⟨h1, r2, t3⟩ multiplies the first "
        "quarter of the head by the second of the relation and the third of the tail."
    )

    @property
    def symbol_(self) -> Symbol:
        """The block structure."""
        return Symbol.parse(getattr(self.resolved_, "symbol", self.named))

    def _scoring(self) -> BilinearScoring:
        return BilinearScoring(self.symbol_.blocks)

    def knowledge(self, top: int | None = None, *, quiet: bool = True) -> list[Symbol]:
        """Return the symbol, alone in a list."""
        self._require_fitted()
        return [self.symbol_][:top]

    def knowledge_table(self, top: int, *, quiet: bool = True) -> dict[str, Any]:
        """Return the symbol as knowledge.toml keeps it: ``fit --symbol`` takes it back."""
        return {"symbol": self.symbol_.to_dict()}

    def parts(self, head: int, relation: int, tail: int) -> dict[str, float]:
        """Return what every block adds to the score, the largest first."""
        rows = self.entity_[head], self.relation_[relation], self.entity_[tail]
        h, r, t = (torch.from_numpy(row).double().view(4, -1) for row in rows)
        found = {
            f"{'+' if sign > 0 else '−'} ⟨h{i + 1}, r{k + 1}, t{j + 1}⟩": sign
            * float((h[i] * r[k] * t[j]).sum())
            for i, k, j, sign in self.symbol_.blocks
        }
        return dict(sorted(found.items(), key=lambda item: -abs(item[1])))


class Bilinear(BilinearEstimator):
    """Embeddings scored by any symbol: a name, or the matrix of its blocks."""

    method: ClassVar[str] = "bilinear"
    Parameters: ClassVar[type[base.Parameters]] = BilinearParameters


class DistMult(BilinearEstimator):
    """Yang et al., ICLR 2015: ⟨h, r, t⟩."""

    method: ClassVar[str] = "distmult"
    named: ClassVar[str] = "DistMult"


class ComplEx(BilinearEstimator):
    """Trouillon et al., ICML 2016: Re⟨h, r, t̄⟩ over d / 2 complex numbers."""

    method: ClassVar[str] = "complex"
    named: ClassVar[str] = "ComplEx"


class SimplE(BilinearEstimator):
    """Kazemi and Poole, NeurIPS 2018: an entity has a vector as head and one as tail."""

    method: ClassVar[str] = "simple"
    named: ClassVar[str] = "SimplE"


class Analogy(BilinearEstimator):
    """Liu et al., ICML 2017: half DistMult, half ComplEx."""

    method: ClassVar[str] = "analogy"
    named: ClassVar[str] = "Analogy"
