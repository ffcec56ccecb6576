"""One self-contained HTML page for a run, or for several side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.report.compare import compare_runs, comparison_page
    from parsimony.report.info import DataInfo, Epoch, RunInfo
    from parsimony.report.run import run_info, run_page, run_report
    from parsimony.report.symbol_drawing import symbol_figure

__all__ = [
    "DataInfo",
    "Epoch",
    "RunInfo",
    "compare_runs",
    "comparison_page",
    "run_info",
    "run_page",
    "run_report",
    "symbol_figure",
]

__getattr__ = lazy(
    __name__,
    {
        "DataInfo": "info",
        "Epoch": "info",
        "RunInfo": "info",
        "compare_runs": "compare",
        "comparison_page": "compare",
        "run_info": "run",
        "run_page": "run",
        "run_report": "run",
        "symbol_figure": "symbol_drawing",
    },
)
