"""EmerGNN's network: drug features, relation weights of a pair, the flow, the read-out.

    f_x = W_f · fp_x + b                            or a free embedding (S0)
    α^ℓ = σ(A₂ ReLU(A₁ [f_u; f_v] + a₁) + a₂)       five units between
    logits = W_r [h_{v→u}; h_{u→v}] + b             in S0 [f_u; f_v; h_{v→u}; h_{u→v}]

(docs/methods/emergnn.md, eqs. 2, 3, 5, 6). Beyond the paper, each by itself: h through log(1 + h),
since sums over hubs reach 10³; dropout of fingerprint bits and of h; a network over both
fingerprints, and the log label scores of similar drugs, added to the logits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from parsimony.chem.fingerprints import BITS
from parsimony.ddi.baselines.mlp import StructureNetwork
from parsimony.ddi.emergnn.flow import LAYERS, PairFlow
from parsimony.ddi.emergnn.parameters import EmerGNNParameters
from parsimony.ddi.estimator import chosen
from parsimony.kernels.emergnn.graph import ActiveGraph

ATTENTION = 5  # units between [f_u; f_v] and α


class RelationWeights(nn.Module):
    """α of a pair: (n, L, 2R + 1)."""

    def __init__(self, dim: int, messages: int) -> None:
        super().__init__()
        self.inner = nn.ModuleList(nn.Linear(2 * dim, ATTENTION) for _ in range(LAYERS))
        self.outer = nn.ModuleList(nn.Linear(ATTENTION, messages) for _ in range(LAYERS))

    def forward(self, f: Tensor) -> Tensor:
        """Weights from f (n, 2, dim)."""
        x = f.flatten(1)
        layers = zip(self.inner, self.outer, strict=True)
        return torch.stack([outer(inner(x).relu()).sigmoid() for inner, outer in layers], 1)


class EmerGNNNetwork(nn.Module):
    """All trained parts.

    Parameters
    ----------
    p
        Resolved parameters of :class:`parsimony.ddi.emergnn.method.EmerGNN`.
    messages
        2R + 1.
    n_types
        D.
    n_drugs
        How many drugs there are.
    channels
        Of k-NN label scores that are read.
    """

    def __init__(
        self, p: EmerGNNParameters, messages: int, n_types: int, n_drugs: int, channels: int
    ) -> None:
        super().__init__()
        self.p, d = p, p.dim
        self.embedded = bool(p.embedding)
        self.feature: nn.Module = nn.Embedding(n_drugs, d) if self.embedded else nn.Linear(BITS, d)
        self.bits_dropout = nn.Dropout(chosen(p.fingerprint_dropout))
        self.weights = RelationWeights(d, messages)
        self.e = nn.Parameter(torch.empty(LAYERS, messages, d))
        self.w = nn.Parameter(torch.empty(LAYERS, d, d))
        self.b = nn.Parameter(torch.zeros(LAYERS, d)) if p.bias else None
        self.dropout = nn.Dropout(chosen(p.dropout))
        self.read = nn.Linear((4 if self.embedded else 2) * d, n_types)
        self.fingerprints = None
        if p.hidden:
            free = n_drugs if p.drug_vectors else None
            self.fingerprints = StructureNetwork(
                p.hidden, n_types, chosen(p.fingerprint_dropout), chosen(p.hidden_dropout), free
            )
        self.vote_weight = nn.Parameter(torch.zeros(channels, n_types)) if channels else None
        self.flow = PairFlow(p.threads)

    def initialise(self, generator: torch.Generator) -> None:
        """Xavier for matrices, zeros for biases; the nets of α uniform ±1/√inputs."""
        with torch.no_grad():
            for name, weight in self.named_parameters():
                if name.startswith("weights."):
                    inputs = 2 * self.p.dim if ".inner." in name else ATTENTION
                    weight.uniform_(-(inputs**-0.5), inputs**-0.5, generator=generator)
                elif name == "vote_weight":
                    weight.fill_(1 / len(weight))
                elif weight.dim() == 3:
                    for layer in weight:
                        nn.init.xavier_uniform_(layer, generator=generator)
                elif weight.dim() == 2 and name != "b":
                    nn.init.xavier_uniform_(weight, generator=generator)
                else:
                    weight.zero_()

    def features(self, bits: Tensor, pairs: Tensor) -> Tensor:
        """f_u and f_v: (n, 2, dim)."""
        if self.embedded:
            f: Tensor = self.feature(pairs)
        else:
            f = self.feature(self.bits_dropout(bits[pairs].float()))
        return f

    def forward(
        self,
        graph: ActiveGraph,
        bits: Tensor,
        pairs: npt.NDArray[np.int32],
        hidden: npt.NDArray[np.uint8] | None,
        log_scores: Tensor | None,
    ) -> Tensor:
        """Logits (n, D) of pairs (n, 2).

        Parameters
        ----------
        graph
            What is visible.
        bits
            Fingerprints (n_drugs, 1,024).
        hidden
            (n,) which interactions each pair hides.
        log_scores
            (n, channels, D) log label scores of similar drugs' interactions.
        """
        drugs = torch.from_numpy(pairs.astype(np.int64))
        f = self.features(bits, drugs)
        h = self.flow(graph, pairs, f, self.weights(f), self.e, self.w, self.b, hidden)
        if self.p.log_states:
            h = h.log1p()
        parts = [f.flatten(1)] if self.embedded else []
        parts.append(self.dropout(h.flip(1).flatten(1)))  # [h_{v→u}; h_{u→v}]
        logits: Tensor = self.read(torch.cat(parts, 1))
        if self.fingerprints is not None:
            logits = logits + self.fingerprints(bits, drugs)
        if self.vote_weight is not None and log_scores is not None:
            logits = logits + (self.vote_weight * log_scores).sum(1)
        return logits
