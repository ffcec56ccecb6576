"""Adapted predictions as a page: each molecule is drawn with the supports that explain it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from parsimony.chem.drawing import drawn
from parsimony.errors import UsageError
from parsimony.metrics import bootstrap_interval
from parsimony.pages.templating import environment
from parsimony.report.compared import Compared, Value, require_same_questions
from parsimony.version import __version__

if TYPE_CHECKING:
    from markupsafe import Markup

    from parsimony.molecules.estimator import FewShotEstimator
    from parsimony.run.folder import RunFolder

__all__ = ["compared", "molecule_svg", "molecules_page", "run_info"]

USE = "ranking molecules of a new assay by a handful of measured ones, for research."
NOT_FOR = (
    "Decisions: probabilities from a handful of molecules are for ranking.",
    "Figures of public assays flatter: most of their molecules were measured in other assays too.",
)
DRAWN = 100  # most predictions on a page, the most probable ones


def run_info(run: RunFolder, estimator: FewShotEstimator[Any, Any], **known: Any) -> NoReturn:
    """Refuse: a run has no page of its own, its adapted predictions have one.

    Raises
    ------
    UsageError
        Says which command writes it.
    """
    raise UsageError(
        "a run of molecules is shown together with a task of yours",
        remedy="parsimony adapt RUN --support FILE --predict FILE --html FILE",
        where=str(run.path),
    )


def compared(
    estimators: Sequence[FewShotEstimator[Any, Any]], split: str, *, seed: int = 0,
    quiet: bool = True,
) -> Compared:  # fmt: skip
    """Score the episodes of a split by every run, for a comparison episode by episode."""
    tasks = [estimator.task_ for estimator in estimators]
    # Where none can be drawn, scoring says so.
    drawable = [k for k in tasks[0].options.shots if len(tasks[0].drawable(split, k))]
    shots = drawable or tasks[0].options.shots
    require_same_questions(
        [(np.array([task.options.episodes, *task.options.shots]), task.unseen, task.visible_labels)
         for task in tasks],
        [task.config() for task in tasks],
    )  # fmt: skip
    by_episode = []
    for estimator in estimators:
        found = {
            f"roc_auc@{k}": estimator.scored(split, k, seed=seed, quiet=quiet).table.mean(1)
            for k in shots
        }
        by_episode.append({"roc_auc": np.mean([*found.values()], axis=0), **found})

    def mean(values: Any) -> Value:
        return {"value": float(values.mean()), "interval": list(bootstrap_interval(values, seed))}

    return Compared(
        unit="episodes",
        n=tasks[0].options.episodes,
        headline="roc_auc",
        values=[{name: mean(values) for name, values in each.items()} for each in by_episode],
        gain=lambda one, other: {
            name: mean(values - by_episode[other][name]) for name, values in by_episode[one].items()
        },
        notes=tasks[0].notes,
    )


def molecules_page(
    result: dict[str, Any],
    ids: Sequence[str],
    smiles: Sequence[str],
    labels: Sequence[int],
    about: dict[str, str],
) -> str:
    """Return one self-contained HTML file.

    Parameters
    ----------
    result
        Of ``adapt``, with an ``id`` in every prediction and reason.
    ids, smiles, labels
        Of the support.
    about
        ``method``, ``data`` and ``learned``, what was learned before, in words.
    """
    order = sorted(result["predictions"], key=lambda p: -p["probability"])
    greatest = max((abs(s) for p in order for s in p.get("atoms", {}).get("shares", ())), default=0)
    small = {text: molecule_svg(text, 150, 105) for text in smiles}
    view = {
        **about,
        "n": len(order),
        "drawn": min(len(order), DRAWN),
        "predictions": [
            {
                **p,
                "svg": _coloured(p, greatest),
                "reasons": [{**r, "svg": small[r["smiles"]]} for r in p["reasons"]],
            }
            for p in order[:DRAWN]
        ],
        "support": [
            {"id": name, "svg": small[text], "label": label}
            for name, text, label in zip(ids, smiles, labels, strict=True)
        ],
        "facts": [
            ("method", about["method"]),
            ("adapted numbers", f"{result['adapted_parameters']:,}"),
            ("seconds to adapt", f"{result['seconds']:.3f}"),
            ("expected fraction of actives", f"{result['prevalence']:.1%}"),
        ],
        "calibration": result["calibration"],
        "prevalence": result["prevalence"],
        "weighing": result["weighing"],
        "beside": result.get("beside", ""),
        "notes": result["notes"],
    }
    return environment().get_template("molecules.html.j2").render(x=view, version=__version__)


def _coloured(prediction: dict[str, Any], greatest: float) -> Markup:
    """The drawing of a predicted molecule; one scale of colours for all of a page."""
    found = prediction.get("atoms")
    if found is None:
        return molecule_svg(prediction["smiles"], 240, 160)
    return molecule_svg(found["smiles"], 240, 160, found["shares"], greatest)


def molecule_svg(
    smiles: str, width: int, height: int, shares: Sequence[float] | None = None,
    greatest: float = 1.0,
) -> Markup:  # fmt: skip
    """Draw a molecule as an SVG element for a page (:func:`parsimony.chem.drawing.drawn`)."""
    from markupsafe import Markup

    return Markup(drawn(smiles, width, height, shares, greatest))
