"""Reading a large TSV of triples: triples per second and peak memory, as JSON.

    python benchmarks/read_triples.py [--rows 10000000] [--out FILE]

Writes a synthetic file (skewed heads, a tenth as many entities as rows, 200 relations), reads and
encodes it in a process of its own, and, where PyKEEN is installed, compares both readers on the
first million rows. Peak memory is the process's resident maximum; it includes the pages of the
file itself, which Polars maps.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMPARED = 1_000_000


def write_synthetic(path: Path, rows: int) -> None:
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(0)
    n_entities = max(rows // 10, 10)
    entities = pl.Series([f"/m/{i:07x}" for i in range(n_entities)])
    relations = pl.Series([f"relation_{i}" for i in range(200)])
    with path.open("wb") as stream:
        for start in range(0, rows, COMPARED):
            n = min(COMPARED, rows - start)
            heads = entities[(n_entities * rng.random(n) ** 2).astype(np.int64)]
            tails = entities[rng.integers(n_entities, size=n)]
            frame = pl.DataFrame(
                {"h": heads, "r": relations[rng.integers(200, size=n)], "t": tails}
            )
            frame.write_csv(stream, separator="\t", include_header=False)


def read_ours(path: str) -> int:
    from parsimony.graph.encoding import build_vocabularies, encode
    from parsimony.graph.formats import read_triples

    frame = read_triples(path)
    return len(encode(frame, *build_vocabularies([frame])))


def read_pykeen(path: str) -> int:
    from pykeen.triples import TriplesFactory

    return TriplesFactory.from_path(path).num_triples


READERS = {"parsimony": read_ours, "pykeen": read_pykeen}
# Importing is not reading: it happens before the clock starts.
WARM_UP = {"parsimony": "parsimony.graph.encoding", "pykeen": "pykeen.triples"}


def peak_kib() -> int:
    # VmHWM, not ru_maxrss: the latter keeps the parent's size across fork and exec.
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def child(reader: str, path: str) -> None:
    """Read in this process and print one JSON object."""
    importlib.import_module(WARM_UP[reader])
    if reader == "parsimony":
        importlib.import_module("parsimony.graph.formats")
    before = peak_kib()
    start, cpu = time.perf_counter(), time.process_time()
    triples = READERS[reader](path)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = peak_kib()
    result = {
        "triples": triples,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "triples_per_second": round(triples / seconds),
        "peak_mib": round(peak / 1024),
        "imports_mib": round(before / 1024),
        "file_mib": round(Path(path).stat().st_size / 2**20),
    }
    print(json.dumps(result))


def measure(reader: str, path: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", reader, str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return child(*arguments.child)
    with tempfile.TemporaryDirectory() as folder:
        whole, first = Path(folder) / "whole.tsv", Path(folder) / "first.tsv"
        write_synthetic(whole, arguments.rows)
        result = {"rows": arguments.rows, "parsimony": measure("parsimony", whole)}
        write_synthetic(first, min(COMPARED, arguments.rows))
        result["first_million"] = {"parsimony": measure("parsimony", first)}
        if importlib.util.find_spec("pykeen") is None:
            result["first_million"]["pykeen"] = "not run: pykeen is not installed"
        else:
            result["first_million"]["pykeen"] = measure("pykeen", first)
    text = json.dumps(result, indent=1)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
