"""Pages and pictures: one self-contained HTML file for a run or an explanation, and figures."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
]

_HOME = {
    "DataInfo": "run_info",
    "Epoch": "run_info",
    "RunInfo": "run_info",
    "explanation_figure": "figures",
    "explanation_page": "page_of_explanation",
    "learning_curve": "figures",
    "run_page": "page_of_run",
    "run_report": "page_of_run",
}


def __getattr__(name: str) -> Any:
    # Lazy: pages import Jinja, figures Matplotlib.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
