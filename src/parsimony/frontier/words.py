"""What a frontier says: the verdict in a sentence, for or against, and every equivalent scale."""

from __future__ import annotations

from parsimony.frontier.analysis import Analysis, Best, Crossing
from parsimony.frontier.equivalent import Equivalent

__all__ = [
    "METRICS", "amount_text", "crossing_words", "limit_text", "named", "scale_text", "verdict",
]  # fmt: skip

METRICS = {
    "mrr": "MRR", "macro_f1": "macro-F1", "roc_auc": "ROC-AUC", "pr_auc": "PR-AUC",
    "ndcg@5": "nDCG@5", "ndcg@3": "nDCG@3",
}  # fmt: skip
_NOTHING = "Nothing can be said: {} finished no run."


def amount_text(value: float) -> str:
    """A number with three digits and a unit of thousands: ``1.23 M``."""
    for size, sign in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size * 0.9995:
            return f"{value / size:.3g} {sign}"
    return f"{value:.3g}"


def times_text(ratio: float) -> str:
    """A multiple in words: ``3.2 times as many``, ``120 times fewer``."""
    return f"{_number(ratio)} times as many" if ratio >= 1 else f"{_number(1 / ratio)} times fewer"


def limit_text(scale: Equivalent) -> str:
    """The limit as a multiple: ``more than 3 times as many``; of an interval its middle."""
    own = scale.amount
    if scale.low is not None and scale.middle is not None:
        ratio = scale.middle / own
        return "about as many" if 0.95 < ratio < 1.05 else times_text(ratio)
    if scale.at_least is not None:
        than = "more" if scale.at_least >= own else "not more"
        return f"{than} than {times_text(scale.at_least / own)}"
    than = "less" if (scale.at_most or 0.0) >= own else "more"
    return f"{than} than {times_text((scale.at_most or own) / own)}"


def _number(value: float) -> str:
    if value >= 99.5:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 1.095 else f"{value:.2g}"  # "1 times as many" says nothing


def scale_text(scale: Equivalent, unit: str) -> str:
    """Say an equivalent scale with its limits: ``> 1.2 M parameters with 95 %``."""
    if scale.low is not None and scale.high is not None and scale.middle is not None:
        return (
            f"{amount_text(scale.middle)} {unit} (95 %: {amount_text(scale.low)} to "
            f"{amount_text(scale.high)}), {limit_text(scale)}"
        )
    if scale.at_least is not None:
        return f"> {amount_text(scale.at_least)} {unit} with 95 %, {limit_text(scale)}"
    if scale.at_most is not None:
        return f"< {amount_text(scale.at_most)} {unit} with 95 %, {limit_text(scale)}"
    return f"an amount of {unit} that these runs do not say"


def crossing_words(crossing: Crossing, unit: str) -> str:
    """Say what a family needs for the error of a model of the other side."""
    text = (
        f"{crossing.curve.family} needs {scale_text(crossing.scale, unit)}, for the error of "
        f"{named(crossing.model)}, which has {amount_text(crossing.model.group.amount)} {unit}"
    )
    return text + _beyond(crossing)


def _beyond(crossing: Crossing) -> str:
    if not crossing.scale.extrapolated:
        return ""
    smallest, largest = map(amount_text, crossing.curve.ends)
    return f" (extrapolated: the sizes in its law have {smallest} to {largest})"


def named(best: Best, *more: str) -> str:
    """A model by its family and size: ``ComplEx (d = 64)``."""
    return f"{best.family} ({'; '.join([best.group.label, *more])})"


def _lawless(crossing: Crossing | None) -> str:
    """Why nothing is extrapolated from a family; "" where it may be."""
    if crossing is None or not crossing.curve.summary.get("lawless"):
        return ""
    return (
        f" The error of {crossing.curve.family} does not follow a power law, so that nothing is "
        "said of it beyond the sizes that were run."
    )


