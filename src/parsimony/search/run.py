"""What searches of every space share, from their settings to their run folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, TypeVar

from parsimony.errors import RunExists, UnknownParameter, suggest
from parsimony.pipeline import fit
from parsimony.run.atomic import write_atomic
from parsimony.run.engine import Engine, LocalEngine
from parsimony.run.folder import RunFolder
from parsimony.search.loop import SearchResult, search
from parsimony.search.settings import Budget, Rung, SearchSettings
from parsimony.search.space import Screen, Space
from parsimony.search.trial import Evaluate, Trial
from parsimony.search.trials import TrialLedger

__all__ = ["SPACES", "Asked", "Searched", "StructureSearch", "publish", "resolve_search"]

S = TypeVar("S")

#: space → the function that searches it
SPACES = {
    "bilinear": "parsimony.search.symbols:search_symbols",
    "modulation": "parsimony.search.formulas:search_formulas",
}


def resolve_search(space: str) -> Callable[..., Any]:
    """Return the search of a space.

    Raises
    ------
    UnknownParameter
        No such space.
    """
    if space not in SPACES:
        raise UnknownParameter(
            f"unknown space {space!r}",
            remedy=suggest(space, SPACES) or f"spaces of this version: {', '.join(SPACES)}",
        )
    module, name = SPACES[space].split(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


@dataclass(frozen=True)
class Asked:
    """The settings of a search, taken apart.

    Attributes
    ----------
    seed : int
    search : SearchSettings
    ladder : object
        As it was given; None where it is to be derived.
    trainer : dict
        What is left: settings of the trainer and of its task.
    """

    seed: int
    search: SearchSettings
    ladder: Any
    trainer: dict[str, Any]

    @classmethod
    def of(
        cls, settings: Mapping[str, Any] | None, seed: int, *, noun: str, trainer: Iterable[str]
    ) -> Asked:
        """Take settings apart.

        Parameters
        ----------
        seed
            Where the settings have none.
        noun
            What the search chooses.
        trainer
            Settings that trainer and task have.

        Raises
        ------
        UnknownParameter
            A setting that neither the search nor its trainer has, or what the search chooses.
        """
        given = dict(settings or {})
        own = [*SearchSettings.model_fields, "ladder"]
        if noun in given:
            raise UnknownParameter(
                f"a search chooses the {noun}", remedy=f"use parsimony fit --{noun}"
            )
        known = [*own, *trainer]
        for name in given:
            if name not in known:
                raise UnknownParameter(
                    f"neither the search nor its trainer has a setting {name!r}",
                    remedy=suggest(name, known) or f"settings of the search: {', '.join(own)}",
                )
        mine = {name: given.pop(name) for name in own if name in given}
        seed = int(given.pop("seed", seed))
        ladder = mine.pop("ladder", None)
        return cls(seed, SearchSettings.of(mine), ladder, given)


@dataclass(frozen=True)
class StructureSearch(Generic[S]):
    """One search, from its first trial to the trained finalists.

    Parameters
    ----------
    space
    noun : str
        What a structure is called: the parameter of ``method`` that takes it as text.
    method : str
        Trains the finalists.
    data
        What they are trained on.
    key : callable
        The same number for structures of equal power.
    asked, ladder, folder
    """

    space: Space[S]
    noun: str
    method: str
    data: Any
    key: Callable[[S], int]
    asked: Asked
    ladder: Sequence[Rung]
    folder: Path

    def run(
        self,
        evaluate: Evaluate[S],
        screen: Screen[S],
        trainer: Mapping[str, Any],
        *,
        budget: Budget,
        algorithm: str,
        engine: Engine | None,
        resume: bool,
        compare: int,
        train_budget: float | None,
        quiet: bool,
        on_trial: Callable[[Trial], None] | None,
        on_searched: Callable[[], None] | None,
        first: Sequence[str] = (),
    ) -> Searched[S]:
        """Search, and train what was found and the best named structures to the end.

        Parameters
        ----------
        evaluate, screen
            See :func:`parsimony.search.search`.
        trainer
            What the ledger's trials have in common beside space and data; another one is refused.
        first
            Named structures that are compared before all others, in this order.

        Raises
        ------
        RunExists, LedgerMismatch
            The folder belongs to something else.
        """
        _require_room(self.folder, resume)
        subject = {"space": self.space.name, "data": self.data.content_hash,
                   "name": self.data.name, **trainer}  # fmt: skip
        with TrialLedger(self.folder / "search", subject, resume=resume) as ledger:
            found = search(
                self.space, evaluate, ledger, budget=budget, ladder=self.ladder,
                algorithm=algorithm, settings=self.asked.search, seed=self.asked.seed,
                engine=engine or LocalEngine(), on_trial=on_trial, screen=screen,
            )  # fmt: skip
            if on_searched is not None:
                on_searched()
            finalists = self._finalists(found, compare, first)
            runs = {
                name: fit(
                    self.data, self.method, seed=self.asked.seed, resume=True, quiet=quiet,
                    parameters={**self.asked.trainer, self.noun: str(structure)},
                    out=self.folder / "search" / "runs" / self._run_name(structure),
                    time_budget=train_budget,
                )
                for name, structure in finalists.items()
            }  # fmt: skip
        return Searched(self, algorithm, found, finalists, runs)

    def _finalists(self, found: SearchResult[S], compare: int, first: Sequence[str]
    ) -> dict[str, S]:
        """The structure found, and the best named ones by the highest rung that they reached."""
        winner = found.structure
        named = {name: self.space.parse(name) for name in _by_rung(found.named)}
        others = [name for name in named if self.key(named[name]) != self.key(winner)]
        others.sort(key=lambda name: first.index(name) if name in first else len(first))
        return {_name(winner) or "found": winner} | {n: named[n] for n in others[:compare]}

    def _run_name(self, structure: S) -> str:
        """Of its own for every structure: a search that goes on may find another."""
        return _name(structure) or f"{self.noun}-{self.key(structure):x}"


@dataclass(frozen=True)
class Searched(Generic[S]):
    """What a search found, and the trained finalists.

    Attributes
    ----------
    of : StructureSearch
    algorithm : str
    found : SearchResult
    finalists : dict
        Name → structure, what the search itself put first before the others.
    runs : dict
        Name → estimator and summary of the final training.
    """

    of: StructureSearch[S]
    algorithm: str
    found: SearchResult[S]
    finalists: dict[str, S]
    runs: dict[str, tuple[Any, dict[str, Any]]]

    def rows(self) -> list[dict[str, Any]]:
        """What the comparison tells of every finalist, whatever is measured."""
        return [
            {"name": name, self.of.noun: str(self.finalists[name]),
             **{key: summary[key] for key in ("run", "parameters", "epochs", "seconds")}}
            for name, (_, summary) in self.runs.items()
        ]  # fmt: skip

    def summary(self, name: str, valid: float, best: dict[str, Any], **more: Any) -> dict[str, Any]:
        """What search.json holds.

        Parameters
        ----------
        name, valid
            Of the best finalist on validation, and its figure.
        best, more
            What the space tells of it, and of the search: ``comparison``, and whatever else.
        """
        structure, found = self.finalists[name], self.found
        return {
            "run": str(self.of.folder),
            "found": next(iter(self.finalists)),
            "best": {
                self.of.noun: str(structure), "name": _name(structure), "valid": valid, **best,
            },
            "trials": len(found.trials),
            "algorithm": self.algorithm,
            "ladder": [rung.to_list() for rung in self.of.ladder],
            "named": {name: _short(trial) for name, trial in found.named.items()},
            "predictor": found.predictor,
            "rungs": found.rungs,
            "exhausted": found.exhausted,
            "seconds": _seconds(found.trials, self.runs, name),
            "notes": list(self.of.data.notes),
            **more,
        }  # fmt: skip


def _require_room(folder: Path, resume: bool) -> None:
    """Refuse a folder that belongs to something else.

    Raises
    ------
    RunExists
    """
    found = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    if found and not (resume and "search" in found):
        raise RunExists(
            "the folder holds no search" if resume else "the run folder is not empty",
            remedy="choose another --out" + ("" if resume else ", or continue it with --resume"),
            where=str(folder),
        )


def _by_rung(named: Mapping[str, Trial]) -> list[str]:
    """Names of structures by the highest rung that each reached, then by figure."""

    def height(rung: Rung) -> tuple[float, ...]:
        return -rung.entities, -rung.dim, -rung.epochs

    return sorted(named, key=lambda name: (*height(named[name].rung), -named[name].valid))


def _name(structure: Any) -> str | None:
    """The name of a hand-made structure."""
    name: str | None = structure.name
    return name


def _short(trial: Trial) -> dict[str, Any]:
    """What search.json holds of a trial."""
    names = ("dim", "epochs", "entities", "valid")
    return {name: getattr(trial, name) for name in names}


def _seconds(
    trials: Sequence[Trial], runs: Mapping[str, tuple[Any, Mapping[str, Any]]], best: str
) -> dict[str, float]:
    """What the search cost, over all its resumed parts, and the training of the best one alone.

    ``search`` is wall time; ``trials`` sums the trials, which engines of many processors overlap.
    """
    each = {name: float(summary["seconds"]) for name, (_, summary) in runs.items()}
    return {
        "search": max(trial.at for trial in trials),
        "trials": sum(trial.seconds for trial in trials),
        "final": sum(each.values()),
        "training": each[best],
    }


def publish(folder: Path, winner: Path, summary: dict[str, Any]) -> None:
    """Put the winner's files into the run folder, the seal last, and search.json beside them."""
    (folder / "checksums.json").unlink(missing_ok=True)
    for path in sorted(winner.iterdir(), key=lambda path: path.name == "checksums.json"):
        target = folder / path.name
        if path.name in ("checkpoints", ".lock"):
            continue
        if path.is_dir():
            shutil.copytree(path, target, dirs_exist_ok=True)
        else:
            write_atomic(target, path.read_bytes())
    RunFolder.open(folder)  # whole?
    write_atomic(folder / "search.json", json.dumps(summary, indent=1) + "\n")
