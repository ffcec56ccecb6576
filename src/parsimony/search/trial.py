"""One trial: a structure trained for a while, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Generic, Protocol, TypeVar

from annotated_types import Ge, Gt, Le, Lt
from pydantic import ConfigDict

from parsimony.search.settings import Rung

__all__ = ["Evaluate", "Measured", "Proposal", "Trial", "TrialResult"]

S = TypeVar("S")
_Count = Annotated[int, Ge(0), Lt(2**53)]
_Size = Annotated[int, Ge(1), Lt(2**53)]
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
    flops: float = 0.0
    cpu_seconds: float = 0.0


class Evaluate(Protocol[S_contra]):
    """The trainer: the same arguments give the same result.

    It is called with ``entities`` as well, the fraction of them that the trial may see, on rungs
    where that is below 1, and with ``seconds`` on rungs that limit these; a trainer whose rungs
    have no such limits need not take them.
    """

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
        Who chose it: ``start``, ``predictor``, ``chance``, ``order``; on higher rungs ``climb``,
        or ``named`` for a hand-made structure.
    predicted : float, optional
        What the predictor expected, in units of its own.
    """

    structure: S
    key: str
    origin: str
    predicted: float | None = None


@dataclass(frozen=True)
class Trial:
    """A row of the store.

    Parameters
    ----------
    structure, canonical : str
        As text: as it was trained, and the form that all equivalent ones share.
    seed, epochs, dim : int
        As asked for; with ``canonical``, ``entities`` and ``limit`` they are the trial's identity.
        Where the structure itself says the dimension, ``dim`` is 1.
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
    entities : float
        Fraction of the entities that the trial saw.
    limit : float, optional
        Wall seconds that it could take at most; None: as many as its epochs needed.
    flops, cpu_seconds : float
        Floating-point operations and processor seconds of learning; 0 where they were not counted.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)

    structure: str
    canonical: str
    seed: _Count
    epochs: _Size
    dim: _Size
    valid: float
    seconds: Annotated[float, Ge(0)]
    parameters: _Count
    ran: _Count
    stage: str
    origin: str
    predicted: float | None
    at: float
    error: str | None = None
    entities: Annotated[float, Gt(0), Le(1)] = 1.0
    limit: Annotated[float, Gt(0)] | None = None
    flops: Annotated[float, Ge(0)] = 0.0
    cpu_seconds: Annotated[float, Ge(0)] = 0.0

    @property
    def rung(self) -> Rung:
        """How much it was trained."""
        return Rung(self.dim, self.epochs, self.entities, self.limit)

    @property
    def identity(self) -> tuple[str, int, Rung]:
        """What makes two trials the same measurement."""
        return self.canonical, self.seed, self.rung
