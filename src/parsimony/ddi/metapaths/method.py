"""Method "walks": metapath regression, a sparse logistic regression on typed walk counts.

The symbolic variant of EmerGNN (docs/methods/metapaths.md), of the family of the path-ranking
algorithm: what the flow weighs by a network, every metapath (r₁, r₂, r₃) of the walks from the
first drug to the second here has a weight per type, most of them zero. Counts enter as log(1 + n).

A metapath with just one interaction also has a weight that all types *share*: its walks whose
interaction is of type t count for type t. "#Drug1 –type t→ ? –alike– #Drug2" is what similar drugs
do.

What a person states (:mod:`parsimony.ddi.mechanisms`) counts for the types of its head, with one
weight that is not negative and not penalised: no stated mechanism is dropped for want of support.

In training each pair hides the interactions of the drug that is treated as new, as
:mod:`parsimony.ddi.emergnn.method` does. The penalty is selected on validation.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse

from parsimony.base import Fitting, Parameters, constructor, tuned, tuned_among
from parsimony.ddi.estimator import FloatArray, IntArray, PairEstimator, Tensors, chosen
from parsimony.ddi.grounds import ALIKE
from parsimony.ddi.mechanisms import Mechanism, measured, parse_mechanisms
from parsimony.ddi.metapaths.sparse_logistic import Features, SparseLogistic, Weights
from parsimony.ddi.metapaths.text import MetapathModel, MetapathWeight, read_out
from parsimony.ddi.similarity_edges import similarity_edges
from parsimony.ddi.task import DDITask
from parsimony.explain import Explanation
from parsimony.kernels.emergnn.graph import ActiveGraph, PairGraph
from parsimony.kernels.emergnn.metapaths import WalkKinds, count_walks, walk_kinds
from parsimony.kernels.emergnn.paths import HIDE_BETWEEN, HIDE_FIRST, HIDE_SECOND
from parsimony.metrics.classification import METRICS, classification_metrics
from parsimony.run.progress import Progress
from parsimony.run.restoring import require_indices, require_tensors
from parsimony.run.seeds import rng
from parsimony.run.steps import step_done

CHUNK = 4096  # pairs whose walks are counted at once
SCOUTS = 4000  # training pairs among which metapaths are looked for
PENALTIES = (0.3, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005, 0.003, 0.001)
UNSELECTED = 0.01  # the penalty where there is no validation split
WORSE = 2  # smaller penalties tried without improvement
#: Hetionet's metaedges without a direction.
UNDIRECTED = ("CrC", "DrD", "GcG", "GiG")


class WalksParameters(Parameters):
    """Parameters of the metapath regression."""

    penalty: float | None = Field(
        None, gt=0, le=1, description="L1 penalty as a fraction of the one that leaves no weight, "
        "(0, 1]; selected where left out",
    )  # fmt: skip
    max_metapaths: int = Field(
        3000, ge=1, description="most metapaths with a weight per type, ≥ 1",
        json_schema_extra=tuned_among(500, 1000, 3000),
    )  # fmt: skip
    shared_weights: bool = Field(
        True, description="metapaths with one interaction also count for that interaction's type"
    )
    min_pairs: int = Field(10, ge=1, description="training pairs that a metapath joins, ≥ 1")
    neighbour_edges: int = Field(
        20, ge=0, le=100, description="edges to the most similar drugs, 0 … 100",
        json_schema_extra=tuned_among(0, 5, 10, 20, 40),
    )  # fmt: skip
    min_similarity: float = Field(
        ALIKE, ge=0, le=1, description="least similarity of such an edge: below it two drugs are "
        "not alike, 0 … 1; 0 on drugbank-ddi",
    )  # fmt: skip
    max_pairs: int = Field(30000, ge=1, description="training pairs that are drawn, ≥ 1")
    balance: float = Field(
        0.3, ge=0, le=1, description="a pair costs (pairs of its type)^−balance, 0 … 1",
        json_schema_extra=tuned(0.0, 1.0),
    )  # fmt: skip
    mechanisms: tuple[str, ...] = Field(
        (), description="stated mechanisms, a rule each; from a file by --knowledge"
    )
    iterations: int = Field(100, ge=1, le=10**5, description="most iterations per penalty, ≥ 1")
    seed: int = Field(
        0, ge=0, lt=2**63, description="seed of the pairs drawn and of what they hide, ≥ 0"
    )


class Walks(PairEstimator[WalksParameters]):
    """Which metapaths join the two drugs, and how many walks are of each."""

    method = "walks"
    paper = "Lao, Mitchell, Cohen 2011: path ranking"
    Parameters = WalksParameters
    __init__ = constructor(WalksParameters)
    structural = True
    graphical = True
    takes_knowledge = True
    metapaths_: npt.NDArray[np.int64]
    shared_: npt.NDArray[np.int64]
    weights_: Weights
    mechanisms_: list[Mechanism]
    stated_: FloatArray

    def _preset(self, task: DDITask) -> dict[str, Any]:
        """On DrugBank validation prefers edges between drugs that are not alike.

        They add what other drugs do, alike or not: in S1 macro-F1 is .696 with them and .673
        without on validation, .677 and .659 on the test.
        """
        benchmark = task.data.registered and task.data.name.startswith("drugbank-ddi")
        return {"min_similarity": 0.0} if benchmark else {}

    # ---- features ----------------------------------------------------------------------------

    def _build(self) -> None:
        p, task = self.resolved_, self.task_
        edges, n_similarity = similarity_edges(
            self.fingerprints_, p.neighbour_edges, p.min_similarity
        )
        background = task.background
        edges[:, 1] += len(background.relations)
        n_relations = len(background.relations) + n_similarity
        self._facts = task.all_facts()
        self._built = PairGraph(
            len(background.entities), np.concatenate([background.triples, edges]),
            n_relations, self._facts, task.data.n_types,
        )  # fmt: skip
        undirected = np.zeros(self._built.n_relations, bool)
        undirected[task.data.n_types :] = [
            *(name in UNDIRECTED for name in background.relations), *[True] * n_similarity
        ]  # fmt: skip
        self._kinds: WalkKinds = walk_kinds(task.data.n_types, self._built.n_relations, undirected)
        self._graphs: dict[bytes, ActiveGraph] = {}
        self.mechanisms_ = measured(parse_mechanisms(p.mechanisms, task), task)

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
        """log(1 + counts) of the metapaths in the vocabulary."""
        own, shared = [], []
        with Progress(len(pairs), "counting walks", quiet=quiet) as progress:
            for at in range(0, max(len(pairs), 1), CHUNK):
                step_done()
                part = slice(at, at + CHUNK)
                counts, by_type = count_walks(
                    graph, pairs[part], hidden[part], self._kinds, self.metapaths_, self.shared_
                )
                own.append(counts.log1p())
                shared.append(_a_row_a_type(by_type.log1p(), self.task_.data.n_types))
                progress.advance(len(pairs[part]))
        walked = sparse.vstack(shared, format="csr")
        by_type = [sparse.csr_array(np.log1p(m.counts(pairs)).reshape(-1, 1), dtype=walked.dtype)
                   for m in self.mechanisms_]  # fmt: skip
        return Features(
            sparse.vstack(own, format="csr"), sparse.hstack([walked, *by_type], format="csr")
        )

    def _one_interaction(self, codes: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Whether just one step of a metapath is an interaction, of either direction."""
        n = self._built.n_relations
        interactions = self._kinds.of[[0, n]]
        steps = np.stack([codes // self._kinds.n**2, codes // self._kinds.n, codes])
        found: npt.NDArray[np.bool_] = np.isin(steps % self._kinds.n, interactions).sum(0) == 1
        return found

    def _scout(
        self, graph: ActiveGraph, pairs: IntArray, hidden: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.int64]:
        """Numbers of the metapaths that join some of the first pairs."""
        codes = np.arange(self._kinds.n**3)
        counts, _ = count_walks(
            graph, pairs[:SCOUTS], hidden[:SCOUTS], self._kinds, codes, codes[:0]
        )
        return np.unique(counts.indices).astype(np.int64)

    def _keep(self, features: Features) -> Features:
        """Leave out what joins too few pairs, and of the rest the rarest above the limit."""
        p = self.resolved_
        joined = np.bincount(features.own.indices, minlength=len(self.metapaths_))
        kept = np.flatnonzero(joined >= p.min_pairs)
        kept = np.sort(kept[np.argsort(-joined[kept], kind="stable")[: p.max_metapaths]])
        n = len(self.shared_)
        counted = np.bincount(features.shared.indices, minlength=n)[:n]
        shared = np.flatnonzero(counted >= p.min_pairs)
        self.metapaths_, self.shared_ = self.metapaths_[kept], self.shared_[shared]
        stated = np.arange(n, features.shared.shape[1])
        return Features(features.own[:, kept], features.shared[:, np.concatenate([shared, stated])])

    # ---- fitting -----------------------------------------------------------------------------

    def _learn(self, fitting: Fitting) -> None:
        """Count walks, then follow the path of penalties; the best on validation stays.

        Nothing is kept of an unfinished fit: resuming begins anew.
        """
        p, task, quiet = self.resolved_, self.task_, fitting.quiet
        n_types = task.data.n_types
        if fitting.knowledge is not None:
            stated = (*p.mechanisms, *map(str, fitting.knowledge.rules))
            self.resolved_ = p = p.model_copy(update={"mechanisms": stated})
        self._build()
        drawn = rng(p.seed, "walks")
        train = task.pairs("train")
        rows = train[np.sort(drawn.permutation(len(train))[: p.max_pairs])]
        rows = rows[drawn.permutation(len(rows))]
        hidden = drawn.choice(np.array([HIDE_FIRST, HIDE_SECOND], np.uint8), len(rows))
        if task.setting != "S1":
            hidden[:] = HIDE_BETWEEN if task.setting == "S0" else HIDE_FIRST | HIDE_SECOND
        graph, pairs = self._graph(train), np.ascontiguousarray(rows[:, [0, 2]])
        self.metapaths_ = self._scout(graph, pairs, hidden)
        self.shared_ = self.metapaths_[self._one_interaction(self.metapaths_)][
            : None if p.shared_weights else 0
        ]
        features = self._keep(self._features(graph, pairs, hidden, quiet))
        cost = np.bincount(rows[:, 1], minlength=n_types)[rows[:, 1]] ** -float(p.balance)
        n_stated = len(self.mechanisms_)
        problem = SparseLogistic(features, rows[:, 1], n_types, cost, n_stated)
        best = self._follow(problem, fitting)
        walked, self.stated_ = np.split(best.shared, [len(self.shared_)])
        kept, shared = best.own.any(1), walked != 0
        self.metapaths_, self.shared_ = self.metapaths_[kept], self.shared_[shared]
        self.weights_ = Weights(best.intercept, best.own[kept], walked[shared])
        self.parameters_count_ = best.nonzero

    def _follow(self, problem: SparseLogistic, fitting: Fitting) -> Weights:
        """Solve for falling penalties and return the best weights."""
        p, task = self.resolved_, self.task_
        selecting = p.penalty is None and task.has("valid")
        last = UNSELECTED if p.penalty is None else p.penalty
        path = PENALTIES if selecting else (*(q for q in PENALTIES if q > last), last)
        if selecting:
            targets = task.pairs("valid")
            pairs = np.ascontiguousarray(targets[:, [0, 2]])
            seen = self._graph(task.visible("valid"))
            valid = self._features(seen, pairs, np.zeros(len(pairs), np.uint8), fitting.quiet)
        largest, best_f1, winner = problem.largest_penalty, -1.0, last
        best = problem.solve(largest, iterations=1)
        with Progress(len(path), "solving", quiet=fitting.quiet) as progress:
            for i, fraction in enumerate(path, start=1):
                weights = problem.solve(fraction * largest, iterations=p.iterations)
                record: dict[str, Any] = {"epoch": i, "penalty": fraction}
                record["nonzero"] = weights.nonzero
                if selecting:
                    guess = valid.logits(weights).argmax(1)
                    found = classification_metrics(targets[:, 1], guess, task.data.n_types)
                    record |= {f"valid_{m}": found[m] for m in METRICS}
                if not selecting or found["macro_f1"] > best_f1:
                    best, winner, self.best_epoch_ = weights, fraction, i
                    best_f1 = found["macro_f1"] if selecting else best_f1
                record["seconds"] = time.perf_counter() - self._began
                self.history_.append(record)
                if fitting.run is not None:
                    fitting.run.log(**record)
                progress.advance(1)
                if i - self.best_epoch_ >= WORSE:
                    break
                if self._late(fitting) and i < len(path):
                    self.ended_ = "time budget"
                    break
        self.resolved_ = self.resolved_.model_copy(update={"penalty": winner})
        return best

    # ---- answering ---------------------------------------------------------------------------

    def _probabilities(self, pairs: IntArray, facts: IntArray) -> FloatArray:
        return self._answers(pairs, facts, 0)

    def predict_proba_leave_pair_out(self, pairs: IntArray) -> FloatArray:
        """Probabilities (n, n_types) of pairs without the interactions of their own two drugs."""
        return self._answers(pairs, self.task_.visible("test"), HIDE_BETWEEN)

    def _answers(self, pairs: IntArray, facts: IntArray, hides: int) -> FloatArray:
        hidden = np.full(len(pairs), hides, np.uint8)
        features = self._features(self._graph(facts), np.ascontiguousarray(pairs), hidden)
        every = np.concatenate([self.weights_.shared, self.stated_])
        logits = features.logits(self.weights_._replace(shared=every)).astype(np.float64)
        found: FloatArray = np.exp(logits - logits.max(1, keepdims=True))
        found /= found.sum(1, keepdims=True)
        return found

    # ---- explaining --------------------------------------------------------------------------

    @property
    def _model(self) -> MetapathModel:
        return MetapathModel(
            self._kinds, self.metapaths_, self.shared_, self.weights_, self.mechanisms_,
            self.stated_,
        )  # fmt: skip

    def knowledge(self, top: int | None = None, *, quiet: bool = True) -> list[MetapathWeight]:
        """The model as lines, of every type its strongest metapaths.

        See :func:`parsimony.ddi.metapaths.text.read_out`.
        """
        self._require_fitted()
        return read_out(self._model, self.task_, self._built.n_relations, top)

    def reasons(self, rows: IntArray) -> list[str]:
        """Return, for each (drug1, type, drug2), the kind of walks that adds most, and one walk."""
        from parsimony.ddi.metapaths.explain import reason_line

        graph = self._graph(self.task_.visible("test"))
        return [reason_line(self.task_, graph, self._model, *row) for row in rows.tolist()]

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

        Parameters
        ----------
        head, tail
            Ids, external ids or names of the drugs, in any case.
        relation
            The interaction type; None for the most probable one of either order.
        n_paths
            How many metapaths to name, one walk of each.
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
        from parsimony.ddi.explained_pair import ExplainedPair, require_counts
        from parsimony.ddi.metapaths.explain import explain_walks

        self._require_fitted()
        require_counts(n_paths, draws)
        pair = ExplainedPair.of(self, head, relation, tail)
        graph = self._graph(self.task_.visible("test"))
        found = explain_walks(
            self.task_, pair, graph, self._model,
            name=self.method, n_paths=n_paths, draws=draws, seed=seed,
        )  # fmt: skip
        return self.noted(found, pair.drug1, pair.drug2)

    # ---- persistence -------------------------------------------------------------------------

    def _tensors(self) -> Tensors:
        return {
            "signatures": self.metapaths_,
            "voting": self.shared_,
            "penalty": np.array([chosen(self.resolved_.penalty)]),
            "min_similarity": np.array([self.resolved_.min_similarity]),
            **{name: np.ascontiguousarray(part) for name, part in self.weights_._asdict().items()},
            **({"stated": self.stated_, "mechanisms": self._text} if self.mechanisms_ else {}),
        }

    @property
    def _text(self) -> npt.NDArray[np.uint8]:
        """The mechanisms as UTF-8, a line each: ``fit`` may be given more than parameters are."""
        return np.frombuffer("\n".join(self.resolved_.mechanisms).encode(), np.uint8)

    def _rebuild(self, tensors: Tensors) -> None:
        n_types = self.task_.data.n_types
        require_tensors(tensors, {"signatures": (None,), "voting": (None,)}, "i")
        n, n_shared = len(tensors["signatures"]), len(tensors["voting"])
        required = {
            "penalty": (1,), "intercept": (n_types,), "own": (n, n_types), "shared": (n_shared,),
        }  # fmt: skip
        if "min_similarity" in tensors:  # runs of 0.1 had edges of any
            required["min_similarity"] = (1,)
        text = bytes(tensors.get("mechanisms", np.zeros(0, np.uint8))).decode()
        mechanisms = tuple(text.splitlines())
        if mechanisms:
            required["stated"] = (len(mechanisms),)
        require_tensors(tensors, required)
        least = tensors.get("min_similarity", np.zeros(1))
        update: dict[str, Any] = {"mechanisms": mechanisms} if mechanisms else {}
        update |= {"penalty": float(tensors["penalty"][0]), "min_similarity": float(least[0])}
        self.resolved_ = self._validate(self.resolved_.model_dump() | update)
        self._build()
        for name in ("signatures", "voting"):
            require_indices(tensors[name], self._kinds.n**3, name)
        self.metapaths_, self.shared_ = tensors["signatures"], tensors["voting"]
        self.weights_ = Weights(tensors["intercept"], tensors["own"], tensors["shared"])
        self.stated_ = tensors.get("stated", np.zeros(0, self.weights_.own.dtype))
        self.parameters_count_ = self.weights_.nonzero + int(np.count_nonzero(self.stated_))


def _a_row_a_type(by_type: Any, n_types: int) -> Any:
    """From columns (metapath, type) to rows (pair, type)."""
    entries = by_type.tocoo()
    rows = entries.row.astype(np.int64) * n_types + entries.col % n_types
    shape = (by_type.shape[0] * n_types, by_type.shape[1] // n_types)
    return sparse.csr_array((entries.data, (rows, entries.col // n_types)), shape=shape)
