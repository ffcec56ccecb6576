"""What an edited book changes: the relations whose entries differ, before and after."""

from __future__ import annotations

from typing import Any

import numpy as np

from parsimony.knowledge import Rule
from parsimony.knowledge.book import KnowledgeBook
from parsimony.link.estimator import LinkEstimator
from parsimony.link.guidance.entries import changed_relations

__all__ = ["book_of", "changes"]


def book_of(model: LinkEstimator[Any]) -> KnowledgeBook:
    """The book that a model answers by: its own, its rules where it is made of them, or none."""
    book = getattr(model, "book_", None)
    if isinstance(book, KnowledgeBook):
        return book
    rules = model.knowledge(top=10**9) if type(model).takes_knowledge else []
    return KnowledgeBook.of_rules(rule for rule in rules if isinstance(rule, Rule))


def changes(
    before: LinkEstimator[Any], after: LinkEstimator[Any], split: str = "test"
) -> list[dict[str, Any]]:
    """Measure a split by two models of one task, for the relations whose entries differ.

    Returns
    -------
    list of dict
        ``relation, n_queries, before, after`` (MRR) and ``moved``, how many ranks differ, of the
        relations with queries; the last row, "others", of all whose entries are the same. Empty
        where no entry differs.
    """
    differ = changed_relations(book_of(before), book_of(after))
    if not differ:
        return []
    old, new = before.ranks(split), after.ranks(split)
    was, now = old.ranks(), new.ranks()
    known = [after.task_.data.relations.name(i) for i in range(after.task_.n_relations)]
    names = np.array(known, object)[new.relation]
    groups = [(name, names == name) for name in known if name in differ]
    groups.append(("others", ~np.isin(names, [*differ])))
    return [
        {
            "relation": name, "n_queries": int(of.sum()),
            "before": float((1 / was[of]).mean()), "after": float((1 / now[of]).mean()),
            "moved": int((was[of] != now[of]).sum()),
        }
        for name, of in groups
        if of.any()
    ]  # fmt: skip
