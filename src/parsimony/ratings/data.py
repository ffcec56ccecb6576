"""Ratings of items by users, and which users are for training, validation and test."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from annotated_types import Len

from parsimony.datasets.saved_table import SavedTable, read_table, write_table
from parsimony.decoding.strict_json import json_text
from parsimony.errors import InvalidParameter

__all__ = ["NO_FEATURES", "SPLITS", "Features", "RatingData"]

IntArray = npt.NDArray[np.int32]
SPLITS = ("train", "valid", "test")
_ARRAYS = ("user", "item", "rating", "query", "split")
_FEATURES = ("item_features", "user_features")


@dataclass(frozen=True, eq=False)
class Features:
    """Features of entities, several each: those of entity i are ``index[ptr[i]:ptr[i + 1]]``."""

    names: tuple[str, ...]
    ptr: IntArray
    index: IntArray

    @classmethod
    def of(cls, rows: list[list[str]]) -> Features:
        """Number the features of every entity."""
        number: dict[str, int] = {}
        index = [number.setdefault(name, len(number)) for row in rows for name in row]
        ptr = np.cumsum([0, *map(len, rows)])
        return cls(tuple(number), ptr.astype(np.int32), np.array(index, np.int32))


NO_FEATURES = Features((), np.zeros(1, np.int32), np.zeros(0, np.int32))


class _Saved(SavedTable):
    """meta.json."""

    users: list[str]
    items: list[str]
    scale: Annotated[list[int | float], Len(2, 2)]
    item_features: list[str]
    user_features: list[str]


@dataclass(frozen=True, eq=False)
class RatingData:
    """A table of ratings.

    Attributes
    ----------
    name : str
    users, items : tuple of str
        Their names.
    user, item : int32 arrays, shape (n,)
    rating : float32 array, shape (n,)
    query : bool array, shape (n,)
        False: of the user's support, which the model sees; True: to be predicted.
    split : int8 array, shape (n_users,)
        0 train, 1 valid, 2 test, per user.
    scale : (float, float)
        Lowest and highest possible rating.
    item_features, user_features : Features
        What is known of them beside their ids; none by default.
    notes : tuple of str
        What was reduced, guessed or dropped while they were read.
    source : str
        Where they are from.
    registered : bool
        Whether they are of a registered dataset.

    Raises
    ------
    InvalidParameter
        Arrays that do not belong together.
    """

    name: str
    users: tuple[str, ...]
    items: tuple[str, ...]
    user: IntArray
    item: IntArray
    rating: npt.NDArray[np.float32]
    query: npt.NDArray[np.bool_]
    split: npt.NDArray[np.int8]
    scale: tuple[float, float]
    item_features: Features = field(default=NO_FEATURES)
    user_features: Features = field(default=NO_FEATURES)
    notes: tuple[str, ...] = ()
    source: str = ""
    registered: bool = False

    def __post_init__(self) -> None:
        """Freeze the arrays and check that they belong together."""
        kinds = (np.int32, np.int32, np.float32, np.bool_, np.int8)
        for name, kind in zip(_ARRAYS, kinds, strict=True):
            array: npt.NDArray[Any] = np.array(getattr(self, name), kind)
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        low, high = self.scale
        lengths = {len(self.user), len(self.item), len(self.rating), len(self.query)}
        if len(lengths) > 1 or len(self.split) != len(self.users) or not low < high:
            raise InvalidParameter("the arrays of ratings do not belong together")
        for rows, names in ((self.user, self.users), (self.item, self.items)):
            if len(rows) and not 0 <= rows.min() <= rows.max() < len(names):
                raise InvalidParameter("a rating of an unknown user or item")
        if len(self.rating) and not low <= self.rating.min() <= self.rating.max() <= high:
            raise InvalidParameter(
                f"a rating outside the scale {low:g} … {high:g}",
                remedy=f"--set scale={min(low, float(self.rating.min())):g},"
                f"{max(high, float(self.rating.max())):g}",
            )

    def __repr__(self) -> str:
        """Show the name and the counts."""
        counts = "/".join(str(int((self.split == s).sum())) for s in range(3))
        return (
            f"RatingData({self.name}: {len(self.user):,} ratings, users {counts}, "
            f"{len(self.items):,} items)"
        )

    @cached_property
    def scaled(self) -> npt.NDArray[np.float32]:
        """Ratings in [0, 1]."""
        low, high = self.scale
        return ((self.rating - low) / (high - low)).astype(np.float32)

    @cached_property
    def binary(self) -> bool:
        """Whether every rating is an end of the scale: a yes or a no."""
        return bool(np.isin(self.scaled, (0, 1)).all())

    @cached_property
    def rows(self) -> list[npt.NDArray[np.int64]]:
        """Rows of the table per user, in the order of the table."""
        order = np.argsort(self.user, kind="stable")
        ends = np.cumsum(np.bincount(self.user, minlength=len(self.users)))
        return np.split(order, ends[:-1])

    @cached_property
    def content_hash(self) -> str:
        """A SHA-256 of all that a model could see, whatever the data are called."""
        digest = hashlib.sha256()
        for names in (self.users, self.items, list(self.scale)):
            digest.update(json_text(names).encode())
        for array in [getattr(self, name) for name in _ARRAYS]:
            digest.update(np.ascontiguousarray(array).tobytes())
        for part in (self.item_features, self.user_features):
            digest.update(json_text(part.names).encode())
            digest.update(part.ptr.tobytes() + part.index.tobytes())
        return digest.hexdigest()

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write one ``.npy`` per array into ``folder``; ``meta.json`` last."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        meta = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _ARRAYS}
        for name in _FEATURES:
            part = meta[name]
            arrays |= {f"{name}_ptr": part.ptr, f"{name}_index": part.index}
            meta[name] = part.names
        write_table(folder, arrays, meta)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> RatingData:
        """Read what :meth:`save` wrote.

        Raises
        ------
        MissingFile, NotAFile, EncodingError, FormatError
            ``where`` names the file.
        """
        with read_table(folder, "table of ratings", _Saved) as (meta, array):
            for name in _FEATURES:
                meta[name] = Features(
                    tuple(meta[name]), array(f"{name}_ptr"), array(f"{name}_index")
                )
            for name in ("users", "items", "notes", "scale"):
                meta[name] = tuple(meta[name])
            return cls(**{name: array(name) for name in _ARRAYS}, **meta)
