"""One self-contained HTML page for a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.report.info import DataInfo, Epoch, RunInfo
    from parsimony.report.run import run_info, run_page, run_report
    from parsimony.report.symbol_drawing import symbol_figure

__all__ = [
    "DataInfo",
    "Epoch",
    "RunInfo",
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
        "run_info": "run",
        "run_page": "run",
        "run_report": "run",
        "symbol_figure": "symbol_drawing",
    },
)
