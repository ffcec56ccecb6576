"""The request for a search, whatever its space."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parsimony.base import Data
from parsimony.errors import UnknownParameter, suggest
from parsimony.knowledge.book import KnowledgeBook
from parsimony.run.engine import Engine
from parsimony.run.renamed import present_name, renamed
from parsimony.search.settings import Budget, SearchSettings
from parsimony.search.trial import Trial

__all__ = ["SearchRequest"]


@dataclass(frozen=True)
class SearchRequest:
    """One search: what on, within which budget, and where to.

    Parameters
    ----------
    data
        A registered name, a dataset folder, a file, or loaded data.
    out
        Run folder.
    budget
        Of the trials; the final trainings come on top (``train_budget``).
    space
        "bilinear" (symbols of a graph) or "modulation" (formulas of ratings).
    algorithm
        "greedy", "evolution", "random", "exhaustive" or "supernet"; by default the space's own.
    settings
        Of the search (:class:`SearchSettings`, and ``ladder``: dimension, epochs and perhaps a
        fraction of the entities of each rung), of the trained method, and of its task; ``dim`` and
        ``epochs`` are those of the final trainings.
    compare
        Named structures that are trained to the end as well, best first.
    train_budget
        Wall seconds of each final training.
    engine
        Where trials run; in this process by default.
    resume
        Go on with the search in ``out``.
    knowledge
        A book whose axioms bear on the space.
    mirror, columns
        How the data are read.
    seed
        Of everything random, where the settings have none.
    on_trial, on_searched
        Called with every trial, and before the final trainings.
    """

    data: str | os.PathLike[str] | Data
    out: Path | str
    budget: Budget
    space: str = "bilinear"
    algorithm: str | None = None
    settings: Mapping[str, Any] | None = None
    compare: int = 1
    train_budget: float | None = None
    engine: Engine | None = None
    resume: bool = False
    knowledge: KnowledgeBook | None = None
    mirror: str | None = None
    columns: tuple[str, str, str] | None = None
    seed: int = 0
    quiet: bool = True
    on_trial: Callable[[Trial], None] | None = None
    on_searched: Callable[[], None] | None = None

    def split_settings(
        self, noun: str, others: Iterable[str]
    ) -> tuple[SearchSettings, Any, dict[str, Any]]:
        """Tell the settings of the search from the others.

        Parameters
        ----------
        noun
            The parameter that the search chooses.
        others
            Names of settings that the trained method and its task have.

        Returns
        -------
        settings, ladder, rest
            The ladder as it was given, None where it is to be derived; the rest by present names.

        Raises
        ------
        UnknownParameter
            A setting that neither the search nor the method has, or what the search chooses.
        InvalidParameter
            A setting of the search outside its limits.
        """
        own = [*SearchSettings.model_fields, "ladder"]
        known = [*own, *others]
        given = dict(self.settings or {})
        if noun in given:
            raise UnknownParameter(
                f"a search chooses the {noun}", remedy=f"use parsimony fit --{noun}"
            )
        for name in given:
            present = present_name(name, known)
            if present not in known:
                raise UnknownParameter(
                    f"neither the search nor its trainer has a setting {name!r}",
                    remedy=suggest(name, known) or f"settings of the search: {', '.join(own)}",
                )
            if present != name:
                warnings.warn(f"setting {name!r} is now called {present!r}", FutureWarning, 2)
        given = renamed(given, known)
        mine = {name: given.pop(name) for name in own if name in given}
        ladder = mine.pop("ladder", None)
        return SearchSettings.of(mine, "the search", "setting"), ladder, given
