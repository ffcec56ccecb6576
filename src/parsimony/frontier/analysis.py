"""From the rows of a frontier to its curves, equivalent scales and verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from parsimony.frontier.axes import Axis, Measure, measures_of
from parsimony.frontier.curves import Curve, curve_of
from parsimony.frontier.draws import DRAWS, Draws
from parsimony.frontier.equivalent import Equivalent, equivalent_scale
from parsimony.frontier.groups import Group
from parsimony.frontier.row import Row, Side

__all__ = ["Analysis", "Best", "Crossing", "analyse", "share_label"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Best:
    """The size of a family that is best on validation, and its errors in every draw."""

    family: str
    side: Side
    group: Group
    error: float
    drawn: Floats

    @property
    def interval(self) -> tuple[float, float]:
        """95 % of the error on test."""
        low, high = np.quantile(self.drawn, (0.025, 0.975))
        return float(low), float(high)


@dataclass(frozen=True)
class Crossing:
    """What a family needs for the error of a model of the other side."""

    model: Best
    curve: Curve
    scale: Equivalent


@dataclass
class Analysis:
    """A measure's curves and what follows from them.

    Attributes
    ----------
    curves
        By family.
    best
        By family; of ``knowledge`` and ``scaled`` the best by validation, None where nothing ran.
    crossings
        Of every model driven by knowledge with every curve that scales up, and the reverse.
    rows
        Those that ``group.rows`` point to.
    gain
        Error of the best scaled-up model less that of the best driven by knowledge: the measured
        one, and its paired 95 % interval.
    """

    measure: Measure
    curves: dict[str, Curve]
    best: dict[str, Best]
    knowledge: Best | None
    scaled: Best | None
    crossings: list[Crossing] = field(default_factory=list)
    gain: tuple[float, float, float] | None = None
    notes: list[str] = field(default_factory=list)
    rows: Sequence[Row] = ()

    def crossing(self, model: Best | None, family: Best | None) -> Crossing | None:
        """Return what the family of the second needs to be as right as the first."""
        if model is None or family is None:
            return None
        return next(
            (
                each for each in self.crossings
                if each.model.group == model.group and each.curve.family == family.family
            ),
            None,
        )  # fmt: skip


def analyse(
    results: Sequence[tuple[Row, Path]], axis: Axis, *, headline_share: float = 1.0,
    loss: bool = False, draws: int = DRAWS, seed: int = 0,
) -> list[Analysis]:  # fmt: skip
    """Analyse the rows that are done, on every way of counting the axis.

    Parameters
    ----------
    results
        Rows, each with the folder that its ``values`` lie in.
    headline_share
        Of the labels: which models of the labels axis are compared.
    loss
        Of the negative log-likelihood, in place of one minus the metric.

    Returns
    -------
    list of Analysis
        That of the headline first; empty where nothing is done.
    """
    done = [(row, folder) for row, folder in results if row.status == "done"]
    if loss:
        done = [(row, folder) for row, folder in done if row.error_loss is not None]
    rows = [row for row, _ in done]
    if not rows:
        return []
    values: list[Floats | None] = [None] * len(rows)
    if not loss:
        values = [
            None if row.values is None else 1.0 - np.load(folder / row.values).astype(np.float64)
            for row, folder in done
        ]
    errors = np.array([_error(row, loss) for row in rows])
    resampled = Draws(errors, values, draws=draws, seed=seed)
    known = measures_of(axis, rows)
    return [_of_measure(m, rows, resampled, axis, headline_share, seed) for m in known]


def _error(row: Row, loss: bool) -> float:
    return float(row.error_loss or 0.0) if loss else 1.0 - row.value


def _of_measure(
    measure: Measure, rows: Sequence[Row], draws: Draws, axis: Axis, share: float, seed: int
) -> Analysis:
    curves: dict[str, Curve] = {}
    best: dict[str, Best] = {}
    notes: list[str] = []
    for family in dict.fromkeys(row.family for row in rows):
        own = [i for i, row in enumerate(rows) if row.family == family]
        side = rows[own[0]].side
        groups = _by_share(own, rows, measure) if axis == "labels" else _by_size(own, rows, measure)
        if not groups:
            continue
        curve = curves[family] = curve_of(family, side, groups, draws, seed)
        notes += curve.notes
        asked = [g for g in groups if axis != "labels" or rows[g.rows[0]].labels_share == share]
        if asked:
            chosen = min(asked, key=_on_validation)
            if len(chosen.rows) > 1:
                drawn = draws.means([chosen.rows])[:, 0]
            else:  # one seed says nothing of seeds: those of the sizes beside it do
                k = next(k for k, g in enumerate(curve.groups) if chosen.rows[0] in g.rows)
                drawn = curve.samples[:, k]
            error = float(draws.errors[list(chosen.rows)].mean())
            best[family] = Best(family, side, chosen, error, drawn)
    found = Analysis(measure, curves, best, _best(best, "knowledge"), _best(best, "scaled"))
    found.notes, found.rows = notes, rows
    for model in best.values():
        for curve in curves.values():
            if curve.side != model.side:
                # No law ends at 0: what cannot be told from it is right as well.
                errors = np.maximum(model.drawn, draws.least)
                scale = equivalent_scale(curve, errors, model.group.amount)
                if scale is not None:
                    found.crossings.append(Crossing(model, curve, scale))
    if found.knowledge is not None and found.scaled is not None:
        apart = found.scaled.drawn - found.knowledge.drawn
        low, high = np.quantile(apart, (0.025, 0.975))
        found.gain = found.scaled.error - found.knowledge.error, float(low), float(high)
    return found


def _best(best: dict[str, Best], side: str) -> Best | None:
    able = [each for each in best.values() if each.side == side]
    return min(able, key=lambda each: _on_validation(each.group), default=None)


def _by_size(own: Sequence[int], rows: Sequence[Row], measure: Measure) -> list[Group]:
    """One group a size, of the runs with all labels."""
    own = [i for i in own if rows[i].labels_share == max(rows[k].labels_share for k in own)]
    return [
        _group(label, [i for i in own if rows[i].size == label], rows, measure)
        for label in dict.fromkeys(rows[i].size for i in own)
    ]


def _by_share(own: Sequence[int], rows: Sequence[Row], measure: Measure) -> list[Group]:
    """One group a share of the labels: of its sizes, the one that is best on validation."""
    found = []
    for share in sorted({rows[i].labels_share for i in own}):
        here = [i for i in own if rows[i].labels_share == share]
        sizes = [
            _group(share_label(share, label), [i for i in here if rows[i].size == label], rows,
                   measure)
            for label in dict.fromkeys(rows[i].size for i in here)
        ]  # fmt: skip
        found.append(min(sizes, key=_on_validation))
    return found


def share_label(share: float, size: str) -> str:
    """Name a size that learned from a share of the labels."""
    return f"{100 * share:g} % of the labels, {size}"


def _group(label: str, own: Sequence[int], rows: Sequence[Row], measure: Measure) -> Group:
    amount = float(np.mean([measure.amount(rows[i]) for i in own]))
    return Group(label, amount, tuple(1.0 - rows[i].value_valid for i in own), tuple(own))


def _on_validation(group: Group) -> float:
    """Mean error of the seeds on validation."""
    return float(np.mean(group.valid))
