"""The report of a link-prediction run: metrics, cost, rules and explanations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.errors import EmptySplit
from parsimony.explain.explanation import Explanation
from parsimony.explain.page import explanation_view
from parsimony.knowledge.rules import Rule, parse_rule
from parsimony.link.estimator import LinkEstimator
from parsimony.link.popularity import popularity_ranks
from parsimony.link.strata import measure_strata, strata_of
from parsimony.link.task import LinkTask
from parsimony.metrics import Ranks, bootstrap_interval
from parsimony.metrics.ranking import HITS
from parsimony.pages.charts import line_chart
from parsimony.pages.templating import amount, environment
from parsimony.report.compared import Compared, Value, require_same_questions
from parsimony.report.info import RunInfo, info_of_folder
from parsimony.report.race import race_view
from parsimony.report.rows import COST, flat_rows, learning_charts, named_rows
from parsimony.report.search import comparison_view, search_view
from parsimony.report.strata import strata_charts, strata_of_run
from parsimony.report.symbol import SYMBOLS, symbol_view
from parsimony.run.folder import RunFolder
from parsimony.run.seeds import rng
from parsimony.version import __version__

__all__ = ["compared", "explain_correct_answers", "page", "popularity_of", "run_info"]

USE = "ranking the entities that could complete a fact, with paths and rules as reasons."
NOT_FOR = (
    "Absent is not false: a low rank says nothing against a fact.",
    "A path says why the model answers, not what causes what.",
    "Entities and relations that were not in training: see the limits of the method.",
)
_RULES = 40  # rows of the table of rules; the run folder holds all of them
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


def run_info(
    run: RunFolder,
    estimator: LinkEstimator[Any],
    *,
    rules: Sequence[Rule] | None = None,
    explanations: Sequence[Explanation] | None = None,
    popularity: dict[str, Any] | None = None,
    top: int = 40,
    n_explanations: int = 3,
    seed: int = 0,
    quiet: bool = True,
) -> RunInfo:
    """Gather the input of :func:`page`; what is not given is computed.

    Parameters
    ----------
    run, estimator
        A finished run and its estimator.
    rules, explanations, popularity
        If they have been computed already.
    top
        Maximum number of rules shown, from knowledge.toml.
    n_explanations
        Number of answers explained, each of a different relation.
    seed
        Seed of the choice of answers.
    quiet
        Show no progress.
    """
    if rules is None:
        written = run.read_toml("knowledge.toml")
        rules = (
            estimator.knowledge(top=top)
            if written is None
            else [parse_rule(line) for line in written.get("rules", [])[:top]]
        )
    if explanations is None:
        explanations = list(explain_correct_answers(estimator, n_explanations, seed))
    if popularity is None:
        popularity = popularity_of(estimator.task_)
    task, data = estimator.task_, estimator.task_.data
    info = info_of_folder(run, estimator, {
        "n_entities": data.n_entities,
        "n_relations": data.n_relations,
        "train": len(data.train),
        "valid": len(data.valid),
        "test": len(data.test),
    })  # fmt: skip
    metrics = dict(info["metrics"])
    split = _shown(metrics)
    if split and "strata" not in metrics[split]:  # of a run that an older version wrote
        ranks, strata = estimator.ranks(split, quiet=quiet), strata_of(task.queries(split))
        metrics[split] = {**metrics[split], "strata": measure_strata(ranks, strata, seed)}
        info["metrics"] = metrics
    more: RunInfo = {"popularity": popularity, "rules": rules, "explanations": explanations}
    return {**info, **more, **_searched(run)}


def _searched(run: RunFolder) -> RunInfo:
    """Return the symbol of a bilinear run and, if it was searched, the search."""
    symbol = (run.read_toml("knowledge.toml") or {}).get("symbol", {})
    info: RunInfo = {"symbol": "\n".join(symbol["rows"])} if "rows" in symbol else {}
    found = run.read_json("search.json")
    if found is not None and "symbol" in found.get("best", {}):
        from parsimony.search.trials import read_trials

        info["search"], info["trials"] = found, read_trials(run.path / "search")
    return info


def compared(
    estimators: Sequence[LinkEstimator[Any]], split: str, *, seed: int = 0, quiet: bool = True
) -> Compared:
    """Rank the answers of a split by every run, for a comparison query by query."""
    queries = [estimator.task_.queries(split) for estimator in estimators]
    asked = [(q.head, q.relation, q.answer_ptr, q.answer, q.known) for q in queries]
    require_same_questions(asked, [estimator.task_.config() for estimator in estimators])
    ranks = [estimator.ranks(split, quiet=quiet) for estimator in estimators]
    by_query = [_by_query(each) for each in ranks]
    data = estimators[0].task_.data
    names = [data.relations.name(i) for i in range(data.n_relations)]

    def gain(one: int, other: int) -> dict[str, Value]:
        return {
            name: _mean(values - by_query[other][name], seed)
            for name, values in by_query[one].items()
        }

    strata = strata_of(queries[0])
    return Compared(
        unit="queries",
        n=len(ranks[0]),
        headline="mrr",
        values=[{name: _mean(v, seed) for name, v in each.items()} for each in by_query],
        gain=gain,
        strata={
            kind: [
                {"stratum": name, "n": int(members.sum()),
                 "values": [_mean(each["mrr"][members], seed) for each in by_query]}
                for name, members in found.items()
            ]
            for kind, found in strata.items()
        },
        relations=[
            {"relation": rows[0]["relation"], "n": rows[0]["n_queries"],
             "values": [row["mrr"] for row in rows],
             "tail": [row["mrr_tail"] for row in rows], "head": [row["mrr_head"] for row in rows]}
            for rows in zip(*(each.per_relation(names) for each in ranks), strict=True)
        ],
        notes=estimators[0].task_.notes_of(split),
    )  # fmt: skip


def _by_query(ranks: Ranks) -> dict[str, npt.NDArray[np.float64]]:
    """Return what MRR and Hits@k are the means of, (n,) each."""
    realistic = ranks.ranks()
    hits = {f"hits@{k}": (realistic <= k).astype(np.float64) for k in HITS}
    return {"mrr": 1.0 / realistic, **hits}


def _mean(values: npt.NDArray[np.float64], seed: int) -> Value:
    return {"value": float(values.mean()), "interval": list(bootstrap_interval(values, seed))}


def popularity_of(task: LinkTask) -> dict[str, Any] | None:
    """Return the popularity baseline on the test queries; None where there are none."""
    try:
        queries = task.queries("test")
    except EmptySplit:
        return None
    relation = queries.answer_relation
    n = task.n_relations
    ranks = Ranks(*popularity_ranks(queries), relation % n, relation // n)
    return {"split": "test", "policy": "realistic", "metrics": ranks.metrics()}


def explain_correct_answers(
    estimator: LinkEstimator[Any], limit: int = 3, seed: int = 0, *, tries: int = 30
) -> Iterator[Explanation]:
    """Explain test facts that the model ranks first, each of a different relation.

    Those whose evidence passes the deletion test, as far as there are any among 4 · ``limit``
    explanations; where there is none, or no path to test, the first ones as they are.

    Parameters
    ----------
    estimator
        Fitted.
    limit
        Maximum number of explanations.
    seed
        Seed of the order in which test facts are tried.
    tries
        Maximum number of test facts tried.
    """
    task = estimator.task_
    data, triples = task.test_data, task.test_data.test
    order = rng(seed, "examples").permutation(len(triples))[:tries]
    done: set[int] = set()
    doubtful: dict[int, Explanation] = {}
    left = 4 * limit
    for head, relation, tail in triples[order].tolist():
        if len(done) == limit or not left:
            break
        if relation in done or not _ranked_first(estimator, head, relation, tail):
            continue
        left -= 1
        explanation = estimator.explain(
            data.entities.name(head), data.relations.name(relation), data.entities.name(tail)
        )
        if explanation.passes is False:
            doubtful.setdefault(relation, explanation)
            continue
        done.add(relation)
        yield explanation
    if not done:
        yield from list(doubtful.values())[:limit]


def _showcase(explanations: Sequence[Explanation | Mapping[str, Any]]) -> str:
    """Say how the explanations were chosen; "" where there is no deletion test."""
    passes = {_read(each).passes for each in explanations}
    if True in passes:
        return (
            "Answers that the model ranks first and whose evidence passes the deletion test: "
            "chosen for that, so not typical."
        )
    if False in passes:
        return (
            "Of the answers tried that the model ranks first, none has evidence that passes the "
            "deletion test: these are shown as they are."
        )
    return ""


def _ranked_first(estimator: LinkEstimator[Any], head: int, relation: int, tail: int) -> bool:
    """Return whether no entity other than known answers scores as high as the tail."""
    task = estimator.task_
    row = estimator.scores(np.array([[head, relation]]))[0]
    known = task.filters(not task.inductive)(np.array([head]), np.array([relation]))[1]
    rivals = np.ones(len(row), bool)
    rivals[known] = False
    rivals[tail] = False
    return bool((row[rivals] < row[tail]).all())


def page(info: RunInfo) -> str:
    """Return the page of a link-prediction run."""
    data, metrics = info.get("data") or {}, info.get("metrics") or {}
    config, history = info.get("config") or {}, info.get("history") or []
    name = data.get("name") or config.get("data", {}).get("name", "")
    method = info.get("method") or str(config.get("method", ""))
    split = _shown(metrics)
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
            strata=strata_charts(
                [""], strata_of_run((metrics.get(split) or {}).get("strata") or {}), "MRR"
            ),
            relations=(metrics.get(split) or {}).get("per_relation") or [],
            curves=learning_charts(history, info.get("best_epoch"), "valid_mrr", "Validation MRR"),
            small_books=_small_books(history),
            rules=rules[:_RULES],
            n_rules=len(rules),
            explanations=[_view(each) for each in info.get("explanations") or ()],
            showcase=_showcase(info.get("explanations") or ()),
            search=search,
            compared=comparison_view(found["comparison"], search["best"], SYMBOLS) if found else {},
            symbol=symbol_view(symbol) if symbol else {},
            drug=_drug(info.get("drug")),
            cost=named_rows(info.get("ledger") or {}, COST),
            config=list(flat_rows(config)),
            data=named_rows({k: v for k, v in data.items() if k != "notes"}, _DATA),
            data_notes=list(data.get("notes") or ()),
            race=race_view(info.get("race")),
            version=info.get("version") or __version__,
        )
    )


def _small_books(history: Sequence[Mapping[str, Any]]) -> str:
    """Draw what small rule books keep, where a run has chosen one."""
    from markupsafe import Markup

    books = [entry for entry in history if "book_mrr" in entry]
    if not books:
        return ""
    title = "Validation MRR of small books by number of rules"
    points = [(float(book["rules"]), float(book["book_mrr"])) for book in books]
    chosen = next((float(book["rules"]) for book in books if book.get("chosen")), None)
    return Markup(line_chart(points, title=title, across="rules", up="validation MRR", best=chosen))


def _shown(metrics: Mapping[str, Any]) -> str:
    """Return the split that a page is about; "" for none."""
    return "test" if "test" in metrics else next(iter(metrics), "")


def _title(info: RunInfo, method: str, name: str) -> str:
    if info.get("search"):
        return f"The symbol that fits {name}" if name else "A searched symbol"
    return " on ".join(filter(None, (method, name))) or "A run"


def _headline(result: Mapping[str, Any], popularity: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the headline metrics, with interval and popularity on a scale from 0 to 1."""
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
    """Return the metrics of the popularity baseline, with or without the audit's wrapper."""
    metrics: Mapping[str, Any] = (popularity or {}).get("metrics") or popularity or {}
    return metrics


def _metric_rows(
    metrics: Mapping[str, Mapping[str, Any]], popularity: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """Yield one row per split and tie policy, and one for popularity."""
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


def _read(explanation: Explanation | Mapping[str, Any]) -> Explanation:
    if isinstance(explanation, Explanation):
        return explanation
    return Explanation.from_dict(explanation)


def _view(explanation: Explanation | Mapping[str, Any]) -> dict[str, Any]:
    return explanation_view(_read(explanation))


def _drug(drug: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if drug is None else {**drug, "explanation": _view(drug["explanation"])}
