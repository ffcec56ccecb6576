"""From a dataset's name to the symbol that fits it: what ``parsimony search`` does.

The run folder holds ``search/trials.jsonl`` (the ledger), ``search/runs/`` (the finalists, each a
run folder of its own), ``search.json`` (what was found and what it cost), ``symbols.png``, and
beside them the files of the best finalist: ``evaluate``, ``predict`` and ``explain`` take it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony import datasets
from parsimony.base import Estimator, load_run
from parsimony.errors import EmptySplit
from parsimony.knowledge.symbol import Symbol
from parsimony.link.data import LinkData
from parsimony.link.embeddings.bilinear import Bilinear
from parsimony.link.subgraph import walked_subgraph
from parsimony.link.task import LinkTask
from parsimony.metrics.bootstrap import bootstrap_interval
from parsimony.report.symbol_figure import symbol_figure
from parsimony.run.atomic import write_atomic
from parsimony.run.engine import Engine
from parsimony.search import BilinearSpace, Budget, Rung
from parsimony.search.ladder import ladder_of
from parsimony.search.one_shot import screen
from parsimony.search.run import Asked, Searched, StructureSearch, publish
from parsimony.search.symbol_trial import run_trial
from parsimony.search.trial import Measured, Trial

__all__ = ["search_symbols"]

#: Not of the trainer's identity: the numbers do not depend on them, or every trial has its own.
_FREE = ("dim", "epochs", "seed", "threads", "patience", "every", "symbol")

#: Epochs of the shared training: so many of a trial's on the lowest rung.
SCREENING = 4


@dataclass(frozen=True)
class SymbolTrial:
    """Trains one symbol for a while; validation is looked at once, at the end."""

    task: LinkTask
    settings: dict[str, Any] = field(default_factory=dict)

    def __call__(
        self, structure: Symbol, *, seed: int, epochs: int, dim: int, entities: float = 1.0
    ) -> Measured:
        """See :class:`parsimony.search.trial.Evaluate`."""
        task = self.task
        if entities < 1:
            task = LinkTask(walked_subgraph(task.data, entities, seed=seed))
        return run_trial(
            task, structure, dim=dim, epochs=epochs, seed=seed,
            **{**self.settings, "every": epochs},
        )  # fmt: skip


@dataclass(frozen=True)
class SymbolScreen:
    """Guesses symbols by shared vectors; what was guessed is kept for a resumed search."""

    task: LinkTask
    rung: Rung
    seed: int
    settings: dict[str, Any]
    kept: Path
    quiet: bool

    def __call__(self, structures: Sequence[Symbol]) -> npt.NDArray[np.float64]:
        """See :class:`parsimony.search.space.Screen`."""
        texts = [str(symbol) for symbol in structures]
        asked = {"dim": self.rung.dim, "epochs": self.rung.epochs, "seed": self.seed}
        if self.kept.exists():
            before = json.loads(self.kept.read_text(encoding="utf-8"))
            if before["asked"] == asked and list(before["guesses"]) == texts:
                return np.array(list(before["guesses"].values()))
        found = screen(self.task, structures, **asked, quiet=self.quiet, **self.settings)
        guesses = dict(zip(texts, found.tolist(), strict=True))
        write_atomic(self.kept, json.dumps({"asked": asked, "guesses": guesses}, indent=1) + "\n")
        return found


def search_symbols(
    data: str | LinkData,
    *,
    out: Path | str,
    budget: Budget,
    algorithm: str = "greedy",
    settings: dict[str, Any] | None = None,
    compare: int = 1,
    train_budget: float | None = None,
    engine: Engine | None = None,
    resume: bool = False,
    mirror: str | None = None,
    columns: tuple[str, str, str] | None = None,
    seed: int = 0,
    quiet: bool = True,
    on_trial: Callable[[Trial], None] | None = None,
    on_searched: Callable[[], None] | None = None,
) -> tuple[Estimator, dict[str, Any]]:
    """Search the symbol of a graph, train the best one to the end, and write the run folder.

    Parameters
    ----------
    data
        A registered name, a dataset folder, a file, or loaded data with validation facts.
    out
        Run folder.
    budget
        Of the trials; the final trainings come on top (``train_budget``).
    settings
        Of the search (:class:`SearchSettings`, and ``ladder``: dimension, epochs and perhaps a
        share of the entities of each rung) and of the trainer; ``dim`` and ``epochs`` are those of
        the final trainings.
    compare
        Named symbols that are trained to the end as well, best first.
    train_budget
        Wall seconds of each final training.
    engine
        Where trials run.
    on_trial, on_searched
        Called with every trial, and before the final trainings.

    Returns
    -------
    estimator, summary
        The best finalist on validation, and ``run, found, best, trials, algorithm, ladder,
        comparison, named, predictor, rungs, exhausted, seconds, notes``: what search.json holds.
        ``found`` names the finalist that the search itself put first.

    Raises
    ------
    UnknownParameter, InvalidParameter
        Settings.
    EmptySplit
        No validation facts.
    RunExists, LedgerMismatch
        The folder belongs to something else.
    """
    asked = Asked.of(settings, seed, noun="symbol", trainer=Bilinear.Parameters.model_fields)
    given, seed = asked.trainer, asked.seed
    trainer = Bilinear(**{"seed": seed, **given})
    loaded = data if isinstance(data, LinkData) else datasets.load(
        data, mirror=mirror, columns=columns, seed=seed
    )  # fmt: skip
    task = LinkTask(loaded)
    trainer.prepare(task)
    if not len(loaded.valid):
        raise EmptySplit(
            f"the valid split of {loaded.name} is empty", remedy="a search selects on it"
        )
    final = Rung(trainer.resolved_.dim, trainer.resolved_.epochs)
    ladder = ladder_of(asked.ladder, final, chunks=4, parts=True)
    folder = Path(out)
    fixed = trainer.resolved_.model_dump()
    shared = {k: v for k, v in given.items() if k not in ("dim", "epochs", "patience", "every")}
    searched = StructureSearch(
        BilinearSpace(), "symbol", "bilinear", loaded, attrgetter("key"), asked, ladder, folder
    ).run(
        SymbolTrial(task, shared),
        SymbolScreen(
            task, Rung(ladder[0].dim, SCREENING * ladder[0].epochs), seed, shared,
            folder / "search" / "screening.json", quiet,
        ),
        {"trainer": {name: value for name, value in fixed.items() if name not in _FREE}},
        budget=budget, algorithm=algorithm, engine=engine, resume=resume, compare=compare,
        train_budget=train_budget, quiet=quiet, on_trial=on_trial, on_searched=on_searched,
    )  # fmt: skip
    runs = searched.runs
    best = max(runs, key=lambda name: _mrr(runs[name][1]))
    summary = searched.summary(
        best, _mrr(runs[best][1]),
        {"patterns": searched.finalists[best].patterns.words()},
        comparison=_comparison(searched, best),
    )  # fmt: skip
    publish(folder, Path(runs[best][1]["run"]), summary)
    symbol_figure(searched.finalists, folder / "symbols.png")
    return load_run(folder), summary


def _mrr(summary: dict[str, Any]) -> float:
    return float(summary["valid"]["mrr"])


def _comparison(searched: Searched[Symbol], best: str) -> list[dict[str, Any]]:
    """The finalists at equal size, with intervals, and the paired difference to the best one.

    ``difference`` is the best one's MRR less this one's, query by query, with its interval; it was
    selected on valid, so the honest one is that of test.
    """
    rows = searched.rows()
    reciprocal: dict[str, dict[str, Any]] = {}
    for row in rows:
        estimator, _ = searched.runs[row["name"]]
        reciprocal[row["name"]] = {}
        for split in ("valid", "test"):
            if len(getattr(estimator.task_.data, split)):
                values = 1.0 / estimator.ranks(split).ranks()
                reciprocal[row["name"]][split] = values
                row[split] = {"mrr": float(values.mean()), "interval": bootstrap_interval(values)}
    for row in rows:
        if row["name"] != best:
            row["difference"] = {
                split: {
                    "mrr": float((reciprocal[best][split] - values).mean()),
                    "interval": bootstrap_interval(reciprocal[best][split] - values),
                }
                for split, values in reciprocal[row["name"]].items()
            }
    return rows
