"""Vectors as files that other programs read: Parquet, and the text format of word2vec."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.errors import FormatError
from parsimony.run.lock import write_outputs

Named = tuple[Sequence[str], npt.NDArray[np.float32]]


def write_parquet(path: Path, tables: dict[str, Named]) -> None:
    """Write columns kind, name and vector (list of float32), one row per vector.

    Parameters
    ----------
    tables
        Kind ("entity", "relation") → names and vectors (n, width).
    """
    import polars as pl

    frames = [
        pl.DataFrame(
            {"name": list(names), "vector": list(vectors)},
            schema={"name": pl.String, "vector": pl.List(pl.Float32)},
        ).select(pl.lit(kind).alias("kind"), "name", "vector")
        for kind, (names, vectors) in tables.items()
    ]
    buffer = BytesIO()
    pl.concat(frames).write_parquet(buffer)
    write_outputs({path: buffer.getvalue()})


def write_word2vec(path: Path, names: Sequence[str], vectors: npt.NDArray[np.float32]) -> None:
    """Write ``n width``, then one line per vector: its name and its numbers, separated by spaces.

    White space in a name becomes ``_``, for a space ends the name.

    Raises
    ------
    FormatError
        Two names are the same without their spaces.
    """
    words = [re.sub(r"\s", "_", name) for name in names]
    seen: dict[str, str] = {}
    for name, word in zip(names, words, strict=True):
        if seen.setdefault(word, name) != name:
            raise FormatError(
                f"{seen[word]!r} and {name!r} are one word in the text format",
                remedy="write .parquet, which keeps names as they are",
            )
    text = StringIO()
    text.write(f"{len(words)} {vectors.shape[1]}\n")
    for word, vector in zip(words, vectors, strict=True):
        text.write(f"{word} {' '.join(_number(x) for x in vector)}\n")
    write_outputs({path: text.getvalue()})


def _number(x: Any) -> str:
    """The shortest text that is read back as the same float32."""
    return np.format_float_scientific(x, trim="-") if x and abs(x) < 1e-4 else str(x)
