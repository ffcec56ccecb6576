"""Kernels for the accelerator, in Triton, each next to the NumPy reference of its compiled form.

Triton comes with CUDA builds of torch. Nothing here imports it before it is used.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

__all__ = ["active"]


def active(device: str) -> bool:
    """Whether these kernels compute what is on a kind of device, such as "cuda".

    Without Triton, torch's own operations do. ``TRITON_INTERPRET=1`` runs them on the processor,
    slowly, to test them.
    """
    asked = device == "cuda" or os.environ.get("TRITON_INTERPRET") == "1"
    return asked and find_spec("triton") is not None
