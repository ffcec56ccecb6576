"""What ``--device cuda`` runs, on tensors of the processor: "cpu:0" is the torch form there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from parsimony.errors import InvalidParameter
from parsimony.pipeline import fit

SETTINGS = {
    "complex": {"dim": 8, "batch": 2000, "dropout": 0.0, "input_dropout": 0.0},
    "redgnn": {"dim": 4, "n_layers": 1, "batch": 500, "dropout": 0.0},
}


@pytest.mark.parametrize("method", sorted(SETTINGS))
def test_the_torch_form_learns_what_the_kernels_learn(method):
    trained = []
    for device in ("cpu", "cpu:0"):
        settings = {**SETTINGS[method], "threads": 1, "seed": 0}
        model, summary = fit("royal", method, parameters=settings, epochs=1, device=device)
        trained.append((np.concatenate([x.ravel() for x in model._tensors().values()]), summary))
    np.testing.assert_allclose(trained[0][0], trained[1][0], rtol=1e-3, atol=1e-4)
    assert trained[0][1]["valid"] == pytest.approx(trained[1][1]["valid"], abs=2e-3)


@pytest.mark.parametrize("method", sorted(SETTINGS))
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_it_is_refused(method):
    with pytest.raises(InvalidParameter, match="torch sees no CUDA device here; use device cpu"):
        fit("royal", method, device="cuda")
