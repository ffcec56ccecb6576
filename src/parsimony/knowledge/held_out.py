r"""Every entry of a book against held-out facts, as many as it should have found.

A rule with support s among the T training facts of its relation predicts s / T of those that it did
not see; of H held-out facts it should find

    E = s · H / T

if they were held out at random, the bodies walking training facts alone; but no more than the pairs
that it newly predicts (a symmetric relation whose two directions are held out together leaves its
rule nothing to find, which does not speak against it). Fewer hits than that mean
that the rule was found by chance: *broken* where there are less than E / 2 and so few that a
Poisson count with mean E would be as small with a probability below :data:`CHANCE`; *weaker* where
they are as improbable, but more; *untested* where there are less than E / 2, but too few were
expected to tell; else it *holds*. Axioms that are no rules (functional, domain, range, disjoint)
are counted on training and held-out facts together, as ``parsimony knowledge check`` counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.graph.knowledge_graph import KnowledgeGraph
from parsimony.graph.vocabulary import Vocabulary
from parsimony.knowledge.book import Entry, KnowledgeBook
from parsimony.knowledge.book_check import check_book
from parsimony.knowledge.rule_counts import count_rules, relation_names
from parsimony.knowledge.rules import Rule

__all__ = ["CHANCE", "HeldOutCheck", "check_held_out", "judge"]

Verdict = Literal["holds", "weaker", "broken", "untested"]
#: probability of so few hits by chance below which an entry does not hold
CHANCE = 0.01
_PART = 2000  # rules that are counted together


class HeldOutCheck(NamedTuple):
    """An entry against held-out facts: those that it found, and those that it should have."""

    entry: Entry
    hits: int
    expected: float
    verdict: Verdict


def judge(hits: npt.ArrayLike, expected: npt.ArrayLike) -> list[Verdict]:
    """Say what so many hits mean where means of ``expected`` were claimed, both (n,)."""
    from scipy.special import pdtr  # the Poisson distribution

    hits, expected = np.asarray(hits), np.asarray(expected, np.float64)
    improbable = pdtr(hits, expected) < CHANCE
    some = (hits > 0) & (hits >= expected / 2)
    found: list[Verdict] = []
    for enough, rare in zip(some.tolist(), improbable.tolist(), strict=True):
        if enough:
            found.append("weaker" if rare else "holds")
        else:
            found.append("broken" if rare else "untested")
    return found


def check_held_out(
    book: KnowledgeBook,
    graph: KnowledgeGraph,
    facts: npt.NDArray[np.integer],
    *,
    stop: Callable[[], bool] = bool,
    notes: list[str] | None = None,
) -> list[HeldOutCheck]:
    """Measure every entry of a book on held-out facts.

    Parameters
    ----------
    book
        Of the graph's vocabulary.
    graph
        The training facts, which bodies walk.
    facts
        (n, 3), held out of them.
    stop
        Asked before every part but the first: whether to leave the rules with less support
        untested.
    notes
        Receives how many were left.
    """
    stated: list[tuple[int, Rule]] = []  # which entry says which rule
    others = list[int]()
    for i, entry in enumerate(book.entries):
        if isinstance(entry.item, Rule):
            stated.append((i, entry.item))
        elif entry.item.paths:
            stated += [(i, Rule.from_path(*path)) for path in entry.item.paths]
        else:
            others.append(i)
    n = len(book.entries)
    hits, expected = np.zeros(n, np.int64), np.zeros(n)
    stated.sort(key=lambda each: -each[1].support)
    for at in range(0, len(stated), _PART):
        if at and stop():
            if notes is not None:
                notes.append(
                    f"the time was over: {len(stated) - at:,} of {len(stated):,} rules, those with "
                    "the least support, were not checked on held-out facts"
                )
            break
        for i, found, claimed in _counted(stated[at : at + _PART], graph, facts):
            hits[i] += found
            expected[i] += claimed
    verdicts = judge(hits, expected)
    rest = replace(book, entries=tuple(book.entries[i] for i in others))
    for i, row in zip(others, check_book(rest, _joined(graph, facts)), strict=True):
        hits[i] = row.measured.support
        expected[i] = (row.entry.item.confidence or 1.0) * row.measured.body_count
        verdicts[i] = "untested" if row.verdict == "not applicable" else row.verdict
    return [
        HeldOutCheck(entry, int(h), float(e), verdict)
        for entry, h, e, verdict in zip(book.entries, hits, expected, verdicts, strict=True)
    ]


def _counted(
    stated: Sequence[tuple[int, Rule]], graph: KnowledgeGraph, facts: npt.NDArray[np.integer]
) -> list[tuple[int, int, float]]:
    """The index of each rule, the held-out facts that it finds, and how many it should find."""
    rules = [rule for _, rule in stated]
    ids = {name: i for i, name in enumerate(relation_names(graph))}
    # What was counted on these facts need not be counted again; who knows that of stated ones?
    unknown = [k for k, rule in enumerate(rules) if not rule.is_counted]
    counts = [(rule.support, rule.body_count) for rule in rules]
    for k, counted in zip(unknown, count_rules([rules[k] for k in unknown], graph), strict=True):
        counts[k] = counted.support, counted.body_count
    n = graph.n_relations
    train = np.bincount(np.unique(graph.triples, axis=0)[:, 1], minlength=n)
    held = np.bincount(np.unique(facts, axis=0)[:, 1], minlength=n)
    beside, names = _beside(graph, facts)
    asked = [
        replace(rule, head=replace(rule.head, relation=names[ids[rule.head.relation]]))
        for rule in rules
    ]
    found = []
    for (i, rule), (s, body), now in zip(stated, counts, count_rules(asked, beside), strict=True):
        of = ids[rule.head.relation]
        share = s * float(held[of]) / max(int(train[of]), 1)
        found.append((i, now.support, min(share, float(body - s))))
    return found


def _beside(
    graph: KnowledgeGraph, facts: npt.NDArray[np.integer]
) -> tuple[KnowledgeGraph, list[str]]:
    """A graph with the held-out facts as relations of their own, r + R, and the names of these."""
    names, more = list(relation_names(graph)), " held out"
    while any(name + more in names for name in names):
        more += "!"
    held = np.array(facts, np.int32).reshape(-1, 3) + np.array([0, graph.n_relations, 0], np.int32)
    own = [name + more for name in names]
    whole = KnowledgeGraph(
        np.concatenate([graph.triples, held]), graph.n_entities, 2 * graph.n_relations,
        graph.entities, Vocabulary([*names, *own], "relation"),
    )  # fmt: skip
    return whole, own


def _joined(graph: KnowledgeGraph, facts: npt.NDArray[np.integer]) -> KnowledgeGraph:
    triples = np.concatenate([graph.triples, np.array(facts, np.int32).reshape(-1, 3)])
    return KnowledgeGraph(
        triples, graph.n_entities, graph.n_relations, graph.entities, graph.relations
    )
