"""What a fit will take, as far as a probe of it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from parsimony.run.duration import spell_duration

__all__ = ["Estimate", "OnlyEstimated"]

#: seconds; a fit that takes less is not announced
SHORT = 10.0


@dataclass(frozen=True)
class Estimate:
    """Time, memory and size of a fit before it; None for what is not known.

    Attributes
    ----------
    epochs
        Most epochs.
    epoch_seconds, total_seconds
        Of an epoch with its validation, and of all of them at most, without a time budget.
    peak_memory_bytes
        Resident memory of the process.
    parameters
        Trained numbers.
    reach
        What a query walks on average, by name.
    notes
        What is not known, and why.
    """

    method: str
    epochs: int | None = None
    epoch_seconds: float | None = None
    total_seconds: float | None = None
    peak_memory_bytes: int | None = None
    parameters: int | None = None
    reach: Mapping[str, float] | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def long(self) -> bool:
        """Whether it is worth announcing."""
        return self.total_seconds is not None and self.total_seconds > SHORT

    def as_dict(self) -> dict[str, Any]:
        """Return all figures by name."""
        return asdict(self) | {"notes": list(self.notes)}

    def lines(self, time_budget: float | None = None) -> list[str]:
        """Say it in a line or two.

        Parameters
        ----------
        time_budget
            Seconds that the whole may take, where they are limited.
        """
        parts = []
        if self.epochs is not None and self.epoch_seconds is not None:
            total = self.total_seconds or 0.0
            ends = f"at most {spell_duration(total)}"
            if time_budget is not None and time_budget < total:
                ends = f"ended by the time budget of {spell_duration(time_budget)}"
            each = spell_duration(self.epoch_seconds)
            parts.append(f"up to {self.epochs:,} epochs of about {each}, {ends}")
        else:
            parts.append("time unknown")
        if self.peak_memory_bytes is not None:
            parts.append(f"{self.peak_memory_bytes / 1e9:.2g} GB of memory at the peak")
        if self.parameters is not None:
            parts.append(f"{self.parameters:,} parameters")
        lines = [f"{self.method}: {'; '.join(parts)}"]
        if self.reach:
            lines.append(
                f"a query walks {self.reach['edges']:,.0f} edges and reaches "
                f"{self.reach['entities']:,.0f} of {self.reach['of']:,.0f} entities on average"
            )
        return [*lines, *self.notes]


class OnlyEstimated(Exception):
    """Leaves a fit that was only to be estimated; it carries the estimate."""

    def __init__(self, estimate: Estimate) -> None:
        super().__init__("only estimated")
        self.estimate = estimate
