"""Arrays and tensors from files: dtype, number of axes and finiteness checked, never pickled."""

from __future__ import annotations

import os
import tokenize
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors

from parsimony.decoding.files import check_file
from parsimony.errors import FormatError, ParsimonyError

__all__ = ["load_array", "load_tensors", "mapped_array"]

Array = npt.NDArray[Any]
# What NumPy raises for bytes that are not what their header says; a header can hold any literal.
_DAMAGED = (
    OSError, ValueError, TypeError, KeyError, EOFError, SyntaxError, OverflowError, MemoryError,
    RecursionError, tokenize.TokenError,
)  # fmt: skip


def load_array(
    path: str | os.PathLike[str],
    *,
    kind: str = "biuf",
    ndim: int | None = None,
    finite: bool = True,
    mmap: bool = False,
    error: type[ParsimonyError] = FormatError,
    remedy: str = "write it again",
) -> Array:
    """Return the array of a ``.npy`` file.

    Parameters
    ----------
    path : path
    kind : str
        Accepted kinds of dtype, as of :attr:`numpy.dtype.kind`.
    ndim : int, optional
        The number of axes it must have.
    finite : bool
        Refuse NaN and infinity.
    mmap : bool
        Map the file instead of reading it.
    error : type
        The error raised for a damaged file.
    remedy : str
        What the user can do about it.

    Raises
    ------
    MissingFile, NotAFile
        There is no such file.
    error
        The file is damaged or holds another kind of array.
    """
    path = check_file(path)
    try:
        with path.open("rb") as stream:
            if stream.read(6) != b"\x93NUMPY":  # np.load also takes archives and pickles
                raise ValueError("not of NumPy's format")
        # Mapped first: a header may claim more than the file holds, and nothing is allocated yet.
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        if array.dtype.kind not in kind:
            raise ValueError(f"values of type {array.dtype}")
        if ndim is not None and array.ndim != ndim:
            raise ValueError(f"{array.ndim} axes, expected {ndim}")
        if not mmap:
            array = np.array(array)
        if finite and array.dtype.kind in "fc" and not np.isfinite(array).all():
            raise ValueError("a number that is not finite")
    except _DAMAGED as problem:
        # NumPy takes whatever it does not know for a pickle, and tells how to load it unsafely.
        reason = "no array" if "pickle" in str(problem) else str(problem)[:200]
        raise error(f"not the expected array ({reason})", remedy=remedy, where=str(path)) from None
    return array


def mapped_array(path: str | os.PathLike[str], **limits: Any) -> Array:
    """Return :func:`load_array` of the same arguments, mapped and without a look at its values."""
    return load_array(path, mmap=True, finite=False, **limits)


def load_tensors(
    path: str | os.PathLike[str],
    *,
    finite: bool = True,
    error: type[ParsimonyError] = FormatError,
    remedy: str = "write it again",
) -> dict[str, Array]:
    """Return the tensors of a safetensors file by name; limits as of :func:`load_array`."""
    path = check_file(path)
    try:
        tensors: dict[str, Array] = load_safetensors(Path(path).read_bytes())
        for name, array in tensors.items():
            if finite and array.dtype.kind in "fc" and not np.isfinite(array).all():
                raise ValueError(f"{name[:60]!r} holds a number that is not finite")
    except (SafetensorError, AttributeError, *_DAMAGED) as problem:
        raise error(
            f"not the expected tensors ({str(problem)[:200]})", remedy=remedy, where=str(path)
        ) from None
    return tensors
