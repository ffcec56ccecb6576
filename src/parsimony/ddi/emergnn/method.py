"""EmerGNN: the interaction of two drugs from the paths between them (docs/methods/emergnn.md).

Zhang et al.: Emerging drug interaction prediction enabled by a
flow-based graph neural network with biomedical network, Nature Computational Science 2023.

``form="published"`` is the paper's model. ``form="extended"``, the default, keeps its flow and adds
what serves drugs without graph edges: fingerprint neighbours as edges, a read-out of both
fingerprints, and the votes of similar drugs. It trains on pairs of which one drug (S1), both (S2)
or neither (S0) hides its interactions in a graph that stays as it is, so that every training pair
can be asked and the graph is as full as in the test.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field

from parsimony import base
from parsimony.ddi.baselines.label_prevalence import label_rates, similar_rates
from parsimony.ddi.baselines.neighbour_scores import similarity, votes_for
from parsimony.ddi.baselines.prior import type_shares
from parsimony.ddi.emergence import simulate_emergence
from parsimony.ddi.emergnn.network import EmerGNNNetwork
from parsimony.ddi.estimator import FloatArray, IntArray
from parsimony.ddi.leave_pair_out import Unseen, own_interactions, unseen
from parsimony.ddi.network_estimator import Losses, TrainedPairs, TrainedParameters, ordered
from parsimony.ddi.similarity_edges import resembling
from parsimony.ddi.targets import Asked
from parsimony.ddi.task import DDITask
from parsimony.explain import Explanation
from parsimony.kernels.emergnn.graph import ActiveGraph, Normalisation, PairGraph
from parsimony.kernels.emergnn.paths import HIDE_BETWEEN, HIDE_FIRST, HIDE_SECOND

CHUNK = 1024  # pairs scored at once
SMOOTHING = 1e-3  # of the votes' shares
SMOOTHING_OF_RATES = 1e-2  # where pairs have several labels

PUBLISHED: dict[str, Any] = {
    "emergence": "simulated", "bias": True, "log_states": False, "hidden": 0, "votes": (),
    "neighbour_edges": 0, "fingerprint_dropout": 0.0, "dropout": 0.0, "average": 0.0,
    "hidden_dropout": 0.0, "drug_vectors": False,
    "lr": 1e-3, "decay": 1.0, "weight_decay": 1e-8, "batch": 32, "epochs": 40, "every": 2,
    "patience": 40,
}  # fmt: skip
EXTENDED: dict[str, Any] = {
    "emergence": "hidden", "bias": False, "log_states": True, "hidden": 128, "votes": (4.0, 8.0),
    "neighbour_edges": 10, "fingerprint_dropout": 0.3, "dropout": 0.2, "average": 0.999,
    "hidden_dropout": 0.5, "drug_vectors": False,
    "lr": 3e-3, "decay": 0.88, "weight_decay": 1e-8, "batch": 64, "epochs": 20, "every": 2,
    "patience": 8,
}  # fmt: skip
#: Beside this, by setting. Where no drug is new (S0), learning single drugs by heart is what is
#: asked; with one new drug (S1), validation on DrugBank likes more dropout, with two it does not.
BY_SETTING: dict[str, dict[str, Any]] = {
    "S0": {"hidden": 512, "fingerprint_dropout": 0.1, "hidden_dropout": 0.3, "drug_vectors": True},
    "S1": {"fingerprint_dropout": 0.5, "dropout": 0.5, "decay": 0.8, "epochs": 12, "patience": 6},
    "S2": {},
}


class EmerGNNParameters(TrainedParameters):
    """Parameters of EmerGNN; those left out follow ``form``."""

    form: Literal["extended", "published"] = Field(
        "extended", description="extended or published: which defaults the others take"
    )
    dim: int = Field(64, ge=2, le=256, description="dimension of states, 2 … 256")
    bias: bool | None = Field(None, description="biases in the flow")
    log_states: bool | None = Field(None, description="read log(1 + h) instead of h")
    normalise: Normalisation = Field("none", description="none, relation or total")
    hidden: int | None = Field(
        None, ge=0, le=4096, description="units of the fingerprint read-out, 0 for none, 0 … 4096"
    )
    votes: tuple[float, ...] | None = Field(
        None, description="powers of the similarity with which similar drugs vote, [] for none"
    )
    neighbour_edges: int | None = Field(
        None, ge=0, le=100, description="edges to the most similar drugs, 0 … 100"
    )
    fingerprint_dropout: float | None = Field(
        None, ge=0, lt=1, description="dropout of fingerprint bits, [0, 1)"
    )
    dropout: float | None = Field(None, ge=0, lt=1, description="dropout of states read, [0, 1)")
    hidden_dropout: float | None = Field(
        None, ge=0, lt=1, description="dropout of the fingerprint read-out's units, [0, 1)"
    )
    drug_vectors: bool | None = Field(
        None, description="free vectors of known drugs in the fingerprint read-out; on in S0"
    )
    embedding: bool | None = Field(
        None, description="a free vector a drug instead of its fingerprint; as published in S0"
    )
    emergence: Literal["simulated", "hidden"] | None = Field(
        None, description="simulated: drugs drawn as new, hidden: each asked pair by itself"
    )
    share: float = Field(0.2, gt=0, lt=1, description="of drugs that are simulated new, (0, 1)")
    asked: int = Field(30000, ge=1, description="pairs asked an epoch with hidden emergence, ≥ 1")
    threads: int = Field(2, ge=1, le=64, description="threads, 1 … 64")
    lr: float | None = Field(None, gt=0, description="learning rate of Adam, > 0")  # type: ignore[assignment]
    decay: float | None = Field(None, gt=0, le=1, description="its factor an epoch, (0, 1]")  # type: ignore[assignment]
    weight_decay: float | None = Field(None, ge=0, description="L2 penalty, ≥ 0")  # type: ignore[assignment]
    batch: int | None = Field(None, ge=1, description="pairs a step, ≥ 1")  # type: ignore[assignment]
    epochs: int | None = Field(None, ge=1, description="most epochs, ≥ 1")  # type: ignore[assignment]
    every: int | None = Field(None, ge=1, description="epochs between validations, ≥ 1")  # type: ignore[assignment]
    patience: int | None = Field(None, ge=1, description="epochs without improvement, ≥ 1")  # type: ignore[assignment]
    average: float | None = Field(None, ge=0, lt=1, description="running average, [0, 1)")  # type: ignore[assignment]


class EmerGNN(TrainedPairs):
    """Flows between two drugs, both directions, weighted for the pair."""

    method: ClassVar[str] = "emergnn"
    Parameters: ClassVar[type[base.Parameters]] = EmerGNNParameters
    structural = True
    graphical = True

    # ---- preparing ---------------------------------------------------------------------------

    def prepare(self, task: DDITask, *, epochs: int | None = None) -> dict[str, Any]:
        """Resolve what is left out by form and setting."""
        super().prepare(task, epochs=epochs)
        p = self.resolved_
        form = PUBLISHED if p.form == "published" else EXTENDED
        if p.form == "extended":
            form = form | BY_SETTING[task.setting]
        rest = {name: value for name, value in form.items() if getattr(p, name) is None}
        if p.embedding is None:
            rest["embedding"] = p.form == "published" and task.setting == "S0"
        self.resolved_ = p.model_copy(update=rest)
        return self.config()

    def _build(self, generator: torch.Generator | None = None) -> None:
        p, task = self.resolved_, self.task_
        edges, kinds = resembling(self.fingerprints_, p.neighbour_edges)
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
        self._network: EmerGNNNetwork = EmerGNNNetwork(
            p, messages, task.data.n_types, task.data.n_drugs,
            len(p.votes) + bool(p.votes and task.labelling.multi),
        )  # fmt: skip
        if generator is not None:
            self._network.initialise(generator)
        self._bits = torch.from_numpy(np.ascontiguousarray(self.fingerprints_))
        self._similar = [similarity(self.fingerprints_, power) for power in p.votes]

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

    def _log_votes(
        self,
        facts: IntArray,
        pairs: IntArray,
        hidden: npt.NDArray[np.uint8],
        known: Unseen | None = None,
    ) -> npt.NDArray[np.float32] | None:
        """Log shares of types among similar drugs' interactions: (n, channels, n_types).

        ``known`` where a pair's own interactions are unseen; they have no vote anyway.
        """
        if not self._similar:
            return None
        if self.task_.labelling.multi:
            return self._log_rates(facts, pairs, hidden)
        n_types = self.task_.data.n_types
        if known is None:
            new = np.ones(self.task_.data.n_drugs, bool)
            new[facts[:, [0, 2]]] = False
            new, overall = new[pairs], type_shares(facts, n_types)
        else:
            new, overall = known.new, known.shares
        first = new[:, 0] | (hidden & HIDE_FIRST > 0)
        second = new[:, 1] | (hidden & HIDE_SECOND > 0)
        found = np.empty((len(pairs), len(self._similar), n_types), np.float32)
        for channel, similar in enumerate(self._similar):
            votes = votes_for(similar, facts, pairs, n_types, first=first, second=second)
            votes += SMOOTHING * overall
            found[:, channel] = np.log(votes / votes.sum(1, keepdims=True))
        return found

    def _log_rates(
        self, facts: IntArray, pairs: IntArray, hidden: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.float32]:
        """Log rates of labels among similar drugs' interactions, against their overall rates.

        The last channel is that of popularity: (n, channels, n_types).
        """
        data = self.task_.data
        both = self.task_.labelling.vote_facts(facts)
        new = np.stack([hidden & HIDE_FIRST, hidden & HIDE_SECOND], 1) > 0
        rates = label_rates(both, pairs, data.n_drugs, data.n_types, hidden=new)
        found = np.empty((len(pairs), len(self._similar) + 1, data.n_types), np.float32)
        for channel, similar in enumerate(self._similar):
            found[:, channel] = similar_rates(similar, both, pairs, rates, SMOOTHING_OF_RATES)
        found[:, -1] = rates.popular
        return np.log(found / rates.overall.astype(np.float32))

    # ---- training ----------------------------------------------------------------------------

    def _epoch(self, drawn: np.random.Generator) -> tuple[int, Losses]:
        p, task = self.resolved_, self.task_
        rows, setting = task.pairs("train"), task.setting
        pairs, of = task.labelling.pair_rows(rows)
        new = None
        if p.emergence == "simulated":
            epoch = simulate_emergence(pairs, setting, drawn, share=p.share)
            facts, chosen = rows[epoch.active.astype(bool)[of]], epoch.asked
            if setting != "S0":
                new = np.ones(task.data.n_drugs, bool)
                new[facts[:, [0, 2]]] = False
            hidden = np.zeros(len(chosen), np.uint8)
        else:
            facts, chosen = rows, drawn.permutation(len(pairs))[: p.asked]
            one = drawn.choice(np.array([HIDE_FIRST, HIDE_SECOND], np.uint8), len(chosen))
            many = {"S0": HIDE_BETWEEN, "S2": HIDE_FIRST | HIDE_SECOND}
            hidden = one if setting == "S1" else np.full(len(chosen), many[setting], np.uint8)
        asked = task.training(drawn, chosen, new)
        return len(asked), self._losses(facts, asked, asked.spread(hidden), drawn)

    def _losses(
        self,
        facts: IntArray,
        asked: Asked,
        hidden: npt.NDArray[np.uint8],
        drawn: np.random.Generator,
    ) -> Losses:
        graph, pairs = self._graph(facts), asked.questions
        votes = self._log_votes(facts, pairs, hidden)
        for batch in ordered(len(asked), self.resolved_.batch, drawn):
            at = asked.places(batch)
            channel = None if votes is None else torch.from_numpy(votes[at])
            logits = self._network(
                graph, self._bits, np.ascontiguousarray(pairs[at]), hidden[at], channel
            )
            yield asked.loss(logits, batch), len(batch)

    # ---- answering ---------------------------------------------------------------------------

    def without_own(
        self, pairs: IntArray, facts: IntArray
    ) -> tuple[ActiveGraph, npt.NDArray[np.uint8], IntArray]:
        """Return the graph in which pairs of the same two drugs do not see their interactions.

        Returns
        -------
        graph, hidden, facts
            Hidden where the flow can hide, else left out of the graph.
        """
        own, _, _ = own_interactions(facts, pairs, self.task_.data.n_drugs)
        others = np.delete(facts, own, 0) if len(own) else facts
        hidden = np.full(len(pairs), HIDE_BETWEEN if self._can_hide and len(own) else 0, np.uint8)
        return self._graph(facts if self._can_hide else others), hidden, others

    @property
    def _can_hide(self) -> bool:
        return not self.resolved_.bias and self.resolved_.normalise == "none"

    def asked_alone(self, pairs: IntArray) -> FloatArray:
        """Probabilities (n, n_types) of pairs, for each the interactions of its drugs unseen."""
        if not self._can_hide:
            return super().asked_alone(pairs)
        facts, data = self.task_.visible("test"), self.task_.data
        known = unseen(facts, pairs, data.n_drugs, data.n_types)
        hidden = np.where(known.own > 0, HIDE_BETWEEN, 0).astype(np.uint8)
        return self._answers(self._graph(facts), pairs, hidden, facts, known)

    def reasons(self, rows: IntArray) -> list[str]:
        """Return why, in one line each, for asked (drug1, type, drug2).

        See :func:`parsimony.ddi.emergnn.one_line.reason_line`.
        """
        from parsimony.ddi.emergnn.one_line import reason_line

        return [reason_line(self, *row) for row in rows.tolist()]

    def explain(
        self, drug1: str, drug2: str, kind: str | None = None, **choices: Any
    ) -> Explanation:
        """Why the model gives an interaction its probability.

        See :func:`parsimony.ddi.emergnn.explain.explain_pair`.
        """
        from parsimony.ddi.emergnn.explain import explain_pair

        self._require_fitted()
        return explain_pair(self, drug1, drug2, kind, **choices)

    def _probabilities(self, pairs: IntArray, facts: IntArray) -> FloatArray:
        return self._answers(self._graph(facts), pairs, np.zeros(len(pairs), np.uint8), facts)

    def _answers(
        self,
        graph: ActiveGraph,
        pairs: IntArray,
        hidden: npt.NDArray[np.uint8],
        facts: IntArray,
        known: Unseen | None = None,
    ) -> FloatArray:
        votes = self._log_votes(facts, pairs, hidden, known)
        self._network.eval()
        parts = []
        with torch.no_grad():
            for at in range(0, len(pairs), CHUNK):
                part = slice(at, at + CHUNK)
                channel = None if votes is None else torch.from_numpy(votes[part])

                def logits(
                    rows: IntArray, part: slice = part, channel: torch.Tensor | None = channel
                ) -> torch.Tensor:
                    found: torch.Tensor = self._network(
                        graph, self._bits, rows, hidden[part], channel
                    )
                    return found

                parts.append(self._answered(logits, pairs[part]))
        probabilities: FloatArray = torch.cat(parts).numpy()
        return probabilities
