"""The search: an algorithm proposes on the lowest rung, the best climb the ladder.

min over structures of the validation loss, subject to the best weights of each: the algorithm
walks the outer problem with short trainings (the first rung of dimension, epochs and fraction of
the entities), and successive halving gives the promising structures longer ones. Only validation
is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from parsimony.errors import TrainingDiverged
from parsimony.run.engine import Engine, LocalEngine
from parsimony.search.algorithms import resolve_algorithm
from parsimony.search.ladder import check_ladder
from parsimony.search.measuring import Measuring
from parsimony.search.proxy_quality import predictor_quality, rung_quality
from parsimony.search.settings import Budget, Rung, SearchSettings
from parsimony.search.space import OneShot, Space
from parsimony.search.trial import Evaluate, Proposal, Trial
from parsimony.search.trials import TrialStore

__all__ = ["SearchResult", "search"]

S = TypeVar("S")


@dataclass(frozen=True)
class SearchResult(Generic[S]):
    """What a search found.

    Parameters
    ----------
    structure
        The best on validation, on the highest rung that was reached.
    best : Trial
        Its trial there, the first of its seeds.
    trials : list of Trial
        All that were asked for, in the order in which they ended.
    named : mapping of str to Trial
        The hand-made structures, each on the highest rung that it reached.
    exhausted : bool
        The algorithm had nothing more to propose before the budget ended.
    predictor : dict or None
        See :func:`parsimony.search.proxy_quality.predictor_quality`.
    rungs : list of dict
        See :func:`parsimony.search.proxy_quality.rung_quality`.
    """

    structure: S
    best: Trial
    trials: list[Trial]
    named: Mapping[str, Trial]
    exhausted: bool
    predictor: dict[str, Any] | None
    rungs: list[dict[str, Any]]


def search(
    space: Space[S],
    evaluate: Evaluate[S],
    store: TrialStore,
    *,
    budget: Budget,
    ladder: Sequence[Rung],
    algorithm: str = "greedy",
    settings: SearchSettings | None = None,
    seed: int = 0,
    engine: Engine | None = None,
    one_shot: OneShot[S] | None = None,
    on_trial: Callable[[Trial], None] | None = None,
) -> SearchResult[S]:
    """Search a space.

    Parameters
    ----------
    space
        Of structures.
    evaluate
        Trains one structure and measures it on validation.
    store
        Open; trials that it holds are not run again.
    budget
        What may be spent; a trial that has begun is ended.
    ladder
        Rungs from the shortest training to the longest.
    algorithm
        ``greedy``, ``evolution``, ``random``, ``exhaustive`` or ``supernet``.
    settings
        Of the algorithm and the ladder.
    seed
        Of everything random.
    engine
        Where trials run; in this process by default.
    one_shot
        Guesses many structures by one training; for ``supernet``.
    on_trial
        Called with every trial.

    Raises
    ------
    UnknownParameter
        No such algorithm.
    InvalidParameter
        No rung, or rungs that do not grow; ``supernet`` without ``one_shot``.
    TrainingDiverged
        No structure at all could be trained.
    """
    settings = settings or SearchSettings()
    propose = resolve_algorithm(algorithm)
    check_ladder(ladder)
    measuring = Measuring(space, evaluate, store, engine or LocalEngine(), budget, seed, on_trial)
    extra = {"one_shot": one_shot} if algorithm == "supernet" else {}
    walk = _Walk(propose(space, settings, seed, **extra), measuring, ladder[0])
    while walk.round(settings.fraction if len(ladder) > 1 else 1.0):
        pass
    walk.known |= _climb(space, measuring, walk.known, ladder, settings)
    # What the ladder left is spent on further rounds, and on what they bring up.
    while len(ladder) > 1 and walk.round(1.0):
        _climb(space, measuring, walk.known, ladder, settings)
    known, rounds = walk.known, walk.rounds
    best = _best(measuring.trials, ladder)
    return SearchResult(
        structure=known[best.canonical],
        best=best,
        trials=measuring.trials,
        named=_named(space, measuring.trials, ladder),
        exhausted=walk.exhausted,
        predictor=predictor_quality(rounds),
        rungs=rung_quality(ladder, measuring.trials),
    )


class _Walk(Generic[S]):
    """An algorithm on its way over the lowest rung."""

    def __init__(
        self,
        algorithm: Generator[list[Proposal[S]], list[float], None],
        measuring: Measuring[S],
        rung: Rung,
    ) -> None:
        self._algorithm, self._measuring, self._rung = algorithm, measuring, rung
        self.known: dict[str, S] = {}
        self.rounds: list[list[Trial]] = []
        self.exhausted = False
        self._open: list[Proposal[S]] | None = None

    def _figures(self) -> list[float]:
        """What the algorithm learns of the last round: a diverged trial is the worst so far."""
        sound = [t.valid for trials in self.rounds for t in trials if t.error is None]
        worst = min(sound, default=0.0)
        return [t.valid if t.error is None else worst for t in self.rounds[-1]]

    def round(self, fraction: float) -> bool:
        """Measure the next proposals; whether there were any, and budget for all of them."""
        if self._open is None:
            try:
                if self.rounds:
                    self._open = self._algorithm.send(self._figures())
                else:
                    self._open = next(self._algorithm)
            except StopIteration:
                self.exhausted = True
                return False
            self.known |= {p.key: p.structure for p in self._open}
            self.rounds.append([])
        trials = self._measuring.measure(self._open, self._rung, fraction=fraction)
        self.rounds[-1] = [trial for trial in trials if trial is not None]
        if len(self.rounds[-1]) < len(trials):
            return False  # goes on with this round, should there be more budget
        self._open = None
        return True


def _climb(
    space: Space[S],
    measuring: Measuring[S],
    known: Mapping[str, S],
    ladder: Sequence[Rung],
    settings: SearchSettings,
) -> dict[str, S]:
    """Successive halving: one of ``keep`` goes on, and the best named structure goes along.

    What is left of the budget is divided evenly among the rungs; a rung that ends early passes on
    those it has measured.
    """
    structures = list(space.named().values())
    named = dict(zip(space.keys(structures), structures, strict=True))
    for level in range(1, len(ladder)):
        below = _ranked(measuring.trials, ladder[level - 1])
        last = level == len(ladder) - 1
        n = settings.finalists if last else max(settings.finalists, len(below) // settings.keep)
        chosen = [trial.canonical for trial in below[:n]]
        guest = next((t.canonical for t in below if t.canonical in named), None)
        if guest is not None and guest not in chosen:
            chosen.append(guest)
        proposals = [
            Proposal(known[key], key, "named" if key in named else "climb") for key in chosen
        ]
        fraction = settings.fraction + (1 - settings.fraction) * level / (len(ladder) - 1)
        for repeat in range(settings.repeats if last else 1):
            measuring.measure(
                proposals, ladder[level], stage=f"rung {level}", fraction=fraction, repeat=repeat
            )
    return named


def _ranked(trials: Sequence[Trial], rung: Rung) -> list[Trial]:
    """The structures of a rung, best first, each by its first trial.

    Of a structure that was repeated the mean counts, and one with more seeds stands before one
    for which the budget ended. A training that diverged ranks nowhere. Ties go by the canonical
    form: the order in which trials end differs between engines.
    """
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.rung == rung:
            groups.setdefault(trial.canonical, []).append(trial)
    sound = [group for group in groups.values() if all(trial.error is None for trial in group)]
    sound.sort(key=lambda g: (-len(g), -sum(t.valid for t in g) / len(g), g[0].canonical))
    return [group[0] for group in sound]


def _best(trials: Sequence[Trial], ladder: Sequence[Rung]) -> Trial:
    for rung in reversed(ladder):
        if ranked := _ranked(trials, rung):
            return ranked[0]
    raise TrainingDiverged(
        "no structure could be trained", remedy="lower the learning rate (--set lr=)"
    )


def _named(space: Space[S], trials: Sequence[Trial], ladder: Sequence[Rung]) -> dict[str, Trial]:
    found = {}
    structures = space.named()
    for name, key in zip(structures, space.keys(list(structures.values())), strict=True):
        for rung in reversed(ladder):
            mine = [trial for trial in _ranked(trials, rung) if trial.canonical == key]
            if mine:
                found[name] = mine[0]
                break
    return found
