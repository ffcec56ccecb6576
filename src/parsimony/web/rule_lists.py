"""The rules of a run, as ``parsimony rules`` lists them."""

from __future__ import annotations

from typing import Any

from parsimony.knowledge import parse_rule
from parsimony.run.folder import RunFolder

__all__ = ["rule_list"]


def rule_list(model: Any, run: RunFolder, asked: dict[str, Any]) -> dict[str, Any]:
    """The rules of a run by decreasing confidence.

    Parameters
    ----------
    asked
        ``relation`` of their heads; ``q``, a part of their text; ``top``, how many.

    Raises
    ------
    UnknownRelation
        With the nearest name.
    """
    top, relation = asked.get("top") or 100, asked.get("relation")
    wanted = (asked.get("q") or "").casefold()
    if relation is not None:
        model.task_.data.relations.index(relation)
    notes = list(model.rules_notes())
    # Those that fit wrote: extracting all of them from a network takes minutes on a large graph.
    known = run.read_toml("knowledge.toml") or {}
    texts = [row if isinstance(row, str) else row["text"] for row in known.get("rules", [])]
    rules = [parse_rule(text) for text in texts]
    if model.method == "rules":
        rules = model.knowledge(top=None)
    rules = [
        rule for rule in rules
        if relation in (None, rule.head.relation) and wanted in rule.clause.casefold()
    ]  # fmt: skip
    if len(rules) > top:
        notes.append(f"the best {top:,} of {len(rules):,} rules are given")
    return {
        "rules": [
            {"text": str(r), "support": r.support, "confidence": r.confidence} for r in rules[:top]
        ],
        "notes": notes,
    }
