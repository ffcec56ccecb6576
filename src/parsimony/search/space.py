"""What a search needs to know of a space of structures, whatever they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["OneShot", "Printing", "Space"]

S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)


class OneShot(Protocol[S_contra]):
    """Guesses the figures of many structures by one training of shared weights."""

    def __call__(self, structures: Sequence[S_contra]) -> npt.NDArray[np.float64]:
        """Return one guess per structure, (n,); the same structures get the same guesses."""
        ...


class Printing(Protocol[S_contra]):
    """Prints structures: all that measuring them needs of a space."""

    def text(self, structure: S_contra) -> str:
        """Print a structure in one line."""
        ...


class Space(Protocol[S]):
    """Structures that can be drawn, changed, told apart, described, printed and read.

    All methods are pure: what is random comes from the generator that is given.
    """

    #: as in ``--space``
    name: str
    #: default size up to which :meth:`enumerate` goes
    max_size: int

    def start(self) -> list[S]:
        """Return the structures that every search measures first: simplest and named ones."""
        ...

    def named(self) -> Mapping[str, S]:
        """Return the hand-made structures that a found one is compared with."""
        ...

    def sample(self, random: np.random.Generator) -> S:
        """Draw any structure; it may be invalid."""
        ...

    def grow(self, structure: S, random: np.random.Generator) -> S:
        """Return one of the next size that contains the structure; itself if none is larger."""
        ...

    def mutate(self, structure: S, random: np.random.Generator) -> S:
        """Return the structure with small random changes; it may be invalid."""
        ...

    def crossover(self, first: S, second: S, random: np.random.Generator) -> S:
        """Return a mixture of two structures; it may be invalid."""
        ...

    def size(self, structure: S) -> int:
        """Return the number of parts that :meth:`grow` increases."""
        ...

    def enumerate(self, max_size: int) -> Iterator[S]:
        """Yield every valid structure of at most that size once, always in the same order."""
        ...

    def keys(self, structures: Sequence[S]) -> list[str]:
        """Return the canonical form as text: one for all structures of equal power."""
        ...

    def valid(self, structures: Sequence[S]) -> npt.NDArray[np.bool_]:
        """Whether a structure is worth a training."""
        ...

    def features(self, structures: Sequence[S]) -> npt.NDArray[np.float64]:
        """Return what a predictor may know, (n, f), equal for equal canonical forms."""
        ...

    def text(self, structure: S) -> str:
        """Print a structure in one line."""
        ...

    def parse(self, text: str) -> S:
        """Read a structure back."""
        ...
