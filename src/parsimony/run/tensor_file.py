"""Safetensors files written piece by piece: what is written is never held in memory twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.decoding.strict_json import json_text
from parsimony.run.atomic import replaced_file

__all__ = ["tensor_digest", "tensor_pieces", "write_tensors"]

Tensors = Mapping[str, npt.NDArray[Any]]
PIECE = 1 << 26  # bytes
_KINDS = {"f": "F", "i": "I", "u": "U"}


def tensor_pieces(tensors: Tensors, metadata: Mapping[str, str] | None = None) -> Iterator[bytes]:
    """Yield a safetensors file of arrays, views and transposes included, in pieces.

    Wide numbers come first, so that all are aligned; then the order is that of the names.
    """
    # safetensors reads the buffer as it is in memory: strides are none of its business.
    arrays = {name: np.asarray(value, order="C") for name, value in tensors.items()}
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    form: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for name in order:
        array = arrays[name]
        ends = [at, at := at + array.nbytes]
        form[name] = {
            "dtype": _kind(array.dtype), "shape": [*array.shape], "data_offsets": ends
        }  # fmt: skip
    header = json_text(form).encode()
    header += b" " * (-len(header) % 8)
    yield from (len(header).to_bytes(8, "little"), header)
    yield from chain.from_iterable(_pieces(arrays[name]) for name in order)


def write_tensors(path: Path, tensors: Tensors, metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file atomically.

    Raises
    ------
    CannotWrite
        The disk is full, or the folder is not writable; the target is unchanged.
    """
    with replaced_file(path) as stream:
        for piece in tensor_pieces(tensors, metadata):
            stream.write(piece)


def tensor_digest(text: str, tensors: Tensors) -> str:
    """Return the SHA-256 of the state and of every tensor's name, dtype, shape and bytes."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        array = np.asarray(tensors[name], order="C")
        digest.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        for piece in _pieces(array):
            digest.update(piece)
    return digest.hexdigest()


def _pieces(array: npt.NDArray[Any]) -> Iterator[Any]:
    flat = array.reshape(-1).view(np.uint8)
    return (flat[i : i + PIECE].data for i in range(0, len(flat), PIECE))


def _kind(dtype: np.dtype[Any]) -> str:
    return "BOOL" if dtype.kind == "b" else f"{_KINDS[dtype.kind]}{8 * dtype.itemsize}"
