"""What of a book bears on a graph: its entries as path rules, inferences and masking axioms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from parsimony.errors import InvalidParameter
from parsimony.knowledge import Rule
from parsimony.knowledge.axioms import Axiom
from parsimony.knowledge.book import KnowledgeBook
from parsimony.link.guidance.completion import Inference
from parsimony.link.guidance.mask import MASKING

__all__ = [
    "SURE",
    "changed_relations",
    "inferences_of",
    "is_sure",
    "masking_axioms",
    "prior_rules",
]

#: least confidence of a counted entry that is taken for true, where nothing else is asked for
SURE = 0.95


def is_sure(item: Rule | Axiom, least: float) -> bool:
    """Whether an entry has such a confidence, or stands there without any evidence."""
    if not item.is_counted and not item.confidence:
        return True
    return item.confidence >= least


def prior_rules(book: KnowledgeBook, rules: Sequence[Rule], relations: Iterable[str]) -> list[Rule]:
    """Those rules, and what the axioms of a book say as rules."""
    known, found = {*relations}, list(rules)
    have = {(rule.head, rule.body) for rule in rules}
    for axiom in book.axioms:
        if not {*axiom.terms} <= known:
            continue
        for head, steps in axiom.paths:
            rule = Rule.from_path(head, steps)
            if (rule.head, rule.body) in have or rule.is_trivial:
                continue
            if axiom.kind != "inverse":  # whose evidence is of both directions: each is counted
                rule = replace(
                    rule, support=axiom.support, body_count=axiom.body_count,
                    confidence=axiom.confidence,
                )  # fmt: skip
            found.append(rule)
    return found


def inferences_of(book: KnowledgeBook, relations: Sequence[str], least: float) -> list[Inference]:
    """The axioms and the stated rules that infer facts.

    A rule that was mined or distilled infers nothing, however sure.
    """
    ids = {name: i for i, name in enumerate(relations)}
    n, found = len(ids), list[Inference]()
    for entry in book.entries:
        item = entry.item
        if not {*entry.relations} <= {*ids} or not is_sure(item, least):
            continue
        if isinstance(item, Axiom):
            found += [
                Inference(ids[head], tuple(ids[r] + n * back for r, back in steps), item.clause)
                for head, steps in item.paths
            ]
        elif entry.provenance.origin == "stated" and not item.is_trivial:
            try:
                path = item.steps
            except InvalidParameter:  # a body that is no path is for the prior alone
                continue
            steps = tuple(ids[name] + n * inverse for name, inverse in path)
            found.append(Inference(ids[item.head.relation], steps, item.clause))
    return found


def masking_axioms(book: KnowledgeBook, least: float) -> list[tuple[str, tuple[str, ...]]]:
    """The axioms that make answers impossible; none where only disjoint types are named."""
    found = [
        (axiom.kind, axiom.terms)
        for axiom in book.axioms
        if axiom.kind in (*MASKING, "disjoint") and is_sure(axiom, least)
    ]
    return found if any(kind in MASKING for kind, _ in found) else []


def changed_relations(before: KnowledgeBook, after: KnowledgeBook) -> set[str]:
    """The relations that entries in only one of two books conclude, or are axioms about."""
    found = set[str]()
    for entry in {*before.entries} ^ {*after.entries}:
        item = entry.item
        found |= {*item.relations} if isinstance(item, Axiom) else {item.head.relation}
    return found
