"""PACIA: parameter-efficient adaptation by a hypernetwork (docs/methods/pacia.md).

One forward pass, no inner step, adapts at two levels.

*Task.* A set network reads the labelled supports (t_i, y_i) and gives (w, b): the states of the
encoder become h ∘ (1 + w) + b, of supports and queries alike. Published is this after each layer.
By default it is done after the last one (``modulated=1``): there it commutes with the mean over
atoms, exactly, so that embeddings computed once serve every task.

*Query.* After each layer of the relation graph (:mod:`parsimony.molecules.meta.relation_graph`)
an adaptive classifier makes its weights of the class prototypes, and a controller says how far the
query should go: π = softmax(p₁ … p_L).

Changed from the published code, on purpose: one trunk of the hypernetwork serves all layers and
both w and b (the layer is an input), which are a tenth of its parameters; the answer is the
expectation Σ_l π_l logit_l, where the released code takes the arg max; supports and queries are
normalised by running statistics; the state that validation chose is tested. A molecule's input is
its modulated embedding and its profile, and its expected score in any task, f₀, is added to the
answer.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from parsimony import base
from parsimony.base import constructor
from parsimony.errors import InvalidParameter
from parsimony.molecules.encoder.atom_classes import AtomClasses
from parsimony.molecules.encoder.gin import GIN, MoleculeBatch, mean_pool
from parsimony.molecules.meta.inputs import Inputs, MoleculeInput, TransferPrior
from parsimony.molecules.meta.meta_training import (
    Episodes,
    MetaNetwork,
    MetaParameters,
    MetaTrained,
)
from parsimony.molecules.meta.relation_graph import SLOPE, Relation

__all__ = ["PACIA", "PACIANetwork", "PACIAParameters"]

#: (w, b) of each modulated layer, (T, d) each
Modulations = list[tuple[Tensor, Tensor]]


class PACIAParameters(MetaParameters):
    """Parameters of PACIA."""

    validate_every: int = Field(200, ge=1, description="steps between validations, ≥ 1")
    patience: int = Field(
        3, ge=1, description="validations without improvement before stopping, ≥ 1"
    )
    dim: int = Field(
        32, ge=1, le=4096, description="width of the relation graph, 1 … 4,096; published 128",
        json_schema_extra=base.tuned_among(32, 64, 128),
    )  # fmt: skip
    edge_dim: int = Field(
        64, ge=1, le=4096, description="width of its edges' network, 1 … 4,096; published 256"
    )
    relation_layers: int = Field(2, ge=1, le=64, description="greatest depth, 1 … 64; published 5")
    dropout: float = Field(
        0.2, ge=0, lt=1, description="dropout of its nodes, [0, 1)",
        json_schema_extra=base.tuned(0.0, 0.5),
    )  # fmt: skip
    modulated: int = Field(
        1, ge=0, description="last layers of the encoder that are modulated; published all"
    )
    hyper_dim: int = Field(
        64, ge=1, le=4096, description="width of the hypernetworks, 1 … 4,096; published 300"
    )


class Residual(nn.Module):
    """x + LeakyReLU(W x + b)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return x + functional.leaky_relu(self.linear(x), SLOPE)


