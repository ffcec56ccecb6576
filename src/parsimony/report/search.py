"""How the page of a searched run shows the search, for any search space."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parsimony.pages.search_charts import STYLES, interval_chart, trials_chart

if TYPE_CHECKING:
    from parsimony.search.trial import Trial

__all__ = ["Structures", "comparison_view", "search_view"]

_TRIALS = 12  # of the best, in the table

Cells = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Structures:
    """How the structures of one space are parsed, drawn and compared.

    Parameters
    ----------
    noun : str
        Name of a structure: its key in search.json.
    figure : str
        Name of the validation metric of a trial.
    size : str
        The unit of their size.
    parse : callable
        From text to an object with a ``name``, which may be None.
    size_of, picture : callable
        From such a structure to its size, to an ``<svg>``.
    values, gaps : callable
        From a row of the comparison to title → ``value`` and ``interval`` or None. Gaps
        are how much better the best one is than this one.
    """

    noun: str
    figure: str
    size: str
    parse: Callable[[str], Any]
    size_of: Callable[[Any], int]
    picture: Callable[[Any], str]
    values: Callable[[Mapping[str, Any]], Cells]
    gaps: Callable[[Mapping[str, Any]], Cells]


def search_view(
    found: Mapping[str, Any], trials: Sequence[Trial], of: Structures
) -> dict[str, Any]:
    """Return what the template needs to show how a structure was found.

    Parameters
    ----------
    found
        Content of search.json.
    trials
        Rows of the trial store, in order of completion.
    of
        How to handle the structures of its space.
    """
    # A resumed search may have changed its ladder: results of another one are left out.
    trials = [trial for trial in trials if trial.rung.to_list() in found["ladder"]]
    names = {row[of.noun]: row["name"] for row in found["comparison"]}
    best = names.get(found["best"][of.noun], found["best"]["name"] or "found")
    return {
        "best": best,
        "found": found.get("found"),
        "figure": of.figure,
        "size": of.size,
        "algorithm": found["algorithm"],
        "n_trials": found["trials"],
        "n_structures": len({trial.canonical for trial in trials}),
        "exhausted": found.get("exhausted", False),
        "curve": _curve(trials, of),
        "rungs": _rung_keys(trials),
        "evidence": found.get("rungs", []),
        "predictor": _predictor(found.get("predictor"), of),
        "top": _top(trials, of),
        "seconds": _cost(found, best),
        "diverged": sum(trial.error is not None for trial in trials),
    }


def comparison_view(rows: Sequence[Mapping[str, Any]], best: str, of: Structures) -> dict[str, Any]:
    """Return a table of trained models and one chart per metric.

    Parameters
    ----------
    rows
        ``name parameters epochs seconds`` and the metrics of each; structures also hold their
        text.
    best
        The name to highlight.
    """
    from markupsafe import Markup

    shown = []
    for row in rows:
        structure = of.parse(row[of.noun]) if of.noun in row else None
        shown.append({
            **{key: row[key] for key in ("name", "parameters", "epochs", "seconds")},
            "picture": "" if structure is None else Markup(of.picture(structure)),
            "values": of.values(row),
            "gaps": of.gaps(row),
        })  # fmt: skip
    charts = []
    for title in _titles(row["values"] for row in shown):
        cells = [(row["name"], row["values"].get(title, {})) for row in shown]
        points = [(n, c["value"], *c["interval"]) for n, c in cells if c.get("interval")]
        if points:
            caption = f"{title[0].upper()}{title[1:]}, 95 % interval"
            svg = interval_chart(points, title=caption, across=title, best=best)
            charts.append((caption, Markup(svg)))
    return {
        "best": best,
        "rows": shown,
        "titles": _titles(row["values"] for row in shown),
        "gap_titles": _titles(row["gaps"] for row in shown),
        "charts": charts,
    }


def _titles(cells: Any) -> list[str]:
    """Return all titles in order of first appearance."""
    return list({title: None for row in cells for title in row})


def _ladder(trials: Sequence[Trial]) -> list[Any]:
    """Return the rungs that were trained on, the lowest first."""
    rungs = {trial.rung for trial in trials}
    return sorted(rungs, key=lambda rung: (rung.entities, rung.dim, rung.epochs))


def _rung_keys(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    rungs = _ladder(trials)
    return [
        {"name": str(rung), "style": _style(i, len(rungs)),
         "trials": sum(trial.rung == rung for trial in trials)}
        for i, rung in enumerate(rungs)
    ]  # fmt: skip


def _style(number: int, n: int) -> str:
    """Return a rung's style: an accent for the highest, one style for those in the middle."""
    return STYLES[-1] if number == n - 1 else STYLES[min(number, 1)]


