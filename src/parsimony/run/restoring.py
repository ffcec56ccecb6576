"""Report any failure to rebuild a model from a run's files as CorruptRun."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.errors import CorruptRun, DataError, MissingExtra, UsageError

__all__ = ["require_indices", "require_tensors", "restoring"]

_REMEDY = "restore the folder or train again"
# What Python, NumPy and torch raise for parts that do not fit each other.
_MISFITS = (
    ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, RuntimeError,
    TypeError, ValueError,
)  # fmt: skip


@contextmanager
def restoring(
    path: Path, *, parameters: bool = True, also: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Turn errors inside the block into a CorruptRun that names the file or folder of the run.

    Parameters
    ----------
    path
    parameters
        Also wrong parameters, for they are the run's; not where the user gives some.
    also
        What else the block raises for parts that do not fit each other.

    Raises
    ------
    CorruptRun
        Something was missing, or had another shape, type or range.
    """
    misfits: tuple[type[Exception], ...] = (*_MISFITS, *also)
    try:
        yield
    except MissingExtra:
        raise
    except (DataError, UsageError) as error:
        if isinstance(error, UsageError) and not parameters:
            raise
        raise CorruptRun(error.message, remedy=_REMEDY, where=error.where or str(path)) from None
    except misfits as error:
        raise CorruptRun(
            f"does not hold what this run needs ({str(error)[:200] or type(error).__name__})",
            remedy=_REMEDY,
            where=str(path),
        ) from error


def require_tensors(
    tensors: Mapping[str, npt.NDArray[Any]],
    shapes: Mapping[str, tuple[int | None, ...]],
    kinds: str = "f",
) -> None:
    """Require tensors by name, with their shapes and kinds of number.

    Parameters
    ----------
    tensors
    shapes
        None stands for any length.
    kinds
        As of :attr:`numpy.dtype.kind`.

    Raises
    ------
    ValueError
        One is missing, of another shape or kind.
    """
    for name, shape in shapes.items():
        if name not in tensors:
            raise ValueError(f"no tensor {name!r}")
        found = tensors[name]
        fits = len(found.shape) == len(shape) and all(
            wanted in (None, length) for wanted, length in zip(shape, found.shape, strict=True)
        )
        if not fits or found.dtype.kind not in kinds:
            wanted = " × ".join("any" if n is None else str(n) for n in shape)
            raise ValueError(f"{name!r} is {found.dtype} {found.shape}, expected {wanted or 'one'}")


def require_indices(array: npt.NDArray[Any], below: int, name: str, least: int = 0) -> None:
    """Require integers in ``least`` … ``below`` − 1.

    Raises
    ------
    ValueError
        One lies outside: NumPy would count a negative one from the end.
    """
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name!r} is {array.dtype}, expected integers")
    if array.size and (array.min() < least or array.max() >= below):
        at = int(np.argmax((array < least) | (array >= below)))
        raise ValueError(f"{name!r} holds {array.flat[at]}, expected {least} to {below - 1}")
