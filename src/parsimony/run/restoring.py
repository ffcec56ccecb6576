"""Around the making of a model from a run's files: what does not fit is told as a damaged run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from parsimony.errors import CorruptRun
from parsimony.run.folder import RunFolder

__all__ = ["restoring"]


@contextmanager
def restoring(run: RunFolder) -> Iterator[None]:
    """Say which run does not hold the model.

    Raises
    ------
    CorruptRun
        Something was missing inside, or of another shape or type.
    """
    try:
        yield
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise CorruptRun(
            f"the files do not hold this model ({error!r})",
            remedy="fit again, or restore the run folder",
            where=str(run.path),
        ) from None
