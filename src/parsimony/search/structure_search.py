"""Base class of the searches of every space, from the request to the run folder.

The run folder holds ``search/trials.jsonl`` (the trials), ``search/runs/`` (the finalists, each a
run folder of its own), ``search.json`` (what was found and what it cost), and beside them the files
of the best finalist: every verb takes it as a run. Only validation is looked at before the
comparison of the finalists, which also tells their test figures.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, cast

from parsimony.base import Estimator
from parsimony.errors import EmptySplit, UsageError
from parsimony.knowledge.book import KnowledgeBook
from parsimony.methods import load_run
from parsimony.pipeline import fit
from parsimony.problems import open_task
from parsimony.run.atomic import require_no_links
from parsimony.run.engine import LocalEngine
from parsimony.run.seeds import seed_of
from parsimony.search.ladder import ladder_of
from parsimony.search.loop import SearchResult, search
from parsimony.search.request import SearchRequest
from parsimony.search.settings import Rung
from parsimony.search.space import OneShot, Space
from parsimony.search.trial import Evaluate, Trial
from parsimony.search.trials import TrialStore
from parsimony.search.winner import publish, require_room

__all__ = ["Finalist", "StructureSearch"]

#: of a finalist's summary, what the comparison tells
_TOLD = ("run", "parameters", "epochs", "seconds")

S = TypeVar("S")
E = TypeVar("E", bound=Estimator[Any, Any])


@dataclass(frozen=True)
class Finalist(Generic[S, E]):
    """A structure that was trained to the end."""

    structure: S
    estimator: E
    summary: dict[str, Any]


class StructureSearch(ABC, Generic[S, E]):
    """One search of a space, from its first trial to the trained finalists.

    A space brings the class attributes and the abstract methods.

    Attributes
    ----------
    noun
        What a structure is called: the parameter of ``Method`` that takes it as text.
    measure
        What the figure of a trial is: "mrr" or "skill".
    Method
        The estimator that is trained with every structure.
    algorithm
        Where the request names none.
    free
        Parameters of the method that do not change a trial's figure, or that each trial sets.
    first
        Named structures that are compared before all others, in this order.
    chunks, parts
        See :func:`parsimony.search.ladder.ladder_of`.
    model
        The method with the parameters of the final trainings, prepared for the task.

    Raises
    ------
    UnknownParameter, InvalidParameter
        Settings.
    EmptySplit
        Nothing to validate on.
    """

    space: Space[S]
    noun: ClassVar[str]
    measure: ClassVar[str]
    Method: ClassVar[type[Estimator[Any, Any]]]
    algorithm: ClassVar[str]
    free: ClassVar[frozenset[str]]
    first: ClassVar[tuple[str, ...]] = ()
    chunks: ClassVar[int] = 1
    parts: ClassVar[bool] = False

    def __init__(self, request: SearchRequest) -> None:
        fields = self.Method.Parameters.model_fields
        options = self.Method.Task.Options.model_fields
        self.request, self.folder = request, Path(request.out)
        self.settings, ladder, self.given = request.split_settings(self.noun, [*fields, *options])
        self.seed = seed_of(self.given, request.seed)
        self.given.pop("seed", None)
        task = open_task(
            self.Method.kind, request.data,
            {name: value for name, value in self.given.items() if name in options},
            mirror=request.mirror, columns=request.columns, seed=self.seed,
        )  # fmt: skip
        self.notes: list[str] = []
        if request.knowledge is not None:
            self.given |= self.stated(request.knowledge, task)
        own = {name: value for name, value in self.given.items() if name not in options}
        self.model = cast(E, self.Method(**{"seed": self.seed, **own}))
        self.model.prepare(task)
        self.data = self.model.task_.data
        if not self.has_validation():
            raise EmptySplit(
                f"the valid split of {self.data.name} is empty", remedy="a search selects on it"
            )
        final = Rung(self.model.resolved_.dim, self.model.resolved_.epochs)
        if ladder is None:
            ladder = self.derived_ladder(final)
        self.ladder = ladder_of(ladder, final, chunks=self.chunks, parts=self.parts)

    # ---- what a space brings -----------------------------------------------------------------

    @abstractmethod
    def has_validation(self) -> bool:
        """Whether there is something to validate on."""

    @abstractmethod
    def key(self, structure: S) -> int:
        """The same number for structures of equal power."""

    @abstractmethod
    def name(self, structure: S) -> str | None:
        """The name of a hand-made structure."""

    @abstractmethod
    def evaluate(self) -> Evaluate[S]:
        """What trains one structure for a trial."""

    @abstractmethod
    def one_shot(self) -> OneShot[S]:
        """What guesses many structures by one training."""

    @abstractmethod
    def figure(self, finalist: Finalist[S, E]) -> float:
        """The validation figure of a finalist, which chooses the best."""

    @abstractmethod
    def measured(self, estimator: E) -> dict[str, Any]:
        """Measures of each split, query by query or user by user."""

    @abstractmethod
    def averaged(self, measured: Any) -> dict[str, Any]:
        """The means of a split's measures with their intervals."""

    @abstractmethod
    def gain(self, best: Any, measured: Any) -> dict[str, Any]:
        """How much better the best finalist is on a split, paired, with its interval."""

    def stated(self, book: KnowledgeBook, task: Any) -> dict[str, Any]:
        """Parameters of the method that a book settles; what else there is of it is noted.

        Raises
        ------
        UsageError
            Nothing in a book bears on the space.
        """
        raise UsageError(
            f"a search of the space {self.space.name} reads no book",
            remedy="leave --knowledge out",
        )

    def derived_ladder(self, final: Rung) -> list[list[int]] | None:
        """The ladder where none is given; None: the usual one."""
        return None

    def described(self, structure: S) -> dict[str, Any]:
        """What search.json tells of the best structure."""
        return {}

    def row(self, structure: S, figure: float) -> dict[str, Any]:
        """What the comparison tells of a finalist beside its measures."""
        return {}

    def more(self, finalists: Mapping[str, S], algorithm: str) -> dict[str, Any]:
        """What else search.json holds."""
        return {}

    # ---- the search --------------------------------------------------------------------------

    def run(self) -> tuple[E, dict[str, Any]]:
        """Search, and train what was found and the best named structures to the end.

        Returns
        -------
        estimator, summary
            The best finalist on validation, and what search.json holds: ``run, found, best, trials,
            algorithm, ladder, named, predictor, rungs, exhausted, seconds, notes, comparison``.
            ``found`` names the finalist that the search itself put first.

        Raises
        ------
        RunExists, LedgerMismatch
            The folder belongs to something else.
        """
        request = self.request
        algorithm = request.algorithm or self.algorithm
        require_room(self.folder, request.resume)
        with TrialStore(self.folder / "search", self._subject(), resume=request.resume) as store:
            store.require_possible(self.measure)
            require_no_links(self.folder)
            found = search(
                self.space, self.evaluate(), store, budget=request.budget, ladder=self.ladder,
                algorithm=algorithm, settings=self.settings, seed=self.seed,
                engine=request.engine or LocalEngine(), on_trial=request.on_trial,
                one_shot=self.one_shot(),
            )  # fmt: skip
            if request.on_searched is not None:
                request.on_searched()
            finalists = {
                name: self._train(structure) for name, structure in self._chosen(found).items()
            }
            figures = {name: self.figure(finalist) for name, finalist in finalists.items()}
            best = max(figures, key=lambda name: figures[name])
            structure = finalists[best].structure
            summary = {
                "run": str(self.folder),
                "found": next(iter(finalists)),
                "best": {
                    self.noun: str(structure), "name": self.name(structure), "valid": figures[best],
                    **self.described(structure),
                },
                "trials": len(found.trials),
                "algorithm": algorithm,
                "ladder": [rung.to_list() for rung in self.ladder],
                "named": {name: _short(trial) for name, trial in found.named.items()},
                "predictor": found.predictor,
                "rungs": found.rungs,
                "exhausted": found.exhausted,
                "seconds": _seconds(found.trials, finalists, best),
                "notes": [*self.data.notes, *self.notes],
                "comparison": self._comparison(finalists, figures, best),
                **self.more({name: each.structure for name, each in finalists.items()}, algorithm),
            }  # fmt: skip
            publish(self.folder, Path(finalists[best].summary["run"]), summary)
        return cast(E, load_run(self.folder)), summary

    def _subject(self) -> dict[str, Any]:
        """What the trials have in common; a store of others is refused."""
        parameters = self.model.resolved_.model_dump(mode="json")
        options = self.model.task_.config().get("options")
        return {
            "space": self.space.name,
            "data": self.data.content_hash,
            "name": self.data.name,
            **({} if options is None else {"options": options}),
            "trainer": {k: v for k, v in parameters.items() if k not in self.free},
        }

    def _chosen(self, found: SearchResult[S]) -> dict[str, S]:
        """The structure found, and the best named ones by the highest rung that they reached."""
        winner = found.structure
        named = {name: self.space.parse(name) for name in _by_rung(found.named)}
        others = [name for name in named if self.key(named[name]) != self.key(winner)]
        others.sort(key=lambda name: [*self.first, name].index(name))
        return {self.name(winner) or "found": winner} | {
            name: named[name] for name in others[: self.request.compare]
        }

    def _train(self, structure: S) -> Finalist[S, E]:
        # A folder of its own for every structure: a search that goes on may find another.
        folder = self.name(structure) or f"{self.noun}-{self.key(structure):x}"
        estimator, summary = fit(
            self.data, self.Method.method, seed=self.seed, resume=True, quiet=self.request.quiet,
            parameters={**self.given, self.noun: str(structure)},
            out=self.folder / "search" / "runs" / folder, time_budget=self.request.train_budget,
        )  # fmt: skip
        return Finalist(structure, cast(E, estimator), summary)

    def _comparison(
        self, finalists: Mapping[str, Finalist[S, E]], figures: Mapping[str, float], best: str
    ) -> list[dict[str, Any]]:
        """The finalists at equal size, with intervals, and the paired difference to the best one.

        The best was selected on valid, so the honest difference is that of test.
        """
        measured = {name: self.measured(each.estimator) for name, each in finalists.items()}
        rows = []
        for name, finalist in finalists.items():
            row = {
                "name": name,
                self.noun: str(finalist.structure),
                **{key: finalist.summary[key] for key in _TOLD},
                **self.row(finalist.structure, figures[name]),
                **{split: self.averaged(found) for split, found in measured[name].items()},
            }
            if name != best:
                row["difference"] = {
                    split: self.gain(measured[best][split], found)
                    for split, found in measured[name].items()
                }
            rows.append(row)
        return rows


def _by_rung(named: Mapping[str, Trial]) -> list[str]:
    """Names of structures by the highest rung that each reached, then by figure."""

    def height(rung: Rung) -> tuple[float, ...]:
        return -rung.entities, -rung.dim, -rung.epochs

    return sorted(named, key=lambda name: (*height(named[name].rung), -named[name].valid))


def _short(trial: Trial) -> dict[str, Any]:
    """What search.json holds of a trial."""
    names = ("dim", "epochs", "entities", "valid")
    return {name: getattr(trial, name) for name in names}


def _seconds(
    trials: Sequence[Trial], finalists: Mapping[str, Finalist[S, E]], best: str
) -> dict[str, float]:
    """What the search cost, over all its resumed parts, and the training of the best one alone.

    ``search`` is wall time; ``trials`` sums the trials, which engines of many processors overlap.
    """
    each = {name: float(finalist.summary["seconds"]) for name, finalist in finalists.items()}
    return {
        "search": max(trial.at for trial in trials),
        "trials": sum(trial.seconds for trial in trials),
        "final": sum(each.values()),
        "training": each[best],
    }
