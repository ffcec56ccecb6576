"""Why two drugs interact, from EmerGNN's own flow: paths, similar pairs, the deletion test."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from parsimony.errors import InvalidParameter, UsageError
from parsimony.knowledge import EvidenceEdge, Explanation, Faithfulness, Path, Step
from parsimony.knowledge.explanation import Direction, Known, Likeness
from parsimony.pairs.resembling import LIMITS
from parsimony.reason.pair_evidence import FlowWeights, IntArray, Kept, PathDigraph, flow_logit
from parsimony.run.seeds import rng

PATH_ORDER = (
    "First the path that adds most to the type's logit above the average type; that is its weight. "
    "In an interaction, A is the first drug and B the second."
)
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
    data, background = estimator.task_.data, estimator.task_.background
    names = [f"type {name}" for name in data.types]
    names += list(background.relations)
    n_like = estimator._built.n_relations - len(names)
    bounds = ["0", *map(str, LIMITS), "1"]
    names += [f"alike {a} to {b}" for a, b in pairwise(bounds)][:n_like]
    return names


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

    Parameters
    ----------
    drug1, drug2
        Ids, external ids or names, in any case.
    kind
        The interaction type; the most probable of either order where left out.
    n_paths
        How many paths to name.
    draws
        Random deletions that the evidence is compared with.

    Raises
    ------
    UnknownDrug, UnknownRelation
        With the nearest known name.
    UsageError, InvalidParameter
        A drug with itself, or a count below 1.
    """
    if n_paths < 1 or draws < 1:
        raise InvalidParameter(f"n_paths and draws must be at least 1. Got {n_paths}, {draws}")
    data = estimator.task_.data
    u, v = data.drug(drug1), data.drug(drug2)
    if u == v:
        raise UsageError(f"{data.label(u)} with itself", remedy="name two drugs")
    table = estimator.asked_alone(np.array([[u, v], [v, u]], np.int32))
    if kind is None:
        order, t = (int(i) for i in np.unravel_index(table.argmax(), table.shape))
        u, v = ((u, v), (v, u))[order]
    else:
        order, t = 0, data.types.index(kind)
    graph, hidden, parts, weights = _opened(estimator, u, v, t)
    paths = PathDigraph(graph, u, v, hidden)
    logit, share = flow_logit(paths, weights)
    assert share is not None
    best = _best_paths(paths, share)
    named = best[:n_paths]
    faithfulness = None
    if named:
        facts = {fact for _, steps in named for fact in map(_fact_of(graph.n_relations), steps)}
        faithfulness = _deletions(
            paths, weights, logit, facts, draws, rng(seed, "deletion", u, t, v)
        )
    speaker = _Speaker(estimator)
    return Explanation(
        query=(speaker.entity(u), speaker.relation(t), speaker.entity(v)),
        score=logit + sum(parts.values()),
        probability=float(table[order, t]),
        paths=tuple(Path(w, tuple(map(speaker.step, steps))) for w, steps in named),
        subgraph=tuple(speaker.evidence(best[:DRAWN])),
        faithfulness=faithfulness,
        labels=speaker.labels,
        model=estimator.method,
        known=_known(data, u, t, v),
        path_order=PATH_ORDER,
        parts={"paths": logit, **parts},
        likenesses=tuple(_likenesses(estimator, u, t, v)),
        parts_note="The logit of this type above the average type.",
    )


Walked = tuple[int, int, int]  # source, message relation, target


