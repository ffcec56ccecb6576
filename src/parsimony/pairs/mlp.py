"""Method "mlp": both drugs' fingerprints through one hidden layer, with dropout.

logits = W₂ drop(ReLU(W₁ drop([f_u; f_v]) + b₁)) + b₂. Dropout on the bits keeps the network from
learning single molecules by heart; the epoch is selected on the whole of validation.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from parsimony import base
from parsimony.datasets.fingerprints import BITS
from parsimony.pairs.pair_estimator import FloatArray, IntArray
from parsimony.pairs.trained import Losses, TrainedPairs, TrainedParameters, ordered

CHUNK = 4096  # pairs scored at once


class MLPParameters(TrainedParameters):
    """Parameters of the fingerprint network."""

    hidden: int = Field(256, ge=1, le=4096, description="hidden units, 1 … 4096")
    input_dropout: float = Field(0.3, ge=0, lt=1, description="dropout of the bits, [0, 1)")
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout of the hidden layer, [0, 1)")


class MLP(TrainedPairs):
    """A network of one hidden layer over the fingerprints of both drugs."""

    method: ClassVar[str] = "mlp"
    Parameters: ClassVar[type[base.Parameters]] = MLPParameters
    structural = True
    because = "structure only: a network over both fingerprints"

    def asked_alone(self, pairs: IntArray) -> FloatArray:
        """Probabilities (n, n_types) of pairs; the network reads no interactions."""
        return self._probabilities(pairs, self.task_.visible("test"))

    def _build(self, generator: torch.Generator | None = None) -> None:
        p = self.resolved_
        self._network = fingerprint_network(
            p.hidden, self.task_.data.n_types, p.input_dropout, p.dropout, generator
        )

    def _epoch(self, drawn: np.random.Generator) -> tuple[int, Losses]:
        rows = self.task_.pairs("train")
        return len(rows), self._losses(rows, drawn)

    def _losses(self, rows: IntArray, drawn: np.random.Generator) -> Losses:
        bits = torch.from_numpy(self.fingerprints_)
        for batch in ordered(len(rows), self.resolved_.batch, drawn):
            part = torch.from_numpy(rows[batch].astype(np.int64))
            logits = self._network(both(bits, part[:, [0, 2]]))
            yield F.cross_entropy(logits, part[:, 1]), len(part)

    def _probabilities(self, pairs: IntArray, facts: IntArray) -> FloatArray:
        bits = torch.from_numpy(np.ascontiguousarray(self.fingerprints_))
        rows = torch.from_numpy(pairs.astype(np.int64))
        self._network.eval()
        with torch.no_grad():
            parts = [
                self._network(both(bits, part)).softmax(1) for part in torch.split(rows, CHUNK)
            ]
        probabilities: FloatArray = torch.cat(parts).numpy()
        return probabilities


def fingerprint_network(
    hidden: int,
    n_types: int,
    input_dropout: float,
    dropout: float,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """Return the network over both drugs' fingerprints, initialised where there is a generator."""
    network = nn.Sequential(
        nn.Dropout(input_dropout),
        nn.Linear(2 * BITS, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, n_types),
    )
    if generator is not None:
        with torch.no_grad():
            for weight in network.parameters():
                if weight.dim() == 2:
                    nn.init.xavier_uniform_(weight, generator=generator)
                else:
                    weight.zero_()
    return network


def both(bits: Tensor, pairs: Tensor) -> Tensor:
    """[f_u; f_v] of pairs (n, 2): (n, 2 · 1,024)."""
    return bits[pairs].flatten(1).float()
