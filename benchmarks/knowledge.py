"""What a knowledge book brings: a prior for few labels, axioms as mask and facts, a restriction.

    python benchmarks/knowledge.py            # prints a table, writes results/knowledge.json

Everything is chosen on validation; test is read once per model. Books are mined from the very facts
that the model is trained on. Differences are paired by answer, with a 95 % bootstrap interval.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from parsimony.knowledge.axioms import Axiom
from parsimony.knowledge.book import Entry, KnowledgeBook
from parsimony.knowledge.sources import read_knowledge
from parsimony.link.guidance.guided import Guided
from parsimony.link.loading import load
from parsimony.link.rules.method import RuleReasoner
from parsimony.link.task import LinkTask
from parsimony.methods import load_run, resolve
from parsimony.metrics.bootstrap import bootstrap_interval

OUT = Path(__file__).parent / "results" / "knowledge.json"
KEY = ("what", "data", "labels", "valid", "method")
EPOCHS = {"complex": 40, "redgnn": 6}


def few_labels(name: str, share: float, seed: int = 0) -> LinkTask:
    """A dataset with a share of its training facts, and the same share of its validation facts.

    Who has few labels has few to learn a prior's weights on, too. The facts left out are unknown:
    no filter knows them.
    """
    data = load(name)
    if share == 1:
        return LinkTask(data)
    random = np.random.default_rng(seed)
    kept = {}
    for split in ("train", "valid"):
        facts = data.triples(split)
        drawn = random.choice(len(facts), int(share * len(facts)), replace=False)
        kept[split] = facts[np.sort(drawn)]
    train, valid = kept["train"], kept["valid"]
    return LinkTask(replace(data, train=train, valid=valid, n_facts=len(train), registered=False))


def paired(before: Any, after: Any) -> dict[str, Any]:
    """MRR of two rankings of the same answers, and the interval of their difference."""
    was, now = 1 / before.ranks(), 1 / after.ranks()
    low, high = bootstrap_interval(now - was)
    return {
        "before": float(was.mean()), "after": float(now.mean()), "low": low, "high": high,
        "answers": len(was),
    }  # fmt: skip


def prior(name: str, share: float, method: str) -> dict[str, Any]:
    """Rules mined from the same few facts as prior of a model."""
    task = few_labels(name, share)
    rules = RuleReasoner(min_support=2, constants=False).fit(task)
    model = resolve(method)(epochs=EPOCHS[method], threads=1).fit(task)
    book = KnowledgeBook.of_rules(rules.rules_)
    guided = Guided.around(model, book, knowledge_as="prior")
    found = paired(model.ranks("test"), guided.ranks("test"))
    return {
        "what": "prior", "data": name, "labels": share, "valid": len(task.data.valid),
        "method": method, "weights": [n for n in guided.notes_ if "weights learned" in n],
        "rules": len(rules.rules_), "rules_alone": rules.score("test"), **found,
    }  # fmt: skip


def mined_axioms(task: LinkTask, least: float = 0.95) -> list[Axiom]:
    """Symmetric relations, inverses and sub-relations of the training facts, by counting."""
    names = [task.data.relations.name(r) for r in range(task.n_relations)]
    pairs = [
        {(h, t) for h, r, t in task.data.train.tolist() if r == of and h != t}
        for of in range(task.n_relations)
    ]
    turned = [{(t, h) for h, t in each} for each in pairs]
    found = []
    for r, own in enumerate(pairs):
        if len(own) < 10:
            continue
        shared = len(own & turned[r])
        found.append(Axiom("symmetric", (names[r],)).with_counts(shared, len(own)))
        for s in range(task.n_relations):
            if s == r or not pairs[s]:
                continue
            count = len(own & pairs[s])
            found.append(Axiom("subrelation", (names[r], names[s])).with_counts(count, len(own)))
            if s > r:
                both = len(own) + len(pairs[s])
                count = 2 * len(own & turned[s])
                found.append(Axiom("inverse", (names[r], names[s])).with_counts(count, both))
    return [axiom for axiom in found if axiom.confidence >= least]


def stated_ends(task: LinkTask) -> tuple[list[Axiom], dict[str, tuple[str, ...]]]:
    """A domain and a range of every relation: what the training facts have there.

    Types are the ends themselves, which an entity has whose training facts stand there; so the
    axioms hold of all training facts, and may fail for others.
    """
    data, axioms, types = task.data, list[Axiom](), dict[str, set[str]]()
    for r in range(task.n_relations):
        name = data.relations.name(r)
        for kind, column in (("domain", 0), ("range", 2)):
            axioms.append(Axiom(kind, (name, f"{kind} of {name}")))
            for e in np.unique(data.train[data.train[:, 1] == r, column]).tolist():
                types.setdefault(data.entities.name(e), set()).add(f"{kind} of {name}")
    return axioms, {name: tuple(sorted(each)) for name, each in types.items()}


def axioms(name: str, method: str) -> list[dict[str, Any]]:
    """Mined axioms as facts, and stated domains and ranges as mask."""
    task = few_labels(name, 1)
    setting = {"epochs": EPOCHS[method], "threads": 1}
    plain = resolve(method)(**setting).fit(task)
    before = plain.ranks("test")
    rows = []
    book = KnowledgeBook(tuple(Entry(axiom) for axiom in mined_axioms(task)))
    if book.entries:
        member = {"method": method, **setting}
        done = Guided(member=member, knowledge_as="facts").fit(task, knowledge=book)
        rows.append({"what": "facts", **paired(before, done.ranks("test"))})
    ends, types = stated_ends(task)
    typed = KnowledgeBook(tuple(Entry(axiom) for axiom in ends), types)
    masked = Guided.around(plain, typed, knowledge_as="mask")
    measured = masked.evaluate("test")
    rows.append(
        {
            "what": "mask", **paired(before, masked.ranks("test")),
            "sem@10": measured["metrics"]["sem@10"],
            "sem@10 before": Guided.around(plain, typed, knowledge_as="facts").evaluate("test")[
                "metrics"
            ]["sem@10"],
            "notes": [note for note in measured["notes"] if "impossible" in note],
        }
    )  # fmt: skip
    return [
        {"data": name, "labels": 1.0, "method": method, "axioms": len(book.entries), **row}
        for row in rows
    ]


def restriction(
    name: str, method: str, queries: int, model: Any = None, rules: Any = None
) -> dict[str, Any]:
    """Walk only what rules use: edges and MRR before and after, on some validation queries."""
    task = few_labels(name, 1) if model is None else model.task_
    rules = rules or RuleReasoner(constants=False).fit(task).rules_
    model = model or resolve(method)(epochs=3, threads=1).fit(task)
    by_use = {}
    asked = task.queries("valid").sample(queries)
    paths = [rule for rule in rules if not rule.names_entity]
    paths.sort(key=lambda rule: -rule.support / (rule.body_count + 5))
    for most in (None, 100, 30, 10, 5, 2):
        kept, of = [], dict[str, int]()
        for rule in paths:
            of[rule.head.relation] = of.get(rule.head.relation, 0) + 1
            if most is None or of[rule.head.relation] <= most:
                kept.append(rule)
        book = KnowledgeBook.of_rules(kept)
        guided = Guided.around(model, book, knowledge_as="restriction")
        by_use[str(most)] = guided.compare_walks(asked)
        print(name, most, by_use[str(most)], flush=True)
    return {
        "what": "restriction", "data": name, "method": method, "valid": len(asked),
        "rules": len(paths), "by rules a relation": by_use,
    }  # fmt: skip


def main() -> None:
    """Measure, print and write; rows that are there already are kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="prior,axioms,restriction")
    parser.add_argument("--data", default="")
    parser.add_argument("--methods", default="complex,redgnn")
    parser.add_argument("--queries", type=int, default=200, help="of the restriction")
    parser.add_argument("--runs", nargs=2, help="restriction: run of a reasoner, book of rules")
    args = parser.parse_args()
    rows = json.loads(OUT.read_text()) if OUT.exists() else []
    jobs: list[tuple[Any, tuple[Any, ...]]] = []
    for method in args.methods.split(","):
        if "prior" in args.only:
            names = args.data.split(",") if args.data else ["umls", "family"]
            jobs += [(prior, (n, share, method)) for n in names for share in (0.1, 0.3)]
        if "axioms" in args.only:
            names = args.data.split(",") if args.data else ["umls", "family", "nations"]
            jobs += [(axioms, (name, method)) for name in names]
    if "restriction" in args.only:
        names = args.data.split(",") if args.data else ["fb237_v1"]
        fitted: list[Any] = []
        if args.runs:
            fitted = [load_run(args.runs[0]), read_knowledge(args.runs[1]).rules]
            names = [fitted[0].task_.data.name]
        jobs += [(restriction, (name, "redgnn", args.queries, *fitted)) for name in names]
    for job, given in jobs:
        begin = time.perf_counter()
        found = job(*given)
        for row in found if isinstance(found, list) else [found]:
            row["seconds"] = round(time.perf_counter() - begin, 1)
            key = [row.get(k) for k in KEY]
            rows = [old for old in rows if [old.get(k) for k in KEY] != key] + [row]
            print(json.dumps(row), flush=True)
        OUT.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
