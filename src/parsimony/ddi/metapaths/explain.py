"""Why two drugs interact, by the metapath regression: metapaths, a walk of each, deletion.

The logit above the average type is a sum over metapaths, so every part is exact:

    (W_st − mean_k W_sk) log(1 + n_s)            of a metapath with a weight per type
    w_s (log(1 + n_st) − mean_k log(1 + n_sk))   of one whose weight is shared, or that is stated

A stated mechanism comes before any walk that was merely found, whatever it adds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.ddi.emergnn.attribution import IntArray, PathDigraph
from parsimony.ddi.emergnn.explain import (
    DRAWN,
    NameFormatter,
    Walked,
    fact_of,
    known_split,
    stored_facts,
)
from parsimony.ddi.explained_pair import ExplainedPair
from parsimony.ddi.metapaths.text import MetapathModel, MetapathNames
from parsimony.ddi.task import DDITask
from parsimony.explain import Explanation, Faithfulness, Path
from parsimony.explain.text import path_text
from parsimony.kernels.emergnn.graph import ActiveGraph
from parsimony.kernels.emergnn.paths import HIDE_BETWEEN
from parsimony.knowledge.rules import Rule
from parsimony.run.seeds import rng
from parsimony.run.steps import step_done

STATED = "First what was stated, whatever it adds; then what was found. "
PATH_ORDER = (
    "One walk for each of the kinds that add most to the type's logit above the average type; the "
    "weight is that of all walks of the kind. In an interaction, A is the first drug and B the "
    "second."
)
NAMED_PARTS = 8  # kinds of walks listed by themselves
FloatArray = npt.NDArray[np.float64]


class WalksOfPair:
    """The walks of one pair that have a weight, written down: what they add to a type's logit.

    Attributes
    ----------
    relations : int array, shape (n_walks, 3)
    nodes : int array, shape (n_walks, 2)
        The x and y of a walk.
    facts : int array, shape (n_facts,)
        Numbers of the stored facts, ascending; first −1, the idle step.
    uses : int array, shape (n_walks, 3)
        Where in ``facts`` those of a walk stand.
    own, shared : int arrays, shape (n_walks,)
        Its metapath among those with a weight per type, and among those with a shared one; or −1.
    type : int array, shape (n_walks,)
        Of its interaction, where it has one.
    """

    def __init__(self, model: MetapathModel, graph: ActiveGraph, u: int, t: int, v: int) -> None:
        self._model, self._t = model, t
        self.graph, self.u, self.v = graph, u, v
        paths = PathDigraph(graph, u, v, HIDE_BETWEEN)
        walks = paths.walks()
        first, middle, last = (
            rows[walks[:, i]] for i, rows in enumerate((paths.first, paths.middle, paths.last))
        )
        relations = np.stack([first[:, 1], middle[:, 1], last[:, 1]], 1)
        x, y = paths.nodes[0][first[:, 0]], paths.nodes[1][last[:, 0]]
        # as kernels.emergnn.metapaths: a walk does not come back, and idles at its end
        big, idle = graph.n_relations, 2 * graph.n_relations
        direct = (x == v) & (y == v) & (relations[:, 1] == idle) & (relations[:, 2] == idle)
        inner = (x != u) & (x != v) & (y != u) & (y != v)
        kinds = model.kinds
        k = kinds.of[relations].astype(np.int64)
        code = (k[:, 0] * kinds.n + k[:, 1]) * kinds.n + k[:, 2]
        own, shared = _index(code, model.metapaths), _index(code, model.shared)
        kept = (direct | inner) & ((own >= 0) | (shared >= 0))
        self.own, self.shared, self.relations = own[kept], shared[kept], relations[kept]
        self.nodes = np.stack([x[kept], y[kept]], 1).astype(np.int64)
        codes = np.stack([c[walks[kept, i]] for i, c in enumerate(stored_facts(paths))], 1)
        self.facts, uses = np.unique(np.append(codes.ravel(), -1), return_inverse=True)
        self.uses = uses[:-1].reshape(-1, 3)
        stored = np.where(self.relations < big, self.relations, self.relations - big)
        interaction = (self.relations != idle) & (stored < graph.n_types)
        self.type = np.where(interaction, stored, 0).sum(1)

    def parts(
        self, kept: npt.NDArray[np.bool_] | None = None
    ) -> tuple[FloatArray, FloatArray, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """What both kinds of weights add, and of how many walks, of those that are kept."""
        weights, t = self._model.weights, self._t
        n_types = len(weights.intercept)
        kept = np.ones(len(self.own), bool) if kept is None else kept
        counts = np.bincount(self.own[kept & (self.own >= 0)], minlength=len(weights.own))
        above = weights.own[:, t] - weights.own.mean(1)
        counted = kept & (self.shared >= 0)
        by_type = np.bincount(
            self.shared[counted] * n_types + self.type[counted],
            minlength=len(weights.shared) * n_types,
        ).reshape(-1, n_types)
        logs = np.log1p(by_type)
        shared = weights.shared * (logs[:, t] - logs.mean(1))
        return above * np.log1p(counts), shared, counts, by_type[:, t]

    def logit(self, kept: npt.NDArray[np.bool_] | None = None) -> float:
        """All that walks add to the type's logit above the average type."""
        own, shared, _, _ = self.parts(kept)
        return float(own.sum() + shared.sum())

    def steps(self, walk: int) -> list[Walked]:
        """A walk as (source, relation, target), without idle steps."""
        (r1, r2, r3), (x, y) = self.relations[walk].tolist(), self.nodes[walk].tolist()
        idle = 2 * self.graph.n_relations
        every = [(self.u, r1, x), (x, r2, y), (y, r3, self.v)]
        return [step for step in every if step[1] != idle]


