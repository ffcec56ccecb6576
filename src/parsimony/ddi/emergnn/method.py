"""EmerGNN: the interaction of two drugs from the paths between them (docs/methods/emergnn.md).

Zhang et al.: Emerging drug interaction prediction enabled by a
flow-based graph neural network with biomedical network, Nature Computational Science 2023.

``form="published"`` is the paper's model. ``form="extended"``, the default, keeps its flow and adds
what serves drugs without graph edges: fingerprint neighbours as edges, a read-out of both
fingerprints, and the label scores of similar drugs. It trains on pairs of which one drug (S1), both
(S2) or neither (S0) hides its interactions in a graph that stays as it is, so that every training
pair can be a target and the graph is as full as in the test.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from parsimony.base import constructor
from parsimony.ddi.baselines.label_prevalence import label_prevalence, neighbour_rates
from parsimony.ddi.baselines.neighbour_scores import neighbour_scores, similarity
from parsimony.ddi.baselines.prior import type_frequencies
from parsimony.ddi.emergence import simulate_emergence
from parsimony.ddi.emergnn.attribution import FlowWeights, PairFlowParts
from parsimony.ddi.emergnn.network import EmerGNNNetwork
from parsimony.ddi.emergnn.parameters import EmerGNNParameters, preset
from parsimony.ddi.estimator import FloatArray, IntArray, chosen
from parsimony.ddi.grounds import COMMON, NEITHER, structures
from parsimony.ddi.leave_pair_out import LeavePairOut, leave_pair_out, own_interactions
from parsimony.ddi.network_estimator import Losses, PairNetworkEstimator, batches
from parsimony.ddi.similarity_edges import similarity_edges
from parsimony.ddi.targets import PairTargets
from parsimony.explain import Explanation
from parsimony.kernels.emergnn.graph import ActiveGraph, PairGraph
from parsimony.kernels.emergnn.paths import HIDE_BETWEEN, HIDE_FIRST, HIDE_SECOND
from parsimony.kernels.products import measured

CHUNK = 1024  # pairs scored at once
SMOOTHING = 1e-3  # of the label scores
SMOOTHING_OF_RATES = 1e-2  # where pairs have several labels


class EmerGNN(PairNetworkEstimator[EmerGNNParameters]):
    """Flows between two drugs in both directions, weighted for the pair."""

    method = "emergnn"
    paper = "Zhang et al. 2023, Nature Computational Science"
    Parameters = EmerGNNParameters
    __init__ = constructor(EmerGNNParameters)
    structural = True
    graphical = True
    _network: EmerGNNNetwork

    # ---- preparing ---------------------------------------------------------------------------

    def _setup(self) -> None:
        super()._setup()
        p = self.resolved_
        found = preset(p.form, self.task_.setting).items()
        rest = {name: value for name, value in found if getattr(p, name) is None}
        self.resolved_ = p.model_copy(update=rest)

    def _build(self, generator: torch.Generator | None = None) -> None:
        p, task = self.resolved_, self.task_
        edges, kinds = similarity_edges(self.fingerprints_, chosen(p.neighbour_edges))
        background = task.background.triples
        n_background = len(task.background.relations)
        edges[:, 1] += n_background
        self._facts = task.labelling.graph_facts(task.all_facts())
        self._built = PairGraph(
            len(task.background.entities), np.concatenate([background, edges]),
            n_background + kinds, self._facts, task.labelling.n_relations,
        )  # fmt: skip
        self._graphs: list[tuple[IntArray, ActiveGraph]] = []
        messages = 2 * self._built.n_relations + 1
        powers = chosen(p.neighbour_scores)
        self._network = EmerGNNNetwork(
            p, messages, task.data.n_types, task.data.n_drugs,
            len(powers) + bool(powers and task.labelling.multi),
        )  # fmt: skip
        if generator is not None:
            self.cost_.products = measured().name
            self._network.initialise(generator)
        self._bits = torch.from_numpy(np.ascontiguousarray(self.fingerprints_))
        self._similar = [similarity(self.fingerprints_, power) for power in powers]

    def _graph(self, facts: IntArray) -> ActiveGraph:
        """Return the graph that shows these interactions; the last two are kept."""
        for shown, graph in self._graphs:
            if shown is facts or np.array_equal(shown, facts):
                return graph
        shown = self.task_.labelling.graph_facts(facts)
        active = self.task_.among(self._facts, shown).astype(np.uint8)
        graph = self._built.activate(active, normalise=self.resolved_.normalise)
        self._graphs = [*self._graphs[-1:], (facts, graph)]
        return graph

    def _log_scores(
        self,
        facts: IntArray,
        pairs: IntArray,
        hidden: npt.NDArray[np.uint8],
        known: LeavePairOut | None = None,
    ) -> npt.NDArray[np.float32] | None:
        """Log shares of the types in the k-NN label scores: (n, channels, n_types).

        ``known`` where a pair's own interactions are left out; they have no part in it anyway.
        """
        if not self._similar:
            return None
        if self.task_.labelling.multi:
            return self._log_lifts(facts, pairs, hidden)
        n_types = self.task_.data.n_types
        if known is None:
            new = np.ones(self.task_.data.n_drugs, bool)
            new[facts[:, [0, 2]]] = False
            new, overall = new[pairs], type_frequencies(facts, n_types)
        else:
            new, overall = known.new, known.frequencies
        first = new[:, 0] | (hidden & HIDE_FIRST > 0)
        second = new[:, 1] | (hidden & HIDE_SECOND > 0)
        found = np.empty((len(pairs), len(self._similar), n_types), np.float32)
        for channel, similar in enumerate(self._similar):
            scores = neighbour_scores(similar, facts, pairs, n_types, first=first, second=second)
            scores += SMOOTHING * overall
            found[:, channel] = np.log(scores / scores.sum(1, keepdims=True))
        return found

    def _log_lifts(
        self, facts: IntArray, pairs: IntArray, hidden: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.float32]:
        """Log lift of labels among similar drugs' interactions over their prevalence.

        The last channel is that of popularity: (n, channels, n_types).
        """
        data = self.task_.data
        both = self.task_.labelling.counted_facts(facts)
        new = np.stack([hidden & HIDE_FIRST, hidden & HIDE_SECOND], 1) > 0
        prevalence = label_prevalence(both, pairs, data.n_drugs, data.n_types, hidden=new)
        found = np.empty((len(pairs), len(self._similar) + 1, data.n_types), np.float32)
        for channel, similar in enumerate(self._similar):
            found[:, channel] = neighbour_rates(
                similar, both, pairs, prevalence, SMOOTHING_OF_RATES
            )
        found[:, -1] = prevalence.popular
        return np.log(found / prevalence.overall.astype(np.float32))

    # ---- training ----------------------------------------------------------------------------

    def _losses(self, drawn: np.random.Generator) -> tuple[int, Losses]:
        p, task = self.resolved_, self.task_
        rows, setting = task.pairs("train"), task.setting
        pairs, of = task.labelling.pair_rows(rows)
        new = None
        if p.emergence == "simulated":
            epoch = simulate_emergence(pairs, setting, drawn, fraction=p.emerging_fraction)
            facts, targeted = rows[epoch.active.astype(bool)[of]], epoch.targets
            if setting != "S0":
                new = np.ones(task.data.n_drugs, bool)
                new[facts[:, [0, 2]]] = False
            hidden = np.zeros(len(targeted), np.uint8)
        else:
            facts, targeted = rows, drawn.permutation(len(pairs))[: p.max_pairs]
            one = drawn.choice(np.array([HIDE_FIRST, HIDE_SECOND], np.uint8), len(targeted))
            many = {"S0": HIDE_BETWEEN, "S2": HIDE_FIRST | HIDE_SECOND}
            hidden = one if setting == "S1" else np.full(len(targeted), many[setting], np.uint8)
        targets = task.training(drawn, targeted, new)
        return len(targets), self._batches(facts, targets, targets.spread(hidden), drawn)

    def _batches(
        self,
        facts: IntArray,
        targets: PairTargets,
        hidden: npt.NDArray[np.uint8],
        drawn: np.random.Generator,
    ) -> Losses:
        graph, pairs = self._graph(facts), targets.queries
        scores = self._log_scores(facts, pairs, hidden)
        for batch in batches(len(targets), chosen(self.resolved_.batch), drawn):
            at = targets.places(batch)
            channel = None if scores is None else torch.from_numpy(scores[at])
            logits = self._network(
                graph, self._bits, np.ascontiguousarray(pairs[at]), hidden[at], channel
            )
            yield targets.loss(logits, batch), len(batch)

    # ---- answering ---------------------------------------------------------------------------

    @property
    def _can_hide(self) -> bool:
        """Whether the flow itself can hide interactions, so that one graph serves all pairs."""
        return not self.resolved_.bias and self.resolved_.normalise == "none"

    def predict_proba_leave_pair_out(self, pairs: IntArray) -> FloatArray:
        """Probabilities (n, n_types) of pairs without the interactions of their own two drugs."""
        if not self._can_hide:
            return super().predict_proba_leave_pair_out(pairs)
        facts, data = self.task_.visible("test"), self.task_.data
        known = leave_pair_out(facts, pairs, data.n_drugs, data.n_types)
        hidden = np.where(known.own > 0, HIDE_BETWEEN, 0).astype(np.uint8)
        return self._answers(self._graph(facts), pairs, hidden, facts, known)

    def _probabilities(self, pairs: IntArray, facts: IntArray) -> FloatArray:
        return self._answers(self._graph(facts), pairs, np.zeros(len(pairs), np.uint8), facts)

    def _answers(
        self,
        graph: ActiveGraph,
        pairs: IntArray,
        hidden: npt.NDArray[np.uint8],
        facts: IntArray,
        known: LeavePairOut | None = None,
    ) -> FloatArray:
        scores = self._log_scores(facts, pairs, hidden, known)

        def logits(rows: IntArray, part: slice) -> Tensor:
            channel = None if scores is None else torch.from_numpy(scores[part])
            found: Tensor = self._network(graph, self._bits, rows, hidden[part], channel)
            return found

        return self._answered(logits, pairs, CHUNK)

    # ---- explaining --------------------------------------------------------------------------

    def reasons(self, rows: IntArray) -> list[str]:
        """Return why, in one line each, for interactions (drug1, type, drug2).

        See :func:`parsimony.ddi.emergnn.one_line.reason_line`.
        """
        from parsimony.ddi.emergnn.one_line import reason_line

        bits = self.fingerprints_
        return [
            reason_line(self.task_, bits, self._flow_parts(u, t, v), u, t, v)
            for u, t, v in rows.tolist()
        ]

    def explain(
        self,
        head: str,
        relation: str | None,
        tail: str,
        *,
        n_paths: int = 5,
        draws: int = 20,
        seed: int = 0,
    ) -> Explanation:
        """Why the model gives an interaction its probability.

        Labels that do not exclude each other are explained by their logit itself, others by how
        much it is above the average type's. A pair without an order is explained in the order that
        is given.

        Parameters
        ----------
        head, tail
            Ids, external ids or names of the drugs, in any case.
        relation
            The interaction type; None for the most probable one of either order.
        n_paths
            How many paths to name.
        draws
            Random deletions that the evidence is compared with; 0 leaves the test out.
        seed
            Of these.

        Raises
        ------
        UnknownDrug, UnknownRelation
            With the nearest known name.
        UsageError, InvalidParameter
            A drug with itself, or a count below 1.
        """
        from parsimony.ddi.emergnn.explain import explain_flow
        from parsimony.ddi.explained_pair import ExplainedPair, require_counts

        self._require_fitted()
        require_counts(n_paths, draws)
        pair = ExplainedPair.of(self, head, relation, tail)
        found = explain_flow(
            self.task_, pair, self._flow_parts(*pair.numbers), model=self.method,
            fingerprints=self.fingerprints_ if self._similar else None,
            n_paths=n_paths, draws=draws, seed=seed,
        )  # fmt: skip
        return self.noted(found, pair.drug1, pair.drug2)

    def _any_alike(self, u: int, v: int) -> bool:
        """Whether label scores have drugs to go by: of a new drug's structure, with its partner."""
        both = self.grounds(u, v), self.grounds(v, u)
        if not any(drug.interactions for drug in both):
            return all(bool(drug.structure) for drug in both)
        pairs = zip(both, reversed(both), strict=True)
        return any(drug.structure and partner.interactions for drug, partner in pairs)

    def _flow_parts(self, u: int, t: int, v: int) -> PairFlowParts:
        """The graph without the pair's own interactions, and the parts of the type's logit."""
        network, p = self._network, self.resolved_
        pair = np.array([[u, v]], np.int32)
        facts = self.task_.visible("test")
        own, _, _ = own_interactions(facts, pair, self.task_.data.n_drugs)
        others = np.delete(facts, own, 0) if len(own) else facts
        hides = self._can_hide and len(own) > 0
        hidden = np.full(1, HIDE_BETWEEN if hides else 0, np.uint8)
        graph = self._graph(facts if self._can_hide else others)
        network.eval()
        with torch.no_grad():
            drugs = torch.from_numpy(pair.astype(np.int64))
            f = network.features(self._bits, drugs)
            rho = network.weights(f)[0, :, :, None] * network.e
            # types exclude each other, so that a logit says something only above the average
            centre = 0.0 if self.task_.labelling.multi else 1.0
            read = network.read.weight - centre * network.read.weight.mean(0)
            offset = network.read.bias - centre * network.read.bias.mean()
            parts = {"the type itself": float(offset[t])}
            if network.embedded:
                parts["the drugs' own vectors"] = float(f.flatten(1)[0] @ read[t, : f.numel()])
            if network.fingerprints is not None:
                found = network.fingerprints(self._bits, drugs)[0]
                free = network.fingerprints.vectors is not None
                having = structures(self.task_.data, self.fingerprints_, u, v)
                parts["the drugs alone" if free else having or NEITHER] = float(
                    found[t] - centre * found.mean()
                )
            scores = self._log_scores(others, pair, hidden)
            if scores is not None and network.vote_weight is not None:
                found = (network.vote_weight * torch.from_numpy(scores[0])).sum(0)
                name = "similar drugs' interactions" if self._any_alike(u, v) else COMMON
                parts[name] = float(found[t] - centre * found.mean())
        double = [x.double().numpy() for x in (f[0], rho, network.w.detach())]
        bias = None if network.b is None else network.b.detach().double().numpy()
        # read as [h_{v→u}; h_{u→v}], the flow's own order turned
        mine = read[t, -2 * p.dim :].reshape(2, p.dim).flip(0).detach().double().numpy()
        weights = FlowWeights(
            double[0], double[1], double[2], bias, mine, bool(chosen(p.log_states))
        )
        return PairFlowParts(graph, int(hidden[0]), parts, weights)
