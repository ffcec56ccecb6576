"""What is told of a race in the end: a row for each method, and one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from parsimony.base import Estimator
from parsimony.search.heat import Row
from parsimony.search.simplest import Contender, Verdict, Wanted, difference

__all__ = ["rows_of", "sentence"]


def rows_of(rows: Sequence[Row], verdicts: Mapping[str, Verdict]) -> list[dict[str, Any]]:
    """What race.json holds of each method; of one without a model only why it has none."""
    found = []
    for row in rows:
        told: dict[str, Any] = {"method": row.name, "seconds": row.seconds, "heats": row.heats}
        contender, heat = row.contender, row.heat
        if contender is None or heat is None:
            found.append(told | {"verdict": row.state, "why": row.why})
            continue
        verdict = verdicts[row.name]
        found.append(told | {
            "parameters": heat.parameters, "rules": heat.rules, "description_bytes": contender.size,
            "epochs": heat.epochs, "valid": contender.valid, "interval": list(contender.interval),
            "behind": verdict.gap, "behind_interval": [verdict.low, verdict.high],
            "verdict": "chosen" if verdict.why == "chosen" else "dropped",
            "why": "; ".join(filter(None, (verdict.why, row.why))),
        })  # fmt: skip
    return found


def sentence(
    chosen: Contender, winner: Estimator[Any, Any], rows: Sequence[Row], wanted: Wanted
) -> str:
    """Say what won, by how much over the next simpler, and whether more time may change it."""
    contenders = [c for row in rows if (c := row.contender) is not None]
    rules, parameters = len(getattr(winner, "rules_", ())), winner.parameters_count_
    if rules:
        what = f"rules alone explain it: {rules:,} rules, no weights"
    elif not parameters:
        what = f"{chosen.name} alone explains it: no parameters"
    else:
        members = [member.method for member in getattr(winner, "members_", ())]
        of = f" of {' and '.join(members)}" if members else ""
        what = f"{chosen.name}{of}, {parameters:,} parameters"
    if simpler := [c for c in contenders if c.size < chosen.size]:
        near = max(simpler, key=lambda c: c.valid)
        gap, low, high = difference(chosen.draws, near.draws)
        where = "above" if gap >= 0 else "below"
        what += f", {abs(gap):.3f} {where} {near.name} ({low:+.3f} to {high:+.3f})"
    larger = [c for c in contenders if c.size > chosen.size and c.valid > chosen.valid]
    if larger and wanted == "auto":
        best = max(larger, key=lambda c: c.valid)
        gap, _, _ = difference(best.draws, chosen.draws)
        what += f"; {best.name} is larger and not better with 95 % ({gap:+.3f})"
    if cut := [row.name for row in rows if row.cut]:
        end = "interruption" if any(row.interrupted for row in rows) else "time"
        what += f"; the {end} ended the training of {', '.join(cut)}"
    return what
