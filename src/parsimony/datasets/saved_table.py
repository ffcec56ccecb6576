"""Arrays as ``.npy`` plus ``meta.json``; a folder without ``meta.json`` is not a dataset."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict
from typing_extensions import TypedDict

from parsimony.decoding import check_folder, checked, load_array, read_json
from parsimony.decoding.strict_json import json_text
from parsimony.errors import FormatError, InvalidParameter

__all__ = ["SavedTable", "read_table", "write_table"]

_FORMAT = 1
_REMEDY = "restore it"
Array = npt.NDArray[Any]


class SavedTable(TypedDict):
    """What every ``meta.json`` holds."""

    __pydantic_config__ = ConfigDict(strict=True, extra="allow")  # type: ignore[misc]
    format: int
    name: str
    source: str
    registered: bool
    notes: list[str]


def write_table(
    folder: str | os.PathLike[str], arrays: Mapping[str, Array], meta: Mapping[str, Any]
) -> None:
    """Write one ``.npy`` per array and then ``meta.json`` into a folder, created if absent."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    text = json_text({"format": _FORMAT, **meta}, ensure_ascii=False, indent=0)
    (folder / "meta.json").write_text(text + "\n", encoding="utf-8")


@contextmanager
def read_table(
    folder: str | os.PathLike[str], what: str, schema: Any
) -> Iterator[tuple[dict[str, Any], Callable[[str], Any]]]:
    """Yield what :func:`write_table` wrote: ``meta`` and the arrays by name.

    Errors inside the block, while the data are rebuilt, are reported as errors of the folder.

    Parameters
    ----------
    folder
    what
        Description of the data, for messages.
    schema
        The form of ``meta.json``, an extension of :class:`SavedTable`.

    Raises
    ------
    MissingFile, NotAFile, EncodingError, FormatError
        ``where`` gives the file.
    """
    folder = check_folder(folder)
    path = folder / "meta.json"
    try:
        meta = dict(checked(schema, read_json(path, remedy=_REMEDY), str(path), remedy=_REMEDY))
        if meta.pop("format") != _FORMAT:
            raise ValueError(f"not format {_FORMAT}")
        yield meta, lambda name: load_array(folder / f"{name}.npy", remedy=_REMEDY)
    except (
        OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError,
        InvalidParameter,
    ) as error:  # fmt: skip
        raise FormatError(
            f"not a saved {what} ({error})", remedy=_REMEDY, where=str(path)
        ) from None
