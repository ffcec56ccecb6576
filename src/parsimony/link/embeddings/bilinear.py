"""Bilinear models: any symbol, and the hand-made ones by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import torch
from pydantic import Field, field_validator

from parsimony.base import Parameters, constructor, tuned, tuned_among
from parsimony.errors import InvalidParameter, UnknownRelation
from parsimony.knowledge.axioms import Axiom
from parsimony.knowledge.symbol import SIZE, Symbol, check_dimension
from parsimony.knowledge.symbol_patterns import symmetric_rank
from parsimony.link.embeddings.estimator import EmbeddingEstimator, EmbeddingParameters
from parsimony.link.embeddings.scoring import BilinearScoring
from parsimony.run.deadline import Deadline

#: DURA's weight is this over the training facts per entity, at most the second
DURA, MOST_DURA = 0.4, 0.2


def listed_names(given: Any) -> Any:
    """Names, of which a text may hold several with commas between them; others as they are."""
    return [name.strip() for name in given.split(",")] if isinstance(given, str) else given


class NamedParameters(EmbeddingParameters):
    """Parameters of a bilinear model with a fixed symbol.

    The defaults were chosen on a panel of graphs (benchmarks/panel.py).
    """

    dim: int = Field(
        256, ge=4, le=4096, description="numbers per entity (d), a multiple of 4, 4 … 4096",
        json_schema_extra=tuned_among(32, 64, 128, 256),
    )  # fmt: skip
    relation_weight: float = Field(
        0.0, ge=0, le=1e6, description="weight of predicting the relation of every fact, 0 … 1e6"
    )
    lr: float = Field(
        0.2, gt=0, le=1e30, description="learning rate of Adagrad, positive",
        json_schema_extra=tuned(0.01, 1.0, log=True),
    )  # fmt: skip
    n3: float = Field(
        0.0, ge=0, le=1e6, description="weight of the cubed 3-norm per mention, 0 … 1e6",
        json_schema_extra=tuned(1e-4, 0.1, log=True, zero=True),
    )  # fmt: skip
    dropout: float = Field(
        0.0, ge=0, lt=1, description="dropout on query vectors, in [0, 1)",
        json_schema_extra=tuned(0.0, 0.5),
    )  # fmt: skip
    input_dropout: float = Field(
        0.2, ge=0, lt=1, description="dropout on the vectors that make a query, in [0, 1)",
        json_schema_extra=tuned(0.0, 0.5),
    )  # fmt: skip
    reciprocal: bool = Field(
        True, description="a separate relation vector for each direction of a query",
        json_schema_extra=tuned_among(False, True),
    )  # fmt: skip
    ema_decay: float = Field(
        0.8, ge=0, lt=1,
        description="decay of the moving average of the vectors over epochs, which answers; "
        "0: the vectors themselves",
        json_schema_extra=tuned_among(0.0, 0.8, 0.9),
    )  # fmt: skip
    epochs: int = Field(50, ge=1, description="maximum number of epochs, ≥ 1")
    dura: float | None = Field(
        None,
        ge=0,
        le=1e6,
        description="weight of the squared lengths of a query and its answer, 0 … 1e6; where left "
        "out, the sparser the graph the more: 0.4 over the facts per entity, at most 0.2",
        json_schema_extra=tuned(1e-3, 1.0, log=True, zero=True),
    )
    symmetric: tuple[str, ...] | None = Field(
        None,
        description="names of relations that are symmetric, with commas between them: their G(r) "
        "is kept so; by default none",
    )
    joined: bool = Field(
        False, description="n3 of lengths over the chunks that the symbol connects, not of numbers"
    )

    @field_validator("symmetric", mode="before")
    @classmethod
    def _names(cls, given: Any) -> Any:
        """Take "cousin,spouse" as well."""
        return listed_names(given)

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


P = TypeVar("P", bound=NamedParameters)


class BilinearEstimator(EmbeddingEstimator[P]):
    """f(h, r, t) = Σ ±⟨h_i, r_k, t_j⟩ over the blocks of a symbol."""

    named: ClassVar[str] = ""
    PARTS_NOTE: ClassVar[str] = (
        "Blocks of the symbol, which add up to the score: ⟨h1, r2, t3⟩ multiplies the first "
        "quarter of the head by the second of the relation and the third of the tail."
    )

    @property
    def symbol_(self) -> Symbol:
        """The block structure."""
        return Symbol.parse(self.named)

    def _setup(self) -> None:
        if self.resolved_.dura is None:
            graph = self.task_.train_graph
            facts = len(graph) / max(int((graph.degrees > 0).sum()), 1)
            dura = float(f"{min(MOST_DURA, DURA / facts):.2g}")
            self.resolved_ = self.resolved_.model_copy(update={"dura": dura})
            self.notes_.append(
                f"dura = {dura:g}, chosen by the facts per entity of the graph, {facts:.1f}"
            )
        super()._setup()
        self._require_symmetric()

    def _require_symmetric(self) -> None:
        """Check the relations that are to be symmetric, and that the symbol can express it.

        Raises
        ------
        UnknownRelation
            With the nearest name.
        InvalidParameter
            G(r) is symmetric for r = 0 alone.
        """
        names, known = self.resolved_.symmetric or (), self.task_.data.relations.names
        if not names:
            return
        for name in names:
            if name not in known:
                raise UnknownRelation.of(name, known, where="symmetric")
        rank = int(symmetric_rank([self.symbol_.cells])[0])
        if not rank:
            raise InvalidParameter(
                f"no relation of the symbol {self.symbol_} is symmetric",
                remedy="--set symbol=ComplEx",
            )
        part = "" if rank == SIZE else f"; by this symbol they read {rank} of {SIZE} chunks alone"
        self.notes_.append(
            f"G(r) is kept symmetric for {len(names):,} of {len(known):,} relations{part}"
        )

    def _symmetric_rows(self) -> list[int]:
        index, n = self.task_.data.relations.index, self.task_.n_relations
        rows = [index(name) for name in self.resolved_.symmetric or ()]
        return rows + [row + n for row in rows] if self.resolved_.reciprocal else rows

    def _answer_with(self, tables: Mapping[str, Any]) -> None:
        if rows := self._symmetric_rows():
            relation = tables["relation"].clone()
            relation[rows] = BilinearScoring(self.symbol_.blocks).symmetrised(relation[rows])
            tables = {**tables, "relation": relation}
        super()._answer_with(tables)

    def _scoring(self) -> BilinearScoring:
        return BilinearScoring(self.symbol_.blocks)

    def knowledge(self, top: int = 100, *, quiet: bool = True) -> list[Symbol]:
        """Return the symbol, alone in a list."""
        self._require_fitted()
        return [self.symbol_][:top]

    def knowledge_table(
        self, top: int, *, quiet: bool = True, deadline: Deadline | None = None
    ) -> dict[str, Any]:
        """Return the symbol as knowledge.toml keeps it: ``fit --symbol`` takes it back.

        Relations that are kept symmetric are axioms, which ``search --knowledge`` takes.
        """
        stated = [str(Axiom("symmetric", (name,))) for name in self.resolved_.symmetric or ()]
        return {**({"axioms": stated} if stated else {}), "symbol": self.symbol_.to_dict()}

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


class Bilinear(BilinearEstimator[BilinearParameters]):
    """Embeddings scored by any symbol: a name, or the matrix of its blocks."""

    method: ClassVar[str] = "bilinear"
    paper: ClassVar[str] = "Zhang et al., AutoBLM, TPAMI 2022"
    Parameters: ClassVar[type[Parameters]] = BilinearParameters
    __init__ = constructor(BilinearParameters)

    @property
    def symbol_(self) -> Symbol:
        """The block structure."""
        return Symbol.parse(self.resolved_.symbol)


class DistMult(BilinearEstimator[NamedParameters]):
    """⟨h, r, t⟩: every relation is symmetric."""

    method: ClassVar[str] = "distmult"
    paper: ClassVar[str] = "Yang et al., ICLR 2015"
    named: ClassVar[str] = "DistMult"
    Parameters: ClassVar[type[Parameters]] = NamedParameters
    __init__ = constructor(NamedParameters)


class ComplEx(BilinearEstimator[NamedParameters]):
    """Re⟨h, r, t̄⟩ over d / 2 complex numbers."""

    method: ClassVar[str] = "complex"
    paper: ClassVar[str] = "Trouillon et al., ICML 2016"
    named: ClassVar[str] = "ComplEx"
    Parameters: ClassVar[type[Parameters]] = NamedParameters
    __init__ = constructor(NamedParameters)


class SimplE(BilinearEstimator[NamedParameters]):
    """⟨h, r, t⟩ where an entity has one vector as head and another as tail."""

    method: ClassVar[str] = "simple"
    paper: ClassVar[str] = "Kazemi and Poole, NeurIPS 2018"
    named: ClassVar[str] = "SimplE"
    Parameters: ClassVar[type[Parameters]] = NamedParameters
    __init__ = constructor(NamedParameters)


class Analogy(BilinearEstimator[NamedParameters]):
    """Half DistMult, half ComplEx."""

    method: ClassVar[str] = "analogy"
    paper: ClassVar[str] = "Liu et al., ICML 2017"
    named: ClassVar[str] = "Analogy"
    Parameters: ClassVar[type[Parameters]] = NamedParameters
    __init__ = constructor(NamedParameters)
