"""Latency and throughput of a served run, beside loading the run for each question.

    python benchmarks/serve.py RUN [--seconds 5] [--requests 20000] [--json FILE]

A server is started as a person starts it; clients with a connection each ask one question after
another, drawn by a seed from the training facts of the run. All figures are of one machine.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np

CLIENTS = (1, 2, 5, 10, 20, 50)
ASKING_WHY = (1, 10, 50)


class Server:
    """``parsimony serve RUN`` in a process of its own."""

    def __init__(self, run: Path) -> None:
        begin = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "parsimony", "serve", str(run), "--port", "0", "--json"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline())
        self.start_seconds = time.perf_counter() - begin
        self.host, self.run = urlsplit(told["address"]).netloc, told["runs"][0]

    def memory(self) -> int:
        """Resident bytes."""
        text = Path(f"/proc/{self.process.pid}/statm").read_text()
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def close(self) -> int:
        self.process.terminate()
        return self.process.wait(30)


def facts_of(run: Path) -> list[tuple[str, str, str]]:
    """Names of training facts."""
    from parsimony.methods import load_run

    data: Any = load_run(run).task_.data  # type: ignore[attr-defined]
    rows = data.train[random.Random(0).sample(range(len(data.train)), min(500, len(data.train)))]
    e, r = data.entities, data.relations
    return [(e.name(h), r.name(k), e.name(t)) for h, k, t in rows.tolist()]


def address(run: str, verb: str, fact: tuple[str, str, str]) -> str:
    words = dict(zip(("head", "relation", "tail"), map(quote, fact), strict=True))
    if verb == "predict":
        del words["tail"]
    if verb == "entities":
        words = {"q": quote(fact[0][: max(3, len(fact[0]) // 2)])}
    return f"/api/v1/runs/{run}/{verb}?" + "&".join(f"{k}={v}" for k, v in words.items())


def load(server: Server, paths: list[str], clients: int, seconds: float) -> dict[str, Any]:
    """Ask with so many clients at once for some seconds; a busy server is asked again."""
    taken: list[float] = []
    wrong: list[int] = []
    busy: list[int] = []
    end = time.perf_counter() + seconds

    def one(seed: int) -> None:
        draw, own = random.Random(seed), []
        connection = http.client.HTTPConnection(server.host, timeout=120)
        while time.perf_counter() < end:
            begin = time.perf_counter()
            connection.request("GET", draw.choice(paths))
            reply = connection.getresponse()
            reply.read()
            if reply.status == 429:  # as it says; no answer, so no latency
                busy.append(int(reply.headers.get("retry-after", 1)))
                time.sleep(min(busy[-1], max(end - time.perf_counter(), 0)))
                continue
            own.append(time.perf_counter() - begin)
            if reply.status != 200:
                wrong.append(reply.status)
        taken.extend(own)

    begin = time.perf_counter()
    threads = [threading.Thread(target=one, args=(seed,)) for seed in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall = time.perf_counter() - begin
    p50, p95, p99 = np.percentile(np.array(taken) * 1e3, (50, 95, 99))
    return {"clients": clients, "requests": len(taken), "errors": len(wrong), "busy": len(busy),
            "per_second": round(len(taken) / wall, 1), "p50_ms": round(float(p50), 2),
            "p95_ms": round(float(p95), 2), "p99_ms": round(float(p99), 2)}  # fmt: skip


def memory_over(server: Server, paths: list[str], requests: int) -> list[dict[str, Any]]:
    """Resident memory before, and after each tenth of so many requests."""
    connection = http.client.HTTPConnection(server.host, timeout=120)
    rows = []
    for i in range(requests + 1):
        if i % max(requests // 10, 1) == 0:
            rows.append({"requests": i, "resident_mb": round(server.memory() / 2**20, 1)})
        connection.request("GET", paths[i % len(paths)])
        connection.getresponse().read()
    return rows


def process_per_question(run: Path, fact: tuple[str, str, str], times: int) -> dict[str, Any]:
    """The verb, which loads the run, some times: wall and processor seconds."""
    words = ["predict", str(run), "--head", fact[0], "--relation", fact[1], "--json", "--quiet"]
    wall, spent = [], []
    for _ in range(times):
        begin, before = time.perf_counter(), os.times()
        subprocess.run([sys.executable, "-m", "parsimony", *words], check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        after = os.times()
        wall.append(time.perf_counter() - begin)
        spent.append(after.children_user + after.children_system - before.children_user
                     - before.children_system)  # fmt: skip
    return {"times": times, "median_seconds": round(float(np.median(wall)), 3),
            "median_cpu_seconds": round(float(np.median(spent)), 3)}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--seconds", type=float, default=5.0, help="per number of clients")
    parser.add_argument("--requests", type=int, default=20_000, help="for the memory")
    parser.add_argument(
        "--explanations", type=float, default=5.0, help="seconds per number of clients; 0: none"
    )
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    facts = facts_of(given.run)
    server = Server(given.run)
    try:
        paths = [address(server.run, "predict", fact) for fact in facts]
        result: dict[str, Any] = {
            "command": f"python benchmarks/serve.py {given.run.name} --seconds {given.seconds:g} "
            f"--requests {given.requests} --explanations {given.explanations:g}",
            "run": given.run.name, "cores": os.cpu_count(), "load": os.getloadavg()[0],
            "start_seconds": round(server.start_seconds, 2),
            "predict": [load(server, paths, n, given.seconds) for n in CLIENTS],
        }  # fmt: skip
        found = [address(server.run, "entities", fact) for fact in facts]
        result["entities"] = load(server, found, 1, given.seconds)
        if given.explanations:
            why = [address(server.run, "explain", fact) for fact in facts]
            result["explain"] = [load(server, why, n, given.explanations) for n in ASKING_WHY]
        result["memory"] = memory_over(server, paths, given.requests)
        result["load_after"] = os.getloadavg()[0]
        result["exit"] = server.close()
        result["process_per_question"] = process_per_question(given.run, facts[0], 3)
    finally:
        server.process.kill()
    print(json.dumps(result, indent=1))
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
