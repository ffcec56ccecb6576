"""Reasons of a trained reasoner: the explanation of an answer, and its rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from parsimony.errors import InvalidParameter, suggest
from parsimony.explain import EvidenceEdge, Explanation, Faithfulness, Path, Step
from parsimony.explain.parts import Direction, Side
from parsimony.graph import KnowledgeGraph
from parsimony.graph.vocabulary import Vocabulary
from parsimony.knowledge import Rule, count_rules
from parsimony.link.data import LinkData
from parsimony.link.question import Question
from parsimony.link.reasoning.architecture import Architecture
from parsimony.link.reasoning.backward_cone import (
    Cone,
    Walk,
    as_fact,
    as_tensors,
    backward_cone,
    best_walks,
    choose_walks,
    contributions,
    deletion_drop,
)
from parsimony.link.reasoning.parameters import ReasonerParameters
from parsimony.link.reasoning.sharding import ShardedPropagation
from parsimony.link.reasoning.weights import Weights
from parsimony.link.shortest_walk import NO_WALK, shortest_walk, steps
from parsimony.link.task import LinkTask
from parsimony.run.deadline import Deadline
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng
from parsimony.run.steps import step_done

LONGEST_RULE = 3  # counting four atoms on a dense graph (umls) takes minutes
PATH_ORDER = {
    "contribution": "By weight, what the path's facts add to the score beside those of the paths "
    "above it.",
    "attention": "By weight, the product of attention.",
}
CANDIDATES = 40  # walks of largest attention among which the evidence is chosen


class Trained(Protocol):
    """What is explained: a trained reasoner (:mod:`parsimony.link.reasoning.reasoner`)."""

    method: ClassVar[str]
    architecture_: Architecture
    weights_: Weights
    popularity_: float

    @property
    def task_(self) -> LinkTask:
        """What it was trained on."""

    @property
    def resolved_(self) -> ReasonerParameters:
        """Its parameters."""

    def encode_fact(self, head: str, relation: str | None, tail: str) -> tuple[int, int, int]:
        """Ids of a fact by names."""

    def probability(self, row: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Probabilities of all entities from one query's scores."""

    def propagation(self, graph: KnowledgeGraph) -> ShardedPropagation:
        """Forward passes on a graph."""

    def _doubts(self, entities: Sequence[int], relation: int) -> list[str]:
        """What the model knows nothing about."""

    def _score(
        self,
        head: npt.NDArray[np.int32],
        relation: npt.NDArray[np.int32],
        graph: KnowledgeGraph | None = None,
        active: npt.NDArray[np.uint8] | None = None,
    ) -> npt.NDArray[np.float32]: ...


def rule_of(walk: Walk, relation: int, names: Vocabulary, n_relations: int) -> Rule | None:
    """The path rule that a walk is an instance of; None where it is too long or trivial.

    ``relation`` r + R asks for heads: the walk then runs from Y to X and is turned round.
    """
    steps = [(r % n_relations, r >= n_relations) for _, r, _ in walk]
    if relation >= n_relations:
        steps = [(r, not inverse) for r, inverse in reversed(steps)]
    head = relation % n_relations
    if not steps or len(steps) > LONGEST_RULE or steps == [(head, False)]:
        return None
    return Rule.from_path(names.name(head), [(names.name(r), inverse) for r, inverse in steps])


def check_choices(n_paths: int, draws: int, choose: str) -> None:
    """Refuse what no explanation can be made by.

    Raises
    ------
    InvalidParameter
    """
    if n_paths < 1 or draws < 1:
        raise InvalidParameter(f"n_paths and draws must be at least 1. Got {n_paths}, {draws}")
    if choose not in PATH_ORDER:
        raise InvalidParameter(
            f"no way to choose paths {choose!r}",
            remedy=suggest(choose, PATH_ORDER) or f"one of {', '.join(PATH_ORDER)}",
        )


