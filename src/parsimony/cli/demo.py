"""``parsimony demo``: the main use on embedded data, in under two minutes.

First the royal family, then drugs (:mod:`parsimony.cli.demo_drugs`).

Every number that it prints is measured in the run.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from parsimony.cli.command_group import Output
from parsimony.cli.demo_drugs import drug_demo, drug_section, drug_story
from parsimony.cli.options import Json, Quiet, Seed

EPOCHS = 12
TIME_BUDGET = 60.0  # ends training on machines too slow for all epochs
PARAMETERS = {"dim": 32}
QUESTIONS = ("uncle", "aunt", "cousin", "grandfather", "grandmother")


def command(
    path: Annotated[
        Path | None, typer.Option("--out", metavar="RUN", help="Run folder [default: runs/demo].")
    ] = None,
    epochs: Annotated[
        int, typer.Option("--epochs", min=1, help="Maximum number of epochs.")
    ] = EPOCHS,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Show the main use on embedded data."""
    out = Output(as_json, quiet)
    begin = time.perf_counter()
    result = _demo(out, path or _free(Path("runs/demo")), epochs, seed)
    result["seconds"] = time.perf_counter() - begin
    out.result(result, "", *_story(result))


def _free(path: Path) -> Path:
    """Return the path, or the next numbered one that is free."""
    number, free = 1, path
    while free.exists() and any(free.iterdir()):
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free


def _demo(out: Output, run: Path, epochs: int, seed: int) -> dict[str, Any]:
    hidden = out.quiet

    def step(text: str) -> None:
        if not hidden:
            out.note(text)

    from parsimony import datasets
    from parsimony.knowledge import format_rules
    from parsimony.link.rules.method import RuleReasoner
    from parsimony.pipeline import fit
    from parsimony.report import run_info, run_report
    from parsimony.report.link import popularity_of
    from parsimony.run.atomic import write_atomic

    data = datasets.load("royal")
    step("1/6 training RED-GNN on the royal family (compiling its kernels the first time) …")
    estimator: Any
    estimator, summary = fit(
        data,
        "redgnn",
        out=run,
        parameters=PARAMETERS,
        epochs=epochs,
        time_budget=TIME_BUDGET,
        seed=seed,
        quiet=hidden,
    )
    step("2/6 ranking the hidden facts …")
    test = estimator.evaluate("test", quiet=hidden)
    popularity = popularity_of(estimator.task_)
    step("3/6 extracting rules from the model and counting their support …")
    rules = estimator.knowledge(top=10_000, samples=40, n_paths=8)
    file = run / "rules.txt"
    write_atomic(file, format_rules(rules))
    step("4/6 explaining one answer, and predicting with the rules alone …")
    explanation = explain_one(estimator)
    alone = RuleReasoner(seed=seed).fit(estimator.task_, knowledge=rules).evaluate("test")
    step("5/6 training EmerGNN on drugs, and querying it about a new one …")
    drug, why = drug_demo(run / "drugs", seed, hidden)
    step("6/6 writing the report …")
    report = run / "report.html"
    info = run_info(
        run,
        estimator=estimator,
        rules=rules,
        explanations=[] if explanation is None else [explanation],
        popularity=popularity,
    )
    info["drug"] = drug_section(drug, why)
    run_report(info, report)
    return {
        "run": str(run),
        "data": {
            "entities": data.n_entities,
            "relations": data.n_relations,
            "train": len(data.train),
            "test": len(data.test),
        },
        "fit": summary,
        "test": {key: test[key] for key in ("metrics", "interval", "n_queries")},
        "popularity": None if popularity is None else popularity["metrics"],
        "rules": {
            "count": len(rules),
            "file": str(file),
            "best": [str(rule) for rule in best_rules(rules)],
        },
        "rules_alone": alone["metrics"],
        "explanation": None if explanation is None else explanation.to_dict(),
        "explained": None if explanation is None else _in_words(explanation),
        "drug": drug,
        "report": str(report),
    }


