"""A loop in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["ended_words", "sentence"]


def sentence(found: Mapping[str, Any]) -> str:
    """Say what the loop gave.

    Parameters
    ----------
    found
        Content of loop.json, but for the sentences.
    """
    best = found["rounds"][found["best"] - 1]
    gain = best["with_book"]
    text = (
        f"{found['method']} with what was known in round {found['best']} reaches MRR "
        f"{best['mrr']:.4f} on the measuring half of validation, alone {best['alone']:.4f}: the "
        f"book {_brings(gain)} ({gain['by']:+.4f}, {gain['low']:+.4f} to {gain['high']:+.4f})"
    )
    alone = best["rules_alone"]
    if alone is not None and alone > best["mrr"]:
        some, on = best["answers"], best["rules_alone_on"]
        part = f" on {on:,} of the {some:,} answers" if on < some else ""
        text += (
            f". Its rules alone, without a model, reach {alone:.4f}{part}, more than the model "
            "with them: --method rules may be all that this graph needs"
        )
    distilled = best["distilled"]
    if distilled is not None:
        book = distilled["fidelity"]
        text += (
            f". {book['rules']:,} distilled rules alone give its best answer on {book['top1']:.1%}"
        )
    if found["test"]:
        text += f". Test MRR {found['test']['mrr']:.4f}, read once"
    return text + "."


def _brings(gain: Mapping[str, float]) -> str:
    if gain["low"] > 0:
        return "makes it better"
    return "makes it worse" if gain["high"] < 0 else "brings nothing with 95 %"


def ended_words(found: Mapping[str, Any]) -> str:
    """Say why no further round was made."""
    n = len(found["rounds"])
    return {
        "rounds": f"All {n} rounds were made.",
        "nothing gained": f"Round {n} was not better than those before it with 95 %: "
        "another would learn from the same.",
        "nothing new": f"Round {n} left no entry that was not known, and dropped none: another "
        "would begin with the same book.",
        "time budget": f"The time allowed {n} round{'s' * (n > 1)}.",
    }[found["ended"]]
