"""What a dataset holds before anything is learned: counts, leaks, popularity."""

from __future__ import annotations

from typing import Any

import numpy as np

from parsimony.answers import as_notes
from parsimony.errors import EmptySplit
from parsimony.graph import KnowledgeGraph
from parsimony.graph.distinct import distinct_keys, distinct_triples
from parsimony.graph.parts import by_node, relation_counts
from parsimony.link.data import LinkData
from parsimony.link.leaks import THRESHOLD, Overlap, all_facts, find_overlaps, leaked
from parsimony.link.notes import common_facts
from parsimony.link.popularity import popularity_ranks
from parsimony.link.task import LinkTask
from parsimony.metrics.ranking import Policy, Ranks
from parsimony.run.description import size_text

__all__ = ["audit", "render"]

_SPLITS = ("train", "valid", "test")
_POLICIES: tuple[Policy, ...] = ("realistic", "optimistic", "pessimistic")


def audit(data: LinkData, *, threshold: float = THRESHOLD) -> dict[str, Any]:
    """Describe a link-prediction dataset and what could make its scores too good.

    Parameters
    ----------
    data : LinkData
    threshold : float
        Fraction of shared pairs from which two relations count as duplicate or inverse.

    Returns
    -------
    dict
        JSON-able: ``name``, ``source``, ``counts``, ``degrees``, ``relations`` (one entry per
        relation), ``overlaps`` (duplicate, inverse and symmetric relations, counted on the facts
        of all splits, with 95 % intervals) and their ``threshold``, ``leaks`` and ``unseen`` (per
        split), ``popularity`` (the degree-only baseline on the test queries: filtered by all
        splits, both directions, realistic rank; None without test facts), ``inductive`` (the same
        description of the test graph, or None), ``store`` (of a graph store, whose files were
        compared with their checksums: ``folder, bytes, checked``; else None), ``notes``.

    Raises
    ------
    EmptySplit
        No training facts.
    ChecksumMismatch
        A file of a graph store was changed.
    """
    store = None
    if data.store is not None:
        data.store.verify()
        store = {"folder": str(data.store.folder), "bytes": data.store.n_bytes, "checked": True}
    task = LinkTask(data)
    overlaps = task.overlaps
    if threshold != THRESHOLD:
        overlaps = find_overlaps(all_facts(data), threshold)
    report = _describe(data, overlaps)
    report["store"] = store
    report["threshold"] = threshold
    report["notes"] = list(task.notes)
    report["popularity"] = _popularity(task)
    report["inductive"] = None
    if data.inductive is not None:
        report["inductive"] = _describe(data.inductive, overlaps)
        shared = len(set(data.entities) & set(data.inductive.entities))
        report["inductive"]["shared_entities"] = shared
    return report


def _describe(data: LinkData, overlaps: list[Overlap]) -> dict[str, Any]:
    graph = data.graph
    relation = data.relations.name
    return {
        "name": data.name,
        "source": data.source,
        "counts": _counts(data),
        "degrees": _degrees(graph),
        "relations": _relations(data),
        "overlaps": [
            {
                "kind": o.kind,
                "relations": [relation(o.first), relation(o.second)],
                "shared": o.shared,
                "shares": [round(share, 4) for share in o.shares],
                "intervals": [[round(end, 4) for end in interval] for interval in o.intervals],
            }
            for o in overlaps
        ],
        "leaks": {
            split: {
                "facts": len(data.triples(split)),
                **{
                    k: int(v.sum()) for k, v in leaked(data.triples(split), graph, overlaps).items()
                },
            }
            for split in ("valid", "test")
        },
        "unseen": _unseen(data),
    }


def _counts(data: LinkData) -> dict[str, Any]:
    return {
        "entities": data.n_entities,
        "relations": data.n_relations,
        **{split: len(data.triples(split)) for split in _SPLITS},
        "repeated_rows": {
            # of a store they were dropped when it was written
            split: 0 if data.store else len(data.triples(split)) - len(_distinct(data, split))
            for split in _SPLITS
        },
        "self_loops": int((data.train[:, 0] == data.train[:, 2]).sum()),
        "valid_in_test": common_facts(data.valid, data.test, data.n_entities, data.n_relations),
    }


