"""Graphs that exceed memory: planted ones of any size, and what reading, opening, auditing cost.

    python benchmarks/big_graph.py write FACTS.parquet --facts 20000000 --entities 5000000
    python benchmarks/big_graph.py measure --facts 1000000 10000000 [--out FILE]

``write`` streams a graph of power-law degrees in which three rules are planted: ``spouse`` is
symmetric, ``child_of`` the inverse of ``parent_of``, and ``grandparent_of`` follows from two
``parent_of``; all other relations are drawn at random. ``measure`` writes such graphs and, in one
run and a process each, ingests them as TSV, as TSV packed by zstd and as Parquet, opens the stores,
audits those of ``--audit`` facts at most, lets DuckDB do (up to ``--duckdb`` facts) what a store
needs done: read, give every name a number, drop repeated rows; and lets PyKEEN read a million.
Peaks are of anonymous memory and of all resident memory; the latter holds pages of files, which
the system takes back when it needs them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from parsimony.run.cost import processor

BLOCK = 1 << 20
NOISE = 196  # relations without a rule


def blocks(n_facts: int, n_entities: int, seed: int) -> Iterator[tuple]:
    """Yield heads, relations and tails as numbers, about a million at a time.

    Of every block 4 % are ``parent_of`` with their inverses and the grandparents they lead to, 2 %
    ``spouse`` in both directions.
    """
    import numpy as np

    drawn = np.random.default_rng(seed)
    parent, child, grand, spouse = range(4)
    made = 0
    while made < n_facts:
        # x = parent(parent(y)): three entities of a family drawn together
        n = BLOCK // 50
        a, b, c = (drawn.integers(n_entities, size=n) for _ in range(3))
        rows = [(a, parent, b), (b, parent, c), (b, child, a), (c, child, b), (a, grand, c)]
        p, q = drawn.integers(n_entities, size=(2, n))
        rows += [(p, spouse, q), (q, spouse, p)]
        m = BLOCK - len(rows) * n
        # u ** 3: the busiest thousandth of the entities takes a tenth of the ends.
        rows.append(
            (
                (n_entities * drawn.random(m) ** 3).astype(np.int64),
                4 + (NOISE * drawn.random(m) ** 2).astype(np.int64),
                (n_entities * drawn.random(m) ** 3).astype(np.int64),
            )
        )
        h, r, t = (
            np.concatenate([np.broadcast_to(row[i], len(row[0])) for row in rows]) for i in range(3)
        )
        order = drawn.permutation(len(h))[: n_facts - made]
        made += len(order)
        yield h[order], r[order], t[order]


def write(path: Path, n_facts: int, n_entities: int, seed: int = 0) -> None:
    """Write a graph as TSV, as TSV packed by zstd or gzip, or as Parquet of zstd."""
    import polars as pl

    names = ["parent_of", "child_of", "grandparent_of", "spouse"]
    relations = pl.Series([*names, *(f"relation_{i:03}" for i in range(NOISE))])

    def frames() -> Iterator[pl.DataFrame]:
        for h, r, t in blocks(n_facts, n_entities, seed):
            yield pl.DataFrame({"head": h, "tail": t}).select(
                pl.format("Q{}", pl.col("head")).alias("head"),
                relations[r].alias("relation"),
                pl.format("Q{}", pl.col("tail")).alias("tail"),
            )

    plain = path if path.suffix == ".tsv" else path.with_name(f"{path.stem}.rows.tsv")
    with plain.open("wb") as stream:
        for frame in frames():
            frame.write_csv(stream, separator="\t", include_header=False, quote_style="never")
    if plain is not path:
        pack(plain, path)
        plain.unlink()


def pack(plain: Path, path: Path) -> None:
    """Write the rows of a TSV as Parquet, or packed by zstd."""
    import polars as pl
    from backports import zstd

    if path.suffix == ".parquet":
        schema = dict.fromkeys(("head", "relation", "tail"), pl.String)
        rows = pl.scan_csv(plain, separator="\t", has_header=False, schema=schema, quote_char=None)
        rows.sink_parquet(path, compression="zstd", row_group_size=BLOCK)
        return
    with plain.open("rb") as rows, zstd.open(path, "wb") as stream:
        while part := rows.read(1 << 24):
            stream.write(part)


# ---- what is measured, each in a process of its own ------------------------------------------


def ingest(facts: str, out: str) -> dict:
    from parsimony.link.ingesting import ingest

    done = ingest([facts], out)
    return {"entities": done["entities"], "facts": done["facts"], "store_bytes": done["bytes"]}


def reopen(store: str, _: str) -> dict:
    from parsimony.link.loading import load

    times = []
    for _ in range(5):
        begun = time.perf_counter()
        data = load(store)
        data.entities.index(data.entities.name(len(data.entities) // 3))
        times.append(1000 * (time.perf_counter() - begun))
    return {"first_ms": round(times[0], 1), "then_ms": round(min(times[1:]), 1)}


def audit(store: str, _: str) -> dict:
    from parsimony.link.audit import audit
    from parsimony.link.loading import load

    found = audit(load(store))
    return {
        "overlaps": [[each["kind"], *each["relations"]] for each in found["overlaps"]],
        "popularity_mrr": found["popularity"]["metrics"]["mrr"],
    }


def duckdb(facts: str, out: str) -> dict:
    """Number the names, drop repeated rows, keep the result on disk."""
    import duckdb

    rows = f"read_parquet('{facts}')"
    if not facts.endswith(".parquet"):
        columns = "{'head': 'VARCHAR', 'relation': 'VARCHAR', 'tail': 'VARCHAR'}"
        rows = f"read_csv('{facts}', delim='\t', header=false, quote='', columns={columns})"
    with duckdb.connect(out) as db:
        db.execute(f"SET memory_limit='4GB'; SET temp_directory='{out}.tmp'")
        db.execute(f"SET threads={os.environ.get('POLARS_MAX_THREADS', 2)}")
        for sql in (
            f"CREATE TABLE raw AS SELECT * FROM {rows}",
            "CREATE TABLE entity AS SELECT name, row_number() OVER (ORDER BY name) - 1 AS id FROM "
            "(SELECT head AS name FROM raw UNION SELECT tail FROM raw)",
            "CREATE TABLE relation AS SELECT name, row_number() OVER (ORDER BY name) - 1 AS id "
            "FROM (SELECT DISTINCT relation AS name FROM raw)",
            "CREATE TABLE facts AS SELECT DISTINCT h.id AS head, r.id AS relation, t.id AS tail "
            "FROM raw JOIN entity h ON h.name = raw.head JOIN entity t ON t.name = raw.tail "
            "JOIN relation r ON r.name = raw.relation",
            "DROP TABLE raw",
        ):
            db.execute(sql)
        (n,), (entities,) = (
            db.execute(f"SELECT count(*) FROM {of}").fetchone() for of in ("facts", "entity")
        )
    return {"entities": entities, "distinct": n}


def pykeen(facts: str, _: str) -> dict:
    from pykeen.triples import TriplesFactory

    return {"facts": TriplesFactory.from_path(facts).num_triples}


CHILDREN = {each.__name__: each for each in (ingest, reopen, audit, duckdb, pykeen)}
# Importing is not reading: it happens before the clock starts.
WARM_UP = {
    "ingest": "parsimony.link.ingesting", "reopen": "parsimony.link.loading",
    "audit": "parsimony.link.audit", "duckdb": "duckdb", "pykeen": "pykeen.triples",
}  # fmt: skip


def status(field: str) -> int:
    """Return a field of this process's memory in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) // 1024
    return 0


