"""Rules counted and queries answered per second, and memory, as facts grow, beside DuckDB.

    python benchmarks/rule_counts.py [100000 1000000 10000000]

A synthetic graph of so many facts has 8 facts an entity and 20 relations; heads are drawn evenly,
tails by the square of a uniform number, so that some are popular. Counted are support and body
count of 20 rules for each of 120 bodies, of one, two and three steps in either direction, one in
six of which mention the relation that they conclude. Answered are queries of every relation by 20
such rules with confidences, combined by noisy-or.

The peer says the same in SQL: DISTINCT pairs of a join per body, joined with the facts, and where a
body mentions the head's relation once more without the fact itself; answers by GROUP BY. Both have
one thread and each a process of its own for every size; that their numbers are equal is asserted.
Seconds are those of the processor, so that other work on the machine does not count, and include
the index, or the table. Writes results/rule_counts.json and rule_counts.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from common import RESULTS, peak_mib, record

from parsimony.graph import KnowledgeGraph
from parsimony.knowledge import Rule, count_rules
from parsimony.link.rules.scoring import RuleScorer

RELATIONS, PER_ENTITY, BODIES, QUERIES = 20, 8, {1: 20, 2: 70, 3: 30}, 200
NAMES = tuple(map(str, range(RELATIONS)))
Path_ = tuple[int, ...]


def synthetic(n_facts: int) -> npt.NDArray[np.int32]:
    """Distinct facts, sorted by relation and head."""
    drawn, n = np.random.default_rng(0), n_facts // PER_ENTITY
    head, relation = drawn.integers(0, n, n_facts), drawn.integers(0, RELATIONS, n_facts)
    tail = (n * drawn.random(n_facts) ** 2).astype(np.int64)
    key = np.unique((relation * n + head) * n + tail)
    return np.stack([key // n % n, key // n // n, key % n], 1).astype(np.int32)


def rules() -> list[tuple[int, Path_]]:
    """Head and body of every rule: all heads for each body."""
    drawn, paths = np.random.default_rng(1), dict[Path_, None]()
    for steps, n in BODIES.items():
        wanted = len(paths) + n
        while len(paths) < wanted:
            paths[tuple(drawn.integers(0, 2 * RELATIONS, steps).tolist())] = None
    return [(head, path) for path in paths for head in range(RELATIONS) if path != (head,)]


def answering() -> list[tuple[int, Path_, float]]:
    """Twenty rules of every relation with a confidence each."""
    drawn, found = np.random.default_rng(2), rules()
    of = {r: [path for head, path in found if head == r] for r in range(RELATIONS)}
    return [
        (r, of[r][i], round(float(drawn.uniform(0.05, 0.95)), 3))
        for r in range(RELATIONS)
        for i in drawn.choice(len(of[r]), 20, replace=False)
    ]


def asked(n_entities: int) -> list[tuple[int, int]]:
    """Queries (entity, relation), the same number of every relation."""
    entities = np.random.default_rng(3).integers(0, n_entities, QUERIES).tolist()
    return [(e, i % RELATIONS) for i, e in enumerate(entities)]


def as_rule(head: int, path: Path_, confidence: float = 0.0) -> Rule:
    """The rule as an object."""
    steps = [(NAMES[step % RELATIONS], step >= RELATIONS) for step in path]
    rule = Rule.from_path(NAMES[head], steps)
    return Rule(rule.head, rule.body, confidence=confidence)


# ---- this library --------------------------------------------------------------------------------


def parsimony_counts(triples: npt.NDArray[np.int32], n: int) -> npt.NDArray[np.int64]:
    """Support and body count of every rule."""
    counted = count_rules(
        [as_rule(*each) for each in rules()], KnowledgeGraph(triples, n, RELATIONS)
    )
    return np.array([(rule.support, rule.body_count) for rule in counted])


class ParsimonyAnswers:
    """Queries answered one by one."""

    def __init__(self, triples: npt.NDArray[np.int32], n: int) -> None:
        graph = KnowledgeGraph(triples, n, RELATIONS)
        self.scorer = RuleScorer([as_rule(*each) for each in answering()], graph)

    def __call__(self, queries: list[tuple[int, int]]) -> npt.NDArray[np.float64]:
        """Answers and the sum of their scores, per query."""
        return np.array([
            (len(nodes), scores.astype(np.float64).sum())
            for nodes, scores in (self.scorer.reached(*query) for query in queries)
        ])  # fmt: skip


# ---- the peer ------------------------------------------------------------------------------------


def _joined(path: Path_, *, start: str = "") -> tuple[str, str, str]:
    """FROM … of a walk, and its two ends."""
    ends = [("h", "t") if step < RELATIONS else ("t", "h") for step in path]
    tables = [f"f f{i}" for i in range(len(path))]
    where = [f"f{i}.r = {step % RELATIONS}" for i, step in enumerate(path)]
    where += [f"f{i - 1}.{ends[i - 1][1]} = f{i}.{ends[i][0]}" for i in range(1, len(path))]
    if start:
        tables.append(f"{start} s")
        where.append(f"f0.{ends[0][0]} = s.e")
    x, y = f"f0.{ends[0][0]}", f"f{len(path) - 1}.{ends[-1][1]}"
    return f"FROM {', '.join(tables)} WHERE {' AND '.join(where)}", x, y


def _table(triples: npt.NDArray[np.int32]) -> Any:
    import duckdb

    connection = duckdb.connect()
    connection.execute(
        "SET threads = 1; SET memory_limit = '6GB'; SET preserve_insertion_order = false"
    )
    columns = {name: np.ascontiguousarray(triples[:, i]) for i, name in enumerate("hrt")}
    connection.register("given", columns)
    connection.execute("CREATE TABLE f AS SELECT h, r, t FROM given")
    return connection


def duckdb_counts(triples: npt.NDArray[np.int32], n: int) -> npt.NDArray[np.int64]:
    """The same by SQL, body by body."""
    connection, found = _table(triples), dict[tuple[int, Path_], tuple[int, int]]()
    for path in dict.fromkeys(path for _, path in rules()):
        source, x, y = _joined(path)
        rows = dict(connection.execute(
            f"WITH p AS MATERIALIZED (SELECT DISTINCT {x} AS x, {y} AS y {source}) "
            "SELECT f.r, count(*) FROM p JOIN f ON f.h = p.x AND f.t = p.y GROUP BY f.r "
            "UNION ALL SELECT -1, count(*) FROM p"
        ).fetchall())  # fmt: skip
        for head in range(RELATIONS):
            support, body = rows.get(head, 0), rows[-1]
            own = [i for i, step in enumerate(path) if step % RELATIONS == head]
            if own and support:  # a fact is no evidence for itself
                others = " AND ".join(f"NOT (f{i}.h = {x} AND f{i}.t = {y})" for i in own)
                (left,) = connection.execute(
                    f"SELECT count(*) FROM (SELECT DISTINCT {x} AS x, {y} AS y {source} AND "
                    f"{others}) p JOIN f ON f.h = p.x AND f.t = p.y AND f.r = {head}"
                ).fetchone()
                support, body = left, body - (support - left)
            found[head, path] = support, body
    return np.array([found[each] for each in rules()])


class DuckDBAnswers:
    """All queries of a relation by one statement."""

    def __init__(self, triples: npt.NDArray[np.int32], n: int) -> None:
        self.connection = _table(triples)

    def __call__(self, queries: list[tuple[int, int]]) -> npt.NDArray[np.float64]:
        """Answers and the sum of their scores, per query."""
        found = np.zeros((len(queries), 2))
        for r in range(RELATIONS):
            mine = [(i, e) for i, (e, of) in enumerate(queries) if of == r]
            number, entity = (np.array(column, np.int32) for column in zip(*mine, strict=True))
            self.connection.register("asked", {"q": number, "e": entity})
            parts = []
            for k, (_, path, sure) in enumerate(a for a in answering() if a[0] == r):
                source, _, y = _joined(path, start="asked")
                parts.append(f"SELECT DISTINCT {k} AS k, s.q AS q, {y} AS y, {sure} AS c {source}")
            answered = self.connection.execute(
                "SELECT q, count(*), sum(p) FROM (SELECT q, y, -sum(ln(1 - c)) AS p FROM ("
                + " UNION ALL ".join(parts)
                + ") GROUP BY q, y) GROUP BY q"
            ).fetchall()
            for q, count, total in answered:
                found[q] = count, total
        return found


COUNTS = {"parsimony": parsimony_counts, "duckdb": duckdb_counts}
ANSWERS = {"parsimony": ParsimonyAnswers, "duckdb": DuckDBAnswers}


def one(engine: str, n_facts: int, out: Path) -> None:
    """Measure one engine at one size, and leave its numbers in a file."""
    for size in (4_000, n_facts):  # the first one compiles
        triples, n = synthetic(size), size // PER_ENTITY
        before, begin = peak_mib(), time.process_time()
        counts = COUNTS[engine](triples, n)
        counted = time.process_time() - begin
        begin = time.process_time()
        answer = ANSWERS[engine](triples, n)
        made, queries = time.process_time() - begin, asked(n)
        begin = time.process_time()
        answers = answer(queries)
        answered = time.process_time() - begin
    np.savez(out, counts=counts, answers=answers)
    print(json.dumps({
        "facts": len(triples), "engine": engine, "rules": len(counts), "count_seconds": counted,
        "rules_per_second": len(counts) / counted, "prepare_seconds": made,
        "queries": len(queries), "queries_per_second": len(queries) / answered,
        "peak_mib": peak_mib(), "peak_mib_before": before,
    }))  # fmt: skip


def main() -> None:
    """Measure both at every size, compare their numbers, write the table."""
    if sys.argv[1:2] == ["one"]:
        one(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
        return
    rows = []
    for size in [int(word) for word in sys.argv[1:]] or [10**5, 10**6, 10**7]:
        numbers = {}
        with tempfile.TemporaryDirectory() as folder:
            for engine in COUNTS:
                out = Path(folder) / f"{engine}.npz"
                words = [sys.executable, __file__, "one", engine, str(size), str(out)]
                done = subprocess.run(words, check=True, capture_output=True, text=True)
                rows.append(json.loads(done.stdout.splitlines()[-1]))
                numbers[engine] = dict(np.load(out))
        ours, theirs = numbers["parsimony"], numbers["duckdb"]
        np.testing.assert_array_equal(ours["counts"], theirs["counts"])
        np.testing.assert_array_equal(ours["answers"][:, 0], theirs["answers"][:, 0])
        np.testing.assert_allclose(ours["answers"][:, 1], theirs["answers"][:, 1], rtol=1e-4)
        assert ours["counts"][:, 0].any() and ours["answers"][:, 0].any()
    record("rule_counts", rows)
    (RESULTS / "rule_counts.md").write_text(_page(rows), encoding="utf-8")


def _page(rows: list[dict[str, Any]]) -> str:
    """The rows as a table."""
    lines = [
        f"| {row['facts']:,} | {row['engine']} | {row['rules_per_second']:,.0f} | "
        f"{row['count_seconds']:.1f} | {row['queries_per_second']:,.0f} | "
        f"{row['prepare_seconds']:.1f} | {row['peak_mib']:,.0f} |"
        for row in rows
    ]
    return "\n".join([
        "# Rules counted and queries answered, beside DuckDB", "",
        f"`python benchmarks/{Path(sys.argv[0]).name} {' '.join(sys.argv[1:])}`: synthetic graphs, "
        "one thread, each row a process of its own, seconds of the processor. Support and body "
        "count of every rule, and the answers of every query, are equal for both; that was "
        "asserted in this run.", "",
        "| facts | engine | rules counted per second | seconds for all | queries answered per "
        "second | seconds to prepare answering | peak memory, MiB |",
        "|---|---|---|---|---|---|---|", *lines, "",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
