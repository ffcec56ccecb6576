"""Results as readable tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from parsimony.visible import visible

__all__ = ["answers_table", "changes_table", "metrics_table", "query_text", "table"]

_SAID = {"macro_f1": "macro-F1", "pr_auc": "PR-AUC"}
_MOST_TASKS = 30
_METRICS = ("mrr", "hits@1", "hits@3", "hits@10")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "") -> Any:
    """Return a plain table with numbers aligned to the right."""
    from rich.table import Table

    rows = [list(row) for row in rows]
    made = Table(title=visible(title) or None, title_justify="left", box=None, pad_edge=False)
    for i, name in enumerate(columns):
        numbers = bool(rows) and all(isinstance(row[i], (int, float)) for row in rows)
        made.add_column(
            visible(name, one_line=True), justify="right" if numbers else "left", overflow="fold"
        )
    for row in rows:
        made.add_row(*[_cell(value) for value in row])
    return made


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else visible(str(value))


def metrics_table(result: dict[str, Any], *, max_relations: int = 30) -> list[Any]:
    """Return the tables of an evaluation, and its notes."""
    from parsimony.answers import as_notes

    notes = as_notes(result.get("notes", ()))
    return [*_measured(result, max_relations), *([""] if notes else []), *notes]


def changes_table(changed: Sequence[Mapping[str, Any]] | None) -> list[Any]:
    """Return the relations whose entries of a book differ, before and after; none for none."""
    if changed is None:
        return []
    if not changed:
        return ["", "no relation's entries differ from those of the run"]
    columns = ["entries differ of", "queries", "MRR before", "MRR after", "ranks changed"]
    rows = [[row[k] for k in ("relation", "n_queries", "before", "after", "moved")]
            for row in changed]  # fmt: skip
    return ["", table(columns, rows)]


def _measured(result: dict[str, Any], max_relations: int) -> list[Any]:
    """Return the tables: tie policies, interval, strata, relations."""
    if "setting" in result:
        return _classification(result)
    if "shots" in result:
        return _episodes(result)
    if "without_support" in result:
        return _ratings(result)
    policies = {"realistic": result["metrics"]}
    policies |= {name: result[name] for name in ("optimistic", "pessimistic") if name in result}
    parts: list[Any] = [
        table(
            [f"{result['split']}, {result['n_queries']:,} queries", *_METRICS],
            [[name, *[float(values[m]) for m in _METRICS]] for name, values in policies.items()],
        )
    ]
    if "sem@10" in result["metrics"]:
        parts.append(f"Sem@10, possible ones among the best ten: {result['metrics']['sem@10']:.4f}")
    low, high = result["interval"]["mrr"]
    seconds = result.get("seconds")
    took = "" if seconds is None else f"; {seconds:.1f} s"
    parts.append(f"95% interval of the MRR (bootstrap): {low:.4f} to {high:.4f}{took}")
    parts += _strata_table(result.get("strata") or {})
    relations = result.get("per_relation") or []
    if relations:
        keys = list(relations[0])
        shown = relations[:max_relations]
        parts += ["", table(keys, [[row[key] for key in keys] for row in shown])]
        if len(relations) > len(shown):
            parts.append(f"… and {len(relations) - len(shown):,} more relations (all with --json)")
    return parts


def _strata_table(strata: dict[str, list[dict[str, Any]]]) -> list[Any]:
    """Return the strata of a link run as one table, below an empty line."""
    from parsimony.link.strata import KINDS

    rows = [
        [KINDS.get(kind, kind) if i == 0 else "", row["stratum"], row["n_queries"],
         *(row[name] for name in _METRICS), "{:.4f} to {:.4f}".format(*row["interval"])]
        for kind, found in strata.items()
        for i, row in enumerate(found)
    ]  # fmt: skip
    columns = ["stratum", "", "queries", *_METRICS, "95% interval of the MRR"]
    return ["", table(columns, rows)] if rows else []


def _classification(result: dict[str, Any]) -> list[Any]:
    """Return the table of a classified split: overall, its interval, its subgroups."""
    names = list(result["metrics"])
    whole = {"n": result["n_queries"], **result["metrics"]}
    more = []
    if "conformal" in result:
        more = ["coverage"]
        whole["coverage"] = result["conformal"]["0.9"]["coverage"]
    rows = [
        [name, found["n"], *[found[n] for n in [*names, *more]]]
        for name, found in {"all": whole, **result["strata"]}.items()
    ]
    title = f"{result['split']}, setting {result['setting']}"
    low, high = result["interval"][names[0]]
    return [
        table([title, "pairs", *names, *["of 90% sets" for _ in more]], rows),
        f"95% interval of the {_SAID.get(names[0], names[0])} (bootstrap over emerging drugs): "
        f"{low:.4f} to {high:.4f}; {result['seconds']:.1f} s",
        *_confidence(result),
        *(f"note: {note.removeprefix('warning: ')}" for note in result.get("notes", ())),
    ]


def _ratings(result: dict[str, Any]) -> list[Any]:
    """Return the table of predicted ratings: new users, known users."""
    names = list(result["metrics"])
    whose = "new" if result["split"] != "warm" else "known"
    rows = [
        [f"{whose} users, {result['split']}", result["users"], *result["metrics"].values()],
        ["95 % interval", "", *(f"{a:.4f} to {b:.4f}" for a, b in result["interval"].values())],
    ]
    if warm := result.get("warm"):
        known = [warm["metrics"].get(name, "") for name in names]
        rows.append(["known users, held out", warm["users"], *known])
    without, idle = result["without_support"], result["without_gain"]
    return [
        table(["", "users", *names], rows),
        *([f"{without:,} users without a rating: {result['fallback']}"] if without else []),
        *([f"{idle:,} users like none of the items asked: left out of nDCG"] if idle else []),
    ]


def _episodes(result: dict[str, Any]) -> list[Any]:
    """Return the tables of few-shot episodes: one row per number of shots, then one per task."""
    whole = [
        [
            f"{shots} per class",
            result["metrics"][f"roc_auc@{shots}"],
            result["std"][f"roc_auc@{shots}"],
            found.get("calibration", {}).get("ece"),
        ]
        for shots, found in result["shots"].items()
    ]
    by_task: dict[str, list[Any]] = {}
    for found in result["shots"].values():
        for row in found["per_task"]:
            by_task.setdefault(row["task"], [row["active"]]).append(row["roc_auc"])
    rows = [[name, *values] for name, values in list(by_task.items())[:_MOST_TASKS]]
    names = [f"{shots}-shot" for shots in result["shots"]]
    rows = [row + [None] * (2 + len(names) - len(row)) for row in rows]
    left = len(by_task) - len(rows)
    return [
        table([f"{result['split']}, support", "roc_auc", "std over episodes", "ece"], whole),
        f"{result['episodes']} episodes of {len(by_task)} tasks, {result['n_queries']:,} queries; "
        f"{result['seconds_per_task']:.3f} s per task, {result['seconds']:.1f} s in total",
        f"{result['adapted_parameters']:,} adapted and {result['trained_parameters']:,} trained "
        "parameters",
        "",
        table(["task", "active", *names], rows),
        *([f"… and {left:,} more tasks (all with --json)"] if left > 0 else []),
    ]


def _confidence(result: dict[str, Any]) -> list[Any]:
    """Return the results of calibration, prediction sets and abstention."""
    if "pr_auc" in result["metrics"]:
        return ["means over labels; every pair is compared with one unobserved pair"]
    if "calibration" not in result:
        return ["probabilities are uncalibrated: there are no validation pairs"]
    from parsimony.ddi.calibration import caveat

    found = result["calibration"]
    names = ("ece", "nll", "brier")
    sets = [
        [
            f"{float(level):.0%}",
            s["coverage"],
            "{:.4f} to {:.4f}".format(*s["interval"]),
            s["mean_size"],
        ]
        for level, s in result["conformal"].items()
    ]
    answered = [[a["threshold"], a["share_answered"], a["accuracy"]] for a in result["abstention"]]
    columns = ["level of the sets", "coverage", "95% interval over drugs", "types in a set"]
    same = " (on the pairs it was fitted to)" if result["split"] == "valid" else ""
    return [
        "",
        table(
            [f"probabilities{same}", *names],
            [
                ["uncalibrated", *[found[f"{name}_uncalibrated"] for name in names]],
                [f"at temperature {found['temperature']:.3f}", *[found[name] for name in names]],
            ],
        ),
        "",
        table(columns, sets),
        caveat(result["setting"]),
        "",
        table(["answer if probability ≥", "fraction answered", "accuracy"], answered[::2]),
    ]


def query_text(query: dict[str, Any], label: Callable[[str], str]) -> str:
    """Return a query as ``(head, relation, ?)`` with readable names."""
    ends = [label(query[end]) if query.get(end) else "?" for end in ("head", "tail")]
    return f"({ends[0]}, {query['relation']}, {ends[1]})"


def answers_table(result: dict[str, Any], label: Callable[[str], str]) -> list[Any]:
    """Return the ranked answers to one query."""
    from parsimony.answers import as_notes

    answers, notes = result["answers"], as_notes(result.get("notes", ()))
    if not answers:
        return [query_text(result["query"], label), "no candidate is left", *notes]
    named = any(label(answer["entity"]) != answer["entity"] for answer in answers)
    columns = ["#", "entity", *(["name"] if named else []), "score", "probability"]
    rows = []
    for i, answer in enumerate(answers, start=1):
        name = answer["entity"]
        rows.append(
            [i, name, *([label(name)] if named else []), answer["score"], answer.get("probability")]
        )
    return [query_text(result["query"], label), "", table(columns, rows), *notes]
