"""Rule mining in shards: what it takes, in one process and in two, on graphs of planted rules.

    python benchmarks/rule_shards.py [--facts 100000 1000000] [--workers 1 2] [--max-length 2]

Graphs are those of ``big_graph.py``: power-law degrees, 200 relations, a quarter as many entities
as facts; ``spouse`` is symmetric, ``child_of`` the inverse of ``parent_of``, and two ``parent_of``
make a ``grandparent_of``. Each mining is a process of its own: seconds on the clock, and those of
the processors, its workers' included; peak resident memory of the process and of its largest
worker; whether the planted rules are among the rules; a hash of all rules with their counts.
``shards`` are the numbers of the shards by kind and the processor seconds they took.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from collections import defaultdict

import big_graph
import numpy as np
from common import record

from parsimony.graph import KnowledgeGraph, Vocabulary
from parsimony.knowledge import mine_rules
from parsimony.run.engine import LocalEngine, ProcessEngine

NAMES = ["parent_of", "child_of", "grandparent_of", "spouse"]
PLANTED = {
    "spouse(X,Y) <- spouse(Y,X)",
    "child_of(X,Y) <- parent_of(Y,X)",
    "parent_of(X,Y) <- child_of(Y,X)",
    "grandparent_of(X,Y) <- parent_of(X,A), parent_of(A,Y)",
}


class Clocked(LocalEngine):
    """Counts the shards of each kind, and the processor seconds that they take."""

    def __init__(self) -> None:
        self.kinds: dict[str, list[float]] = defaultdict(list)

    def run(self, function, jobs, go_on):
        def timed(**job):
            begin = time.process_time()
            found = function(**job)
            self.kinds[job["kind"]].append(time.process_time() - begin)
            return found

        yield from super().run(timed, jobs, go_on)


def graph_of(n_facts: int) -> KnowledgeGraph:
    n_entities, big_graph.BLOCK = n_facts // 4, min(n_facts, 1 << 20)  # whole families
    drawn = [np.stack(part, axis=1) for part in big_graph.blocks(n_facts, n_entities, 0)]
    others = (f"relation_{i:03}" for i in range(big_graph.NOISE))
    relations = Vocabulary([*NAMES, *others], "relation")
    return KnowledgeGraph(
        np.concatenate(drawn).astype(np.int32), n_entities, len(relations), None, relations
    )


def mine(n_facts: int, workers: int, max_length: int | None) -> dict:
    graph, notes = graph_of(n_facts), list[str]()
    mine_rules(graph_of(1000), engine=LocalEngine(), notes=[])  # compiles
    engine = Clocked() if workers == 1 else ProcessEngine(workers)
    wall, cpu = time.perf_counter(), time.process_time()
    rules = mine_rules(graph, max_length=max_length, engine=engine, notes=notes)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    found = {
        "facts": n_facts, "workers": workers, "seconds": round(wall, 1),
        "cpu_seconds_driver": round(cpu, 1), "rules": len(rules), "notes": notes,
        "planted_found": sum(rule.clause in PLANTED for rule in rules), "planted": len(PLANTED),
        "planted_place": max(
            (i + 1 for i, rule in enumerate(rules) if rule.clause in PLANTED), default=None
        ),
        "sha256": hashlib.sha256("\n".join(map(repr, rules)).encode()).hexdigest(),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip
    if isinstance(engine, ProcessEngine):
        if engine._pool is not None:
            engine._pool.shutdown(wait=True)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        found["cpu_seconds_workers"] = round(used.ru_utime + used.ru_stime, 1)
        found["peak_mib_worker"] = used.ru_maxrss // 1024
    else:
        found["shards"] = {
            kind: {"n": len(each), "cpu_seconds": round(sum(each), 1), "most": round(max(each), 1)}
            for kind, each in engine.kinds.items()
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--facts", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--max-length", type=int)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(mine(given.facts[0], given.workers[0], given.max_length)))
        return
    rows = []
    for n in given.facts:
        for workers in given.workers:
            words = ["--child", "--facts", str(n), "--workers", str(workers)]
            words += ["--max-length", str(given.max_length)] if given.max_length else []
            done = subprocess.run(
                [sys.executable, __file__, *words], capture_output=True, text=True, check=True
            )
            rows.append(json.loads(done.stdout.splitlines()[-1]))
            kept = {(row["facts"], row["sha256"]) for row in rows}
            same = len(kept) == len({row["facts"] for row in rows})
            record("rule_shards", {"load": os.getloadavg()[0], "same_rules": same, "rows": rows})


if __name__ == "__main__":
    main()
