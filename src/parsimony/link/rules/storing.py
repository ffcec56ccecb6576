"""Rules and how they are combined as arrays, as a run keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.graph import KnowledgeGraph
from parsimony.knowledge.rule_branches import (
    Branch,
    Branches,
    encode_branch,
    entity_ids,
    entity_names,
    from_branch,
)
from parsimony.knowledge.rule_counts import encode_rule, relation_names
from parsimony.knowledge.rules import Rule
from parsimony.link.rules.combining import AGGREGATIONS, BEST_TWO, Combination
from parsimony.link.rules.ways import Ways
from parsimony.run.restoring import require_indices, require_tensors

__all__ = ["as_tensors", "read_rules", "read_ways"]

Tensors = Mapping[str, npt.NDArray[Any]]
EVIDENCE = {"support": np.int64, "body_count": np.int64, "confidence": np.float64}
NO_ENDS = -2  # instead of the entities of a rule that names none
WAYS = (*AGGREGATIONS, BEST_TWO)


def as_tensors(
    rules: Sequence[Rule], ways: Ways, graph: KnowledgeGraph
) -> dict[str, npt.NDArray[Any]]:
    """Heads, padded bodies (steps, -1 behind the last) and evidence, one row per rule.

    Of a rule about an entity the head is a step, and ``ends`` has the entities of head and body, -1
    where the body ends anywhere; that of a path rule are NO_ENDS.
    """
    ids = {name: i for i, name in enumerate(relation_names(graph))}
    entities = entity_ids(graph)
    encoded = [
        encode_branch(rule, ids, entities)
        if rule.names_entity
        else _as_branch(*encode_rule(rule, ids))
        for rule in rules
    ]
    arrays = Branches.of(encoded)
    none = np.zeros(len(ways.thresholds), np.int32)
    unweighed = np.zeros(len(ways.penalties))
    return {
        "head": arrays.step,
        "body": arrays.path,
        "ends": np.stack([arrays.constant, arrays.end], axis=1),
        **{
            name: np.array([getattr(rule, name) for rule in rules], dtype)
            for name, dtype in EVIDENCE.items()
        },
        "combination": np.array([
            (WAYS.index(c.aggregation), c.smoothing, c.threshold, c.max_rules or 0, c.constants,
             c.penalty, c.max_atoms or 0)
            for _, c in sorted(ways.combinations.items())
        ]),
        "thresholds": np.array(ways.thresholds),
        "cluster": np.array(
            [ways.labels.get(rule, none) for rule in rules], np.int32
        ).reshape(len(rules), len(none)),
        "penalties": np.array(ways.penalties),
        "learned": np.array(
            [ways.learned.get(rule, unweighed) for rule in rules]
        ).reshape(len(rules), len(unweighed)),
    }  # fmt: skip


def _as_branch(head: int, path: tuple[int, ...]) -> Branch:
    return Branch(head, NO_ENDS, path, NO_ENDS)


def read_rules(tensors: Tensors, graph: KnowledgeGraph) -> list[Rule]:
    """Return the rules.

    Raises
    ------
    ValueError
        The arrays are of other shapes, or hold what there is not.
    """
    names, entities, n = relation_names(graph), entity_names(graph), graph.n_relations
    rules = len(tensors["head"])
    require_tensors(tensors, {"head": (rules,), "body": (rules, None)}, "i")
    for name, dtype in EVIDENCE.items():
        require_tensors(tensors, {name: (rules,)}, np.dtype(dtype).kind)
    ends = tensors.get("ends", np.full((rules, 2), NO_ENDS, np.int32))  # before 0.2
    require_tensors({"ends": ends}, {"ends": (rules, 2)}, "i")
    require_indices(ends, graph.n_entities, "ends", least=NO_ENDS)
    require_indices(tensors["head"], 2 * n, "head")
    require_indices(tensors["head"][ends[:, 0] == NO_ENDS], n, "head")
    require_indices(tensors["body"], 2 * n, "body", least=-1)
    if any(tensors[name].min(initial=0) < 0 for name in EVIDENCE):
        raise ValueError("a negative count or confidence of a rule")
    found = []
    for head, body, (constant, end), *evidence in zip(
        *(a.tolist() for a in (tensors["head"], tensors["body"], ends)),
        *(tensors[name].tolist() for name in EVIDENCE),
        strict=True,
    ):
        path = tuple(step for step in body if step >= 0)
        if constant == NO_ENDS:
            rule = Rule.from_path(names[head], [(names[step % n], step >= n) for step in path])
        else:
            rule = from_branch(Branch(head, constant, path, end), names, entities)
        found.append(Rule(rule.head, rule.body, *evidence))
    return found


def read_ways(tensors: Tensors, rules: Sequence[Rule], graph: KnowledgeGraph) -> Ways:
    """Return how the rules are combined.

    Raises
    ------
    ValueError
        As :func:`read_rules`.
    """
    n = graph.n_relations
    if "combination" not in tensors:  # before 0.2: one way for all relations
        require_tensors(tensors, {"aggregation": (1,)}, "i")
        require_tensors(tensors, {"smoothing": (1,)})
        require_indices(tensors["aggregation"], 2, "aggregation")
        aggregation = AGGREGATIONS[int(tensors["aggregation"][0])]
        one = Combination(
            BEST_TWO if aggregation == "max" else aggregation, float(tensors["smoothing"][0])
        )
        return Ways(dict.fromkeys(range(2 * n), one), [], {}, [], {})
    if "penalties" not in tensors:  # before weights were learned
        require_tensors(tensors, {"combination": (2 * n, 5)})
        way = np.pad(tensors["combination"], ((0, 0), (0, 1)))
        none = {"penalties": np.zeros(0), "learned": np.zeros((len(rules), 0))}
        tensors = {**tensors, "combination": way, **none}
    if tensors["combination"].shape == (2 * n, 6):  # before bodies were limited
        tensors = {**tensors, "combination": np.pad(tensors["combination"], ((0, 0), (0, 1)))}
    shapes = {"combination": (2 * n, 7), "thresholds": (None,), "penalties": (None,)}
    require_tensors(tensors, shapes)
    thresholds = tensors["thresholds"].tolist()
    require_tensors(tensors, {"cluster": (len(rules), len(thresholds))}, "i")
    require_indices(tensors["cluster"], max(len(rules), 2**31 - 1), "cluster")
    way = tensors["combination"]
    require_indices(way[:, 0].astype(np.int64), len(WAYS), "combination")
    if way.min(initial=0) < 0 or not set(way[way[:, 0] == 2, 2].tolist()) <= set(thresholds):
        raise ValueError("a way to combine rules that there is not")
    penalties = tensors["penalties"].tolist()
    require_tensors(tensors, {"learned": (len(rules), len(penalties))})
    if not {*way[way[:, 5] > 0, 5].tolist()} <= {*penalties}:
        raise ValueError("learned weights that there are not")
    if not np.all((tensors["learned"] >= 0) & np.isfinite(tensors["learned"])):
        raise ValueError("a weight of a rule that is below 0 or infinite")
    combinations = {
        r: Combination(
            WAYS[int(a)], s, t, int(most) or None, bool(about), penalty, int(atoms) or None
        )
        for r, (a, s, t, most, about, penalty, atoms) in enumerate(way.tolist())
    }
    labels = dict(zip(rules, tensors["cluster"], strict=True)) if thresholds else {}
    learned = dict(zip(rules, tensors["learned"], strict=True)) if penalties else {}
    return Ways(combinations, thresholds, labels, penalties, learned)
