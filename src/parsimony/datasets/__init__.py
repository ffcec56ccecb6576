"""Datasets by name.

>>> from parsimony import datasets
>>> datasets.load("royal")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.datasets.loading import get, info
    from parsimony.datasets.registry import names

__all__ = ["get", "info", "load", "names"]

__getattr__ = lazy(
    __name__,
    # load reads data of every kind: only the register of problems knows their readers
    {"get": "loading", "info": "loading", "load": ".problems", "names": "registry"},
)
