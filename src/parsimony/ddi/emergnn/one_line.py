"""Why EmerGNN expects an interaction, in one line: the best path, or the structure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from parsimony.ddi.analogues import analogue_sentence, nearest_analogues
from parsimony.ddi.emergnn.attribution import PairFlowParts, PathDigraph, WalkedFlow
from parsimony.ddi.emergnn.explain import NameFormatter, best_paths
from parsimony.ddi.task import DDITask
from parsimony.explain import Explanation, Path
from parsimony.explain.text import path_text

_STRUCTURE = ("both structures", "similar drugs' interactions")


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
    parts = dict(opened.parts)
    paths = PathDigraph(opened.graph, u, v, opened.hidden)
    flow, walks = WalkedFlow(paths, opened.weights), paths.walks()
    structure = sum(parts.pop(name, 0.0) for name in _STRUCTURE)
    rest = max(parts, key=lambda name: parts[name])
    if structure >= max(flow.logit, parts[rest]):
        return _by_analogy(task, fingerprints, u, t, v)
    if flow.logit < parts[rest]:
        return f"rests on {rest}"
    best = best_paths(paths, walks, flow.attributions(walks), 1)
    if not best:
        return "rests on many paths, none of which adds by itself"
    formatter = NameFormatter(task, opened.graph.n_relations)
    path = Path(best[0][0], formatter.sentences(best[0][1]))
    shown = Explanation(query=("", "", ""), score=flow.logit, labels=formatter.labels)
    return path_text(shown, path)


def _by_analogy(task: DDITask, fingerprints: npt.NDArray[np.uint8], u: int, t: int, v: int) -> str:
    """Which drugs these resemble, where their structures carry the answer."""
    facts = task.labelling.counted_facts(task.visible("test"))
    found = nearest_analogues(fingerprints, facts, u, t, v)
    if not found:
        return "rests on structure, though no similar drug is known to do this"
    return f"rests on structure: {analogue_sentence(task.data, u, v, found[0])}"
