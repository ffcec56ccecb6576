"""Why two drugs interact, from EmerGNN's own flow: paths, similar pairs, the deletion test."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from typing import cast

import numpy as np
import numpy.typing as npt

from parsimony.ddi.analogues import nearest_analogues
from parsimony.ddi.data import DDIData
from parsimony.ddi.emergnn.attribution import (
    Gone,
    IntArray,
    PairFlowParts,
    PathDigraph,
    WalkedFlow,
)
from parsimony.ddi.explained_pair import ExplainedPair
from parsimony.ddi.grounds import ALIKE
from parsimony.ddi.similarity_edges import LIMITS
from parsimony.ddi.task import DDITask
from parsimony.explain import EvidenceEdge, Explanation, Faithfulness, Path, Step
from parsimony.explain.parts import Analogue, Direction, Known
from parsimony.run.seeds import rng
from parsimony.run.steps import step_done

PATH_ORDER = (
    "First the path that adds most to the type's logit above the average type; that is its weight. "
    "In an interaction, A is the first drug and B the second."
)
LABEL_PATH_ORDER = "First the path that adds most to the label's logit; that is its weight."
TOGETHER = "has side effects with"  # the one relation of pairs with several labels
DRAWN = 30  # paths whose edges the drawing may show
#: The relation of similarity edges below ALIKE, which say that the drugs are not alike.
UNLIKE = f"alike 0 to {ALIKE}"
#: Relations in words: Hetionet's metaedges (Himmelstein et al. 2017).
METAEDGES = {
    "CbG": "binds", "CdG": "downregulates", "CuG": "upregulates", "CcSE": "causes",
    "CtD": "treats", "CpD": "palliates", "CrC": "resembles", "PCiC": "includes",
    "DaG": "associates with", "DdG": "downregulates", "DuG": "upregulates",
    "DlA": "localizes to", "DpS": "presents", "DrD": "resembles", "AdG": "downregulates",
    "AeG": "expresses", "AuG": "upregulates", "GcG": "covaries with", "GiG": "interacts with",
    "Gr>G": "regulates", "GpBP": "participates in", "GpCC": "participates in",
    "GpMF": "participates in", "GpPW": "participates in", "causes": "causes side effect",
    UNLIKE: "is not alike",
}  # fmt: skip


def relation_names(task: DDITask, n_relations: int) -> list[str]:
    """Names of the R stored relations: interaction types, background, structural likeness."""
    names = [TOGETHER] if task.labelling.multi else [f"type {name}" for name in task.data.types]
    names += task.background.relations
    bounds = ["0", *map(str, LIMITS), "1"]
    return names + [f"alike {a} to {b}" for a, b in pairwise(bounds)][: n_relations - len(names)]


def relation_labels(data: DDIData) -> dict[str, str]:
    """Readable names of relations."""
    labels = dict(METAEDGES)
    for kind, name in enumerate(data.types):
        if data.templates[kind]:
            labels[f"type {name}"] = data.pattern(kind, "A", "B").rstrip(".")
    return labels


def explain_flow(
    task: DDITask,
    pair: ExplainedPair,
    opened: PairFlowParts,
    *,
    model: str,
    fingerprints: npt.NDArray[np.uint8] | None,
    n_paths: int,
    draws: int,
    seed: int,
) -> Explanation:
    """Answer :meth:`parsimony.ddi.emergnn.method.EmerGNN.explain`.

    Parameters
    ----------
    opened
        The parts of the logit, and what the flow multiplies with.
    model
        Name of the method.
    fingerprints
        Where analogues are to be named.
    """
    u, t, v = pair.numbers
    graph = opened.graph
    paths = PathDigraph(graph, u, v, opened.hidden)
    flow, walks = WalkedFlow(paths, opened.weights), paths.walks()
    best = best_paths(paths, walks, flow.attributions(walks), max(n_paths, DRAWN))
    named = best[:n_paths]
    faithfulness = None
    if named and draws:
        facts = {fact for _, steps in named for fact in map(fact_of(graph.n_relations), steps)}
        faithfulness = _deletions(paths, flow, walks, facts, draws, rng(seed, "deletion", u, t, v))
    formatter = NameFormatter(task, graph.n_relations)
    return Explanation(
        query=(formatter.entity(u), formatter.type(t), formatter.entity(v)),
        claim=task.data.sentence(u, t, v),
        score=flow.logit + sum(opened.parts.values()),
        probability=pair.probability,
        paths=tuple(Path(w, tuple(map(formatter.step, steps))) for w, steps in named),
        subgraph=tuple(formatter.evidence(best[:DRAWN])),
        faithfulness=faithfulness,
        labels=formatter.labels,
        model=model,
        known=known_split(task.data, u, t, v),
        path_order=LABEL_PATH_ORDER if task.labelling.multi else PATH_ORDER,
        parts={"paths": flow.logit, **opened.parts},
        analogues=() if fingerprints is None else analogues(task, fingerprints, u, t, v),
        parts_note="The logit of this type above the average type.",
    )


Walked = tuple[int, int, int]  # source, message relation, target


def best_paths(
    paths: PathDigraph, walks: IntArray, attribution: npt.NDArray[np.float64], most: int
) -> list[tuple[float, list[Walked]]]:
    """Paths that add to the logit, best first; walks that differ only in idle steps are one.

    ``attribution`` (n_walks,) is what every walk adds.
    """
    idle = 2 * paths.graph.n_relations
    rests = [part[:, 1] == idle for part in (paths.first, paths.middle, paths.last)]
    resting = rests[0][walks[:, 0]] | rests[1][walks[:, 1]] | rests[2][walks[:, 2]]
    # Others are paths of their own but for duplicate facts: the best of them are enough.
    own = np.flatnonzero(~resting)
    room = 4 * most
    if len(own) > room:
        own = own[np.argpartition(-attribution[own], room)[:room]]
    chosen = np.concatenate([np.flatnonzero(resting), own])
    if not len(chosen):
        return []
    walks, attribution = walks[chosen], attribution[chosen]
    first, middle, last = (paths.first[walks[:, 0]], paths.middle[walks[:, 1]],
                           paths.last[walks[:, 2]])  # fmt: skip
    r = np.stack([first[:, 1], middle[:, 1], last[:, 1]], 1)
    x = np.stack([paths.nodes[0][first[:, 0]], paths.nodes[1][last[:, 0]]], 1).astype(np.int64)
    for _ in range(2):  # idle steps move to the end
        early = r[:, 0] == idle
        r[early] = np.stack([r[early, 1], r[early, 2], np.full(early.sum(), idle)], 1)
        x[early] = np.stack([x[early, 1], np.full(early.sum(), paths.v)], 1)
        late = (r[:, 1] == idle) & (r[:, 0] != idle)
        r[late] = np.stack([r[late, 0], r[late, 2], np.full(late.sum(), idle)], 1)
        x[late, 1] = paths.v
    key = np.stack([r[:, 0], x[:, 0], r[:, 1], x[:, 1], r[:, 2]], 1)
    distinct, of = np.unique(key, axis=0, return_inverse=True)
    weight = np.bincount(of.ravel(), attribution, len(distinct))
    found = []
    for i in np.argsort(-weight, kind="stable")[:most].tolist():
        if weight[i] <= 0:
            break
        r1, a, r2, b, r3 = distinct[i].tolist()
        steps = [(paths.u, r1, a), (a, r2, b), (b, r3, paths.v)]
        found.append((float(weight[i]), [step for step in steps if step[1] != idle]))
    return found


def fact_of(n_relations: int) -> Callable[[Walked], Walked]:
    """From a walked edge to its stored fact."""

    def fact(step: Walked) -> Walked:
        source, r, target = step
        return (source, r, target) if r < n_relations else (target, r - n_relations, source)

    return fact


def stored_facts(paths: PathDigraph) -> list[IntArray]:
    """Stored facts of first, middle and last edges, as numbers; −1 for idle steps."""
    graph = paths.graph
    big = graph.n_relations
    x, y = (node.astype(np.int64) for node in paths.nodes)
    sources = [np.full(len(paths.first), paths.u), x[paths.middle[:, 0]], y[paths.last[:, 0]]]
    relations = [paths.first[:, 1], paths.middle[:, 1], paths.last[:, 1]]
    targets = [x[paths.first[:, 0]], y[paths.middle[:, 2]], np.full(len(paths.last), paths.v)]
    found = []
    for s, r, o in zip(sources, relations, targets, strict=True):
        turned = r >= big
        h, t, k = np.where(turned, o, s), np.where(turned, s, o), np.where(turned, r - big, r)
        code = (h * big + k) * graph.n_entities + t
        found.append(np.where(r == 2 * big, -1, code))
    return found


def _deletions(
    paths: PathDigraph,
    flow: WalkedFlow,
    walks: IntArray,
    facts: set[Walked],
    draws: int,
    generator: np.random.Generator,
) -> Faithfulness:
    """What the flows' logit loses without the facts, and without as many random ones."""
    graph = paths.graph
    codes = stored_facts(paths)
    stored, number = np.unique(np.concatenate(codes), return_inverse=True)
    rows = np.split(number.ravel(), np.cumsum([len(code) for code in codes])[:-1])
    walked = np.zeros(len(stored), bool)
    for i, row in enumerate(rows):
        on_walk = np.zeros(len(row), bool)
        on_walk[walks[:, i]] = True
        walked[row[on_walk]] = True
    used = np.flatnonzero(walked & (stored >= 0))

    def drop(deleted: npt.NDArray[np.int64]) -> float:
        step_done()
        gone = np.zeros(len(stored), bool)
        gone[deleted] = True
        return flow.logit - flow.without(Gone(*(gone[row] for row in rows)))

    named = np.searchsorted(
        stored, [(h * graph.n_relations + r) * graph.n_entities + t for h, r, t in facts]
    )
    random = [drop(generator.choice(used, len(named), replace=False)) for _ in range(draws)]
    others = len(used) - len(named)
    return Faithfulness.of(drop(named), float(np.mean(random)), len(named), draws, others)


