"""PAR: property-aware relation networks (docs/methods/par.md, eqs. 1–8).

1. A molecule is embedded for the property: attention over the molecule and the two class
   prototypes of the support, then an MLP.
2. Supports and one query form a relation graph (:mod:`parsimony.molecules.meta.relation_graph`).
3. The query's node gives the answer. Trained by MAML with selective update: one inner step on
   the support, of the attention, the MLP and the read-out alone, differentiated through.

Changed from the published code, on purpose: the inner step sees the graph of the supports alone,
so that an adapted model does not depend on which queries happen to come with them, and happens
once per task; supports are embedded once, not once per query; evaluation normalises by running
statistics; the state that validation chose is tested. A molecule's input is its embedding and its
profile, and its expected score in any task, f₀, is added to the answer.
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
from parsimony.molecules.meta.relation_graph import SLOPE, Relation

__all__ = ["PAR", "PARNetwork", "PARParameters"]

Theta = dict[str, Tensor]


class PARParameters(MetaParameters):
    """Parameters of PAR."""

    validate_every: int = Field(200, ge=1, description="steps between validations, ≥ 1")
    patience: int = Field(
        3, ge=1, description="validations without improvement before stopping, ≥ 1"
    )
    dim: int = Field(
        64, ge=1, le=4096, description="width of the relation graph, 1 … 4,096; published 128",
        json_schema_extra=base.tuned_among(32, 64, 128),
    )  # fmt: skip
    edge_dim: int = Field(
        128, ge=1, le=4096, description="width of its edges' network, 1 … 4,096; published 256"
    )
    relation_layers: int = Field(2, ge=1, le=64, description="layers of the relation graph, 1 … 64")
    dropout: float = Field(
        0.2, ge=0, lt=1, description="dropout of its nodes, [0, 1)",
        json_schema_extra=base.tuned(0.0, 0.5),
    )  # fmt: skip
    alignment: float = Field(1.0, ge=0, description="weight of aligning edges with labels, ≥ 0")
    inner_lr: float = Field(
        0.1, ge=0, description="rate of the inner step, ≥ 0; 0 for none",
        json_schema_extra=base.tuned(0.01, 1.0, log=True, zero=True),
    )  # fmt: skip
    second_order: bool = Field(True, description="differentiate through the inner step")


class PARNetwork(MetaNetwork):
    """All of PAR beyond the encoder.

    Parameters
    ----------
    p
        Resolved parameters.
    columns
        Of the profile.
    """

    def __init__(self, p: PARParameters, columns: int) -> None:
        super().__init__()
        self.p, d = p, p.width
        self.prior = TransferPrior()
        self.input = MoleculeInput(p.width, columns, d, p.hidden_dropout)
        self.relation = Relation(p.relation_layers, p.dim, p.edge_dim, p.dropout)
        #: what the inner step changes: the published code's attention, projection and read-out
        self.adapted = nn.ParameterDict(
            {
                "query": _matrix(d, d), "key": _matrix(d, d), "value": _matrix(d, d),
                "project": _matrix(p.dim, 2 * d), "project_bias": torch.zeros(p.dim),
                "shape": _matrix(p.dim, p.dim), "shape_bias": torch.zeros(p.dim),
                "hidden": _matrix(p.dim, p.dim), "hidden_bias": torch.zeros(p.dim),
                "answer": 0.1 * _matrix(1, p.dim), "answer_bias": torch.zeros(1),
            }
        )  # fmt: skip

    # ---- parts -------------------------------------------------------------------------------

    def _aware(self, theta: Theta, x: Tensor, means: Tensor) -> Tensor:
        """Property-aware embeddings (T, n, dim) of x (T, n, d) beside the prototypes (T, 2, d).

        The three tokens are the molecule and the two prototypes; of the latter keys and values
        are made once, whatever the number of molecules.
        """
        q = _linear(x, theta["query"]) / x.shape[-1] ** 0.5
        own = (q * _linear(x, theta["key"])).sum(-1, keepdim=True)
        others = q @ _linear(means, theta["key"]).mT
        attention = torch.cat([own, others], -1).softmax(-1)
        attended = attention[..., :1] * _linear(x, theta["value"]) + attention[..., 1:] @ _linear(
            means, theta["value"]
        )
        both = torch.cat([attended, x], -1)
        h = functional.leaky_relu(_linear(both, theta["project"], theta["project_bias"]), SLOPE)
        return _linear(h, theta["shape"], theta["shape_bias"])

    def _answer(self, theta: Theta, nodes: Tensor) -> Tensor:
        h = functional.leaky_relu(_linear(nodes, theta["hidden"], theta["hidden_bias"]), SLOPE)
        return _linear(h, theta["answer"], theta["answer_bias"])[..., 0]

    def _support_loss(
        self, theta: Theta, x: Tensor, means: Tensor, prior: Tensor, labels: Tensor
    ) -> Tensor:
        """Sum over tasks of cross-entropy and alignment of the supports' own graph."""
        nodes, raw = self.relation.among_supports(self._aware(theta, x, means), _keep(labels))
        logits = self._answer(theta, nodes) + prior
        loss = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
        same = (labels[:, :, None] == labels[:, None]).to(raw.dtype)
        off = 1 - torch.eye(labels.shape[1], dtype=raw.dtype)
        aligned = ((raw - same).square() * off).sum((-1, -2)) / off.sum()
        found: Tensor = (loss.mean(-1) + self.p.alignment * aligned).sum()
        return found

    def _inner(
        self, x: Tensor, means: Tensor, prior: Tensor, labels: Tensor, *, keep_graph: bool
    ) -> Theta:
        """θ' = θ − η ∇ L(support) for each task (docs/methods/par.md, eq. 7)."""
        tasks = len(labels)
        theta = {k: v.expand(tasks, *v.shape) for k, v in self.adapted.items()}
        if not self.p.inner_lr:
            return theta
        loss = self._support_loss(theta, x, means, prior, labels)
        gradients = torch.autograd.grad(loss, list(theta.values()), create_graph=keep_graph)
        return {
            k: v - self.p.inner_lr * g for (k, v), g in zip(theta.items(), gradients, strict=True)
        }

    def _queries(
        self, theta: Theta, x_s: Tensor, means: Tensor, x_q: Tensor, keep: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Answers (T, Q), and A before and after its rows are cut (T, Q, S)."""
        supports, queries = self._aware(theta, x_s, means), self._aware(theta, x_q, means)
        related = self.relation(supports, queries, keep)
        return self._answer(theta, related.queries), related.raw, related.weights

    # ---- as a meta-trained network -----------------------------------------------------------

    def loss(self, episodes: Episodes) -> Tensor:
        """Cross-entropy and alignment of the queries after the inner step."""
        s, labels, q, answers = episodes
        x_s, x_q = self.input(s), self.input(q)
        means, prior = _prototypes(x_s, labels), self.prior(s)
        theta = self._inner(x_s, means, prior, labels, keep_graph=self.p.second_order)
        logits, raw, _ = self._queries(theta, x_s, means, x_q, _keep(labels))
        loss = functional.binary_cross_entropy_with_logits(logits + self.prior(q), answers)
        same = (answers[:, :, None] == labels[:, None]).to(raw.dtype)
        aligned = self.p.alignment * functional.mse_loss(raw, same)
        return loss + aligned

    def adapt(self, support: Inputs, labels: Tensor) -> Any:
        """One inner step."""
        with torch.enable_grad():
            x = self.input(support)
            means = _prototypes(x, labels)
            theta = self._inner(x, means, self.prior(support), labels, keep_graph=False)
        plain = {k: v.detach() for k, v in theta.items()}
        return plain, x.detach(), means.detach(), _keep(labels)

    def score(self, state: Any, queries: Inputs) -> tuple[Tensor, Tensor | None]:
        """Scores, and the query's row of the last relation matrix."""
        theta, x_s, means, keep = state
        logits, _, weights = self._queries(theta, x_s, means, self.input(queries), keep)
        return (logits + self.prior(queries))[0], weights[0]

    def adapted_parameters(self, state: Any) -> int:
        """Number of parameters that the inner step changes."""
        return sum(v.numel() for v in state[0].values())


class PAR(MetaTrained[PARParameters]):
    """Property-aware relation networks."""

    method: ClassVar[str] = "par"
    paper = "Y. Wang et al., NeurIPS 2021"
    Parameters: ClassVar[type[base.Parameters]] = PARParameters
    __init__ = constructor(PARParameters)
    weighing = "relation of the query to the support in PAR's last graph"

    def _build(self, columns: int) -> MetaNetwork:
        return PARNetwork(self.resolved_, columns)


def _keep(labels: Tensor) -> int:
    """Entries of a row that are kept: the number of shots."""
    return max(labels.shape[1] // 2, 1)


def _prototypes(x: Tensor, labels: Tensor) -> Tensor:
    """Means of the inactive and of the active supports, (T, 2, d)."""
    of = torch.stack([1 - labels, labels], 1).to(x.dtype)
    return (of / of.sum(-1, keepdim=True)) @ x


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x Wᵀ + b, where each task may have its own W (T, o, i) and b (T, o)."""
    found = x @ weight.mT
    return found if bias is None else found + bias.unsqueeze(-2)


def _matrix(rows: int, columns: int) -> Tensor:
    return nn.init.xavier_uniform_(torch.empty(rows, columns))
