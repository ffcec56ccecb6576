"""Exact support and body counts of rules.

For ``r(X,Y) <- body`` over a graph, pairs (X, Y) are distinct, duplicate facts count once, and
variables may be bound to the same entity. A fact is no evidence for itself: for a pair (x, y) that
is a fact of r, only groundings of the body that do not use the fact (x, r, y) count. Hence

    support    = pairs that are facts of r and that the body connects without that fact
    body count = support + pairs that the body connects and that are not facts of r
    confidence = support / body count

which estimates how often the rule is right about an unseen fact. ``r(X,Y) <- r(X,Y)`` has 0/0.
Under the partial completeness assumption only pairs speak against the rule whose X has some other
fact of r (AMIE's PCA confidence, read from the subject):

    PCA confidence = support / (support + other pairs of the body whose X has a fact of r)

Rules with a constant in the head are counted by :mod:`parsimony.knowledge.rule_branches`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidParameter, UnknownRelation
from parsimony.graph.knowledge_graph import KnowledgeGraph
from parsimony.knowledge.rule_branches import count_branches, encode_branch, entity_ids
from parsimony.knowledge.rule_walks import (
    WalkIndex,
    build_trie,
    count_levels,
    count_other_walks,
    pairs_of_block,
    unknown_of_known,
    walk_index,
)
from parsimony.knowledge.rules import Rule

__all__ = [
    "body_pairs",
    "count_paths",
    "count_rules",
    "encode_rule",
    "pca_confidences",
    "relation_names",
]

MAX_LENGTH = 8
_BLOCK = 1 << 20  # pairs that body_pairs yields at a time, at least those of one X
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]


def relation_names(graph: KnowledgeGraph) -> tuple[str, ...]:
    """Return the names of the relations, or their ids if the graph has no names."""
    if graph.relations is not None:
        return tuple(graph.relations.names)
    return tuple(map(str, range(graph.n_relations)))


def encode_rule(rule: Rule, ids: dict[str, int]) -> tuple[int, tuple[int, ...]]:
    """Return the head's relation id and the body's steps (``r + R`` for an inverse one).

    Raises
    ------
    UnknownRelation
        The graph has no such relation.
    InvalidParameter
        The body is not a path, or has more than eight steps.
    """
    if len(rule.body) > MAX_LENGTH:
        raise InvalidParameter(
            f"{len(rule.body)} body atoms in {rule.clause[:120]}",
            remedy=f"use at most {MAX_LENGTH}",
        )
    for atom in (rule.head, *rule.body):
        if atom.relation not in ids:
            raise UnknownRelation.of(atom.relation, ids)
    path = tuple(ids[name] + len(ids) * inverse for name, inverse in rule.steps)
    return ids[rule.head.relation], path


def count_paths(
    index: WalkIndex, heads: Sequence[int], paths: Sequence[tuple[int, ...]]
) -> tuple[Longs, Longs]:
    """Count ``heads[i] <- paths[i]`` for all i, following shared prefixes once.

    Parameters
    ----------
    index : WalkIndex
    heads : sequence of int
        Relation ids.
    paths : sequence of tuple of int
        Steps.

    Returns
    -------
    support, body_count : int64 arrays, shape (len(heads),)
    """
    trie, node_of = build_trie(paths)
    order = np.argsort(node_of, kind="stable")
    head_ptr = np.zeros(len(trie.step) + 1, dtype=np.int64)
    np.cumsum(np.bincount(node_of, minlength=len(trie.step)), out=head_ptr[1:])
    pairs = np.zeros(len(trie.step), dtype=np.int64)
    grouped = np.zeros(len(paths), dtype=np.int64)
    asked = np.array(heads, dtype=np.int32)[order]
    count_levels(*index[:3], *trie, head_ptr, asked, pairs, grouped)
    support, body = np.empty_like(grouped), pairs[node_of]
    support[order] = grouped
    for k, (head, path) in enumerate(zip(heads, paths, strict=True)):
        # Only a body that mentions the head's relation can use the head's own fact.
        if support[k] and any(step % index.n_relations == head for step in path):
            other = count_other_walks(*index, np.array(path, dtype=np.int32), head)
            body[k] -= support[k] - other
            support[k] = other
    return support, body


def count_rules(rules: Iterable[Rule], graph: KnowledgeGraph) -> list[Rule]:
    """Return the rules with support, body count and confidence counted on ``graph``.

    Parameters
    ----------
    rules : iterable of Rule
        Of up to eight body atoms: a path between the head's variables, or, where the head names an
        entity, a chain from its only variable.
    graph : KnowledgeGraph

    Raises
    ------
    UnknownRelation, UnknownEntity, InvalidParameter
        A relation or an entity is not in the graph, or a body is no such path.
    """
    rules = list(rules)
    counts = _count(rules, graph)
    return [rule.with_counts(*row[:2]) for rule, row in zip(rules, counts.tolist(), strict=True)]


def pca_confidences(rules: Iterable[Rule], graph: KnowledgeGraph) -> list[float]:
    """Return the confidences under the partial completeness assumption, 0 where support is 0.

    Raises
    ------
    UnknownRelation, UnknownEntity, InvalidParameter
        As :func:`count_rules`.
    """
    rules = list(rules)
    counts = _count(rules, graph, pca=True)
    return [row[0] / row[2] if row[2] else 0.0 for row in counts.tolist()]


def _count(rules: Sequence[Rule], graph: KnowledgeGraph, *, pca: bool = False) -> Longs:
    """Support, body count and, where asked for, PCA body of rules, (n, 3)."""
    counts = np.zeros((len(rules), 3), np.int64)
    if not rules:
        return counts
    ids = {name: i for i, name in enumerate(relation_names(graph))}
    index = walk_index(graph)
    branched = np.array([rule.names_entity for rule in rules])
    if branched.any():
        names = entity_ids(graph)
        counts[branched] = count_branches(
            index, [encode_branch(rule, ids, names) for rule in rules if rule.names_entity]
        )
    encoded = [encode_rule(rule, ids) for rule in rules if not rule.names_entity]
    if encoded:
        heads, paths = zip(*encoded, strict=True)
        support, body = count_paths(index, heads, paths)
        counts[~branched, 0], counts[~branched, 1] = support, body
        if pca:
            counts[~branched, 2] = support + _known_pairs(index, heads, paths)
    return counts


def _known_pairs(index: WalkIndex, heads: Sequence[int], paths: Sequence[tuple[int, ...]]) -> Longs:
    """Pairs of each body that are no facts of the head, and whose X has a fact of it."""
    known = np.zeros(len(heads), np.int64)
    for k, (head, path) in enumerate(zip(heads, paths, strict=True)):
        for x, y in _pairs(index, np.array(path, np.int32)):
            known[k] += unknown_of_known(*index[:3], head, x, y)
    return known


def body_pairs(rule: Rule, graph: KnowledgeGraph) -> Iterator[npt.NDArray[np.int32]]:
    """Yield the distinct pairs (X, Y) that a rule's body connects, in blocks of bounded size.

    Facts of the head are included, whether or not the body uses the fact itself.

    Yields
    ------
    int32 array, shape (n, 2)
        Sorted by X; a block has about a million pairs, and at least those of one X.
    """
    ids = {name: i for i, name in enumerate(relation_names(graph))}
    path = np.array(encode_rule(rule, ids)[1], dtype=np.int32)
    for x, y in _pairs(walk_index(graph), path):
        yield np.stack([x, y], axis=1)


def _pairs(index: WalkIndex, path: npt.NDArray[np.int32]) -> Iterator[tuple[Ints, Ints]]:
    """Yield the X and Y that a path connects, in blocks; the arrays are good until the next."""
    first, n = 0, index.n_entities
    width = max(1, min(n, _BLOCK // max(n, 1)))
    out = np.empty(max(_BLOCK, n), dtype=np.int32)
    while first < n:
        last = min(n, first + width)
        sizes = np.zeros(last - first, dtype=np.int64)
        total = pairs_of_block(*index[:3], path, first, last, sizes, out)
        if total > len(out):  # denser than estimated: fewer rows fit
            width = max(1, width // 2)
            continue
        if total:
            yield np.repeat(np.arange(first, last, dtype=np.int32), sizes), out[:total]
        first = last
        width = width * 2 if total < len(out) // 4 else width
