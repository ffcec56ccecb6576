"""A network of one hidden layer over the fragments and descriptors of molecules.

Inputs are the counts of Morgan fragments, as min(log(1 + n), 3), and standardised descriptors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from parsimony.chem.descriptors import DESCRIPTORS, N_COUNTS, MoleculeFeatures
from parsimony.metrics.guard import require_scores
from parsimony.molecules.adapted import IntArray

__all__ = ["PropertyNetwork"]

FloatArray = npt.NDArray[np.float32]
FARTHEST = 6.0  # standard deviations of a descriptor
_COUNTED = torch.log1p(torch.arange(256.0)).clamp(max=3.0)


class PropertyNetwork(nn.Module):
    """Hidden units and logits of molecules.

    Parameters
    ----------
    n_tasks, hidden
        Units.
    dropout, input_dropout
        Of the hidden units and of the inputs, [0, 1).

    Attributes
    ----------
    mean, std : (n_descriptors,)
        Of the descriptors that it was initialised with.
    logit_mean, logit_std : (n_tasks,)
        Of its logits, by :meth:`measure_logits`.
    """

    mean: Tensor
    std: Tensor
    logit_mean: Tensor
    logit_std: Tensor
    #: molecules at a time where nothing is trained
    chunk: int = 4096

    def __init__(
        self, n_tasks: int, hidden: int, dropout: float = 0.0, input_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.inner: nn.Module = nn.Linear(N_COUNTS + len(DESCRIPTORS), hidden)
        self.outer = nn.Linear(hidden, n_tasks)
        self.drop_input, self.drop = nn.Dropout(input_dropout), nn.Dropout(dropout)
        self.register_buffer("mean", torch.zeros(len(DESCRIPTORS)))
        self.register_buffer("std", torch.ones(len(DESCRIPTORS)))
        self.register_buffer("logit_mean", torch.zeros(n_tasks))
        self.register_buffer("logit_std", torch.ones(n_tasks))

    def initialise(self, features: MoleculeFeatures, generator: torch.Generator) -> None:
        """Xavier for matrices, zeros for biases; standardise by these molecules."""
        with torch.no_grad():
            for weight in self.parameters():
                if weight.dim() == 2:
                    nn.init.xavier_uniform_(weight, generator=generator)
                else:
                    weight.zero_()
            values = torch.from_numpy(features.descriptors)
            self.mean.copy_(values.mean(0))
            self.std.copy_(values.std(0).clamp(min=1e-3))

    def inputs(self, features: MoleculeFeatures, rows: IntArray) -> Any:
        """Inputs (n, 2141) of some molecules."""
        counts = _COUNTED[torch.from_numpy(features.counts[rows]).long()]
        return torch.cat([counts, torch.from_numpy(self.standardised(features, rows))], 1)

    def standardised(self, features: MoleculeFeatures, rows: Any = slice(None)) -> FloatArray:
        """Descriptors (n, 93) of some molecules, standardised and clipped to ±6."""
        values = (features.descriptors[rows] - self.mean.numpy()) / self.std.numpy()
        bounded: FloatArray = np.clip(values, -FARTHEST, FARTHEST)
        return bounded

    def forward(self, inputs: Any) -> tuple[Tensor, Tensor]:
        """Hidden units (n, hidden) and logits (n, n_tasks)."""
        hidden = torch.relu(self.inner(self.drop_input(inputs)))
        return hidden, self.outer(self.drop(hidden))

    @torch.no_grad()
    def represent(self, features: MoleculeFeatures) -> tuple[FloatArray, FloatArray]:
        """Hidden units and logits of all molecules, without dropout."""
        self.eval()
        parts = [
            self(self.inputs(features, np.arange(at, min(at + self.chunk, len(features)))))
            for at in range(0, len(features), self.chunk)
        ]
        hidden, logits = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
        return hidden, logits

    def measure_logits(self, features: MoleculeFeatures) -> None:
        """Keep mean and standard deviation of the logits of these molecules."""
        _, logits = self.represent(features)
        require_scores(logits, "logit")
        self.logit_mean.copy_(torch.from_numpy(logits.mean(0)))
        self.logit_std.copy_(torch.from_numpy(np.maximum(logits.std(0), 1e-6)))

    def flops(self, n: int) -> float:
        """Floating-point operations of training on n molecules: 6 per weight."""
        return 6.0 * n * sum(w.numel() for w in self.parameters() if w.dim() == 2)
