"""Report any failure to rebuild a model from a run folder as CorruptRun."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from parsimony.errors import CorruptRun
from parsimony.run.folder import RunFolder

__all__ = ["restoring"]


@contextmanager
def restoring(run: RunFolder) -> Iterator[None]:
    """Turn errors inside the block into a CorruptRun that names the run.

    Raises
    ------
    CorruptRun
        Something was missing, or had another shape or type.
    """
    try:
        yield
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise CorruptRun(
            f"the files do not contain this model ({error!r})",
            remedy="fit again, or restore the run folder",
            where=str(run.path),
        ) from None
