"""The arrays of a store on the disk, each written from front to back and summed on the way."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from parsimony.store.manifest import FileSum

__all__ = ["ArrayFiles"]


class ArrayFiles:
    """New ``.npy`` files in a folder.

    Attributes
    ----------
    sums : dict of str to FileSum
        Size and SHA-256 of those that are complete.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sums: dict[str, FileSum] = {}

    @contextmanager
    def opened(
        self, name: str, kind: type, shape: tuple[int, ...]
    ) -> Iterator[Callable[[memoryview | bytes], None]]:
        """Begin an array; the function that is yielded appends parts of it."""
        digest, header = hashlib.sha256(), io.BytesIO()
        about = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(kind)),
            "fortran_order": False,
            "shape": shape,
        }
        np.lib.format.write_array_header_1_0(header, about)
        with (self.folder / name).open("xb") as stream:

            def write(part: memoryview | bytes) -> None:
                digest.update(part)
                stream.write(part)

            write(header.getvalue())
            yield write
            size = stream.tell()
        self.sums[name] = FileSum(bytes=size, sha256=digest.hexdigest())

    def write(self, name: str, array: npt.NDArray[np.generic]) -> None:
        """Write a whole array."""
        with self.opened(name, array.dtype.type, array.shape) as write:
            write(array.data)
