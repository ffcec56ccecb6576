"""Datasets by name, from a folder or from a file.

>>> from parsimony import datasets
>>> datasets.load("royal")  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parsimony.datasets.link_data import LinkData
    from parsimony.datasets.loading import get, info, load
    from parsimony.datasets.registry import names

__all__ = ["LinkData", "get", "info", "load", "names"]

_HOME = {
    "LinkData": "link_data",
    "get": "loading",
    "info": "loading",
    "load": "loading",
    "names": "registry",
}


def __getattr__(name: str) -> Any:
    # Lazy: listing the names must not import Polars.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