def _distinct(data: LinkData, split: str) -> np.ndarray:
    return distinct_triples(data.triples(split), data.n_entities, data.n_relations)


def _degrees(graph: KnowledgeGraph) -> dict[str, float]:
    degrees = graph.degrees
    return {
        "mean": round(float(degrees.mean()), 2),
        "median": float(np.median(degrees)),
        "p90": float(np.quantile(degrees, 0.9)),
        "max": int(degrees.max(initial=0)),
        "isolated": int((degrees == 0).sum()),
    }


def _relations(data: LinkData) -> list[dict[str, Any]]:
    """Facts per split, and mean numbers of objects per subject and of subjects per object."""
    n, n_relations = data.n_entities, data.n_relations
    size = {split: relation_counts(data.triples(split), n_relations) for split in _SPLITS}
    facts = np.zeros(n_relations, np.int64)
    ends = {}
    for name, column in (("subjects", 0), ("objects", 2)):
        ends[name] = np.zeros(n_relations, np.int64)
        for part in by_node(data.train, lambda rows, c=column: rows[:, c], n):  # type: ignore[misc]
            # One integer for (relation, entity), as in popularity_counts.
            keys = distinct_keys(part[:, 1].astype(np.int64) * n + part[:, column])
            ends[name] += np.bincount(keys // n, minlength=n_relations)
            if name == "subjects":
                distinct = distinct_triples(part, n, n_relations)
                facts += relation_counts(distinct, n_relations)
    return [
        {
            "relation": name,
            **{split: int(size[split][r]) for split in _SPLITS},
            "subjects": int(ends["subjects"][r]),
            "objects": int(ends["objects"][r]),
            "objects_per_subject": round(float(facts[r] / max(ends["subjects"][r], 1)), 2),
            "subjects_per_object": round(float(facts[r] / max(ends["objects"][r], 1)), 2),
        }
        for r, name in enumerate(data.relations)
    ]


def _unseen(data: LinkData) -> dict[str, dict[str, int]]:
    """Count entities and relations without a training fact, and the facts that need them."""
    entity = data.graph.degrees > 0
    relation = relation_counts(data.train, data.n_relations) > 0
    report = {}
    for split in ("valid", "test"):
        triples = data.triples(split)
        new_entity, new_relation = ~entity[triples[:, [0, 2]]], ~relation[triples[:, 1]]
        report[split] = {
            "entities": len(np.unique(triples[:, [0, 2]][new_entity])),
            "relations": len(np.unique(triples[:, 1][new_relation])),
            "facts": int((new_entity.any(axis=1) | new_relation).sum()),
        }
    return report


def _popularity(task: LinkTask) -> dict[str, Any] | None:
    try:
        queries = task.queries("test")
    except EmptySplit:
        return None
    greater, equal = popularity_ranks(queries)
    relation, n = queries.answer_relation.astype(np.int64), task.n_relations
    ranks = Ranks(greater, equal, relation % n, relation // n)
    metrics = {policy: ranks.metrics(policy) for policy in _POLICIES}
    return {
        "split": "test",
        "policy": "realistic",
        "metrics": metrics["realistic"],
        "optimistic": metrics["optimistic"],
        "pessimistic": metrics["pessimistic"],
        "n_queries": len(greater),
    }


def render(report: dict[str, Any], *, top: int = 15) -> str:
    """Return an audit as text.

    Parameters
    ----------
    report : dict
        From :func:`audit`.
    top : int
        Relations and overlaps shown at most.
    """
    lines = _render_graph(report, report["threshold"], top)
    if report["store"] is not None:
        size = size_text(report["store"]["bytes"])
        lines.insert(1, f"graph store, {size}: all files agree with their checksums")
    if report["inductive"] is not None:
        shared = report["inductive"]["shared_entities"]
        lines += ["", f"test graph, {shared:,} entities shared with the training graph:"]
        lines += [
            "  " + line for line in _render_graph(report["inductive"], report["threshold"], top)
        ]
    baseline = report["popularity"]
    if baseline is not None:
        metrics = baseline["metrics"]
        lines += [
            "",
            f"degree-only baseline, test, {baseline['n_queries']:,} queries: "
            f"MRR {metrics['mrr']:.3f}  Hits@1 {metrics['hits@1']:.3f}  "
            f"Hits@10 {metrics['hits@10']:.3f}",
            "  (each candidate scored by how often it answers the relation: mere popularity)",
        ]
    return "\n".join([*lines, *as_notes(report["notes"])])


def _render_graph(report: dict[str, Any], threshold: float, top: int) -> list[str]:
    c, d = report["counts"], report["degrees"]
    lines = [
        f"{report['name']}: {c['entities']:,} entities, {c['relations']:,} relations, "
        f"{c['train']:,} / {c['valid']:,} / {c['test']:,} facts (train / valid / test)",
    ]
    if report["source"]:
        lines.append(f"source: {report['source']}")
    lines.append(
        f"degree: mean {d['mean']:g}, median {d['median']:g}, 90% ≤ {d['p90']:g}, "
        f"max {d['max']:,}; {d['isolated']:,} entities without a training fact"
    )
    repeated = ", ".join(f"{n:,} in {split}" for split, n in c["repeated_rows"].items() if n)
    lines.append(
        f"repeated rows: {repeated or 'none'}; self-loops: {c['self_loops']:,}; "
        f"facts in both valid and test: {c['valid_in_test']:,}"
    )
    lines += ["", *_render_relations(report["relations"], top), ""]
    lines += _render_overlaps(report["overlaps"], threshold, top)
    for split, leak in report["leaks"].items():
        share = {k: f"{v:,} ({v / max(leak['facts'], 1):.1%})" for k, v in leak.items()}
        lines.append(
            f"{split} given away by train: itself {share['exact']}, by an inverse "
            f"{share['inverse']}, by a duplicate {share['duplicate']}; its two entities are "
            f"linked somehow {share['linked']}"
        )
    for split, new in report["unseen"].items():
        lines.append(
            f"{split} without a training fact: {new['entities']:,} entities, "
            f"{new['relations']:,} relations, in {new['facts']:,} facts"
        )
    return lines


def _render_relations(relations: list[dict[str, Any]], top: int) -> list[str]:
    shown = sorted(relations, key=lambda row: -row["train"])[:top]
    width = min(max([len(row["relation"]) for row in shown] + [8]), 48)
    lines = [f"{'relation':<{width}}     train   valid    test  objects/subject  subjects/object"]
    for row in shown:
        name = row["relation"]
        name = name if len(name) <= width else name[: width - 1] + "…"
        lines.append(
            f"{name:<{width}} {row['train']:>9,} {row['valid']:>7,} {row['test']:>7,} "
            f"{row['objects_per_subject']:>16,.2f} {row['subjects_per_object']:>16,.2f}"
        )
    if len(relations) > top:
        lines.append(f"… and {len(relations) - top:,} more")
    return lines


def _render_overlaps(overlaps: list[dict[str, Any]], threshold: float, top: int) -> list[str]:
    if not overlaps:
        return [f"no duplicate, inverse or symmetric relations (of {threshold:.0%} of their pairs)"]
    lines = []
    for o in overlaps[:top]:
        first, second = o["relations"]
        names = first if o["kind"] == "symmetric" else f"{first} ~ {second}"
        low, high = sorted(o["shares"])
        shares = f"{low:.0%}" if low == high else f"{low:.0%} to {high:.0%}"
        least, most = min(i[0] for i in o["intervals"]), max(i[1] for i in o["intervals"])
        lines.append(
            f"{o['kind']}: {names} ({o['shared']:,} pairs of all splits, {shares}; "
            f"95% interval {least:.0%} to {most:.0%})"
        )
    if len(overlaps) > top:
        lines.append(f"… and {len(overlaps) - top:,} more such relations")
    return lines