def _curve(trials: Sequence[Trial], of: Structures) -> Any:
    from markupsafe import Markup

    sound = [trial for trial in trials if trial.error is None]
    if not sound:
        return None
    rungs = _ladder(trials)
    minutes = max(trial.at for trial in sound) > 600
    unit = 60.0 if minutes else 1.0
    points = [
        (_style(i, len(rungs)), [(t.at / unit, t.valid) for t in sound if t.rung == rung])
        for i, rung in enumerate(rungs)
    ]
    across = f"{'minutes' if minutes else 'seconds'} of the search"
    title = f"Validation {of.figure} of the trials"
    return Markup(trials_chart(points, title=title, across=across, up=f"validation {of.figure}"))


def _predictor(found: Mapping[str, Any] | None, of: Structures) -> str | None:
    """Return in a sentence or two whether the predictor helped."""
    if not found or found["rank_correlation"] is None:
        return None
    sentence = (
        f"Within a round, its ranking and the measured figures have Spearman's "
        f"ρ = {found['rank_correlation']:.2f} (mean of {found['rounds']} rounds)."
    )
    lift, error = found["lift"], found["lift_error"]
    if lift is None:
        return sentence
    within = "" if error is None else f" ± {error:.4f} (standard error)"
    sentence += (
        f" Its choices differ by {lift:+.4f}{within} in {of.figure} from random choices "
        "among the same candidates"
    )
    if error is None:
        return f"{sentence}; one round does not allow more than that."
    from scipy.stats import t as student

    if abs(lift) < student.ppf(0.975, max(1, found["rounds"] - 1)) * error:
        return f"{sentence}: no difference is shown."
    return f"{sentence}: it {'helped' if lift > 0 else 'did harm'}."


def _top(trials: Sequence[Trial], of: Structures) -> list[dict[str, Any]]:
    """Return the best structures, highest rungs first, each once per rung, averaged over seeds."""
    groups: dict[tuple[str, Any], list[Trial]] = {}
    for trial in trials:
        if trial.error is None:
            groups.setdefault((trial.canonical, trial.rung), []).append(trial)
    rungs = {rung: i for i, rung in enumerate(_ladder(trials))}
    rows: list[dict[str, Any]] = [
        {
            "name": of.parse(canonical).name or "",
            "structure": group[0].structure,
            "valid": sum(trial.valid for trial in group) / len(group),
            "seeds": len(group),
            "rung": str(rung),
            "level": rungs[rung],
            "size": of.size_of(of.parse(canonical)),
        }
        for (canonical, rung), group in groups.items()
    ]
    return sorted(rows, key=lambda row: (-row["level"], -row["seeds"], -row["valid"]))[:_TRIALS]


def _cost(found: Mapping[str, Any], best: str) -> dict[str, Any]:
    """Return the cost of the search, of the final trainings, of the best one's, and the ratio."""
    seconds = dict(found["seconds"])
    training = seconds.get("training")
    if training is None:
        training = next((r["seconds"] for r in found["comparison"] if r["name"] == best), None)
    times = seconds["search"] / training if training else None
    return {**seconds, "training": training, "times": times}
