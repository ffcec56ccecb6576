"""One training of one symbol, for a search: validation only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from parsimony.errors import EmptySplit
from parsimony.knowledge.symbol import Symbol
from parsimony.link.embeddings.bilinear import Bilinear
from parsimony.link.task import LinkTask


@dataclass(frozen=True)
class TrialResult:
    """What a trial found and cost."""

    valid_mrr: float
    seconds: float
    parameters: int
    epochs: int


def run_trial(
    task: LinkTask, symbol: Symbol | str, *, dim: int, epochs: int, seed: int, **settings: Any
) -> TrialResult:
    """Train a symbol and measure it on validation, at the best epoch that was looked at.

    Parameters
    ----------
    task
        Link prediction on one graph with validation facts.
    symbol
        The structure, or its name or text.
    dim, epochs, seed
        Of the training; with ``every=epochs`` in the settings validation is looked at once.
    **settings
        Other parameters of method "bilinear"; those left out come from the preset of a registered
        dataset, else from the defaults.

    Raises
    ------
    EmptySplit
        No validation facts.
    UnknownParameter, InvalidParameter, UnknownSymbol
    """
    if not len(task.data.valid):
        raise EmptySplit(
            f"the valid split of {task.data.name} is empty", remedy="a search selects on it"
        )
    model = Bilinear(symbol=str(symbol), dim=dim, epochs=epochs, seed=seed, **settings).fit(task)
    valid = max(record["valid_mrr"] for record in model.history_ if "valid_mrr" in record)
    return TrialResult(
        float(valid), float(model.seconds_), model.parameters_count_, len(model.history_)
    )
