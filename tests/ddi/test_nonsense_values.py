"""Values that mean nothing are refused by name, with the limits."""

from __future__ import annotations

import numpy as np
import pytest

from parsimony.ddi import MLP, EmerGNN, Neighbours, PairEnsemble, Prior, Walks
from parsimony.ddi.emergence import simulate_emergence
from parsimony.ddi.task import DDIOptions
from parsimony.errors import InvalidParameter

NAN, INF = float("nan"), float("inf")
NONSENSE = [
    *((Neighbours, "power", v) for v in (0, -1, 1e9, NAN, INF, "x")),
    *((Neighbours, "smoothing", v) for v in (0, -1, 1e-300, 1e300, NAN)),
    *((Prior, "smoothing", v) for v in (0, 1e-300, 1e300, NAN)),
    *((Walks, "min_similarity", v) for v in (-0.1, 1.1, NAN)),
    *((Walks, "iterations", v) for v in (0, 10**9)),
    *((MLP, "lr", v) for v in (0, -1, 1e20, NAN)),
    *((MLP, "epochs", v) for v in (0, 10**12)), *((MLP, "batch", v) for v in (0, 10**12)),
    *((EmerGNN, "neighbour_scores", v) for v in ([0], [-2.0], [NAN], [1e9], [4.0] * 9)),
    *((EmerGNN, "lr", v) for v in (1e20, -1)), (EmerGNN, "emerging_fraction", 1.0),
    *((c, "seed", v) for c in (Neighbours, Prior, Walks, MLP, EmerGNN) for v in (-1, 2**80)),
    (PairEnsemble, "members", []), (PairEnsemble, "members", [{"method": "prior"}] * 65),
    (DDIOptions, "setting", "S3"), (DDIOptions, "test_graph", "all"),
]  # fmt: skip


@pytest.mark.parametrize(("cls", "name", "value"), NONSENSE)
def test_it_is_refused(cls, name, value):
    make = cls.taken_from if cls is DDIOptions else lambda values: cls(**values)
    with pytest.raises(InvalidParameter, match=name) as caught:
        make({name: value})
    assert str(caught.value)


def test_a_fraction_that_draws_nothing():
    pairs = np.array([[0, 0, 1], [1, 0, 2]], np.int32)
    with pytest.raises(InvalidParameter, match="draws none"):
        simulate_emergence(pairs, "S1", np.random.default_rng(0), fraction=0.01)
