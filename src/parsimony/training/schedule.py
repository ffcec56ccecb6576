"""How learning rates fall while a training goes on."""

from __future__ import annotations

import math

__all__ = ["annealed", "decayed"]

#: of the first rate, what is left of it in the end
END = 0.01


def annealed(progress: float) -> float:
    """The part of the first rate that is left: half a cosine, from 1 down to .01.

    A rate that ends low ends the jumps of validation: the last epochs differ little, whichever is
    chosen. As it goes by the progress, not by a number of epochs, this holds for every graph and
    budget.

    Parameters
    ----------
    progress
        How much of the training is over, in [0, 1].

    Source: I. Loshchilov, F. Hutter, SGDR, ICLR 2017, eq. 5, without restarts.
    """
    return END + (1 - END) * (1 + math.cos(math.pi * progress)) / 2


def decayed(lr: float, decay: float | None, number: int, progress: float) -> float:
    """The rate of epoch ``number`` (from 1): decaying by a factor per epoch, else annealed."""
    return lr * (annealed(progress) if decay is None else decay ** (number - 1))
