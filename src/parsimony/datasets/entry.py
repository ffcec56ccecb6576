"""What the register says of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Entry", "Kind"]

Kind = Literal["link", "ddi", "graph", "molecules", "coldstart"]


@dataclass(frozen=True)
class Entry:
    """One registered dataset.

    Attributes
    ----------
    name : str
    kind : str
        ``link`` sets can be loaded by :func:`parsimony.datasets.load`.
    summary : str
        One line.
    licence : str
        As stated by its sources.
    archive : str
        The file in a mirror; empty for an embedded dataset and for one that is made.
    folder : str
        The folder inside the archive, inside ``datasets/embedded``, or an absolute path.
    sha256 : str
        Checksum of the archive on which this project's published results were obtained.
    made : bool
        Whether only its recipe has it (``recipes.toml``), no archive.
    """

    name: str
    kind: Kind
    summary: str
    licence: str
    archive: str = ""
    folder: str = ""
    sha256: str = ""
    made: bool = False

    @property
    def embedded(self) -> bool:
        """Whether the dataset is part of the package."""
        return not (self.archive or self.made)
