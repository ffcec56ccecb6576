"""One trial: a structure trained for a while, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

__all__ = ["Evaluate", "Measured", "Proposal", "Trial", "TrialResult"]

S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)


class Measured(Protocol):
    """What a trainer says of a trial."""

    @property
    def valid_mrr(self) -> float:
        """Figure of the validation split, the larger the better."""
        ...

    @property
    def seconds(self) -> float:
        """Wall time."""
        ...

    @property
    def parameters(self) -> int:
        """Trained numbers."""
        ...

    @property
    def epochs(self) -> int:
        """Epochs that were run, at most those asked for."""
        ...


@dataclass(frozen=True)
class TrialResult:
    """A plain :class:`Measured`."""

    valid_mrr: float
    seconds: float
    parameters: int
    epochs: int


class Evaluate(Protocol[S_contra]):
    """The trainer: the same arguments give the same result."""

    def __call__(self, structure: S_contra, *, seed: int, epochs: int, dim: int) -> Measured:
        """Train the structure and measure it on validation."""
        ...


@dataclass(frozen=True)
class Proposal(Generic[S]):
    """A structure that an algorithm wants measured.

    Parameters
    ----------
    structure
    key : str
        Its canonical form.
    origin : str
        Who chose it: ``start``, ``predictor``, ``chance``, ``order``, ``named``.
    predicted : float, optional
        What the predictor expected, in units of its own.
    """

    structure: S
    key: str
    origin: str
    predicted: float | None = None


@dataclass(frozen=True)
class Trial:
    """A row of the ledger.

    Parameters
    ----------
    structure, canonical : str
        As text: as it was trained, and the form that all equivalent ones share.
    seed, epochs, dim : int
        As asked for; with ``canonical`` they are the trial's identity.
    valid : float
        The validation figure; 0 for a training that diverged.
    seconds : float
    parameters : int
    ran : int
        Epochs that were run.
    stage : str
        ``search``, or ``rung 1``, ``rung 2`` … for a longer training of a promising structure.
    origin : str
        Who chose it; see :class:`Proposal`.
    predicted : float, optional
        What the predictor had expected.
    at : float
        Wall seconds of the search, over all its resumed parts, when the trial ended.
    error : str, optional
        Why there is no figure.
    """

    structure: str
    canonical: str
    seed: int
    epochs: int
    dim: int
    valid: float
    seconds: float
    parameters: int
    ran: int
    stage: str
    origin: str
    predicted: float | None
    at: float
    error: str | None = None

    @property
    def identity(self) -> tuple[Any, ...]:
        """What makes two trials the same measurement."""
        return self.canonical, self.seed, self.epochs, self.dim
