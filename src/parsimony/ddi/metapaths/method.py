"""Method "walks": sparse logistic regression on typed walk counts between two drugs.

The symbolic variant of EmerGNN (docs/methods/metapaths.md, eqs. 1–5): what the flow weighs by a
network, every signature (r₁, r₂, r₃) of the walks from the first drug to the second, here has a
weight a type, most of them zero. Counts enter as log(1 + n).

A signature with just one interaction also *votes*: walks whose interaction is of type t speak for
type t, with one weight for all types. "#Drug1 –type t→ ? –alike– #Drug2" is what similar drugs do.

In training each asked pair hides the interactions of the drug that plays the new one, as
:mod:`parsimony.ddi.emergnn.method` does. The penalty is selected on validation.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse

from parsimony import base
from parsimony.ddi.estimator import FloatArray, IntArray, PairEstimator
from parsimony.ddi.metapaths.sparse_logistic import Features, SparseLogistic, Weights
from parsimony.ddi.similarity_edges import similarity_edges
from parsimony.ddi.task import DDITask
from parsimony.explain import Explanation
from parsimony.kernels.emergnn.graph import ActiveGraph, PairGraph
from parsimony.kernels.emergnn.metapaths import WalkKinds, count_walks, walk_kinds
from parsimony.kernels.emergnn.paths import HIDE_BETWEEN, HIDE_FIRST, HIDE_SECOND
from parsimony.metrics.classification import METRICS, classification_metrics
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng

CHUNK = 4096  # pairs whose walks are counted at once
SCOUTS = 4000  # training pairs among which signatures are looked for
PENALTIES = (0.3, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005, 0.003, 0.001)
UNSELECTED = 0.01  # the penalty where there is no validation split
WORSE = 2  # smaller penalties tried without improvement
#: Hetionet's metaedges without a direction.
UNDIRECTED = ("CrC", "DrD", "GcG", "GiG")


class WalksParameters(base.Parameters):
    """Parameters of the regression on walks."""

    penalty: float | None = Field(
        None, gt=0, le=1, description="L1 penalty as a share of the one that leaves no weight, "
        "(0, 1]; selected where left out",
    )  # fmt: skip
    signatures: int = Field(3000, ge=1, description="most signatures with a weight a type, ≥ 1")
    votes: bool = Field(
        True, description="signatures with one interaction also vote for that interaction's type"
    )
    least: int = Field(10, ge=1, description="training pairs that a signature joins, ≥ 1")
    neighbour_edges: int = Field(
        20, ge=0, le=100, description="edges to the most similar drugs, 0 … 100"
    )
    pairs: int = Field(30000, ge=1, description="training pairs that are drawn, ≥ 1")
    balance: float = Field(
        0.3, ge=0, le=1, description="a pair costs (pairs of its type)^−balance, 0 … 1"
    )
    iterations: int = Field(100, ge=1, description="most iterations a penalty, ≥ 1")
    seed: int = Field(0, ge=0, description="seed of the pairs drawn and of what they hide, ≥ 0")


class Walks(PairEstimator):
    """Which kinds of walks join the two drugs, and how many."""

    method: ClassVar[str] = "walks"
    Parameters: ClassVar[type[base.Parameters]] = WalksParameters
    structural = True
    graphical = True
    because = "kinds of walks between the two drugs; parsimony explain names them"
    metapaths_: npt.NDArray[np.int64]
    voting_: npt.NDArray[np.int64]
    weights_: Weights

    # ---- features ----------------------------------------------------------------------------

    def _build(self) -> None:
        p, task = self.resolved_, self.task_
        edges, alike = similarity_edges(self.fingerprints_, p.neighbour_edges)
        background = task.background
        edges[:, 1] += len(background.relations)
        n_relations = len(background.relations) + alike
        self._facts = task.all_facts()
        self._built = PairGraph(
            len(background.entities), np.concatenate([background.triples, edges]),
            n_relations, self._facts, task.data.n_types,
        )  # fmt: skip
        undirected = np.zeros(self._built.n_relations, bool)
        undirected[task.data.n_types :] = [
            *(name in UNDIRECTED for name in background.relations), *[True] * alike
        ]  # fmt: skip
        self._kinds: WalkKinds = walk_kinds(task.data.n_types, self._built.n_relations, undirected)
        self._graphs: dict[bytes, ActiveGraph] = {}

    def _graph(self, facts: IntArray) -> ActiveGraph:
        """Return the graph that shows these interactions; the last two are kept."""
        key = facts.tobytes()
        if key not in self._graphs:
            active = self.task_.among(self._facts, facts).astype(np.uint8)
            while len(self._graphs) > 1:
                self._graphs.pop(next(iter(self._graphs)))
            self._graphs[key] = self._built.activate(active)
        return self._graphs[key]

    def _features(
        self, graph: ActiveGraph, pairs: IntArray, hidden: npt.NDArray[np.uint8], quiet: bool = True
    ) -> Features:
        """log(1 + counts) of the signatures in the vocabulary."""
        own, shared = [], []
        with Progress(len(pairs), "counting walks", quiet=quiet) as progress:
            for at in range(0, max(len(pairs), 1), CHUNK):
                part = slice(at, at + CHUNK)
                counts, by_type = count_walks(
                    graph, pairs[part], hidden[part], self._kinds, self.metapaths_, self.voting_
                )
                own.append(counts.log1p())
                shared.append(_a_row_a_type(by_type.log1p(), self.task_.data.n_types))
                progress.advance(len(pairs[part]))
        return Features(sparse.vstack(own, format="csr"), sparse.vstack(shared, format="csr"))

    def _one_interaction(self, codes: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Whether just one step of a signature is an interaction, of either direction."""
        n = self._built.n_relations
        interactions = self._kinds.of[[0, n]]
        steps = np.stack([codes // self._kinds.n**2, codes // self._kinds.n, codes])
        found: npt.NDArray[np.bool_] = np.isin(steps % self._kinds.n, interactions).sum(0) == 1
        return found

    def _scout(
        self, graph: ActiveGraph, pairs: IntArray, hidden: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.int64]:
        """Numbers of the signatures that join some of the first pairs."""
        every = np.arange(self._kinds.n**3)
        counts, _ = count_walks(
            graph, pairs[:SCOUTS], hidden[:SCOUTS], self._kinds, every, every[:0]
        )
        return np.unique(counts.indices).astype(np.int64)

    def _keep(self, features: Features) -> Features:
        """Leave out what joins too few pairs, and of the rest the rarest above the limit."""
        p = self.resolved_
        joined = np.bincount(features.own.indices, minlength=len(self.metapaths_))
        kept = np.flatnonzero(joined >= p.least)
        kept = np.sort(kept[np.argsort(-joined[kept], kind="stable")[: p.signatures]])
        voted = np.bincount(features.shared.indices, minlength=len(self.voting_))
        voting = np.flatnonzero(voted >= p.least)
        self.metapaths_, self.voting_ = self.metapaths_[kept], self.voting_[voting]
        return Features(features.own[:, kept], features.shared[:, voting])

    # ---- fitting -----------------------------------------------------------------------------

    def fit(
        self,
        task: DDITask,
        *,
        run: RunFolder | None = None,
        time_budget: float | None = None,
        quiet: bool = True,
        **_: Any,
    ) -> Walks:
        """Count walks, then follow the path of penalties; the best on validation stays.

        Nothing is kept of an unfinished fit: resuming begins anew.

        Raises
        ------
        FormatError, MissingExtra
            A SMILES that cannot be read, or no RDKit.
        InvalidParameter
            A background graph with too many relations.
        """
        begin = time.perf_counter()
        self._begin(task, parameters=0)
        p, n_types = self.resolved_, task.data.n_types
        self._build()
        drawn = rng(p.seed, "walks")
        every = task.pairs("train")
        rows = every[np.sort(drawn.permutation(len(every))[: p.pairs])]
        rows = rows[drawn.permutation(len(rows))]
        hidden = drawn.choice(np.array([HIDE_FIRST, HIDE_SECOND], np.uint8), len(rows))
        if task.setting != "S1":
            hidden[:] = HIDE_BETWEEN if task.setting == "S0" else HIDE_FIRST | HIDE_SECOND
        graph, pairs = self._graph(every), np.ascontiguousarray(rows[:, [0, 2]])
        self.metapaths_ = self._scout(graph, pairs, hidden)
        self.voting_ = self.metapaths_[self._one_interaction(self.metapaths_)][
            : None if p.votes else 0
        ]
        features = self._keep(self._features(graph, pairs, hidden, quiet))
        cost = np.bincount(rows[:, 1], minlength=n_types)[rows[:, 1]] ** -float(p.balance)
        problem = SparseLogistic(features, rows[:, 1], n_types, cost)
        best = self._follow(problem, run, begin, time_budget, quiet)
        kept, voting = best.own.any(1), best.shared != 0
        self.metapaths_, self.voting_ = self.metapaths_[kept], self.voting_[voting]
        self._learn(Weights(best.intercept, best.own[kept], best.shared[voting]))
        self.cost_.add()
        self.seconds_ = time.perf_counter() - begin
        return self

    def _follow(
        self,
        problem: SparseLogistic,
        run: RunFolder | None,
        begin: float,
        time_budget: float | None,
        quiet: bool,
    ) -> Weights:
        """Solve for falling penalties and return the best weights."""
        p, task = self.resolved_, self.task_
        selecting = p.penalty is None and task.has("valid")
        last = UNSELECTED if p.penalty is None else p.penalty
        path = PENALTIES if selecting else (*(q for q in PENALTIES if q > last), last)
        if selecting:
            asked = task.pairs("valid")
            pairs = np.ascontiguousarray(asked[:, [0, 2]])
            seen = self._graph(task.visible("valid"))
            valid = self._features(seen, pairs, np.zeros(len(pairs), np.uint8), quiet)
        largest, best_f1, chosen = problem.largest_penalty, -1.0, last
        best = problem.solve(largest, iterations=1)
        with Progress(len(path), "solving", quiet=quiet) as progress:
            for i, share in enumerate(path):
                weights = problem.solve(share * largest, iterations=p.iterations)
                record: dict[str, Any] = {"epoch": i + 1, "penalty": share}
                record["nonzero"] = weights.nonzero
                if selecting:
                    guess = valid.logits(weights).argmax(1)
                    found = classification_metrics(asked[:, 1], guess, task.data.n_types)
                    record |= {f"valid_{m}": found[m] for m in METRICS}
                if not selecting or found["macro_f1"] > best_f1:
                    best, chosen, self.best_epoch_ = weights, share, i + 1
                    best_f1 = found["macro_f1"] if selecting else best_f1
                record["seconds"] = time.perf_counter() - begin
                self.history_.append(record)
                if run is not None:
                    run.log(**record)
                progress.advance(1)
                if i + 1 - self.best_epoch_ >= WORSE:
                    break
                if time_budget is not None and record["seconds"] > time_budget:
                    self.ended_ = "time budget"
                    break
        self.resolved_ = p.model_copy(update={"penalty": chosen})
        return best

    def _learn(self, weights: Weights) -> None:
        self.weights_ = weights
        self.parameters_count_ = self.cost_.parameters = weights.nonzero

    # ---- answering ---------------------------------------------------------------------------

    def _probabilities(self, pairs: IntArray, facts: IntArray) -> FloatArray:
        return self._answers(pairs, facts, 0)

    def predict_proba_leave_pair_out(self, pairs: IntArray) -> FloatArray:
        """Probabilities (n, n_types) of pairs of the same two drugs, their interactions unseen."""
        return self._answers(pairs, self.task_.visible("test"), HIDE_BETWEEN)

    def _answers(self, pairs: IntArray, facts: IntArray, hides: int) -> FloatArray:
        hidden = np.full(len(pairs), hides, np.uint8)
        features = self._features(self._graph(facts), np.ascontiguousarray(pairs), hidden)
        logits = features.logits(self.weights_).astype(np.float64)
        shares: FloatArray = np.exp(logits - logits.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        return shares

    def knowledge(self, top: int | None = None, *, quiet: bool = True) -> list[Any]:
        """The model as lines, of every type its strongest signatures.

        See :func:`parsimony.ddi.metapaths.text.read_out`.
        """
        from parsimony.ddi.metapaths.text import read_out

        self._require_fitted()
        return read_out(self, top)

    def explain(
        self, drug1: str, drug2: str, kind: str | None = None, **choices: Any
    ) -> Explanation:
        """Why the model gives an interaction its probability.

        See :func:`parsimony.ddi.metapaths.explain.explain_walks`.
        """
        from parsimony.ddi.metapaths.explain import explain_walks

        self._require_fitted()
        return explain_walks(self, drug1, drug2, kind, **choices)

    # ---- persistence -------------------------------------------------------------------------

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        return {
            "signatures": self.metapaths_,
            "voting": self.voting_,
            "penalty": np.array([self.resolved_.penalty]),
            **{name: np.ascontiguousarray(part) for name, part in self.weights_._asdict().items()},
        }

    def _restore(self, tensors: dict[str, npt.NDArray[Any]]) -> None:
        self._build()
        self.metapaths_, self.voting_ = tensors["signatures"], tensors["voting"]
        self.resolved_ = self.resolved_.model_copy(update={"penalty": float(tensors["penalty"][0])})
        self.weights_ = Weights(tensors["intercept"], tensors["own"], tensors["shared"])
        self.parameters_count_ = self.weights_.nonzero


def _a_row_a_type(by_type: Any, n_types: int) -> Any:
    """From columns (signature, type) to rows (pair, type)."""
    entries = by_type.tocoo()
    rows = entries.row.astype(np.int64) * n_types + entries.col % n_types
    shape = (by_type.shape[0] * n_types, by_type.shape[1] // n_types)
    return sparse.csr_array((entries.data, (rows, entries.col // n_types)), shape=shape)
