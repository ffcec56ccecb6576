"""Triton's relational sum against the NumPy reference, and the model that uses it.

On the processor by Triton's interpreter, on an accelerator where there is one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from parsimony.kernels import triton as room
from parsimony.kernels.redgnn.attention import attention_backward_reference, attention_reference

#: run by itself, as Triton looks at the environment when it is imported
CHECK = """
import sys
import numpy as np, torch
from parsimony.kernels.triton.attention import relational_sum
device = "cuda" if torch.cuda.is_available() else "cpu"
given = dict(np.load(sys.argv[1]))
floats = [torch.from_numpy(given[n]).to(device).requires_grad_()
          for n in ("a", "p", "w", "b", "hidden", "embedding")]
index = [torch.from_numpy(given[n].astype(np.int64)).to(device)
         for n in ("indptr", "source", "relation")]
alpha, out = relational_sum(*index, *floats)
((out * torch.from_numpy(given["d_out"]).to(device)).sum()
 + (alpha * torch.from_numpy(given["d_alpha"]).to(device)).sum()).backward()
np.savez(sys.argv[2], alpha=alpha.detach().cpu(), out=out.detach().cpu(),
         **{f"d{i}": x.grad.cpu() for i, x in enumerate(floats)})
"""


def test_triton_is_not_imported_unless_it_is_used():
    code = "import sys, parsimony.link.reasoning.propagation_torch; print('triton' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_without_triton_torch_computes(monkeypatch):
    monkeypatch.setattr(room, "find_spec", lambda name: None)
    assert not room.active("cuda")


@pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed (CUDA builds)")
def test_the_kernels_are_their_reference(tmp_path):
    rng = np.random.default_rng(0)
    indptr = np.array([0, 2, 2, 5, 9])
    given = {
        "indptr": indptr, "source": rng.integers(0, 4, 9), "relation": rng.integers(0, 3, 9),
        "a": rng.standard_normal((4, 3)), "p": rng.standard_normal((3, 3)),
        "w": rng.standard_normal(3), "b": rng.standard_normal(1),
        "hidden": rng.standard_normal((4, 6)), "embedding": rng.standard_normal((3, 6)),
    }  # fmt: skip
    names = list(given)
    given |= {"d_out": rng.standard_normal((4, 6)), "d_alpha": np.zeros(9)}
    np.savez(tmp_path / "in.npz", **given)
    done = subprocess.run(
        [sys.executable, "-c", CHECK, str(tmp_path / "in.npz"), str(tmp_path / "out.npz")],
        env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "out.npz")
    alpha, out = attention_reference(*(given[name] for name in names))
    np.testing.assert_allclose(found["alpha"], alpha, atol=1e-8)
    np.testing.assert_allclose(found["out"], out, atol=1e-8)
    without_b = [given[name] for name in names if name != "b"]
    expected = attention_backward_reference(*without_b, alpha, given["d_out"])
    for i, gradient in enumerate(expected):
        np.testing.assert_allclose(found[f"d{i}"], gradient, atol=1e-8, err_msg=str(i))
