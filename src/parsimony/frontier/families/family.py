"""A family of models on one side of a frontier, and its sizes."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parsimony.frontier.row import Side

__all__ = ["POWERS", "Family", "Size", "d", "grown", "hidden_units"]

POWERS = tuple(2**i for i in range(2, 12))  # 4 … 2048


@dataclass(frozen=True)
class Size:
    """A method at one size.

    Attributes
    ----------
    label
        What the size is, in words that can stand in brackets after the family's name.
    method, settings
        As ``parsimony fit`` takes them.
    about
        Roughly how many numbers it holds, in the family's own unit; it grows along the sizes.
    tuned
        Parameters that a tuning may choose.
    """

    label: str
    method: str
    settings: dict[str, Any]
    about: float
    tuned: tuple[str, ...] = ()


@dataclass(frozen=True)
class Family:
    """Sizes of one kind of model.

    Attributes
    ----------
    name, side
        What it is, and on which side it stands.
    sizes
        From small to large.
    about
        Why it is here.
    main
        Whether it is of the main comparison, which a budget is spent on first.
    unseen
        Whether it can answer about entities that were not in the facts it learned from.
    """

    name: str
    side: Side
    sizes: tuple[Size, ...]
    about: str
    main: bool = False
    unseen: bool = True

    def only(self, labels: Container[str]) -> Family:
        """Keep the sizes of these labels."""
        return replace(self, sizes=tuple(size for size in self.sizes if size.label in labels))

    def thinned(self, most: int) -> Family:
        """Keep at most so many sizes, even on the logarithm; the first and the last among them."""
        if len(self.sizes) <= most:
            return self
        amount = np.log([size.about for size in self.sizes])
        kept = {0, len(self.sizes) - 1} if most > 1 else {0}
        for wanted in np.linspace(amount[0], amount[-1], most)[1:-1]:
            left = [i for i in range(len(self.sizes)) if i not in kept]
            kept.add(min(left, key=lambda i: abs(amount[i] - wanted)))
        return replace(self, sizes=tuple(self.sizes[i] for i in sorted(kept)))


def grown(
    method: str, name: str, values: Sequence[int], label: Callable[[int], str], *,
    tuned: Iterable[str] = (), each: float = 1.0, **given: Any,
) -> tuple[Size, ...]:  # fmt: skip
    """One size for each value of a parameter; ``each`` is what the amount is per unit of it."""
    return tuple(Size(label(v), method, {name: v, **given}, each * v, tuple(tuned)) for v in values)


def d(n: int) -> str:
    """Label a size by the length of its vectors."""
    return f"d = {n}"


def hidden_units(n: int) -> str:
    """Label a size by its hidden layer."""
    return f"{n:,} hidden unit{'s' * (n != 1)}"