def child(what: str, *paths: str) -> None:
    """Measure in this process and print one JSON object."""
    __import__(WARM_UP[what])
    anonymous, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            anonymous[0] = max(anonymous[0], status("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        found = CHILDREN[what](*paths)
    finally:
        ended.set()
        watcher.join()
    found["seconds"] = round(time.perf_counter() - wall, 2)
    found["cpu_seconds"] = round(time.process_time() - cpu, 2)
    print(json.dumps(found | {"peak_mib": status("VmHWM"), "peak_anonymous_mib": anonymous[0]}))


def measured(what: str, facts: Path | str, out: Path | str = "", n: int = 0) -> dict:
    command = [sys.executable, __file__, "--child", what, str(facts), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1:]}
    found = json.loads(done.stdout.splitlines()[-1])
    if n:
        found["facts_per_second"] = round(n / found["seconds"])
        found["facts_per_cpu_second"] = round(n / found["cpu_seconds"])
    print(f"  {what} {Path(facts).name}: {json.dumps(found)}", file=sys.stderr, flush=True)
    return found


def measure(n: int, folder: Path, given: argparse.Namespace) -> dict:
    plain, forms = folder / "facts.tsv", given.forms
    write(plain, n, n // 4)
    found: dict = {"facts": n, "entities_drawn_from": n // 4, "bytes": {}}
    for name in ["facts.tsv", *forms]:
        path = folder / name
        if path != plain:
            pack(plain, path)
        found["bytes"][name] = path.stat().st_size
        store = folder / f"{name}.store"
        found[f"ingest {name}"] = measured("ingest", path, store, n)
        if path.suffix == ".zst":
            path.unlink()
        if path != plain:
            subprocess.run(["rm", "-rf", store], check=True)
            continue
        found["reopen"] = measured("reopen", store)
        if n <= given.audit:
            found["audit"] = measured("audit", store)
        subprocess.run(["rm", "-rf", store], check=True)
    for name in ["facts.tsv", *(form for form in forms if form == "facts.parquet")]:
        if n > given.duckdb:
            break
        found[f"duckdb {name}"] = measured("duckdb", folder / name, folder / f"{name}.db", n)
        (folder / f"{name}.db").unlink(missing_ok=True)
    if n <= 1_000_000:
        found["pykeen facts.tsv"] = measured("pykeen", plain, n=n)
    return found


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        return child(*sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    writing = verbs.add_parser("write")
    writing.add_argument("path", type=Path)
    writing.add_argument("--facts", type=int, required=True)
    writing.add_argument("--entities", type=int)
    writing.add_argument("--seed", type=int, default=0)
    measuring = verbs.add_parser("measure")
    measuring.add_argument("--facts", type=int, nargs="+", default=[1_000_000, 10_000_000])
    measuring.add_argument("--audit", type=int, default=10_000_000)
    measuring.add_argument("--duckdb", type=int, default=10_000_000)
    measuring.add_argument("--forms", nargs="*", default=["facts.tsv.zst", "facts.parquet"])
    measuring.add_argument("--folder", type=Path)
    measuring.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.verb == "write":
        return write(given.path, given.facts, given.entities or given.facts // 4, given.seed)
    runs: list[dict] = []
    words = sys.argv[1:]
    for place in ("--folder", "--out"):  # which are of this machine
        if place in words:
            del words[words.index(place) : words.index(place) + 2]
    found = {
        "command": f"python benchmarks/big_graph.py {' '.join(words)}",
        "date": date.today().isoformat(),
        "hardware": f"{processor()}, load {os.getloadavg()[0]:.1f} before",
        "result": {"polars_threads": os.environ.get("POLARS_MAX_THREADS", "all"), "runs": runs},
    }
    for n in given.facts:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            runs.append(measure(n, Path(folder), given))
        runs[-1]["load_after"] = round(os.getloadavg()[0], 1)
        text = json.dumps(found, indent=1) + "\n"
        if given.out:
            given.out.parent.mkdir(parents=True, exist_ok=True)
            given.out.write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
