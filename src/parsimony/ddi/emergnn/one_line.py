"""Why EmerGNN expects an interaction, in one line: the best path, or the structure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from parsimony.ddi.analogues import NO_ANALOGUE, analogue_sentence, nearest_analogues
from parsimony.ddi.emergnn.attribution import PairFlowParts, PathDigraph, WalkedFlow
from parsimony.ddi.emergnn.explain import UNLIKE, NameFormatter, best_paths
from parsimony.ddi.grounds import ALIKE, NEITHER, structures
from parsimony.ddi.task import DDITask
from parsimony.explain import Explanation, Path
from parsimony.explain.text import path_text
from parsimony.run.steps import step_done

MOST = 30  # paths among which one is looked for that passes no drug that is not alike


def reason_line(
    task: DDITask,
    fingerprints: npt.NDArray[np.uint8],
    opened: PairFlowParts,
    u: int,
    t: int,
    v: int,
) -> str:
    """Why an interaction gets its probability: what its largest part rests on.

    The parts are those of :func:`parsimony.ddi.emergnn.explain.explain_flow`. Where the paths
    add most, the best path by its exact contribution stands for them; where the structures do, the
    nearest known interaction.
    """
    step_done()
    having, parts = structures(task.data, fingerprints, u, v), dict(opened.parts)
    paths = PathDigraph(opened.graph, u, v, opened.hidden)
    flow, walks = WalkedFlow(paths, opened.weights), paths.walks()
    structure = parts.pop(having or NEITHER, 0.0) + parts.pop("similar drugs' interactions", 0.0)
    rest = max(parts, key=lambda name: parts[name])
    if structure >= max(flow.logit, parts[rest]):
        return _by_analogy(task, fingerprints, having, u, t, v)
    if flow.logit < parts[rest]:
        return f"rests on {rest}"
    best = best_paths(paths, walks, flow.attributions(walks), MOST)
    if not best:
        return "rests on many paths, none of which adds by itself"
    formatter = NameFormatter(task, opened.graph.n_relations)
    found = [Path(weight, formatter.sentences(steps)) for weight, steps in best]
    path = next((p for p in found if all(s.relation != UNLIKE for s in p.steps)), None)
    if path is None:
        return f"rests on what other drugs do: all its paths pass drugs alike below {ALIKE}"
    shown = Explanation(query=("", "", ""), score=flow.logit, labels=formatter.labels)
    return path_text(shown, path)


def _by_analogy(
    task: DDITask, fingerprints: npt.NDArray[np.uint8], having: str, u: int, t: int, v: int
) -> str:
    """Which drugs these resemble, where the structures that there are carry the answer."""
    if not having:
        return "rests on how common the type is: neither drug has a structure"
    rests = "rests on structure" if having == "both structures" else f"rests on {having}"
    facts = task.labelling.counted_facts(task.visible("test"))
    found = nearest_analogues(fingerprints, facts, u, t, v)
    if not found:
        return f"{rests}, though {NO_ANALOGUE}"
    return f"{rests}: {analogue_sentence(task.data, u, v, found[0])}"
