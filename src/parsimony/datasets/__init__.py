"""Datasets by name.

>>> from parsimony import datasets
>>> datasets.load("royal")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.datasets.loading import get, info
    from parsimony.datasets.registry import names, register

__all__ = ["get", "info", "load", "names", "register"]

__getattr__ = lazy(
    __name__,
    {
        "get": "loading",
        "info": "loading",
        # load reads data of every kind, and only the register of problems knows their readers
        "load": ".problems",
        "names": "registry",
        "register": "registry",
    },
)
