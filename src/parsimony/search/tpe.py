"""What to try next, from what has been tried: Optuna's tree of Parzen estimators.

Source: J. Bergstra et al., Algorithms for Hyper-Parameter Optimization, NeurIPS 2011.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from parsimony.base import Tuned
from parsimony.errors import MissingExtra
from parsimony.run.seeds import rng

__all__ = ["propose", "require_optuna"]

Settings = dict[str, Any]

#: while nothing is learned yet, one parameter in so many differs from the best settings so far
CHANGED = 3


def propose(
    ranges: Mapping[str, Tuned],
    told: Sequence[tuple[Settings, float]],
    n: int = 1,
    *,
    seed: int = 0,
    drawn: int = 0,
    startup: int = 8,
) -> list[Settings]:
    """Propose settings, the better the more was told; the same for the same arguments.

    The sampler is made anew and told everything each time: it needs no memory of its own, so that
    a search that is resumed goes on as if it had never stopped.

    Parameters
    ----------
    ranges
        The values of every parameter.
    told
        Settings that were tried and what they reached, the larger the better.
    n
        How many, to be tried at the same time.
    seed, drawn
        Of what is random; ``drawn`` counts proposals since the last that was told.
    startup
        Until so many were told, each is the best so far with a third of its values drawn at
        random: defaults are seldom bad altogether, and there may be time for few trials.

    Raises
    ------
    MissingExtra
        Optuna is not installed.
    """
    optuna = require_optuna()
    kinds = {name: _distribution(how) for name, how in ranges.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # versions before 5 call two of its options experimental
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=startup, multivariate=True, constant_liar=True,
            seed=int(rng(seed, "tpe", len(told), drawn).integers(2**31)),
        )  # fmt: skip
        study = optuna.create_study(direction="maximize", sampler=sampler)
    for settings, value in told:
        known = {name: how.coded(settings[name]) for name, how in ranges.items()}
        study.add_trial(optuna.trial.create_trial(params=known, distributions=kinds, value=value))
    asked = [study.ask(kinds).params for _ in range(n)]
    found = [{name: how.decoded(trial[name]) for name, how in ranges.items()} for trial in asked]
    if not told or len(told) >= startup:
        return found
    best, chance = max(told, key=lambda one: one[1])[0], rng(seed, "near", len(told), drawn)
    return [_near(best, settings, chance) for settings in found]


def _near(best: Settings, drawn: Settings, chance: np.random.Generator) -> Settings:
    """The best settings so far with a third of what was drawn, at least one of it."""
    names = list(drawn)
    new = set(chance.permutation(len(names))[: max(1, len(names) // CHANGED)].tolist())
    return {name: drawn[name] if i in new else best[name] for i, name in enumerate(names)}


def require_optuna() -> Any:
    """Import Optuna, silent.

    Raises
    ------
    MissingExtra
        It is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise MissingExtra(
            "tuning needs Optuna", remedy="pip install 'parsimony-learning[tune]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _distribution(how: Tuned) -> Any:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if how.choices:
        return CategoricalDistribution(how.choices)
    kind: Any = IntDistribution if how.whole else FloatDistribution
    return kind(how.low, how.high, log=how.log)
