"""Why two drugs interact, from EmerGNN's own flow: paths, similar pairs, the deletion test."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from parsimony.ddi.analogues import most_alike
from parsimony.ddi.emergnn.attribution import FlowWeights, Gone, IntArray, PathDigraph, WalkedFlow
from parsimony.ddi.similarity_edges import LIMITS
from parsimony.errors import InvalidParameter, UsageError
from parsimony.explain import EvidenceEdge, Explanation, Faithfulness, Path, Step
from parsimony.explain.parts import Analogue, Direction, Known
from parsimony.run.seeds import rng

PATH_ORDER = (
    "First the path that adds most to the type's logit above the average type; that is its weight. "
    "In an interaction, A is the first drug and B the second."
)
LABEL_PATH_ORDER = "First the path that adds most to the label's logit; that is its weight."
TOGETHER = "has side effects with"  # the one relation of pairs with several labels
DRAWN = 30  # paths whose edges the drawing may show
#: Hetionet's metaedges in words (Himmelstein et al. 2017).
METAEDGES = {
    "CbG": "binds", "CdG": "downregulates", "CuG": "upregulates", "CcSE": "causes",
    "CtD": "treats", "CpD": "palliates", "CrC": "resembles", "PCiC": "includes",
    "DaG": "associates with", "DdG": "downregulates", "DuG": "upregulates",
    "DlA": "localizes to", "DpS": "presents", "DrD": "resembles", "AdG": "downregulates",
    "AeG": "expresses", "AuG": "upregulates", "GcG": "covaries with", "GiG": "interacts with",
    "Gr>G": "regulates", "GpBP": "participates in", "GpCC": "participates in",
    "GpMF": "participates in", "GpPW": "participates in", "causes": "causes side effect",
}  # fmt: skip


def relation_names(estimator: Any) -> list[str]:
    """Names of the R stored relations: interaction types, background, structural likeness."""
    background = estimator.task_.background
    names = interaction_names(estimator) + list(background.relations)
    n_like = estimator._built.n_relations - len(names)
    bounds = ["0", *map(str, LIMITS), "1"]
    names += [f"alike {a} to {b}" for a, b in pairwise(bounds)][:n_like]
    return names


def interaction_names(estimator: Any) -> list[str]:
    """Names of the relations that known interactions have in the graph."""
    task = estimator.task_
    return [TOGETHER] if task.labelling.multi else [f"type {name}" for name in task.data.types]


def relation_labels(estimator: Any) -> dict[str, str]:
    """Readable names of relations."""
    data = estimator.task_.data
    labels = dict(METAEDGES)
    for name, template in zip(data.types, data.templates, strict=True):
        if template:
            text = template.replace("#Drug1", "A").replace("#Drug2", "B").rstrip(".")
            labels[f"type {name}"] = text
    return labels


def explain_pair(
    estimator: Any,
    drug1: str,
    drug2: str,
    kind: str | None = None,
    *,
    n_paths: int = 5,
    draws: int = 20,
    seed: int = 0,
) -> Explanation:
    """Why the model gives an interaction its probability.

    Labels that do not exclude each other are explained by their logit itself, others by how much it
    is above the average type's. A pair without an order is explained in the order that is given.

    Parameters
    ----------
    drug1, drug2
        Ids, external ids or names, in any case.
    kind
        The interaction type; the most probable of either order where left out.
    n_paths
        How many paths to name.
    draws
        Random deletions that the evidence is compared with; 0 leaves the test out.

    Raises
    ------
    UnknownDrug, UnknownRelation
        With the nearest known name.
    UsageError, InvalidParameter
        A drug with itself, or a count below 1.
    """
    u, t, v, probability = asked_pair(estimator, drug1, drug2, kind, n_paths, draws)
    graph, hidden, parts, weights = opened(estimator, u, v, t)
    paths = PathDigraph(graph, u, v, hidden)
    flow, walks = WalkedFlow(paths, weights), paths.walks()
    best = best_paths(paths, walks, flow.shares(walks), max(n_paths, DRAWN))
    named = best[:n_paths]
    faithfulness = None
    if named and draws:
        facts = {fact for _, steps in named for fact in map(fact_of(graph.n_relations), steps)}
        faithfulness = _deletions(paths, flow, walks, facts, draws, rng(seed, "deletion", u, t, v))
    speaker = Speaker(estimator)
    return Explanation(
        query=(speaker.entity(u), speaker.type(t), speaker.entity(v)),
        score=flow.logit + sum(parts.values()),
        probability=probability,
        paths=tuple(Path(w, tuple(map(speaker.step, steps))) for w, steps in named),
        subgraph=tuple(speaker.evidence(best[:DRAWN])),
        faithfulness=faithfulness,
        labels=speaker.labels,
        model=estimator.method,
        known=known_split(estimator.task_.data, u, t, v),
        path_order=LABEL_PATH_ORDER if estimator.task_.labelling.multi else PATH_ORDER,
        parts={"paths": flow.logit, **parts},
        analogues=tuple(_likenesses(estimator, u, t, v)),
        parts_note="The logit of this type above the average type.",
    )


def asked_pair(
    estimator: Any, drug1: str, drug2: str, kind: str | None, n_paths: int, draws: int
) -> tuple[int, int, int, float]:
    """The interaction (u, t, v) to explain and its probability, for what a user asks.

    Without a kind it is the most probable of either order. Raises as :func:`explain_pair`.
    """
    if n_paths < 1 or draws < 0:
        raise InvalidParameter(
            f"n_paths must be at least 1 and draws at least 0. Got {n_paths}, {draws}"
        )
    data = estimator.task_.data
    u, v = data.drug(drug1), data.drug(drug2)
    if u == v:
        raise UsageError(f"{data.label(u)} with itself", remedy="name two drugs")
    orders = estimator.task_.labelling.orders(u, v)
    table = estimator.calibrated(estimator.asked_alone(np.array(orders, np.int32)))
    if kind is None:
        order, t = (int(i) for i in np.unravel_index(table.argmax(), table.shape))
        u, v = orders[order]
    else:
        order, t = 0, data.types.index(kind)
    return u, t, v, float(table[order, t])


Walked = tuple[int, int, int]  # source, message relation, target


def opened(
    estimator: Any, u: int, v: int, t: int
) -> tuple[Any, int, dict[str, float], FlowWeights]:
    """The graph, what is hidden, the parts of the logit beside the paths, the flow's weights."""
    network, p = estimator._network, estimator.resolved_
    facts = estimator.task_.visible("test")
    pair = np.array([[u, v]], np.int32)
    graph, hidden, facts = estimator.without_own(pair, facts)
    network.eval()
    with torch.no_grad():
        asked = torch.from_numpy(pair.astype(np.int64))
        f = network.features(estimator._bits, asked)
        rho = network.weights(f)[0, :, :, None] * network.e
        # types exclude each other, so that a logit says something only above the average
        centre = 0.0 if estimator.task_.labelling.multi else 1.0
        read = network.read.weight - centre * network.read.weight.mean(0)
        offset = network.read.bias - centre * network.read.bias.mean()
        own = f.flatten(1) @ read[:, : f.numel()].T if network.embedded else None
        parts = {"the type itself": float(offset[t])}
        if own is not None:
            parts["the drugs' own vectors"] = float(own[0, t])
        if network.fingerprints is not None:
            found = network.fingerprints(estimator._bits, asked)[0]
            name = "both structures" if network.fingerprints.vectors is None else "the drugs alone"
            parts[name] = float(found[t] - centre * found.mean())
        votes = estimator._log_votes(facts, pair, hidden)
        if votes is not None:
            found = (network.vote_weight * torch.from_numpy(votes[0])).sum(0)
            parts["similar drugs' interactions"] = float(found[t] - centre * found.mean())
    double = [x.double().numpy() for x in (f[0], rho, network.w.detach())]
    bias = None if network.b is None else network.b.detach().double().numpy()
    # read as [h_{v→u}; h_{u→v}], the flow's own order turned
    mine = read[t, -2 * p.dim :].reshape(2, p.dim).flip(0).detach().double().numpy()
    weights = FlowWeights(double[0], double[1], double[2], bias, mine, p.log_states)
    return graph, int(hidden[0]), parts, weights


