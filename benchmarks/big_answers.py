"""A model of a planted graph of ``big_graph.py``: how fast, how well, and for which reasons.

    python benchmarks/big_answers.py RUN [--queries 1000] [--explained 100] [--name NAME]
                                     [--knowledge BOOK]

Queries are test facts of the four relations that the planting decides, as many of each, both sides
in turn. An answer is decided where what it follows from stands in train (``spouse(X,Y) <-
spouse(Y,X)`` and so on): ``allowed`` is the share of the queries that are, the MRR of somebody who
knows the rules and nothing else. ``mrr`` is the model's, filtered, realistic ranks. Seconds are of
``predict``, a query at a time, after one that is not counted; evidence is right where the
first path of an explanation follows the rule, and of the family where all its facts are of the
planted relations that tell the same (``parent_of(X,Y) <- child_of(X,A), grandparent_of(A,Y)``).
With ``--knowledge`` the rules of a file weigh in, as ``parsimony evaluate RUN --knowledge BOOK
--set knowledge_as=prior`` has them; ``weighing_seconds`` is what learning their weights took.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np
from common import record

from parsimony import load_run
from parsimony.cli.options import with_book
from parsimony.link.estimator import LinkEstimator

RULES = {
    "spouse": "spouse(X,Y) <- spouse(Y,X)",
    "child_of": "child_of(X,Y) <- parent_of(Y,X)",
    "parent_of": "parent_of(X,Y) <- child_of(Y,X)",
    "grandparent_of": "grandparent_of(X,Y) <- parent_of(X,A), parent_of(A,Y)",
}


def decided(model: LinkEstimator, facts: np.ndarray) -> np.ndarray:
    """Which facts follow from the training facts by their relation's rule."""
    data = model.task_.data
    index, n = data.relations.index, data.n_entities
    parent, child, grand, spouse = (index(r) for r in ("parent_of", "child_of", "grandparent_of",
                                                       "spouse"))  # fmt: skip
    train = data.train
    pairs = {}
    for r in (parent, child, spouse):
        own = np.asarray(train[train[:, 1] == r], np.int64)
        pairs[r] = np.sort(own[:, 0] * n + own[:, 2])
    children = np.asarray(train[train[:, 1] == parent], np.int64)

    def holds(r: int, head: int, tail: int) -> bool:
        at = np.searchsorted(pairs[r], head * n + tail)
        return bool(at < len(pairs[r]) and pairs[r][at] == head * n + tail)

    found = []
    for h, r, t in facts.tolist():
        if r == grand:
            middle = children[children[:, 0] == h, 2].tolist()
            found.append(any(holds(parent, m, t) for m in middle))
        else:
            found.append(holds({spouse: spouse, parent: child, child: parent}[r], t, h))
    return np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--explained", type=int, default=100)
    parser.add_argument("--name", default="big_answers")
    parser.add_argument("--knowledge", type=Path)
    given = parser.parse_args()
    begin = time.perf_counter()
    model = load_run(given.run)
    opened = time.perf_counter() - begin
    begin = time.perf_counter()
    if given.knowledge:
        model = with_book(model, given.knowledge, ["knowledge_as=prior"])
    weighing = time.perf_counter() - begin
    data, n = model.task_.data, model.task_.n_relations
    drawn = np.random.default_rng(0)
    facts = []
    for name in RULES:
        own = data.test[data.test[:, 1] == data.relations.index(name)]
        facts.append(drawn.permutation(own)[: given.queries // len(RULES)])
    facts = np.concatenate(facts)
    allowed = decided(model, facts)
    names = data.entities.name
    seconds, explained, right, follows = [], [], [], []
    for i, (h, r, t) in enumerate([facts[0].tolist(), *facts.tolist()]):
        end = {"head": names(h)} if i % 2 else {"tail": names(t)}
        begin = time.perf_counter()
        model.predict(relation=data.relations.name(r), **end, top=10)
        seconds.append(time.perf_counter() - begin)
    some = drawn.permutation(np.flatnonzero(allowed))[: given.explained]
    for h, r, t in facts[some].tolist():
        relation = data.relations.name(r)
        begin = time.perf_counter()
        told = model.explain(names(h), relation, names(t))
        explained.append(time.perf_counter() - begin)
        if told.paths:
            # "child_of" backwards is "parent_of": whoever was planted by one has the other.
            down = {("parent_of", "forward"): 1, ("child_of", "inverse"): 1}
            up = {("child_of", "forward"): -1, ("parent_of", "inverse"): -1}
            steps = [(s.relation, s.direction) for s in told.paths[0].steps]
            right.append({
                "spouse": steps == [("spouse", "inverse")],
                "child_of": steps == [("parent_of", "inverse")],
                "parent_of": steps == [("child_of", "inverse")],
                "grandparent_of": [(down | up).get(step) for step in steps] == [1, 1],
            }[relation])  # fmt: skip
            family = {"spouse"} if relation == "spouse" else {*RULES} - {"spouse"}
            follows.append({name for name, _ in steps} <= family)
        else:
            right.append(False)
            follows.append(False)
    queries = model.task_.queries("test")
    members = np.isin(queries.answer_relation % n, facts[:, 1])
    rows = np.flatnonzero(np.isin(queries.relation % n, facts[:, 1]))
    asked = queries.take(drawn.permutation(rows)[: given.queries])
    begin = time.perf_counter()
    ranks = model.ranks(queries=asked)
    ranking = time.perf_counter() - begin
    own = 1 / ranks.ranks()
    heads = np.repeat(asked.head, np.diff(asked.answer_ptr))
    relation = asked.answer_relation
    as_facts = np.where(
        (relation < n)[:, None],
        np.stack([heads, relation % n, asked.answer], 1),
        np.stack([asked.answer, relation % n, heads], 1),
    )
    possible = decided(model, as_facts)
    record(given.name, {
        "method": model.method, "parameters": model.parameters_count_, "open_seconds": opened,
        "weighing_seconds": weighing if given.knowledge else None,
        "entities": data.n_entities, "facts": len(data.train), "planted_test_answers":
        int(members.sum()), "answered": len(seconds) - 1,
        "seconds": {q: float(np.quantile(seconds[1:], float(q))) for q in ("0.5", "0.95", "1.0")},
        "explained": len(explained),
        "explain_seconds": {q: float(np.quantile(explained, float(q))) for q in ("0.5", "0.95")}
        if explained else None,
        "evidence_right": float(np.mean(right)) if right else None,
        "evidence_of_the_family": float(np.mean(follows)) if follows else None,
        "ranked": len(own), "ranked_per_second": len(asked) / ranking, "mrr": float(own.mean()),
        "allowed": float(possible.mean()), "of_allowed": float(own.mean() / possible.mean()),
        "mrr_where_decided": float(own[possible].mean()),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    })  # fmt: skip
    print(json.dumps({"evidence": right.count(True), "of": len(right)}))


if __name__ == "__main__":
    main()
