"""``parsimony frontier``: run both families at all sizes, and write what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from parsimony.frontier.planning import Plan, planned, reserve
from parsimony.frontier.protocol import agreed
from parsimony.frontier.request import FrontierRequest
from parsimony.frontier.result import frontier_files, gathered
from parsimony.frontier.runs import Runs
from parsimony.run.lock import write_outputs

__all__ = ["run_frontier"]


def run_frontier(request: FrontierRequest, plan: Plan | None = None) -> dict[str, Any]:
    """Run what is not there yet, analyse all, and write protocol, figures, tables and page.

    Returns
    -------
    dict
        What ``frontier.json`` holds.

    Raises
    ------
    RunExists, LedgerMismatch
        The folder belongs to something else, or to another protocol.
    CorruptRun
        A file of it is damaged.
    """
    plan = plan or planned(request)
    folder = Path(request.out)
    protocol = agreed(plan.protocol, folder) if request.resume else plan.protocol
    with Runs(
        folder, protocol, plan.families, request.budget, resume=request.resume,
        on_row=request.on_row,
    ) as runs:  # fmt: skip
        runs.make(request.engine, reserve=reserve(request.budget))
        found = gathered(runs, plan.n_runs, request.command)
        found.told["notes"] += [plan.left_out] * bool(plan.left_out)
        write_outputs(frontier_files(folder, found, runs))
    return found.told
