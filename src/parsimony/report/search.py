"""What the page of a searched run shows of the search, whatever the space."""

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
    """How the structures of one space are read, drawn and compared.

    Parameters
    ----------
    noun : str
        What one is called: its key in search.json.
    figure : str
        What validation says of a trial.
    size : str
        What their size counts.
    parse : callable
        From text to something that has a ``name``, None where it has none.
    size_of, picture : callable
        Of such a structure: its size, an ``<svg>``.
    values, gaps : callable
        Of a row of the comparison: title → ``value`` and ``interval`` or None. Gaps
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
    """Return what the template shows of how a structure was found.

    Parameters
    ----------
    found
        What search.json holds.
    trials
        The ledger's rows, in the order in which they ended.
    of
        The structures of its space.
    """
    # A resumed search may have changed its ladder: what belongs to another is left out.
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


def comparison_view(
    rows: Sequence[Mapping[str, Any]], best: str, of: Structures
) -> dict[str, Any]:
    """Return a table of trained models and a chart a measure.

    Parameters
    ----------
    rows
        ``name parameters epochs seconds`` and the measures of each; those that are structures hold
        their text.
    best
        The name that is marked.
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
            told = f"{title[0].upper()}{title[1:]}, 95 % interval"
            charts.append((told, Markup(interval_chart(points, title=told, best=best))))
    return {
        "best": best,
        "rows": shown,
        "titles": _titles(row["values"] for row in shown),
        "gap_titles": _titles(row["gaps"] for row in shown),
        "charts": charts,
    }


def _titles(cells: Any) -> list[str]:
    """All titles, in the order in which they first come."""
    return list({title: None for row in cells for title in row})


def _ladder(trials: Sequence[Trial]) -> list[Any]:
    """The rungs that were trained on, the lowest first."""
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
    """The highest rung in the accent of answers, those in the middle alike."""
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
    return Markup(trials_chart(points, title=title, across=across))


def _predictor(found: Mapping[str, Any] | None, of: Structures) -> str | None:
    """Whether the predictor earned its keep, in a sentence or two."""
    if not found or found["rank_correlation"] is None:
        return None
    said = (
        f"Within a round its order agreed with what was then measured by Spearman's "
        f"ρ = {found['rank_correlation']:.2f} (mean of {found['rounds']} rounds)."
    )
    lift, error = found["lift"], found["lift_error"]
    if lift is None:
        return said
    within = "" if error is None else f" ± {error:.4f} (standard error)"
    said += (
        f" What it chose measured {lift:+.4f}{within} in {of.figure} against what chance chose "
        "from the same candidates"
    )
    if error is None:
        return f"{said}; one round cannot say more."
    from scipy.stats import t as student

    if abs(lift) < student.ppf(0.975, max(1, found["rounds"] - 1)) * error:
        return f"{said}: no difference is shown."
    return f"{said}: it {'earned its keep' if lift > 0 else 'did harm'}."


def _top(trials: Sequence[Trial], of: Structures) -> list[dict[str, Any]]:
    """The best structures of the highest rungs first, each once a rung, seeds averaged."""
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
    """Search, final trainings, the best one's alone, and how many of these the search cost."""
    seconds = dict(found["seconds"])
    training = seconds.get("training")
    if training is None:
        training = next((r["seconds"] for r in found["comparison"] if r["name"] == best), None)
    times = seconds["search"] / training if training else None
    return {**seconds, "training": training, "times": times}
