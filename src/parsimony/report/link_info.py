"""What the report of a run tells, gathered from the run folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from parsimony.base import load_run
from parsimony.errors import EmptySplit
from parsimony.explain.explanation import Explanation
from parsimony.knowledge.rules import Rule, parse_rule
from parsimony.link.popularity import popularity_ranks
from parsimony.link.task import LinkTask
from parsimony.metrics import Ranks
from parsimony.report.run_info import RunInfo, info_of_folder
from parsimony.run.folder import RunFolder
from parsimony.run.seeds import rng

__all__ = ["explain_correct_answers", "popularity_of", "run_info"]


def run_info(
    path: Path | str,
    *,
    estimator: Any = None,
    rules: Sequence[Rule] | None = None,
    explanations: Sequence[Explanation] | None = None,
    popularity: dict[str, Any] | None = None,
    top: int = 40,
    n_explanations: int = 3,
    seed: int = 0,
    quiet: bool = True,
) -> RunInfo:
    """Gather what :func:`parsimony.report.run_report` draws; what is not given is computed.

    Parameters
    ----------
    path
        A finished run.
    estimator
        The run's estimator where it is loaded already.
    rules, explanations, popularity
        Where they are known already.
    top
        Most rules shown, of knowledge.toml.
    n_explanations
        Answers explained, each of another relation.
    seed
        Of the choice of answers.
    quiet
        No progress where something is measured.

    Raises
    ------
    MissingRun, CorruptRun, RunVersionError
        Not a run folder, a damaged one, or one of another version.
    """
    run = RunFolder.open(path)
    if estimator is None:
        estimator = load_run(path)
    if estimator.kind == "ddi":
        from parsimony.report.ddi_info import pairs_info

        return pairs_info(run, estimator, n_explanations=n_explanations, seed=seed, quiet=quiet)
    if estimator.kind == "coldstart":
        from parsimony.report.ratings_info import ratings_info

        return ratings_info(run, estimator)
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
    data = estimator.task_.data
    info = info_of_folder(run, estimator, {
        "n_entities": data.n_entities,
        "n_relations": data.n_relations,
        "train": len(data.train),
        "valid": len(data.valid),
        "test": len(data.test),
    })  # fmt: skip
    more: RunInfo = {"popularity": popularity, "rules": rules, "explanations": explanations}
    return {**info, **more, **_searched(run)}


def _searched(run: RunFolder) -> RunInfo:
    """The symbol of a bilinear run and, of a searched one, the search."""
    symbol = (run.read_toml("knowledge.toml") or {}).get("symbol", {})
    info: RunInfo = {"symbol": "\n".join(symbol["rows"])} if "rows" in symbol else {}
    found = run.read_json("search.json")
    if found is not None and "symbol" in found.get("best", {}):
        from parsimony.search.trials import read_trials

        info["search"], info["trials"] = found, read_trials(run.path / "search")
    return info


def popularity_of(task: LinkTask) -> dict[str, Any] | None:
    """Return what mere popularity scores on the test queries; None where there are none."""
    try:
        queries = task.queries("test")
    except EmptySplit:
        return None
    relation = queries.answer_relation
    n = task.n_relations
    ranks = Ranks(*popularity_ranks(queries), relation % n, relation // n)
    return {"split": "test", "policy": "realistic", "metrics": ranks.metrics()}


def explain_correct_answers(
    estimator: Any, most: int = 3, seed: int = 0, *, tries: int = 30
) -> Iterator[Explanation]:
    """Explain test facts that the model ranks first, each of another relation.

    Parameters
    ----------
    estimator
        Fitted.
    most
        How many.
    seed
        Of the order in which test facts are tried.
    tries
        Test facts looked at.
    """
    task = estimator.task_
    data, triples = task.test_data, task.test_data.test
    order = rng(seed, "examples").permutation(len(triples))[:tries]
    done: set[int] = set()
    for head, relation, tail in triples[order].tolist():
        if len(done) == most:
            return
        if relation in done or not _ranked_first(estimator, head, relation, tail):
            continue
        done.add(relation)
        yield estimator.explain(
            data.entities.name(head), data.relations.name(relation), data.entities.name(tail)
        )


def _ranked_first(estimator: Any, head: int, relation: int, tail: int) -> bool:
    """Whether no entity but known answers scores as high as the tail."""
    task = estimator.task_
    row = estimator.score(np.array([[head, relation]]))[0]
    known = task.filters(not task.inductive)(np.array([head]), np.array([relation]))[1]
    rivals = np.ones(len(row), bool)
    rivals[known] = False
    rivals[tail] = False
    return bool((row[rivals] < row[tail]).all())
