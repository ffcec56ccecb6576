"""Knowledge beyond single facts, as text: rules, symbols, formulas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.knowledge.rule_counts import body_pairs, count_rules, pca_confidences
    from parsimony.knowledge.rule_formats import rules_from_text, rules_to_text
    from parsimony.knowledge.rule_mining import mine_rules
    from parsimony.knowledge.rules import (
        Atom,
        Constant,
        Rule,
        format_rules,
        parse_rule,
        parse_rules,
        read_rules,
    )
    from parsimony.knowledge.symbol import Symbol
    from parsimony.knowledge.symbol_file import read_symbol

__all__ = [
    "Atom",
    "Constant",
    "Rule",
    "Symbol",
    "body_pairs",
    "count_rules",
    "format_rules",
    "mine_rules",
    "parse_rule",
    "parse_rules",
    "pca_confidences",
    "read_rules",
    "read_symbol",
    "rules_from_text",
    "rules_to_text",
]

__getattr__ = lazy(
    __name__,
    {
        "Atom": "rules",
        "Constant": "rules",
        "Rule": "rules",
        "Symbol": "symbol",
        "body_pairs": "rule_counts",
        "count_rules": "rule_counts",
        "format_rules": "rules",
        "mine_rules": "rule_mining",
        "parse_rule": "rules",
        "parse_rules": "rules",
        "pca_confidences": "rule_counts",
        "read_rules": "rules",
        "read_symbol": "symbol_file",
        "rules_from_text": "rule_formats",
        "rules_to_text": "rule_formats",
    },
)