def _unscaled(found: Analysis, best: Best) -> str:
    """Why a family that is behind cannot be said to lose: its sizes ended while it got better."""
    curve = found.curves[best.family]
    if best.group.rows != curve.groups[-1].rows or len(curve.points) < 2:
        return ""
    return (
        f" But {best.family} was best at the largest of its {len(curve.points)} sizes that were "
        "run, too few for a law: larger ones may do better."
    )


def _one_size(found: Analysis, best: Best) -> str:
    """Why a scaled-up family that learned from few labels at one size alone cannot lose."""
    sizes = {row.size for row in found.rows if row.family == best.family}
    if found.measure.key != "labels" or len(sizes) > 1:
        return ""
    return f" But {best.family} was run at one size ({sizes.pop()}): others may do better."


def _measured(best: Best, name: str, unit: str) -> str:
    return named(best, f"{name} {1 - best.error:.3f}, {amount_text(best.group.amount)} {unit}")


def verdict(found: Analysis, metric: str) -> tuple[str, str]:
    """Return which side wins, and the sentence that says so.

    The more accurate side wins where the paired interval of the difference excludes zero and
    nothing speaks against it at equal accuracy; where the intervals leave it open, that is said.

    Returns
    -------
    side, sentence
        ``side`` is "knowledge", "scaled" or "open".
    """
    ours, theirs, unit = found.knowledge, found.scaled, found.measure.unit
    if ours is None or theirs is None or found.gain is None:
        return "open", _NOTHING.format("the side driven by knowledge" if ours is None else
                                       "the side that is scaled up")  # fmt: skip
    name = METRICS.get(metric, metric)
    gain, low, high = found.gain
    both = f"{_measured(ours, name, unit)} against {_measured(theirs, name, unit)}"
    apart = f"{gain:+.3f} (95 %: {low:+.3f} to {high:+.3f})"
    forward, back = found.crossing(ours, theirs), found.crossing(theirs, ours)
    needs = "" if forward is None else (
        f" To be as right as {named(ours)}, {theirs.family} needs "
        f"{scale_text(forward.scale, unit)}{_beyond(forward)}.{_lawless(forward)}"
    )  # fmt: skip
    reverse = "" if back is None else (
        f" To be as right as {named(theirs)}, {ours.family} needs "
        f"{scale_text(back.scale, unit)}{_beyond(back)}.{_lawless(back)}"
    )  # fmt: skip
    if low == high:  # as a point, which excludes zero always
        return "open", (
            f"Open: {both}; the difference is {gain:+.3f}, of one seed and a metric that no "
            f"interval is known of. More seeds say more (--seeds 3).{needs}"
        )
    alone = _one_size(found, theirs)
    cheaper = forward is not None and forward.scale.verdict == "less"
    if alone and high >= 0 and not cheaper:
        return "open", f"Open: {both}; the difference is {apart}.{alone}{needs}"
    short = _unscaled(found, theirs if low > 0 else ours)
    if (low > 0 or high < 0) and (forward if low > 0 else back) is None and short:
        return "open", f"Open: {both}; the difference is {apart}.{short}"
    if high < 0:
        if forward is not None and forward.scale.verdict == "more":
            return "open", (
                f"Divided: scaling up is more accurate at its best, by {-gain:.3f} (95 %: "
                f"{-high:.3f} to {-low:.3f}), but needs more for what knowledge reaches: {both}."
                f"{needs}{reverse}"
            )
        return "scaled", f"Scaling up wins: {both}; the difference is {apart}.{needs}{reverse}"
    if cheaper:
        return "scaled", (
            f"Scaling up wins: it needs less for the same accuracy. {both}; the difference is "
            f"{apart}.{needs}"
        )
    if low > 0:
        return "knowledge", f"Knowledge wins: {both}; the difference is {apart}.{needs}"
    if forward is not None and forward.scale.verdict == "more":
        return "knowledge", (
            f"Knowledge wins: it needs less for the same accuracy. {both}; the difference is "
            f"{apart}.{needs}"
        )
    return "open", f"Open: {both}; the difference is {apart}.{needs}{reverse}"
