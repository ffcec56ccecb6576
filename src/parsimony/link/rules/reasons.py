"""What an explanation by rules shows: the walks of their bodies, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence

from parsimony.explain import EvidenceEdge, Path, Step
from parsimony.knowledge.rule_bodies import LONGEST
from parsimony.knowledge.rules import Rule
from parsimony.link.data import LinkData
from parsimony.link.question import Question
from parsimony.link.rules.grounding import Grounding
from parsimony.link.shortest_walk import NO_WALK, shortest_walk, steps
from parsimony.link.task import LinkTask

__all__ = ["drawn", "no_path"]


def no_path(
    question: Question,
    fact: tuple[int, int, int],
    task: LinkTask,
    rules: Sequence[Rule],
    max_length: int | None,
) -> str:
    """Say why none of the rules leads to an answer."""
    relation = task.test_data.relations.name(fact[1])
    length = shortest_walk(task.test_graph, question.entity, question.answer, fact)
    if length is None:
        return NO_WALK
    bodies = [len(rule.body) for rule in rules if rule.head.relation == relation]
    if not bodies:
        return f"no rule concludes {relation}"
    depth = max_length or max(bodies)
    if length <= depth:
        return f"no rule for {relation} follows a walk that joins them"
    found = (
        f"no walk of {steps(depth)}, the longest body of a rule for {relation}, joins them; "
        f"the shortest has {length}"
    )
    if length > LONGEST:
        return f"{found}, more than the body of a rule may have"
    return f"{found}: mine rules with max_length={length}"


def drawn(
    found: Sequence[Grounding], data: LinkData, *, backwards: bool
) -> tuple[tuple[Path, ...], tuple[EvidenceEdge, ...]]:
    """Return the walks of groundings as paths by names, and their edges by layer.

    Walks lead from head to tail; ``backwards`` turns them round, as a query for heads walks.
    """
    entities, relations = data.entities, data.relations
    paths: list[Path] = []
    attention: dict[tuple[int, Step], float] = {}
    for grounding in found:
        turned = backwards and not grounding.rule.names_entity
        for walk in grounding.walks:
            walked = tuple(
                Step(
                    entities.name(head),
                    relations.name(relation),
                    entities.name(tail),
                    "inverse" if inverse != turned else "forward",
                )
                for head, relation, tail, inverse in (reversed(walk) if turned else walk)
            )
            paths.append(Path(grounding.confidence, walked))
            for layer, step in enumerate(walked, start=1):
                attention.setdefault((layer, step), grounding.confidence)
    subgraph = tuple(
        EvidenceEdge(layer, step.head, step.relation, step.tail, step.direction, weight)
        for (layer, step), weight in attention.items()
    )
    return tuple(paths), subgraph