def _opened(
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
        read = network.read.weight - network.read.weight.mean(0)
        offset = network.read.bias - network.read.bias.mean()
        own = f.flatten(1) @ read[:, : f.numel()].T if network.embedded else None
        parts = {"the type itself": float(offset[t])}
        if own is not None:
            parts["the drugs' own vectors"] = float(own[0, t])
        if network.fingerprints is not None:
            found = network.fingerprints(estimator._bits, asked)[0]
            name = "both structures" if network.fingerprints.vectors is None else "the drugs alone"
            parts[name] = float(found[t] - found.mean())
        votes = estimator._log_votes(facts, pair, hidden)
        if votes is not None:
            found = (network.vote_weight * torch.from_numpy(votes[0])).sum(0)
            parts["similar drugs' interactions"] = float(found[t] - found.mean())
    double = [x.double().numpy() for x in (f[0], rho, network.w.detach())]
    bias = None if network.b is None else network.b.detach().double().numpy()
    # read as [h_{v→u}; h_{u→v}], the flow's own order turned
    mine = read[t, -2 * p.dim :].reshape(2, p.dim).flip(0).detach().double().numpy()
    weights = FlowWeights(double[0], double[1], double[2], bias, mine, p.log_states)
    return graph, int(hidden[0]), parts, weights


def _best_paths(
    paths: PathDigraph, share: npt.NDArray[np.float64]
) -> list[tuple[float, list[Walked]]]:
    """Paths that add to the logit, best first; walks that differ only in idle steps are one."""
    walks = paths.walks()
    if not len(walks):
        return []
    idle = 2 * paths.graph.n_relations
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
    for i in np.argsort(-weight, kind="stable")[: max(DRAWN, 100)].tolist():
        if weight[i] <= 0:
            break
        r1, a, r2, b, r3 = distinct[i].tolist()
        steps = [(paths.u, r1, a), (a, r2, b), (b, r3, paths.v)]
        found.append((float(weight[i]), [step for step in steps if step[1] != idle]))
    return found


def _fact_of(n_relations: int) -> Any:
    """From a walked edge to its stored fact."""

    def fact(step: Walked) -> Walked:
        source, r, target = step
        return (source, r, target) if r < n_relations else (target, r - n_relations, source)

    return fact


def _facts(paths: PathDigraph) -> list[IntArray]:
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
    weights: FlowWeights,
    logit: float,
    facts: set[Walked],
    draws: int,
    generator: np.random.Generator,
) -> Faithfulness:
    """What the flows' logit loses without the facts, and without as many random ones."""
    graph = paths.graph
    codes = _facts(paths)
    walks = paths.walks()
    used = np.unique(np.concatenate([c[walks[:, i]] for i, c in enumerate(codes)]))
    used = used[used >= 0]

    def drop(gone: IntArray) -> float:
        kept = Kept(*(~np.isin(c, gone) for c in codes))
        return logit - flow_logit(paths, weights, kept)[0]

    named = np.array([(h * graph.n_relations + r) * graph.n_entities + t for h, r, t in facts])
    random = [drop(generator.choice(used, len(named), replace=False)) for _ in range(draws)]
    return Faithfulness(drop(named), float(np.mean(random)), len(named), draws)


class _Speaker:
    """From numbers to names."""

    def __init__(self, estimator: Any) -> None:
        self._background = estimator.task_.background
        self._relations = relation_names(estimator)
        self._known = relation_labels(estimator)
        self.labels: dict[str, str] = {}

    def entity(self, number: int) -> str:
        name: str = self._background.entities.name(number)
        label = self._background.labels[number]
        if label:
            self.labels[name] = label
        return name

    def relation(self, number: int) -> str:
        name = self._relations[number]
        if name in self._known:
            self.labels[name] = self._known[name]
        return name

    def step(self, walked: Walked) -> Step:
        n_relations = len(self._relations)
        direction: Direction = "forward" if walked[1] < n_relations else "inverse"
        h, r, t = _fact_of(n_relations)(walked)
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


def _known(data: Any, u: int, t: int, v: int) -> Known:
    """The split that states the interaction."""
    for split, rows in data.pairs.items():
        if len(rows) and np.all(rows == np.array([u, t, v]), axis=1).any():
            name: Known = split.split("_")[0]
            return name
    return "no"


def _likenesses(estimator: Any, u: int, t: int, v: int, most: int = 3) -> list[Likeness]:
    """Known interactions of the type whose drugs are most like the pair's."""
    if not estimator._similar:
        return []
    data = estimator.task_.data
    facts = estimator.task_.visible("test")
    facts = facts[facts[:, 1] == t]
    own = np.isin(facts[:, 0], (u, v)) & np.isin(facts[:, 2], (u, v))
    facts = facts[~own]
    root = np.float32(1 / estimator.resolved_.votes[0])
    like = estimator._similar[0] ** root
    first = np.where(facts[:, 0] == u, 1, like[u, facts[:, 0]])
    second = np.where(facts[:, 2] == v, 1, like[v, facts[:, 2]])
    both = first * second
    found = []
    for i in np.argsort(-both, kind="stable")[:most]:
        if both[i] > 0:
            x, _, y = facts[i].tolist()
            found.append(Likeness(data.sentence(x, t, y), float(both[i])))
    return found
