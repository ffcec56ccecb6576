"""All weights of a reasoner in one flat vector, with a named view for every symbol of the paper.

One vector makes the optimiser one operation, the gradient of a shard one array, and a sum over
shards one addition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
GATES = ("readout.depth", "criteria")  # logits of softmax gates, a row for every query relation


def layout(
    n_relations: int,
    dim: int,
    attention_dim: int,
    n_layers: int,
    *,
    sampler: bool,
    relative: bool = False,
    mix_depths: bool = False,
    mix_criteria: bool = False,
) -> dict[str, tuple[int, ...]]:
    """Name → shape of every parameter (docs/methods/redgnn.md, eq. 7).

    L [(2R+1) d + 3 d a + 2 a + 1 + d²] + 6 d² + 6 d + d weights, and L d more with AdaProp's
    sampler, 2 L d more where edges of the query relation have vectors of their own, 2 R L more
    where depths are mixed, and L (2 d a + 6 R) more where criteria are.
    """
    d, a = dim, attention_dim
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(n_layers):
        of_layer: dict[str, tuple[int, ...]] = {
            "relation": (2 * n_relations + 1 + 2 * relative, d),
            "W_s": (a, d),
            "W_r": (a, d),
            "W_q": (a, d),
            "b_q": (a,),
            "w_alpha": (a,),
            "b_alpha": (1,),
            "W_h": (d, d),
        }
        if sampler:
            of_layer["w_sample"] = (d,)
        if mix_criteria:
            of_layer |= {"W_prior_q": (a, d), "W_prior_r": (a, d), "criteria": (2 * n_relations, 3)}
        shapes |= {f"layer{layer}.{name}": shape for name, shape in of_layer.items()}
    shapes |= {
        "gru.W_ih": (3 * d, d),
        "gru.W_hh": (3 * d, d),
        "gru.b_ih": (3 * d,),
        "gru.b_hh": (3 * d,),
        "readout.w": (d,),
    }
    if mix_depths:
        shapes["readout.depth"] = (2 * n_relations, n_layers)
    return shapes


class Weights(Mapping[str, FloatArray]):
    """Named views into one flat vector.

    Parameters
    ----------
    shapes
        Name → shape, in storage order.
    flat
        The vector, (n,); zeros if left out.
    dtype
        Its type where ``flat`` is left out.
    """

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        flat: FloatArray | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self.shapes = dict(shapes)
        size = sum(int(np.prod(shape)) for shape in shapes.values())
        self.flat: FloatArray = np.zeros(size, dtype) if flat is None else flat
        self._view: dict[str, FloatArray] = {}
        offset = 0
        for name, shape in shapes.items():
            n = int(np.prod(shape))
            self._view[name] = self.flat[offset : offset + n].reshape(shape)
            offset += n

    def __getitem__(self, name: str) -> FloatArray:
        """Return a view."""
        return self._view[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._view)

    def __len__(self) -> int:
        """Return the number of views."""
        return len(self._view)

    def initialise(self, rng: np.random.Generator) -> Weights:
        """Draw initial values: N(0, 1) relation tables, uniform ±1/√fan_in elsewhere.

        Gates begin even: their logits are zero.
        """
        for name, view in self._view.items():
            if name.endswith(".relation"):
                view[...] = rng.standard_normal(view.shape)
                continue
            if name.endswith(GATES):
                view.fill(0)
                continue
            layer = name.split(".")[0]
            if name.endswith("b_q") or name.startswith("gru."):
                bound = 1 / np.sqrt(self._view["readout.w"].shape[0])
            elif name.endswith("b_alpha"):
                bound = 1 / np.sqrt(self._view[f"{layer}.w_alpha"].shape[0])
            else:
                bound = 1 / np.sqrt(view.shape[-1])
            view[...] = rng.uniform(-bound, bound, view.shape)
        return self