def explain_walks(
    task: DDITask,
    pair: ExplainedPair,
    graph: ActiveGraph,
    model: MetapathModel,
    *,
    name: str,
    n_paths: int,
    draws: int,
    seed: int,
) -> Explanation:
    """Answer :meth:`parsimony.ddi.metapaths.method.Walks.explain`.

    Parameters
    ----------
    graph
        With the interactions known meanwhile; the pair's own are hidden here.
    name
        Of the method.
    """
    u, t, v = pair.numbers
    walks = WalksOfPair(model, graph, u, t, v)
    lines = _kinds_of_walks(walks, task, model, t)
    offset = _offset(model, t)
    formatter = NameFormatter(task, graph.n_relations)
    stated = _stated(task, graph, model, u, t, v)
    parts = {f"stated: {one.words}": one.adds for one in stated}
    parts["the type itself"] = offset
    for line in lines[:NAMED_PARTS]:
        parts[line.words] = line.adds
    if lines[NAMED_PARTS:]:
        rest = lines[NAMED_PARTS:]
        parts[f"{len(rest):,} other kinds of walks"] = sum(line.adds for line in rest)
    best = _best_walks(walks, sorted(lines, key=lambda line: -line.adds), t)
    first = [(one.adds, one.steps) for one in stated]
    named = best[: max(n_paths - len(first), 0)]
    logit = walks.logit()
    return Explanation(
        query=(formatter.entity(u), formatter.relation(t), formatter.entity(v)),
        claim=task.data.sentence(u, t, v),
        score=logit + offset + sum(one.adds for one in stated),
        probability=pair.probability,
        paths=tuple(Path(w, tuple(map(formatter.step, steps))) for w, steps in (*first, *named)),
        rules=tuple(one.rule for one in stated),
        subgraph=tuple(formatter.evidence([*first, *best][:DRAWN])),
        faithfulness=_deletions(walks, logit, named, draws, rng(seed, "deletion", u, t, v)),
        labels=formatter.labels,
        model=name,
        known=known_split(task.data, u, t, v),
        path_order=STATED * bool(stated) + PATH_ORDER,
        parts=parts,
    )


class StatedReason(NamedTuple):
    """A stated mechanism that holds of a pair, and what it adds to the type's logit."""

    adds: float
    words: str
    rule: Rule
    steps: list[Walked]


def _stated(
    task: DDITask, graph: ActiveGraph, model: MetapathModel, u: int, t: int, v: int
) -> list[StatedReason]:
    """The mechanisms of the type that hold of the pair, first those that add most."""
    n_types, big, found = task.data.n_types, graph.n_relations, []
    for mechanism, weight in zip(model.mechanisms, model.stated.tolist(), strict=True):
        counts = mechanism.counts(np.array([[u, v]], np.int32))[0]
        if counts[t]:
            logs = np.log1p(counts)
            steps = [
                (x, n_types + hop.relation + big * hop.inverse, y)
                for x, hop, y in mechanism.path(t, u, v)
            ]
            rule = mechanism.rule
            words = f"{rule} ({counts[t]:,.0f} walk{'s' * bool(counts[t] != 1)})"
            found.append(StatedReason(float(weight * (logs[t] - logs.mean())), words, rule, steps))
    return sorted(found, key=lambda one: (-one.adds, -one.rule.confidence))


class KindOfWalks(NamedTuple):
    """A metapath of a pair, and what its walks add to a type's logit above the average type."""

    adds: float
    words: str
    shared: bool
    place: int  # among the metapaths with a weight per type, or among those with a shared one


