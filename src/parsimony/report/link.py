"""The report of a run: what it scores, what it costs, what it learned, why it answers so."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parsimony.explain.explanation import Explanation
from parsimony.explain.page import explanation_view
from parsimony.knowledge.rules import Rule, parse_rule
from parsimony.pages.templating import amount, environment
from parsimony.report.rows import BILL, flat_rows, learning_charts, named_rows
from parsimony.report.run_info import RunInfo
from parsimony.report.search import comparison_view, search_view
from parsimony.report.symbol import SYMBOLS, symbol_view
from parsimony.run.atomic import write_atomic

__all__ = ["run_page", "run_report"]

_RULES = 40  # rows of the rules' table; the run folder holds them all
_HITS = ("hits@1", "hits@3", "hits@10")
_DATA = {
    "name": ("name", str),
    "n_entities": ("entities", amount),
    "n_relations": ("relations", amount),
    "train": ("training facts", amount),
    "valid": ("validation facts", amount),
    "test": ("test facts", amount),
    "source": ("source", str),
    "hash": ("content hash (SHA-256)", str),
}


def run_report(info: RunInfo, out: Path | str | os.PathLike[str]) -> Path:
    """Write the report of a run as one self-contained HTML file, whole or not at all.

    Parameters
    ----------
    info : RunInfo
        Every key is optional; a section without input is left out.
    out : path
        The file.
    """
    path = Path(out)
    # A name may hold a lone surrogate, which UTF-8 has no bytes for.
    write_atomic(path, run_page(info).encode("utf-8", errors="replace"))
    return path


def run_page(info: RunInfo) -> str:
    """Return what :func:`run_report` writes."""
    from parsimony.version import __version__

    data, metrics = info.get("data") or {}, info.get("metrics") or {}
    config, history = info.get("config") or {}, info.get("history") or []
    if config.get("task") == "ddi":
        from parsimony.report.ddi import pairs_page

        return pairs_page(info)
    if config.get("task") == "coldstart":
        from parsimony.report.ratings import ratings_page

        return ratings_page(info)
    name = data.get("name") or config.get("data", {}).get("name", "")
    method = info.get("method") or str(config.get("method", ""))
    split = "test" if "test" in metrics else next(iter(metrics), "")
    rules = [_rule(rule) for rule in info.get("rules") or ()]
    found = info.get("search")
    search = search_view(found, info.get("trials") or (), SYMBOLS) if found else {}
    symbol = found["best"]["symbol"] if found else info.get("symbol")
    return (
        environment()
        .get_template("run.html.j2")
        .render(
            title=info.get("title") or _title(info, method, name),
            method=method,
            notes=list(info.get("notes") or ()),
            split=split,
            headline=_headline(metrics.get(split) or {}, info.get("popularity")),
            table=_metric_rows(metrics, info.get("popularity")),
            relations=(metrics.get(split) or {}).get("per_relation") or [],
            curves=learning_charts(history, info.get("best_epoch"), "valid_mrr", "Validation MRR"),
            rules=rules[:_RULES],
            n_rules=len(rules),
            explanations=[_view(each) for each in info.get("explanations") or ()],
            search=search,
            compared=comparison_view(found["comparison"], search["best"], SYMBOLS) if found else {},
            symbol=symbol_view(symbol) if symbol else {},
            drug=_drug(info.get("drug")),
            bill=named_rows(info.get("ledger") or {}, BILL),
            config=list(flat_rows(config)),
            data=named_rows({k: v for k, v in data.items() if k != "notes"}, _DATA),
            data_notes=list(data.get("notes") or ()),
            version=info.get("version") or __version__,
        )
    )


def _title(info: RunInfo, method: str, name: str) -> str:
    if info.get("search"):
        return f"The symbol that fits {name}" if name else "A searched symbol"
    return " on ".join(filter(None, (method, name))) or "A run"


def _headline(result: Mapping[str, Any], popularity: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the large figures, with interval and popularity on a scale from 0 to 1."""
    values = result.get("metrics") or {}
    if "mrr" not in values:
        return {}
    low, high = (result.get("interval") or {}).get("mrr") or (values["mrr"], values["mrr"])
    popular = _popular(popularity)
    return {
        "mrr": values["mrr"],
        "low": low,
        "high": high,
        "has_interval": bool(result.get("interval")),
        "popularity": popular.get("mrr"),
        "hits": [(hit.replace("hits@", "Hits@"), values[hit]) for hit in _HITS if hit in values],
        "n_queries": result.get("n_queries"),
    }


def _popular(popularity: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the metrics of the popularity baseline, whether wrapped as by the audit or bare."""
    metrics: Mapping[str, Any] = (popularity or {}).get("metrics") or popularity or {}
    return metrics


def _metric_rows(
    metrics: Mapping[str, Mapping[str, Any]], popularity: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """One row a split and tie policy, and one for popularity."""
    rows = []
    for split in sorted(
        metrics, key=lambda name: ("test", "valid").index(name) if name in ("test", "valid") else 2
    ):
        result = metrics[split]
        for policy in ("metrics", "optimistic", "pessimistic"):
            values = result.get(policy)
            if values:
                shown = result.get("policy", "realistic") if policy == "metrics" else policy
                rows.append({"name": split, "policy": shown, "values": values})
    if _popular(popularity):
        split = (popularity or {}).get("split", "test")
        rows.append(
            {
                "name": f"popularity alone, {split}",
                "policy": "realistic",
                "values": _popular(popularity),
            }
        )
    return rows


def _rule(rule: Rule | Mapping[str, Any]) -> Rule:
    return rule if isinstance(rule, Rule) else parse_rule(str(rule["text"]))


def _view(explanation: Explanation | Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(explanation, Explanation):
        explanation = Explanation.from_dict(explanation)
    return explanation_view(explanation)


def _drug(drug: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if drug is None else {**drug, "explanation": _view(drug["explanation"])}
