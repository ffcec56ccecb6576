"""Which edges of an explanation a book inferred, and from what."""

from __future__ import annotations

from parsimony.explain import Explanation
from parsimony.link.guidance.applied import AppliedBook
from parsimony.link.guidance.graph_task import CompletedTask

__all__ = ["origins"]

#: inferred edges of an explanation that its notes name
MOST_ORIGINS = 10


def origins(found: Explanation, applied: AppliedBook) -> list[str]:
    """Say of the edges named which are inferred, and from what."""
    task = applied.walked_task
    if not isinstance(task, CompletedTask):
        return []
    data = applied.task.test_data
    steps = [step for path in found.paths for step in path.steps]
    steps += [edge.step for edge in found.subgraph]
    notes = list[str]()
    for name in dict.fromkeys((step.head, step.relation, step.tail) for step in steps):
        if len(notes) == MOST_ORIGINS:
            break
        fact = data.entities.index(name[0]), data.relations.index(name[1])
        origin = task.test_completion.origin(*fact, data.entities.index(name[2]))
        if origin is not None:
            told = " and ".join(
                f"{data.relations.name(r)}({data.entities.name(h)}, {data.entities.name(t)})"
                for h, r, t in origin[1].tolist()
            )
            notes.append(f"{name[1]}({name[0]}, {name[2]}) is inferred by {origin[0]}: {told}")
    return notes
