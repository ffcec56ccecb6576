import json
import subprocess
import sys
import time

import numpy as np
import pytest

from parsimony.run import cost as module
from parsimony.run.cost import Cost, own_cores, peak_memory, processor, usable_cores

FIELDS = {
    "parameters", "labels", "flops", "cpu_seconds", "wall_seconds", "peak_memory_bytes", "hardware",
}  # fmt: skip


def test_the_bill_is_json_with_all_its_lines():
    bill = Cost(12, 34).as_dict()
    assert set(bill) == FIELDS
    assert json.loads(json.dumps(bill)) == bill
    assert (bill["parameters"], bill["labels"], bill["flops"]) == (12, 34, 0.0)
    assert bill["peak_memory_bytes"] > 2**20
    assert "core" in bill["hardware"]


def test_wall_time_runs_while_sleeping_and_cpu_time_does_not():
    since = time.perf_counter()
    ledger = Cost(1, 1)
    time.sleep(0.2)
    idle = ledger.as_dict()
    assert 0.2 <= idle["wall_seconds"] <= time.perf_counter() - since
    assert idle["cpu_seconds"] < 0.15
    begin = time.process_time()
    while time.process_time() - begin < 0.1:
        np.ones(100).sum()
    assert ledger.as_dict()["cpu_seconds"] >= idle["cpu_seconds"] + 0.1


def test_resumed_parts_add_up():
    first = Cost(1, 1)
    first.add(flops=10)
    first.add(flops=5)
    bill = json.loads(json.dumps(first.as_dict())) | {
        "wall_seconds": 100.0, "cpu_seconds": 150.0, "peak_memory_bytes": 2**60,
    }  # fmt: skip
    second = Cost(1, 1, bill)
    second.add(flops=7)
    total = second.as_dict()
    assert total["flops"] == 22
    assert 100 <= total["wall_seconds"] < 200  # not counted twice
    assert 150 <= total["cpu_seconds"] < 300
    assert total["peak_memory_bytes"] == 2**60
    assert total["hardware"] == bill["hardware"]


def test_a_run_resumed_elsewhere_names_both_machines():
    there = Cost(1, 1).as_dict() | {"hardware": "An Old Processor, 1 core"}
    here = Cost(1, 1, there).as_dict()
    assert here["hardware"] == f"An Old Processor, 1 core + {processor()}"
    assert Cost(1, 1, here).as_dict()["hardware"] == here["hardware"]


def test_peak_memory_is_this_process_alone():
    # ru_maxrss of a child begins at its parent's size; a small child must not report it.
    ballast = np.ones(40_000_000)  # 320 MB
    code = "from parsimony.run.cost import peak_memory; print(peak_memory())"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert peak_memory() > ballast.nbytes
    assert int(child.stdout) < ballast.nbytes


@pytest.mark.parametrize("missing", ["/proc/cpuinfo", "/proc/self/status"])
def test_works_without_proc(monkeypatch, missing):
    real = module._lines
    monkeypatch.setattr(module, "_lines", lambda path: [] if path == missing else real(path))
    processor.cache_clear()
    assert set(Cost(1, 1).as_dict()) == FIELDS
    assert peak_memory() > 2**20
    monkeypatch.setitem(sys.modules, "resource", None)  # Windows has neither
    assert missing != "/proc/self/status" or peak_memory() == 0
    processor.cache_clear()


@pytest.mark.parametrize(("asked", "most"), [("1", 1), ("1,4", 1), ("9999", None), ("", None),
                                             ("0", None), ("many", None)])  # fmt: skip
def test_as_many_cores_as_the_environment_says(asked, most, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert usable_cores() == (most or own_cores())