def explain_answer(
    reasoner: Trained,
    head: str,
    relation: str,
    tail: str,
    *,
    side: Side = "tail",
    n_paths: int = 5,
    draws: int = 20,
    seed: int = 0,
    choose: Literal["contribution", "attention"] = "contribution",
) -> Explanation:
    """Why the model gives (head, relation, tail) its score.

    Parameters
    ----------
    side
        "tail" explains the answer to (head, relation, ?), "head" that to (?, relation, tail).
    n_paths
        How many paths to name.
    draws
        Random deletions that the evidence is compared with.
    seed
        Of the random deletions.
    choose
        Among the walks of largest attention, those whose facts add most to the score
        ("contribution"), or those of largest attention alone ("attention").

    Raises
    ------
    UnknownEntity, UnknownRelation
        With the nearest known name.
    InvalidParameter
        A count below 1, an unknown ``choose``, or another ``side``.
    """
    check_choices(n_paths, draws, choose)
    task, data = reasoner.task_, reasoner.task_.test_data
    graph, n_relations = task.test_graph, task.n_relations
    fact = reasoner.encode_fact(head, relation, tail)
    question = Question.of(fact, side, n_relations)
    u, r, v = question
    weights = as_tensors(reasoner.weights_)
    propagation = reasoner.propagation(graph)
    active = propagation.without(fact)
    cone = backward_cone(
        propagation.walkable, graph.n_entities, reasoner.architecture_, weights, u, r, v, active
    )
    step_done()
    walks = best_walks(cone, n_relations, max(CANDIDATES, n_paths))
    notes = reasoner._doubts([u, v], r)
    if len(walks) > n_paths:
        found = f"{len(walks):,}" + " or more" * (len(walks) >= CANDIDATES)
        notes.append(f"{n_paths:,} of {found} paths are given")
    if choose == "contribution" and walks:
        share = contributions(cone, reasoner.architecture_, weights)
        walks = choose_walks(cone, share, n_relations, walks, n_paths)
    walks = walks[:n_paths]
    faithfulness = None
    if walks:
        facts = {as_fact(step, n_relations) for _, walk in walks for step in walk}
        deleted, random, n_deleted = deletion_drop(
            cone, reasoner.architecture_, weights, n_relations, facts,
            draws=draws, generator=rng(seed, "deletion", u, r, v),
        )  # fmt: skip
        followed = sum(int((layer.relation != 2 * n_relations).sum()) for layer in cone.layers)
        faithfulness = Faithfulness.of(deleted, random, n_deleted, draws, followed - n_deleted)
    # Like the paths: on the graph without the explained fact, which is no reason for itself.
    row = reasoner._score(*question.query, active=active)[0]
    notes += _popularity(reasoner, graph, question, int((active == 0).sum()))
    rules = {rule_of(walk, r, data.relations, n_relations): None for _, walk in walks}
    counted = count_rules([rule for rule in rules if rule is not None], graph)
    labels = {
        name: data.label(name)
        for name in {
            data.entities.name(int(e))
            for layer in cone.layers
            for e in np.concatenate([layer.source, layer.target])
        }
        | {head, tail}
    }
    return Explanation(
        query=(head, relation, tail),
        score=float(row[v]),
        probability=float(reasoner.probability(row)[v]),
        rank=question.rank(row, task),
        paths=tuple(Path(w, tuple(_step(s, data, n_relations) for s in walk)) for w, walk in walks),
        rules=tuple(counted),
        subgraph=tuple(_evidence(cone, data, n_relations)),
        faithfulness=faithfulness,
        labels={k: label for k, label in labels.items() if label != k},
        model=reasoner.method,
        known=task.split_of(*fact) or "no",
        side=side,
        no_path="" if walks else _no_path(reasoner, graph, question, fact),
        path_order=PATH_ORDER[choose],
        notes=tuple(notes),
    )


def _no_path(
    reasoner: Trained, graph: KnowledgeGraph, question: Question, fact: tuple[int, int, int]
) -> str:
    """Why no walk of the model leads to an answer."""
    depth, kept = reasoner.architecture_.n_layers, reasoner.architecture_.top_k
    length = shortest_walk(graph, question.entity, question.answer, fact)
    if length is None:
        return NO_WALK
    if length == 0:
        return "the answer is the entity that is asked about: the model follows no fact to it"
    if length <= depth:
        return (
            f"a walk of {length} step{'s' * (length > 1)} joins them, but it was pruned away: each "
            f"step goes on from {kept:,} new entities at most (train with a larger top_k)"
        )
    found = f"no walk of {steps(depth)} joins them; the shortest has {length}"
    try:
        ReasonerParameters.of({"n_layers": length}, "")
    except InvalidParameter:
        return f"{found}, more than n_layers may be"
    return f"{found}: train with n_layers={length}"


