"""The report of any run: its problem determines what is gathered and how it is drawn."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from parsimony.base import Estimator
from parsimony.methods import load_run
from parsimony.problems import problem
from parsimony.report.info import RunInfo
from parsimony.run.folder import RunFolder
from parsimony.run.lock import write_outputs
from parsimony.run.restoring import restoring

__all__ = ["run_info", "run_page", "run_report"]


def run_info(
    path: Path | str, *, estimator: Estimator[Any, Any] | None = None, **known: Any
) -> RunInfo:
    """Gather the input of :func:`run_report`; what is not given is computed.

    Parameters
    ----------
    path
        A finished run.
    estimator
        The run's estimator, if it has been loaded already.
    **known
        Passed to the problem's own ``run_info``: :func:`parsimony.report.link.run_info`,
        :func:`parsimony.report.ddi.run_info`, :func:`parsimony.report.ratings.run_info`.

    Raises
    ------
    MissingRun, CorruptRun, RunVersionError
        Not a run folder, a damaged one, or one of another version.
    UsageError
        The run's problem has no page of its own.
    """
    run = RunFolder.open(path)
    if estimator is None:
        estimator = load_run(path)
    # Behind the forms of the files: what these cannot tell, such as a measure that is missing.
    with restoring(run.path, parameters=False):
        info: RunInfo = problem(estimator.kind).part("report").run_info(run, estimator, **known)
    return info


def run_page(info: RunInfo) -> str:
    """Return what :func:`run_report` writes."""
    kind = str((info.get("config") or {}).get("task", "link"))
    from jinja2 import UndefinedError

    draw = problem(kind).part("report").page
    if "folder" not in info:
        return str(draw(info))
    with restoring(Path(info["folder"]), parameters=False, also=(UndefinedError,)):
        page: str = draw(info)
    return page


def run_report(info: RunInfo, out: Path | str | os.PathLike[str]) -> Path:
    """Write the report of a run as one self-contained HTML file, atomically.

    Parameters
    ----------
    info : RunInfo
        Every key is optional; a section without input is left out.
    out : path
        File to write.

    Raises
    ------
    CannotWrite
        Its folder is full or not writable.
    """
    path = Path(out)
    # A name may contain a lone surrogate, which UTF-8 cannot encode.
    write_outputs({path: run_page(info).encode("utf-8", errors="replace")})
    return path