class SetEncoder(nn.Module):
    """Labelled supports → one vector: means of both classes, whatever their order."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.each = nn.Sequential(
            nn.Linear(width + 2, hidden), nn.LeakyReLU(SLOPE), Residual(hidden), Residual(hidden)
        )
        self.merge = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.LeakyReLU(SLOPE))

    def forward(self, supports: Tensor, labels: Tensor) -> Tensor:
        """Return (…, hidden) of supports (…, S, width) and their labels (…, S)."""
        y = torch.stack([1 - labels, labels], -1).expand(*supports.shape[:-1], 2)
        x = self.each(torch.cat([supports, y], -1))
        means = (y / y.sum(-2, keepdim=True)).mT @ x
        found: Tensor = self.merge(means.flatten(-2))
        return found


class PACIANetwork(MetaNetwork):
    """All of PACIA beyond the encoder, which stays frozen.

    Parameters
    ----------
    p
        Resolved parameters.
    columns
        Of the profile.
    encoder
        Used where more than its last layer is modulated.
    moments
        Mean and standard deviation of its embeddings, (2, d).
    """

    def __init__(self, p: PACIAParameters, columns: int, encoder: GIN, moments: Tensor) -> None:
        super().__init__()
        self.p, d, h = p, p.width, p.hyper_dim
        self._encoder = [encoder]  # not among the trained parts
        self._moments = moments
        self.prior = TransferPrior()
        self.supports = SetEncoder(d, h)
        self.depth_of_layer = nn.Embedding(max(p.modulated, 1), h)
        self.modulation = nn.Sequential(Residual(h), nn.Linear(h, 2 * d))
        self.input = MoleculeInput(d, columns, d, p.hidden_dropout)
        self.project = nn.Sequential(
            nn.Linear(d, p.dim), nn.LeakyReLU(SLOPE), nn.Linear(p.dim, p.dim)
        )
        self.relation = Relation(p.relation_layers, p.dim, p.edge_dim, p.dropout)
        self.state_of_task = SetEncoder(p.dim, h)
        self.controller = nn.Sequential(
            nn.Linear(h + p.dim, h), nn.LeakyReLU(SLOPE), Residual(h), nn.Linear(h, 1)
        )
        last = nn.Linear(p.dim, p.dim + 1)
        with torch.no_grad():
            last.weight.mul_(0.1)
        self.classifier = nn.Sequential(Residual(p.dim), Residual(p.dim), last)

    # ---- the task's level --------------------------------------------------------------------

    def _modulations(self, layer: int, supports: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """(w, b) after a layer from the supports' states (T, S, d), of norm 1 each."""
        code = self.supports(supports, labels) + self.depth_of_layer.weight[layer]
        w, b = self.modulation(code).chunk(2, -1)
        return functional.normalize(w, dim=-1), functional.normalize(b, dim=-1)

    def _adapt_embedding(self, s: Inputs, labels: Tensor) -> tuple[Tensor, Modulations]:
        """Modulated embeddings of the supports, and the modulations."""
        if not self.p.modulated:
            return s.embedding, []
        if self.p.modulated == 1:
            # Standardising is affine too: the modulation acts on the standardised embedding.
            made = [self._modulations(0, s.embedding, labels)]
            return _modulate(s.embedding, made[0]), made
        made = []
        return self._encoded(s, made, labels), made

    def _embedding(self, x: Inputs, made: Modulations) -> Tensor:
        """Embeddings of queries under a task's modulations."""
        if not made:
            return x.embedding
        return _modulate(x.embedding, made[0]) if len(made) == 1 else self._encoded(x, made)

    def _encoded(self, x: Inputs, made: Modulations, labels: Tensor | None = None) -> Tensor:
        """Run the encoder with modulations; with labels, x are supports that make them."""
        encoder, (tasks, n) = self._encoder[0], x.rows.shape
        batch = MoleculeBatch(x.graphs.take(x.rows.reshape(-1).numpy()))
        task = np.repeat(np.repeat(np.arange(tasks), n), batch.sizes)
        begin = len(encoder.layers) - self.p.modulated

        def modulate(number: int, h: Tensor, seen: AtomClasses) -> Tensor:
            if number < begin:
                return h
            if labels is not None:
                pooled = self._standardised(mean_pool(batch, h, seen.of_atom)).view(tasks, n, -1)
                made.append(self._modulations(number - begin, pooled, labels))
            w, b = made[number - begin]
            own = torch.from_numpy(task[seen.atom])
            changed: Tensor = h * (1 + w[own]) + b[own]
            return changed

        return self._standardised(encoder.by_class(batch, modulate, task)).view(tasks, n, -1)

    def _standardised(self, pooled: Tensor) -> Tensor:
        return (pooled - self._moments[0]) / self._moments[1]

    # ---- the query's level -------------------------------------------------------------------

    def _logits(
        self, supports: Tensor, labels: Tensor, queries: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits and depth scores (T, Q, L), and the weights of the supports (T, Q, S)."""
        keep, logits, depths = max(labels.shape[1] // 2, 1), [], []
        y = labels[:, None]
        of = torch.stack([1 - y, y], 2)
        membership = of / of.sum(-1, keepdim=True)
        weights = queries
        for related in self.relation.every(supports, queries, keep):
            if related.supports is None:
                break
            x_s, x_q, weights = related.supports, related.queries, related.weights
            made = self.classifier(membership @ x_s)  # (T, Q, 2, dim + 1)
            w = made[..., 1, :] - made[..., 0, :]
            logits.append((x_q * w[..., :-1]).sum(-1) + w[..., -1])
            code = torch.cat([self.state_of_task(x_s, y), x_q], -1)
            depths.append(self.controller(code)[..., 0])
        return torch.stack(logits, -1), torch.stack(depths, -1), weights

    def _nodes(self, x: Inputs, embedding: Tensor) -> Tensor:
        found: Tensor = self.project(self.input(x, embedding))
        return found

    def loss(self, episodes: Episodes) -> Tensor:
        """Cross-entropy of every depth's logit, weighted by π (docs/methods/pacia.md, eq. 6)."""
        s, labels, q, answers = episodes
        embedding, made = self._adapt_embedding(s, labels)
        logits, depths, _ = self._logits(
            self._nodes(s, embedding), labels, self._nodes(q, self._embedding(q, made))
        )
        logits = logits + self.prior(q)[..., None]
        y = answers[..., None].expand_as(logits)
        loss = functional.binary_cross_entropy_with_logits(logits, y, reduction="none")
        return (depths.softmax(-1) * loss).sum(-1).mean()

    @torch.no_grad()
    def adapt(self, support: Inputs, labels: Tensor) -> Any:
        """One pass over the supports."""
        embedding, made = self._adapt_embedding(support, labels)
        return self._nodes(support, embedding), labels, made

    def score(self, state: Any, queries: Inputs) -> tuple[Tensor, Tensor | None]:
        """Expected logits, and the query's row of the last relation matrix."""
        supports, labels, made = state
        logits, depths, weights = self._logits(
            supports, labels, self._nodes(queries, self._embedding(queries, made))
        )
        expected = (depths.softmax(-1) * logits).sum(-1)
        return (expected + self.prior(queries))[0], weights[0]

    def adapted_parameters(self, state: Any) -> int:
        """Numbers of w and b."""
        return sum(w.numel() + b.numel() for w, b in state[2])


class PACIA(MetaTrained[PACIAParameters]):
    """Hypernetwork modulation of the encoder, query-level depth and classifier."""

    method: ClassVar[str] = "pacia"
    paper = "S. Wu et al., IJCAI 2024"
    Parameters: ClassVar[type[base.Parameters]] = PACIAParameters
    __init__ = constructor(PACIAParameters)
    weighing = "relation of the query to the support in PACIA's last graph"

    def _build(self, columns: int) -> MetaNetwork:
        p = self.resolved_
        if p.modulated > p.layers:
            raise InvalidParameter(
                f"{p.modulated} modulated layers of an encoder with {p.layers}",
                remedy=f"--set modulated={p.layers}",
            )
        moments = torch.from_numpy(np.array(self._statistics["embedding"]))
        return PACIANetwork(p, columns, self._encoder, moments)


def _modulate(x: Tensor, made: tuple[Tensor, Tensor]) -> Tensor:
    w, b = made
    return x * (1 + w[:, None]) + b[:, None]
