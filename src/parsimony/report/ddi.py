"""The report of a run of drug pairs: what it scores, how sure it is, where it fails, its bill."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parsimony.ddi.calibration import caveat
from parsimony.explain.page import explanation_view
from parsimony.pages.charts import unit_chart
from parsimony.pages.templating import amount, environment
from parsimony.report.rows import BILL, flat_rows, learning_charts, named_rows
from parsimony.report.run_info import RunInfo

__all__ = ["pairs_page"]

_DATA = {
    "name": ("name", str),
    "n_drugs": ("drugs", amount),
    "n_types": ("interaction types", amount),
    "train": ("training pairs", amount),
    "valid": ("validation pairs", amount),
    "test": ("test pairs", amount),
    "source": ("source", str),
    "hash": ("content hash (SHA-256)", str),
}
_MEASURES = {
    "macro_f1": "macro-F1",
    "macro_f1_true_labels": "macro-F1, true types",
    "accuracy": "accuracy",
    "kappa": "Cohen's κ",
    "pr_auc": "PR-AUC",
    "roc_auc": "ROC-AUC",
}
_HEADLINE = ("macro_f1", "accuracy", "kappa", "pr_auc", "roc_auc")
_OF_PROBABILITIES = {
    "ece": "calibration error",
    "nll": "negative log-likelihood",
    "brier": "Brier score",
}


def pairs_page(info: RunInfo) -> str:
    """Return the page that :func:`parsimony.report.run_report` writes for task "ddi"."""
    from parsimony.version import __version__

    metrics, config = info.get("metrics") or {}, info.get("config") or {}
    data = info.get("data") or {}
    history = [epoch for epoch in info.get("history") or [] if "loss" in epoch]
    split = "test" if "test" in metrics else next(iter(metrics), "")
    result = metrics.get(split) or {}
    measured = list(result.get("metrics", {}))
    primary = measured[0] if measured else "macro_f1"
    method = info.get("method") or str(config.get("method", ""))
    title = " on ".join(filter(None, (method, data.get("name", "")))) or "A run"
    return (
        environment()
        .get_template("pairs.html.j2")
        .render(
            title=info.get("title") or title,
            notes=list(info.get("notes") or ()),
            split=split,
            setting=result.get("setting", ""),
            measures={key: _MEASURES[key] for key in measured},
            headline=[key for key in _HEADLINE if key in measured],
            labels="pr_auc" in measured,
            parameters=(info.get("ledger") or {}).get("parameters"),
            result=result,
            table=[
                {"name": name, **metrics[name]} for name in ("test", "valid") if name in metrics
            ],
            confidence=_confidence(result),
            curves=learning_charts(
                history,
                info.get("best_epoch"),
                f"valid_{primary}",
                f"Validation {_MEASURES[primary]}",
            ),
            explanations=[explanation_view(_read(e)) for e in info.get("explanations") or ()],
            bill=named_rows(info.get("ledger") or {}, BILL),
            config=list(flat_rows(config)),
            data=named_rows({k: v for k, v in data.items() if k != "notes"}, _DATA),
            data_notes=list(data.get("notes") or ()),
            version=info.get("version") or __version__,
        )
    )


def _read(explanation: Any) -> Any:
    from parsimony.explain.explanation import Explanation

    if isinstance(explanation, Explanation):
        return explanation
    return Explanation.from_dict(explanation)


def _confidence(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return charts and rows of calibration, prediction sets and abstention; {} where unlearned."""
    if "calibration" not in result:
        return {}
    from markupsafe import Markup

    found = result["calibration"]
    lines = [
        ([(b["probability"], b["accuracy"]) for b in found[name]], style)
        for name, style in (("reliability_uncalibrated", "other"), ("reliability", "line"))
    ]
    reliability = unit_chart(
        lines,
        title="Accuracy by probability",
        across="probability of the answer",
        up="share right",
        diagonal=True,
    )
    answered = [
        (a["share_answered"], a["accuracy"])
        for a in result["abstention"]
        if a["accuracy"] is not None
    ]
    abstention = unit_chart(
        [(answered, "line")],
        title="Accuracy by share answered",
        across="share of pairs answered",
        up="share of them right",
    )
    return {
        "temperature": found["temperature"],
        "rows": [
            (name, found[f"{key}_uncalibrated"], found[key])
            for key, name in _OF_PROBABILITIES.items()
        ],
        "reliability": Markup(reliability),
        "abstention": Markup(abstention),
        "sets": [{"level": float(level), **s} for level, s in result["conformal"].items()],
        "caveat": caveat(result["setting"]),
    }
