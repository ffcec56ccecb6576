"""Method "mlp": both drugs' fingerprints through one hidden layer, with dropout.

logits = W₂ drop(ReLU(W₁ drop([f_u; f_v]) + E₁[u] + E₂[v] + b₁)) + b₂. Dropout on the bits keeps
the network from memorising single molecules where drugs emerge. Where all drugs are known (S0) that
is what it should do: there it also has a free vector for each drug and place, E₁ and E₂, and the
dropout is low. The epoch is selected on the whole of validation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from parsimony.base import constructor, tuned, tuned_among
from parsimony.chem.fingerprints import BITS
from parsimony.ddi.analogues import analogue_sentence, nearest_analogues
from parsimony.ddi.estimator import FloatArray, IntArray, chosen
from parsimony.ddi.grounds import structures
from parsimony.ddi.network_estimator import (
    Losses,
    NetworkParameters,
    PairNetworkEstimator,
    batches,
)
from parsimony.ddi.targets import PairTargets

CHUNK = 4096  # pairs scored at once

#: What is left out, where drugs emerge and (True) where all are known.
STRUCTURE: dict[bool, dict[str, Any]] = {
    False: {"hidden": 256, "input_dropout": 0.3, "dropout": 0.5, "drug_vectors": False},
    True: {"hidden": 512, "input_dropout": 0.1, "dropout": 0.3, "drug_vectors": True},
}


class MLPParameters(NetworkParameters):
    """Parameters of the fingerprint network."""

    hidden: int | None = Field(
        None, ge=1, le=4096, description="hidden units, 1 … 4096; 256, in S0 512",
        json_schema_extra=tuned_among(128, 256, 512),
    )  # fmt: skip
    input_dropout: float | None = Field(
        None, ge=0, lt=1, description="dropout of the bits, [0, 1); 0.3, in S0 0.1",
        json_schema_extra=tuned(0.0, 0.6),
    )  # fmt: skip
    dropout: float | None = Field(
        None, ge=0, lt=1, description="dropout of the hidden layer, [0, 1); 0.5, in S0 0.3",
        json_schema_extra=tuned(0.0, 0.7),
    )  # fmt: skip
    drug_vectors: bool | None = Field(
        None, description="a free vector for each known drug; on in S0, where all are known"
    )


class MLP(PairNetworkEstimator[MLPParameters]):
    """A network of one hidden layer over the fingerprints of both drugs."""

    method = "mlp"
    paper = "baseline: multilayer perceptron over fingerprints"
    Parameters = MLPParameters
    __init__ = constructor(MLPParameters)
    structural = True
    relational = False
    _network: StructureNetwork

    def predict_proba_leave_pair_out(self, pairs: IntArray) -> FloatArray:
        """Probabilities (n, n_types) of pairs; the network reads no interactions."""
        return self._probabilities(pairs, self.task_.visible("test"))

    def reasons(self, rows: IntArray) -> list[str]:
        """Return, for each (drug1, type, drug2), the structures read, the known pair most like it.

        The network itself tells nothing but which structures it read.
        """
        facts = self.task_.labelling.counted_facts(self.task_.visible("test"))
        said = []
        for u, t, v in rows.tolist():
            having = structures(self.task_.data, self.fingerprints_, u, v)
            if not having:
                said.append("how common the type is: neither drug has a structure")
                continue
            found = nearest_analogues(self.fingerprints_, facts, u, t, v)
            like = analogue_sentence(self.task_.data, u, v, found[0]) if found else "none is alike"
            said.append(f"structure only: a network over {having}; of known pairs {like}")
        return said

    def _setup(self) -> None:
        super()._setup()
        defaults = STRUCTURE[self.task_.setting == "S0"]
        rest = {k: v for k, v in defaults.items() if getattr(self.resolved_, k) is None}
        self.resolved_ = self.resolved_.model_copy(update=rest)

    def _build(self, generator: torch.Generator | None = None) -> None:
        p, data = self.resolved_, self.task_.data
        self._network = StructureNetwork(
            chosen(p.hidden), data.n_types, chosen(p.input_dropout), chosen(p.dropout),
            data.n_drugs if p.drug_vectors else None,
        )  # fmt: skip
        if generator is not None:
            self._network.initialise(generator)

    def _losses(self, drawn: np.random.Generator) -> tuple[int, Losses]:
        targets = self.task_.training(drawn)
        return len(targets), self._batches(targets, drawn)

    def _batches(self, targets: PairTargets, drawn: np.random.Generator) -> Losses:
        bits = torch.from_numpy(self.fingerprints_)
        queries = torch.from_numpy(targets.queries.astype(np.int64))
        for batch in batches(len(targets), self.resolved_.batch, drawn):
            logits = self._network(bits, queries[targets.places(batch)])
            yield targets.loss(logits, batch), len(batch)

    def _probabilities(self, pairs: IntArray, facts: IntArray) -> FloatArray:
        bits = torch.from_numpy(np.ascontiguousarray(self.fingerprints_))

        def logits(rows: IntArray, part: slice) -> Tensor:
            found: Tensor = self._network(bits, torch.from_numpy(rows.astype(np.int64)))
            return found

        return self._answered(logits, pairs, CHUNK)


class StructureNetwork(nn.Sequential):
    """The network over both drugs' fingerprints, and over their free vectors where it has them.

    Parameters
    ----------
    hidden, n_types
        Units.
    input_dropout, dropout
        Of the bits and of the hidden units, [0, 1).
    n_drugs
        How many drugs have free vectors; None for none.
    """

    def __init__(
        self,
        hidden: int,
        n_types: int,
        input_dropout: float,
        dropout: float,
        n_drugs: int | None = None,
    ) -> None:
        super().__init__(
            nn.Dropout(input_dropout),
            nn.Linear(2 * BITS, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, n_types),
        )
        self.vectors = nn.Parameter(torch.zeros(2, n_drugs, hidden)) if n_drugs else None

    def initialise(self, generator: torch.Generator) -> None:
        """Xavier for matrices, zeros for biases and free vectors."""
        with torch.no_grad():
            for weight in self.parameters():
                if weight.dim() == 2:
                    nn.init.xavier_uniform_(weight, generator=generator)
                else:
                    weight.zero_()

    def forward(self, bits: Tensor, pairs: Tensor) -> Tensor:  # type: ignore[override]
        """Logits (n, n_types) of pairs (n, 2) from all drugs' bits (n_drugs, 1,024)."""
        drop, inner, relu, drop_hidden, outer = (self[i] for i in range(5))
        z: Tensor = inner(drop(bits[pairs].flatten(1).float()))
        if self.vectors is not None:
            z = z + self.vectors[0][pairs[:, 0]] + self.vectors[1][pairs[:, 1]]
        logits: Tensor = outer(drop_hidden(relu(z)))
        return logits
