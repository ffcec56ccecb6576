"""The way into every training: one method, or a race of all (``--method auto``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parsimony import pipeline
from parsimony.base import Data, Estimator
from parsimony.errors import UsageError
from parsimony.problems import kind_of, problem
from parsimony.run.folder import CONFIG, read_config
from parsimony.search.race import DEFAULT_SECONDS, RaceRequest, race, settles
from parsimony.search.simplest import Wanted

__all__ = ["AUTO", "fit", "meant_method"]

AUTO = "auto"


def meant_method(
    data: Any,
    settings: Mapping[str, Any],
    *,
    columns: tuple[str, str, str] | None = None,
    task: str | None = None,
    begun: Path | str | None = None,
    knowledge: Any = None,
) -> str | None:
    """The method that is meant where none is named; None: let them race.

    Rules to start from are for method rules; settings that a race would choose are those of the
    problem's default method.

    Parameters
    ----------
    begun
        A run folder to resume: it goes on with its own method, unless a race began it.
    """
    folder = None if begun is None else Path(begun)
    if folder is not None and (folder / CONFIG).is_file() and not (folder / "search").exists():
        return str(read_config(folder).get("method"))
    if knowledge is not None:
        return "rules"
    if not settings:
        return None
    kind = task or kind_of(data, None, columns) or "link"
    return problem(kind).default if settles(settings, kind) else None


def fit(
    data: str | Data,
    method: str | None = None,
    *,
    out: Path | str | None = None,
    parameters: Mapping[str, Any] | None = None,
    time_budget: float | None = None,
    wanted: Wanted = "auto",
    epochs: int | None = None,
    device: str = "cpu",
    resume: bool = False,
    mirror: str | None = None,
    columns: tuple[str, str, str] | None = None,
    seed: int | None = None,
    quiet: bool = True,
    **options: Any,
) -> tuple[Estimator[Any, Any], dict[str, Any]]:
    """Train a method, or let the methods race and keep the simplest that is not worse.

    Parameters
    ----------
    data
        A registered name, a dataset folder, a file, or loaded data.
    method
        A registered method: see :func:`parsimony.pipeline.fit`, which takes all further arguments.
        Where left out, or "auto": a race (:func:`parsimony.search.race.race`); but settings that a
        race would choose are those of the problem's default method.
    out
        Run folder; if omitted, nothing is kept.
    parameters
        Of the method and options of the task; of a race options of the task, ``seed``, ``threads``.
    time_budget
        Wall seconds; of a race ten minutes where left out.
    wanted
        What a race chooses: "auto", "simplest" or "best".

    Returns
    -------
    estimator, summary
        The fitted estimator, and its summary or that of the race.

    Examples
    --------
    >>> import parsimony
    >>> model, summary = parsimony.fit("umls", time_budget=120)  # doctest: +SKIP
    >>> print(summary["sentence"])  # doctest: +SKIP
    """
    if method is None:
        method = meant_method(
            data, parameters or {}, columns=columns, begun=out if resume else None,
            knowledge=options.get("knowledge"),
        )  # fmt: skip
    if method not in (None, AUTO):
        return pipeline.fit(
            data, method, out=out, parameters=dict(parameters or {}), epochs=epochs,
            time_budget=time_budget, device=device, resume=resume, mirror=mirror, columns=columns,
            seed=seed, quiet=quiet, **options,
        )  # fmt: skip
    if options:
        raise UsageError(
            f"a race takes no {', '.join(options)}", remedy="name a method that does, as rules"
        )

    def run(folder: Path | str) -> tuple[Estimator[Any, Any], dict[str, Any]]:
        return race(
            RaceRequest(
                data, folder, seconds=time_budget or DEFAULT_SECONDS, wanted=wanted,
                settings=dict(parameters or {}), epochs=epochs, device=device, resume=resume,
                mirror=mirror, columns=columns, seed=seed or 0, quiet=quiet,
            )
        )  # fmt: skip

    if out is not None:
        return run(out)
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="parsimony-race-") as folder:
        model, summary = run(Path(folder) / "run")
    return model, summary | {"run": None}
