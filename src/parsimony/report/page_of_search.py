"""What the page of a searched run shows of the search, and of the symbol of any bilinear run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from parsimony.knowledge.symbol import Symbol
from parsimony.report.search_charts import STYLES, interval_chart, trials_chart
from parsimony.report.svg_of_symbol import symbol_svg

if TYPE_CHECKING:
    from parsimony.design.trial import Trial

__all__ = ["search_view", "symbol_view"]

_TRIALS = 12  # of the best, in the table
#: What a pattern lets a relation say, in words.
_MEANING = {
    "symmetric": "(a, r, b) holds as (b, r, a) does, as in “is married to”",
    "skew-symmetric": "(a, r, b) speaks against (b, r, a), as in “is the parent of”",
    "inverse": "every relation can have a second one that says the same backwards, as in “parent "
    "of” and “child of”",
    "general": "relations that are neither, which most are",
}


def symbol_view(text: str) -> dict[str, Any]:
    """Return a symbol as picture, text and words.

    Parameters
    ----------
    text
        Rows, infix or a name.
    """
    from markupsafe import Markup

    symbol = Symbol.parse(text)
    words = symbol.patterns.words()
    said = {word.split(" (")[0]: word for word in words}
    return {
        "name": symbol.name,
        "picture": Markup(symbol_svg(symbol)),
        "rows": symbol.text(),
        "infix": symbol.infix(),
        "latex": symbol.latex(),
        "blocks": symbol.n_blocks,
        "degenerate": symbol.degenerate,
        "rank": symbol.rank,
        "patterns": [(said.get(name), name, meaning) for name, meaning in _MEANING.items()],
    }


def search_view(found: Mapping[str, Any], trials: Sequence[Trial]) -> dict[str, Any]:
    """Return what the template shows.

    Parameters
    ----------
    found
        What search.json holds.
    trials
        The ledger's rows, in the order in which they ended.
    """
    # A resumed search may have changed its ladder: what belongs to another is left out.
    trials = [trial for trial in trials if trial.rung.to_list() in found["ladder"]]
    names = {row["symbol"]: row["name"] for row in found["comparison"]}
    best = names.get(found["best"]["symbol"], found["best"]["name"] or "found")
    return {
        "best": best,
        "symbol": symbol_view(found["best"]["symbol"]),
        "found": found.get("found"),
        "algorithm": found["algorithm"],
        "n_trials": found["trials"],
        "n_structures": len({trial.canonical for trial in trials}),
        "exhausted": found.get("exhausted", False),
        "finalists": [_finalist(row) for row in found["comparison"]],
        "splits": [split for split in ("valid", "test") if split in found["comparison"][0]],
        "intervals": _intervals(found["comparison"], best),
        "curve": _curve(trials),
        "rungs": _rung_keys(trials),
        "evidence": found.get("rungs", []),
        "predictor": _predictor(found.get("predictor")),
        "top": _top(trials),
        "seconds": _cost(found, best),
        "diverged": sum(trial.error is not None for trial in trials),
    }


def _finalist(row: Mapping[str, Any]) -> dict[str, Any]:
    from markupsafe import Markup

    gap = row.get("difference", {})
    return {**row, "picture": Markup(symbol_svg(Symbol.parse(row["symbol"]))), "gap": gap}


def _intervals(rows: Sequence[Mapping[str, Any]], best: str) -> list[tuple[str, Any]]:
    """One chart a split: the finalists' MRR with its interval."""
    from markupsafe import Markup

    charts = []
    for split, title in (("valid", "Validation MRR"), ("test", "Test MRR")):
        found = [(r["name"], r[split]["mrr"], *r[split]["interval"]) for r in rows if split in r]
        if found:
            title = f"{title} of the finalists, 95 % interval"
            charts.append((title, Markup(interval_chart(found, title=title, best=best))))
    return charts


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


def _curve(trials: Sequence[Trial]) -> Any:
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
    return Markup(trials_chart(points, title="Validation MRR of the trials", across=across))


def _predictor(found: Mapping[str, Any] | None) -> str | None:
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
        f" What it chose measured {lift:+.4f}{within} in MRR against what chance chose from the "
        "same candidates"
    )
    if error is None:
        return f"{said}; one round cannot say more."
    from scipy.stats import t as student

    if abs(lift) < student.ppf(0.975, max(1, found["rounds"] - 1)) * error:
        return f"{said}: no difference is shown."
    return f"{said}: it {'earned its keep' if lift > 0 else 'did harm'}."


def _top(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """The best structures of the highest rungs first, each once a rung, seeds averaged."""
    groups: dict[tuple[str, Any], list[Trial]] = {}
    for trial in trials:
        if trial.error is None:
            groups.setdefault((trial.canonical, trial.rung), []).append(trial)
    rungs = {rung: i for i, rung in enumerate(_ladder(trials))}
    rows: list[dict[str, Any]] = [
        {
            "name": Symbol.parse(canonical).name or "",
            "structure": group[0].structure,
            "valid": sum(trial.valid for trial in group) / len(group),
            "seeds": len(group),
            "rung": str(rung),
            "level": rungs[rung],
            "blocks": Symbol.parse(canonical).n_blocks,
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
