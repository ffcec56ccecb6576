"""The input of a run's report: plain dicts, every key optional.

The values are those of a run folder (``metrics.json``, ``ledger.json``, ``config.toml``,
``log.jsonl``), so that the page can be rebuilt from the folder alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from parsimony.explain.explanation import Explanation
from parsimony.knowledge.rules import Rule

if TYPE_CHECKING:
    from parsimony.run.folder import RunFolder
    from parsimony.search.trial import Trial

__all__ = ["DataInfo", "Epoch", "RunInfo", "info_of_folder"]


class Epoch(TypedDict, total=False):
    """One point of the learning curve; other keys are ignored."""

    epoch: int
    loss: float
    valid_mrr: float


class DataInfo(TypedDict, total=False):
    """The dataset: counts of triples or pairs by split, names, hash."""

    name: str
    source: str
    hash: str
    n_entities: int
    n_relations: int
    n_drugs: int
    n_types: int
    n_items: int
    train: int
    valid: int
    test: int
    notes: Sequence[str]


class RunInfo(TypedDict, total=False):
    """The input of :func:`parsimony.report.run_report`.

    ``folder`` is that of the run, for errors; ``metrics`` maps a split to what ``evaluate``
    returned, with ``per_relation``;
    ``popularity`` is the audit's entry of that name, or metrics alone; ``explanations`` are
    objects or ``to_dict(full=True)``; ``rules`` are objects or ``{"text", …}``; ``notes`` are
    sentences printed under the title; ``drug`` is a second part on a screened drug: ``title,
    lines, partners, explanation``; ``symbol`` is that of a bilinear run as text, ``formula`` that
    of a cold-start run; ``baselines`` are further rows of a comparison, with the differences to the
    run; ``search`` is what search.json holds and ``trials`` the rows of the search's ledger;
    ``race`` what race.json holds.
    """

    folder: str
    title: str
    method: str
    config: Mapping[str, Any]
    data: DataInfo
    metrics: Mapping[str, Mapping[str, Any]]
    popularity: Mapping[str, Any] | None
    ledger: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    best_epoch: int | None
    rules: Sequence[Rule | Mapping[str, Any]]
    explanations: Sequence[Explanation | Mapping[str, Any]]
    drug: Mapping[str, Any]
    symbol: str
    formula: str
    baselines: Sequence[Mapping[str, Any]]
    search: Mapping[str, Any]
    trials: Sequence[Trial]
    race: Mapping[str, Any] | None
    notes: Sequence[str]
    version: str


def info_of_folder(run: RunFolder, estimator: Any, counts: DataInfo) -> RunInfo:
    """Return what can be read from the folder of any run.

    Parameters
    ----------
    run, estimator
    counts
        Numbers of queries and entities of the task.
    """
    data, summary = estimator.task_.data, run.read_json("summary.json") or {}
    return {
        "folder": str(run.path),
        "method": estimator.method,
        "config": run.config,
        "data": {
            "name": data.name, "source": data.source, "hash": data.content_hash, **counts,
            "notes": estimator.task_.notes,
        },
        "metrics": run.read_json("metrics.json") or {},
        "ledger": run.read_json("ledger.json") or {},
        "history": list(run.history()),
        "best_epoch": summary.get("best_epoch"),
        "race": run.read_json("race.json"),
    }  # fmt: skip
