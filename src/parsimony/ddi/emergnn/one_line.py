"""Why EmerGNN expects an interaction, in one line: the best path, or the structure."""

from __future__ import annotations

from typing import Any

from parsimony.ddi.analogues import alike_sentence, most_alike
from parsimony.ddi.emergnn.attribution import PathDigraph, WalkedFlow
from parsimony.ddi.emergnn.explain import Speaker, best_paths, opened
from parsimony.explain import Explanation, Path
from parsimony.explain.text import path_text

_STRUCTURE = ("both structures", "similar drugs' interactions")


def reason_line(estimator: Any, u: int, t: int, v: int) -> str:
    """Why an interaction gets its probability: what its largest part rests on.

    The parts are those of :func:`parsimony.ddi.emergnn.explain.explain_pair`. Where the paths
    add most, the best path by its exact contribution stands for them; where the structures do, the
    known interaction that is most alike.
    """
    graph, hidden, parts, weights = opened(estimator, u, v, t)
    paths = PathDigraph(graph, u, v, hidden)
    flow, walks = WalkedFlow(paths, weights), paths.walks()
    structure = sum(parts.pop(name, 0.0) for name in _STRUCTURE)
    rest = max(parts, key=lambda name: parts[name])
    if structure >= max(flow.logit, parts[rest]):
        return _alike(estimator, u, t, v)
    if flow.logit < parts[rest]:
        return f"rests on {rest}"
    best = best_paths(paths, walks, flow.shares(walks), 1)
    if not best:
        return "rests on many paths, none of which adds by itself"
    speaker = Speaker(estimator)
    path = Path(best[0][0], tuple(map(speaker.step, best[0][1])))
    shown = Explanation(query=("", "", ""), score=flow.logit, labels=speaker.labels)
    return path_text(shown, path)


def _alike(estimator: Any, u: int, t: int, v: int) -> str:
    """Whom the drugs resemble, where their structures carry the answer."""
    data, labelling = estimator.task_.data, estimator.task_.labelling
    facts = labelling.vote_facts(estimator.task_.visible("test"))
    found = most_alike(estimator.fingerprints_, facts, u, t, v)
    if not found:
        return "rests on structure, though no similar drug is known to do this"
    return f"rests on structure: {alike_sentence(data, u, v, found[0])}"
