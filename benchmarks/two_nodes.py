"""Two local Ray nodes of one thread each against one: rule mining and batch prediction.

    python benchmarks/two_nodes.py [--facts 10000000] [--run RUN --queries FILE]

Rules are mined on a graph of ``rule_shards.py``; ``predict`` answers FILE by the run RUN, or a
reasoner that is trained on royal for a minute answers each of its questions ``--repeat`` times. One
cluster for each number of nodes; everything is done once, on few facts and few questions, before
the clock starts, so that Ray is up and kernels are compiled. The rules and the file of answers have
a hash. ``mine`` is the time of :func:`mine_rules` alone, ``predict`` that of the whole command.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import record
from rule_shards import PLANTED, graph_of

from parsimony.knowledge import mine_rules
from parsimony.run.engine_ray import RayEngine


def parsimony(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "parsimony", *words, "--quiet"], check=True)


def queries(folder: Path, repeat: int) -> tuple[str, Path]:
    """A run on royal, and a file that asks all its test questions many times."""
    run, asked = folder / "run", folder / "asked.tsv"
    parsimony("fit", "royal", "--method", "redgnn", "--time-budget", "60s", "--out", str(run))
    from parsimony import load

    data = load("royal")
    rows = [
        f"{data.entities.name(h)}\t{data.relations.name(r)}\t?\n"
        for h, r, _ in data.test.tolist() * repeat
    ]
    asked.write_text("".join(["head\trelation\ttail\n", *rows]))
    return str(run), asked


def on_nodes(n: int, n_facts: int, run: str, asked: Path, folder: Path) -> dict:
    """Seconds of both jobs on a cluster of so many nodes."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    for _ in range(n - 1):
        cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    few = folder / "few.tsv"
    few.write_text("".join(asked.read_text().splitlines(keepends=True)[:50]))

    def predict(questions: Path, out: Path) -> float:
        begin = time.perf_counter()
        parsimony("predict", run, "--queries", str(questions), "--out", str(out), "--engine",
                  "ray", "--address", cluster.address)  # fmt: skip
        return time.perf_counter() - begin

    try:
        predict(few, folder / f"few-{n}.parquet")
        answers = folder / f"answers-{n}.parquet"
        predicted = predict(asked, answers)
        ray.init(address=cluster.address, log_to_driver=False, include_dashboard=False)
        engine = RayEngine()
        mine_rules(graph_of(1000), engine=engine, notes=[])
        graph = graph_of(n_facts)
        begin = time.perf_counter()
        rules = mine_rules(graph, engine=engine, notes=[])
        mined = time.perf_counter() - begin
    finally:
        ray.shutdown()
        cluster.shutdown()
    return {
        "nodes": n, "facts": n_facts, "mine_seconds": round(mined, 1),
        "planted_found": sum(rule.clause in PLANTED for rule in rules), "planted": len(PLANTED),
        "rules_sha256": hashlib.sha256("\n".join(map(repr, rules)).encode()).hexdigest(),
        "predict_seconds": round(predicted, 1), "answers_sha256":
        hashlib.sha256(answers.read_bytes()).hexdigest(),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--facts", type=int, default=10_000_000)
    parser.add_argument("--run")
    parser.add_argument("--queries", type=Path)
    parser.add_argument("--repeat", type=int, default=400)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        more = {"asked": given.queries, "folder": given.queries.parent, "run": given.run}
        print(json.dumps(on_nodes(**json.loads(given.child), **more)))
        return
    with tempfile.TemporaryDirectory() as folder:
        run, asked = (given.run, given.queries)
        if run is None:
            run, asked = queries(Path(folder), given.repeat)
        n_queries = len(asked.read_text().splitlines()) - 1
        rows = []
        for n in (1, 2):
            words = ["--child", json.dumps({"n": n, "n_facts": given.facts}), "--run", run,
                     "--queries", str(asked)]  # fmt: skip
            command = [sys.executable, __file__, *words]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                sys.exit(done.stderr)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
    one, two = rows
    record("two_nodes", {
        "n_queries": n_queries, "rows": rows,
        "same": all(one[name] == two[name] for name in ("rules_sha256", "answers_sha256")),
        "mine_times": round(one["mine_seconds"] / two["mine_seconds"], 2),
        "predict_times": round(one["predict_seconds"] / two["predict_seconds"], 2),
    })  # fmt: skip


if __name__ == "__main__":
    main()