def best_rules(rules: Sequence[Any]) -> list[Any]:
    """Return, for each predicted relation, the reliable rule that covers the most facts."""
    best = []
    for relation in QUESTIONS:
        of = [rule for rule in rules if rule.head.relation == relation and not _circular(rule)]
        if of:
            best.append(max(of, key=_merit))
    return best


def _merit(rule: Any) -> tuple[float, int, str]:
    """Rank a rule by covered facts times confidence; ties go to the shorter one."""
    return rule.support * rule.confidence, -len(rule.body), str(rule)


def _circular(rule: Any) -> bool:
    """Return whether the body contains the relation to be inferred."""
    return any(atom.relation in QUESTIONS for atom in rule.body)


def explain_one(estimator: Any) -> Any:
    """Explain a hidden fact that the model ranks first, an uncle rather than a cousin.

    Prefers an answer that depends on the facts named to one that can be derived in many ways.
    """
    from parsimony.report.link import explain_correct_answers

    found = list(explain_correct_answers(estimator, limit=4, tries=40))
    found.sort(key=_preference)
    return found[0] if found else None


def _preference(explanation: Any) -> tuple[bool, int]:
    relation = explanation.query[1]
    return not explanation.passes, QUESTIONS.index(relation) if relation in QUESTIONS else len(
        QUESTIONS
    )


def _in_words(explanation: Any) -> dict[str, Any]:
    """Return an explanation's best path and deletion test as parts of sentences."""
    from parsimony.explain.text import faithfulness_sentence

    label = explanation.label
    head, relation, tail = explanation.query
    faith = explanation.faithfulness
    return {
        "question": f"{label(head)} is the {relation} of whom?",
        "answer": label(tail),
        "rank": explanation.rank,
        "probability": explanation.probability,
        "because": [
            f"{label(s.head)} is the {s.relation} of {label(s.tail)}"
            for s in explanation.paths[0].steps
        ]
        if explanation.paths
        else [],
        "deleted_drop": None if faith is None else faith.deleted_drop,
        "random_drop": None if faith is None else faith.random_drop,
        "deletion": faithfulness_sentence(explanation),
    }


def _story(result: dict[str, Any]) -> list[str]:
    """Return what happened, in a few lines."""
    data, fit, test = result["data"], result["fit"], result["test"]
    rules, explained = result["rules"], result["explained"]
    low, high = test["interval"]["mrr"]
    popular = (result["popularity"] or {}).get("mrr", 0.0)
    lines = [
        f"The royal family: {data['entities']:,} people, {data['train']:,} training facts, "
        f"{data['test']:,} hidden facts to recover.",
        f"RED-GNN ({fit['parameters']:,} parameters) trained in {fit['seconds']:.0f} s; of "
        f"{fit['epochs']} epochs, number {fit['best_epoch']} was best on validation.",
        f"Hidden facts: MRR {test['metrics']['mrr']:.3f} ({low:.3f} to {high:.3f}), the right "
        f"answer first in {test['metrics']['hits@1']:.1%} of {test['n_queries']:,} queries; "
        f"always naming the most frequent people would give MRR {popular:.3f}.",
        f"{rules['count']:,} rules were extracted from the model and counted on the facts, such as",
        *[f"    {text}" for text in rules["best"][:2]],
        f"With these rules alone, without the model: MRR {result['rules_alone']['mrr']:.3f} "
        f"(edit a line, then: parsimony apply {rules['file']} royal).",
    ]
    if explained is not None:
        lines.append(
            f"For “{explained['question']}” it ranks {explained['answer']} at place "
            f"{explained['rank']:g}, because {' and '.join(explained['because'])}."
        )
        lines.append(explained["deletion"] or "No path was found, so none could be tested.")
    lines += drug_story(result["drug"])
    lines.append(f"Report with figures: {result['report']} ({result['seconds']:.0f} s in total)")
    run = shlex.quote(result["run"])
    lines.append(f"Ask these runs in a browser: parsimony serve {run} {run}/drugs --open")
    return lines
