"""The search of symbols: from a graph to the bilinear scoring function that fits it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from parsimony.decoding import checked, read_json
from parsimony.decoding.strict_json import json_text
from parsimony.errors import CorruptRun
from parsimony.knowledge.book import KnowledgeBook
from parsimony.knowledge.book_check import of_vocabulary
from parsimony.knowledge.symbol import Symbol
from parsimony.link.embeddings.bilinear import Bilinear, listed_names
from parsimony.link.guidance.entries import SURE, is_sure
from parsimony.link.subgraph import walked_subgraph
from parsimony.link.task import LinkTask
from parsimony.metrics.bootstrap import bootstrap_interval
from parsimony.run.atomic import write_atomic
from parsimony.search.one_shot import one_shot_scores
from parsimony.search.request import SearchRequest
from parsimony.search.settings import Rung
from parsimony.search.structure_search import Finalist, StructureSearch
from parsimony.search.symbol_space import BilinearSpace
from parsimony.search.trial import Measured, TrialResult

__all__ = ["OneShotSymbols", "SymbolSearch", "SymbolTrial"]

#: epochs of the shared training: so many of a trial's on the lowest rung
_SHARED = 4
#: settings that a trial has of its own
_OF_TRIALS = ("dim", "epochs", "patience", "validate_every")

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Kept:
    """What ``screening.json`` holds."""

    asked: dict[str, int]
    guesses: dict[str, float]


@dataclass(frozen=True)
class SymbolTrial:
    """Trains one symbol for a while; validation is looked at once, at the end.

    Parameters
    ----------
    task
        Link prediction on one graph with validation facts.
    settings
        Parameters of method "bilinear"; those left out come from the preset of a registered
        dataset, else from the defaults.
    """

    task: LinkTask
    settings: dict[str, Any] = field(default_factory=dict)

    def __call__(
        self, structure: Symbol, *, seed: int, epochs: int, dim: int, entities: float = 1.0
    ) -> Measured:
        """See :class:`parsimony.search.trial.Evaluate`."""
        task = self.task
        if entities < 1:
            task = LinkTask(walked_subgraph(task.data, entities, seed=seed))
        own = {"dim": dim, "epochs": epochs, "seed": seed, "validate_every": epochs}
        model = Bilinear(**{**self.settings, **own, "symbol": str(structure)}).fit(task)
        valid = max(record["valid_mrr"] for record in model.history_ if "valid_mrr" in record)
        return TrialResult(
            float(valid), model.seconds_, model.parameters_count_, len(model.history_)
        )


@dataclass(frozen=True)
class OneShotSymbols:
    """Guesses symbols by shared vectors; what was guessed is kept for a resumed search."""

    task: LinkTask
    rung: Rung
    seed: int
    settings: dict[str, Any]
    kept: Path
    time_budget: float | None
    quiet: bool

    def __call__(self, structures: Sequence[Symbol]) -> Values:
        """See :class:`parsimony.search.space.OneShot`."""
        texts = [str(symbol) for symbol in structures]
        asked = {"dim": self.rung.dim, "epochs": self.rung.epochs, "seed": self.seed}
        if self.kept.exists():
            how: dict[str, Any] = {"error": CorruptRun, "remedy": "remove it"}
            before = checked(_Kept, read_json(self.kept, **how), str(self.kept), **how)
            if before.asked == asked and list(before.guesses) == texts:
                return np.array(list(before.guesses.values()))
        model = Bilinear(**{**self.settings, **asked})
        found = one_shot_scores(
            model, self.task, structures, time_budget=self.time_budget, quiet=self.quiet
        )
        guesses = dict(zip(texts, found.tolist(), strict=True))
        write_atomic(self.kept, json_text({"asked": asked, "guesses": guesses}, indent=1) + "\n")
        return found


class SymbolSearch(StructureSearch[Symbol, Bilinear]):
    """Searches symbols by the validation MRR of method "bilinear"."""

    space: BilinearSpace = BilinearSpace()
    noun: ClassVar[str] = "symbol"
    measure: ClassVar[str] = "mrr"
    Method = Bilinear
    algorithm: ClassVar[str] = "greedy"
    free: ClassVar[frozenset[str]] = frozenset({*_OF_TRIALS, "seed", "threads", "symbol"})
    chunks: ClassVar[int] = 4
    parts: ClassVar[bool] = True

    def __init__(self, request: SearchRequest) -> None:
        super().__init__(request)
        known, n = self.model.resolved_.symmetric or (), len(self.data.relations)
        if known:
            all_ = len({*known}) == n
            self.space = BilinearSpace("all" if all_ else "some")
            self.notes.append(
                f"all {n:,} relations are symmetric: only symbols with G(r) = G(r)ᵀ for every r "
                "are tried"
                if all_
                else f"known to be symmetric: {len({*known}):,} of {n:,} relations; their G(r) is "
                "kept so, and only symbols that leave it rank 4 are tried"
            )

    def stated(self, book: KnowledgeBook, task: LinkTask) -> dict[str, Any]:
        """The relations that the book's axioms call symmetric."""
        of_vocabulary(book, task.train_graph)
        found = dict.fromkeys(listed_names(self.given.get("symmetric")) or ())
        for axiom in book.axioms:
            if axiom.kind != "symmetric" and (axiom.kind != "inverse" or len({*axiom.terms}) > 1):
                continue
            if is_sure(axiom, SURE):
                found[axiom.terms[0]] = None
            else:
                self.notes.append(f"warning: less than {SURE:g} sure, not used: {axiom}")
        if not found:
            self.notes.append("warning: the book calls no relation symmetric: it has no effect")
        return {"symmetric": list(found)} if found else {}

    def has_validation(self) -> bool:
        """Whether there are validation facts."""
        return len(self.data.valid) > 0

    def key(self, structure: Symbol) -> int:
        """The number of its orbit."""
        return structure.key

    def name(self, structure: Symbol) -> str | None:
        """Its name, ComplEx or SimplE for example; None where it has none."""
        return structure.name

    def _shared(self) -> dict[str, Any]:
        return {name: value for name, value in self.given.items() if name not in _OF_TRIALS}

    def evaluate(self) -> SymbolTrial:
        """A training of one symbol."""
        return SymbolTrial(self.model.task_, self._shared())

    def one_shot(self) -> OneShotSymbols:
        """A training of shared vectors."""
        rung = Rung(self.ladder[0].dim, _SHARED * self.ladder[0].epochs)
        return OneShotSymbols(
            self.model.task_, rung, self.seed, self._shared(),
            self.folder / "search" / "screening.json", self.request.budget.seconds,
            self.request.quiet,
        )  # fmt: skip

    def figure(self, finalist: Finalist[Symbol, Bilinear]) -> float:
        """Validation MRR."""
        return float(finalist.summary["valid"]["mrr"])

    def described(self, structure: Symbol) -> dict[str, Any]:
        """The relation patterns that the symbol can express."""
        return {"patterns": structure.patterns.words()}

    def measured(self, estimator: Bilinear) -> dict[str, Values]:
        """Reciprocal rank of every answer."""
        data = estimator.task_.data
        splits = [split for split in ("valid", "test") if len(data.triples(split))]
        return {split: 1.0 / estimator.ranks(split).ranks() for split in splits}

    def averaged(self, measured: Values) -> dict[str, Any]:
        """MRR with its interval."""
        return {"mrr": float(measured.mean()), "interval": bootstrap_interval(measured)}

    def gain(self, best: Values, measured: Values) -> dict[str, Any]:
        """The best one's MRR less this one's, query by query."""
        return self.averaged(best - measured)
