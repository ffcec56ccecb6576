"""Datasets by name, from a folder or from a file.

>>> from parsimony import datasets
>>> datasets.load("royal")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.datasets.loading import get, info, load
    from parsimony.datasets.registry import names, register
    from parsimony.link.data import LinkData

__all__ = ["LinkData", "get", "info", "load", "names", "register"]

__getattr__ = lazy(
    __name__,
    {
        "get": "loading",
        "info": "loading",
        "load": "loading",
        "names": "registry",
        "register": "registry",
    },
)
