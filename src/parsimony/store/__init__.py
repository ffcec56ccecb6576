"""Graph stores: facts on disk, encoded and grouped once, then memory-mapped by every command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.store.opening import GraphStore, is_store
    from parsimony.store.writing import StoreWriter

__all__ = ["GraphStore", "StoreWriter", "is_store"]

__getattr__ = lazy(
    __name__,
    {"GraphStore": "opening", "StoreWriter": "writing", "is_store": "opening"},
)