class NameFormatter:
    """From numbers to names; the readable ones go to ``labels``."""

    def __init__(self, task: DDITask, n_relations: int) -> None:
        self._background = task.background
        self._relations = relation_names(task, n_relations)
        self._types, self._data = task.data.types.names, task.data
        self._known = relation_labels(task.data)
        self.labels: dict[str, str] = {}

    def entity(self, number: int) -> str:
        """The entity's id; its readable name goes to ``labels``."""
        name: str = self._background.entities.name(number)
        label = self._background.labels[number]
        if label:
            self.labels[name] = label
        return name

    def relation(self, number: int) -> str:
        """The relation's name; a readable one goes to ``labels``."""
        name = self._relations[number]
        if name in self._known:
            self.labels[name] = self._known[name]
        return name

    def type(self, number: int) -> str:
        """The name of an interaction type or label; a readable one goes to ``labels``."""
        name = f"type {self._types[number]}"
        if name in self._known:
            self.labels[name] = self._known[name]
        return name

    def step(self, walked: Walked) -> Step:
        """The stored fact of a walked edge, and its direction."""
        n_relations = len(self._relations)
        direction: Direction = "forward" if walked[1] < n_relations else "inverse"
        h, r, t = fact_of(n_relations)(walked)
        return Step(self.entity(h), self.relation(r), self.entity(t), direction)

    def sentences(self, steps: Iterable[Walked]) -> tuple[Step, ...]:
        """The steps of one path, each known interaction as the sentence of its own two drugs."""
        n_types, shown = len(self._types), []
        for walked in steps:
            step = self.step(walked)
            h, r, t = fact_of(len(self._relations))(walked)
            if r < n_types and not self._data.multilabel:
                step = replace(step, relation=self._data.sentence(h, r, t).rstrip("."))
            shown.append(step)
        return tuple(shown)

    def evidence(self, best: list[tuple[float, list[Walked]]]) -> list[EvidenceEdge]:
        """Edges of the best paths, each with what its paths add."""
        weight: dict[tuple[int, Walked], float] = {}
        last = max((len(steps) for _, steps in best), default=0)
        for value, steps in best:
            for layer, step in enumerate(steps, 1):
                weight[layer, step] = weight.get((layer, step), 0.0) + value
        top = max(weight.values(), default=1.0)
        edges = []
        for (layer, walked), value in weight.items():
            s = self.step(walked)
            edges.append(
                EvidenceEdge(min(layer, last), s.head, s.relation, s.tail, s.direction, value / top)
            )
        return edges


def known_split(data: DDIData, u: int, t: int, v: int) -> Known:
    """The split that states the interaction."""
    for split, rows in data.pairs.items():
        same = rows[(rows[:, 1] == t) & np.isin(rows[:, [0, 2]], (u, v)).all(1)]
        if len(same) and (data.multilabel or (same[:, 0] == u).any()):
            return cast(Known, split.split("_")[0])
    return "no"


def analogues(
    task: DDITask, fingerprints: npt.NDArray[np.uint8], u: int, t: int, v: int, most: int = 3
) -> tuple[Analogue, ...]:
    """Return known interactions of the type whose drugs are most like the pair's."""
    facts = task.labelling.counted_facts(task.visible("test"))
    found = nearest_analogues(fingerprints, facts, u, t, v, most)
    return tuple(Analogue(task.data.sentence(x, t, y), similarity) for x, t, y, similarity in found)
