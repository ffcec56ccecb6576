"""Pages and pictures: one self-contained HTML file for a run or an explanation, and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.report.figure_of_symbol import symbol_figure
    from parsimony.report.figures import explanation_figure, learning_curve
    from parsimony.report.page_of_explanation import explanation_page
    from parsimony.report.page_of_run import run_page, run_report
    from parsimony.report.run_info import DataInfo, Epoch, RunInfo

__all__ = [
    "DataInfo",
    "Epoch",
    "RunInfo",
    "explanation_figure",
    "explanation_page",
    "learning_curve",
    "run_page",
    "run_report",
    "symbol_figure",
]

__getattr__ = lazy(
    __name__,
    {
        "DataInfo": "run_info",
        "Epoch": "run_info",
        "RunInfo": "run_info",
        "explanation_figure": "figures",
        "explanation_page": "page_of_explanation",
        "learning_curve": "figures",
        "run_page": "page_of_run",
        "run_report": "page_of_run",
        "symbol_figure": "figure_of_symbol",
    },
)