def _popularity(
    reasoner: Trained, graph: KnowledgeGraph, question: Question, struck: int
) -> list[str]:
    """What of the score is no walk's; the explained fact, where it is known, counts as struck."""
    weight, data = reasoner.popularity_, reasoner.task_.test_data
    n = reasoner.propagation(graph).frequencies.times(question.relation, question.answer) - struck
    if not (weight and n > 0):
        return []
    name = data.entities.name(question.answer)
    return [
        f"{weight * np.log1p(n):.3g} of the score is for how often {name} answers the relation: "
        f"{n:,} time{'s' * (n > 1)} in all other facts, whoever is asked about"
    ]


def _step(step: tuple[int, int, int], data: LinkData, n_relations: int) -> Step:
    h, r, t = as_fact(step, n_relations)
    direction: Direction = "inverse" if step[1] >= n_relations else "forward"
    return Step(data.entities.name(h), data.relations.name(r), data.entities.name(t), direction)


def _evidence(cone: Cone, data: LinkData, n_relations: int) -> list[EvidenceEdge]:
    """The cone's edges by names; identity edges are left out."""
    edges = []
    for number, layer in enumerate(cone.layers, 1):
        for s, r, o, alpha in zip(
            layer.source.tolist(), layer.relation.tolist(), layer.target.tolist(),
            layer.alpha.tolist(), strict=True,
        ):  # fmt: skip
            if r < 2 * n_relations:
                step = _step((s, r, o), data, n_relations)
                edges.append(
                    EvidenceEdge(number, step.head, step.relation, step.tail, step.direction, alpha)
                )
    return edges


def extract_rules(
    reasoner: Trained,
    *,
    top: int = 100,
    samples: int | None = None,
    n_paths: int = 3,
    min_support: int = 2,
    quiet: bool = True,
    deadline: Deadline | None = None,
) -> list[Rule]:
    """Path rules that the model's best walks follow, counted on the training graph.

    ``samples`` training facts per relation are queried, each with itself taken out of the
    graph; the walks of largest attention to the true answer become rules. Support and confidence
    are counted on the graph, not taken from the model.

    Parameters
    ----------
    top
        Most rules.
    samples
        Queries per relation; by default so many that all relations together have about 240.
    n_paths
        Walks taken per answer.
    min_support
        Rules with less support are left out.
    quiet
        Show no progress.
    deadline
        After which no further fact is queried.
    """
    task = reasoner.task_
    graph, n_relations = task.train_graph, task.n_relations
    weights, propagation = as_tensors(reasoner.weights_), reasoner.propagation(graph)
    if samples is None:
        samples = max(1, min(20, 240 // n_relations))
    generator = rng(reasoner.resolved_.seed, "rules")
    names = task.data.relations
    seen: Counter[Rule] = Counter()
    of_relation = [np.flatnonzero(graph.triples[:, 1] == r) for r in range(n_relations)]
    chosen = np.concatenate([generator.permutation(rows)[:samples] for rows in of_relation])
    if deadline is not None:  # of every relation a few, should it come too early
        chosen = generator.permutation(chosen)
    with Progress(len(chosen), "extracting rules", quiet=quiet) as progress:
        for u, r, v in graph.triples[chosen].tolist():
            step_done()
            if deadline is not None and deadline.passed():
                break
            cone = backward_cone(
                propagation.walkable, graph.n_entities, reasoner.architecture_, weights, u, r, v,
                propagation.without((u, r, v)),
            )  # fmt: skip
            for weight, walk in best_walks(cone, n_relations, n_paths, beam=8):
                rule = rule_of(walk, r, names, n_relations)
                if rule is not None:
                    seen[rule] += weight  # type: ignore[assignment]
            progress.advance(1)
    counted = [rule for rule in count_rules(list(seen), graph) if rule.support >= min_support]
    counted.sort(key=lambda rule: (-rule.confidence, -rule.support, str(rule)))
    return counted[:top]