def _kinds_of_walks(
    walks: WalksOfPair, task: DDITask, model: MetapathModel, t: int
) -> list[KindOfWalks]:
    """The kinds of walks that a pair has, first those that add or take most."""
    own, shared, counts, counted = walks.parts()
    names = MetapathNames(model.kinds, task, walks.graph.n_relations)
    label = f"type {task.data.types.name(t)}"

    def words(n: int, text: str) -> str:
        return f"{n:,} walk{'s' * (n != 1)} {text}"

    lines = [
        KindOfWalks(
            float(own[s]), words(int(counts[s]), names.text(int(model.metapaths[s]))), False, s
        )
        for s in np.flatnonzero(counts).tolist()
    ]
    for s in np.flatnonzero(shared).tolist():
        text = words(int(counted[s]), names.text(int(model.shared[s]), label))
        lines.append(KindOfWalks(float(shared[s]), f"{text}, voting", True, s))
    return sorted(lines, key=lambda line: -abs(line.adds))


def reason_line(
    task: DDITask, graph: ActiveGraph, model: MetapathModel, u: int, t: int, v: int
) -> str:
    """Why an interaction gets its probability: what adds most, with one walk of the kind."""
    step_done()
    if stated := _stated(task, graph, model, u, t, v):
        first = stated[0]
        return f"stated: {first.words}, such as {_walk_text(task, graph, first.adds, first.steps)}"
    walks = WalksOfPair(model, graph, u, t, v)
    lines = sorted(_kinds_of_walks(walks, task, model, t), key=lambda line: -line.adds)
    best = _best_walks(walks, lines, t)
    offset, logit = _offset(model, t), walks.logit()
    if not best or logit < offset:
        n = len(walks.own)
        return (
            f"rests on how common the type is ({offset:+.2f}): the {n:,} walk{'s' * (n != 1)} from "
            f"{task.data.label(u)} to {task.data.label(v)} add {logit:+.2f}"
        )
    return f"{lines[0].words}, such as {_walk_text(task, graph, *best[0])}"


def _walk_text(task: DDITask, graph: ActiveGraph, adds: float, steps: list[Walked]) -> str:
    formatter = NameFormatter(task, graph.n_relations)
    path = Path(adds, formatter.sentences(steps))
    shown = Explanation(query=("", "", ""), score=adds, labels=formatter.labels)
    return path_text(shown, path)


def _offset(model: MetapathModel, t: int) -> float:
    """What a type has above the average type without any walk."""
    return float(model.weights.intercept[t] - model.weights.intercept.mean())


def _best_walks(
    pair: WalksOfPair, lines: list[KindOfWalks], t: int
) -> list[tuple[float, list[Walked]]]:
    """Of every kind that adds to the logit the walk through the least connected nodes."""
    degree = np.diff(pair.graph.indptr)
    crowd = np.log(degree[pair.nodes].astype(float)).sum(1) if len(pair.nodes) else np.empty(0)
    found: dict[int, float] = {}
    for value, _, shared, s in lines:
        if value <= 0:
            break
        mine = (pair.shared == s) & (pair.type == t) if shared else pair.own == s
        rows = np.flatnonzero(mine)
        if len(rows):  # a shared weight can add by what other types lack
            walk = int(rows[crowd[rows].argmin()])
            found[walk] = found.get(walk, 0.0) + value
    return [(w, pair.steps(i)) for i, w in sorted(found.items(), key=lambda item: -item[1])]


def _deletions(
    pair: WalksOfPair,
    logit: float,
    named: list[tuple[float, list[Walked]]],
    draws: int,
    generator: np.random.Generator,
) -> Faithfulness | None:
    """What the walks' logit loses without the named facts, and without as many random ones."""
    if not named or not draws:
        return None
    big, n = pair.graph.n_relations, pair.graph.n_entities
    of = fact_of(big)
    facts = {of(step) for _, steps in named for step in steps}
    codes = np.array([(h * big + r) * n + t for h, r, t in facts])

    def drop(gone: IntArray) -> float:
        step_done()
        left = np.ones(len(pair.facts), bool)
        left[gone] = False
        return logit - pair.logit(np.all(left[pair.uses], axis=1))

    used = np.arange(1, len(pair.facts))  # 0 is the idle step
    random = [drop(generator.choice(used, len(codes), replace=False)) for _ in range(draws)]
    deleted = drop(np.searchsorted(pair.facts, codes))
    others = len(used) - len(codes)
    return Faithfulness.of(deleted, float(np.mean(random)), len(codes), draws, others)


def _index(codes: npt.NDArray[np.int64], among: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where each code stands in an ascending array; −1 where it does not."""
    if not len(among):
        return np.full(len(codes), -1)
    at = np.minimum(np.searchsorted(among, codes), len(among) - 1)
    found: npt.NDArray[np.int64] = np.where(among[at] == codes, at, -1)
    return found
