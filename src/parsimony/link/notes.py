"""What a user should know about measures on a dataset: leaks, repeated rows, few queries.

Every protocol is checked alike: the facts that a split asks about against the facts that a model
has seen by then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from parsimony.graph import KnowledgeGraph
from parsimony.graph.distinct import distinct_triples
from parsimony.link.leaks import Overlap, leaked

__all__ = ["FEW_QUERIES", "Asked", "common_facts", "split_notes"]

IntArray = npt.NDArray[np.int32]
#: With fewer the bootstrap interval of a mean is too narrow to be taken at its word.
FEW_QUERIES = 100


@dataclass(frozen=True)
class Asked:
    """The facts that a split asks about, and what is known when it is asked.

    Attributes
    ----------
    name
        What the split is called.
    facts
        (n, 3), with repeated rows.
    seen
        The facts learned from or walked, by the same ids.
    """

    name: str
    facts: IntArray
    seen: KnowledgeGraph


def split_notes(asked: Asked, overlaps: list[Overlap]) -> list[str]:
    """Return what makes the measures of a split too good, or too rough."""
    name, graph = asked.name, asked.seen
    if not len(asked.facts):
        more = ": nothing was selected on it" * (name == "valid")
        return [f"the {name} split is empty{more}"]
    facts = distinct_triples(asked.facts, graph.n_entities, graph.n_relations)
    n, notes = len(facts), []
    of = f"of the {n:,} facts of {name}"
    if repeated := len(asked.facts) - n:
        rows, count = ("row", "counts") if repeated == 1 else ("rows", "count")
        notes.append(f"{repeated:,} repeated {rows} of {name} {count} once")
    marks = leaked(facts, graph, overlaps)
    if told := int(marks["exact"].sum()):
        notes.append(f"warning: {told:,} {of} are training facts as well: they test nothing")
    if told := int(((marks["inverse"] | marks["duplicate"]) & ~marks["exact"]).sum()):
        notes.append(
            f"warning: {told:,} {of} are given away by the training facts, through an inverse, "
            "symmetric or duplicate relation (parsimony audit names it)"
        )
    if 2 * n < FEW_QUERIES:
        notes.append(
            f"warning: the measures of {name} rest on {2 * n} queries: mind their interval"
        )
    return notes


def common_facts(a: IntArray, b: IntArray, n_entities: int, n_relations: int) -> int:
    """Count the distinct facts that two splits share."""
    one, other = (distinct_triples(part, n_entities, n_relations) for part in (a, b))
    both = np.concatenate([one, other])
    return len(both) - len(distinct_triples(both, n_entities, n_relations))
