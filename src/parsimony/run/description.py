"""The description length of a run: how many bytes say all that was learned."""

from __future__ import annotations

from parsimony.errors import CorruptRun
from parsimony.run.folder import MODEL, RunFolder
from parsimony.run.table_shards import shard_files

__all__ = ["RULES", "description_bytes", "size_text"]

RULES = "rules.txt"
_HEADER = 8  # bytes of a safetensors file that hold the length of its header


def description_bytes(run: RunFolder) -> int:
    """Return the bytes of what a run has learned: of its rules as text, else of its tensors.

    Names and shapes of the tensors are left out: they do not depend on the data.

    Raises
    ------
    CorruptRun
        The model is missing or cut off.
    """
    rules, model = run.path / RULES, run.path / MODEL
    if rules.is_file():
        return rules.stat().st_size
    remedy = "restore the folder or train again"
    if not model.is_file():
        raise CorruptRun("the model is missing", remedy=remedy, where=str(model))
    total = 0
    for path in (model, *shard_files(run.path, model.stem)):
        with path.open("rb") as stream:
            header = int.from_bytes(stream.read(_HEADER), "little")
        size = path.stat().st_size - _HEADER - header
        if size < 0:
            raise CorruptRun("the model is cut off", remedy=remedy, where=str(path))
        total += size
    return total


def size_text(n_bytes: float) -> str:
    """Return a number of bytes with its decimal unit: ``3.21 kB``, ``450 B``."""
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if n_bytes >= size:
            return f"{n_bytes / size:.3g} {unit}"
    return f"{n_bytes:g} B"