def best_paths(
    paths: PathDigraph, walks: IntArray, share: npt.NDArray[np.float64], most: int
) -> list[tuple[float, list[Walked]]]:
    """Paths that add to the logit, best first; walks that differ only in idle steps are one."""
    idle = 2 * paths.graph.n_relations
    rests = [part[:, 1] == idle for part in (paths.first, paths.middle, paths.last)]
    resting = rests[0][walks[:, 0]] | rests[1][walks[:, 1]] | rests[2][walks[:, 2]]
    # Others are paths of their own but for duplicate facts: the best of them are enough.
    own = np.flatnonzero(~resting)
    room = 4 * most
    if len(own) > room:
        own = own[np.argpartition(-share[own], room)[:room]]
    chosen = np.concatenate([np.flatnonzero(resting), own])
    if not len(chosen):
        return []
    walks, share = walks[chosen], share[chosen]
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
    weight = np.bincount(of.ravel(), share, len(distinct))
    found = []
    for i in np.argsort(-weight, kind="stable")[:most].tolist():
        if weight[i] <= 0:
            break
        r1, a, r2, b, r3 = distinct[i].tolist()
        steps = [(paths.u, r1, a), (a, r2, b), (b, r3, paths.v)]
        found.append((float(weight[i]), [step for step in steps if step[1] != idle]))
    return found


def fact_of(n_relations: int) -> Any:
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
        gone = np.zeros(len(stored), bool)
        gone[deleted] = True
        return flow.logit - flow.without(Gone(*(gone[row] for row in rows)))

    named = np.searchsorted(
        stored, [(h * graph.n_relations + r) * graph.n_entities + t for h, r, t in facts]
    )
    random = [drop(generator.choice(used, len(named), replace=False)) for _ in range(draws)]
    return Faithfulness(drop(named), float(np.mean(random)), len(named), draws)


class Speaker:
    """From numbers to names."""

    def __init__(self, estimator: Any) -> None:
        self._background = estimator.task_.background
        self._relations = relation_names(estimator)
        self._types = estimator.task_.data.types.names
        self._known = relation_labels(estimator)
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


def known_split(data: Any, u: int, t: int, v: int) -> Known:
    """The split that states the interaction."""
    for split, rows in data.pairs.items():
        same = rows[(rows[:, 1] == t) & np.isin(rows[:, [0, 2]], (u, v)).all(1)]
        if len(same) and (data.multilabel or (same[:, 0] == u).any()):
            name: Known = split.split("_")[0]
            return name
    return "no"


def _likenesses(estimator: Any, u: int, t: int, v: int, most: int = 3) -> list[Analogue]:
    """Known interactions of the type whose drugs are most like the pair's."""
    if not estimator._similar:
        return []
    data, labelling = estimator.task_.data, estimator.task_.labelling
    facts = labelling.vote_facts(estimator.task_.visible("test"))
    found = most_alike(estimator.fingerprints_, facts, u, t, v, most)
    return [Analogue(data.sentence(x, t, y), similarity) for x, t, y, similarity in found]
