"""Trials on a real Ray cluster of two nodes, one of which dies in the middle."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from tensor_fit import TensorFit

from parsimony.errors import MissingExtra, UsageError
from parsimony.graph import KnowledgeGraph
from parsimony.knowledge import mine_rules
from parsimony.run.engine import LocalEngine, resolve_engine
from parsimony.search import BilinearSpace, Budget, Rung, SearchSettings, TrialStore, search

SETTINGS = SearchSettings(per_round=4, candidates=32)
# Ray's own code warns on import and leaves sockets to the collector.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def cluster(monkeypatch):
    """Two nodes of one processor each on this machine; workers find the tests' modules."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip(
            "ray", reason="Ray is not installed: pip install 'parsimony-learning[dist]'"
        )
        import ray
        from ray.cluster_utils import Cluster

        monkeypatch.setattr(ray._private.ray_constants, "ENABLE_RAY_CLUSTER", False)  # loopback
        here = str(Path(__file__).parent)
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        try:
            made.second = made.add_node(num_cpus=1)
            ray.init(
                address=made.address, log_to_driver=False,
                runtime_env={"env_vars": {"PYTHONPATH": ":".join([here, *sys.path])}},
            )  # fmt: skip
            yield made
        finally:
            ray.shutdown()
            made.shutdown()


def run(folder, engine, evaluate, trials=16):
    with TrialStore(folder, {"data": "tensor"}) as store:
        result = search(
            BilinearSpace(), evaluate, store, budget=Budget(trials=trials),
            ladder=[Rung(4, 15), Rung(8, 30)], algorithm="evolution", settings=SETTINGS,
            engine=engine,
        )  # fmt: skip
        return result, list(store)


def figures(trials):
    return sorted((t.canonical, t.dim, t.epochs, t.valid, t.origin, t.stage) for t in trials)


def test_a_node_dies_and_nothing_is_lost(cluster, tmp_path):
    expected, _ = run(tmp_path / "local", LocalEngine(), TensorFit())
    log = tmp_path / "log"
    killed = []

    def kill_a_node():
        until = time.monotonic() + 600
        while time.monotonic() < until:
            if log.exists() and len(log.read_text().splitlines()) >= 4:
                cluster.remove_node(cluster.second, allow_graceful=False)
                killed.append(time.monotonic())
                return
            time.sleep(0.05)

    killer = threading.Thread(target=kill_a_node)
    killer.start()
    engine = resolve_engine("ray")
    found, trials = run(tmp_path / "ray", engine, TensorFit(log=str(log), pause=0.5))
    killer.join()
    engine.close()
    assert killed
    calls = [line.split(" ", 1) for line in log.read_text().splitlines()]
    assert len({process for process, _ in calls}) > 1  # both nodes worked
    assert len(trials) == 16  # none twice, though a call may have been repeated
    assert len(calls) >= 16
    assert figures(found.trials) == figures(expected.trials)
    assert found.structure == expected.structure


def test_ray_started_here_answers_this_machine_alone():
    ray = pytest.importorskip("ray", reason="pip install 'parsimony-learning[dist]'")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; tells the address that others see
        except OSError:
            pytest.skip("no network")
        outside = probe.getsockname()[0]
    drawn = np.random.default_rng(0)
    facts = np.stack([drawn.integers(0, n, 200) for n in (40, 3, 40)], axis=1).astype(np.int32)
    graph = KnowledgeGraph(facts, 40, 3)
    engine = resolve_engine("ray")
    try:
        found = engine.run(lambda n: n + 1, [{"n": 1}, {"n": 2}], lambda: True)
        assert dict(found) == {0: 2, 1: 3}
        assert mine_rules(graph, engine=engine, notes=[]) == mine_rules(graph, notes=[])
        host, port = ray.get_runtime_context().gcs_address.rsplit(":", 1)
        socket.create_connection((host, int(port)), 5).close()
        assert host == "127.0.0.1"
        with pytest.raises(OSError):
            socket.create_connection((outside, int(port)), 5).close()
    finally:
        engine.close()
    assert not ray.is_initialized()


def test_nobody_answers():
    pytest.importorskip(
        "ray", reason="Ray is not installed: pip install 'parsimony-learning[dist]'"
    )
    with pytest.raises(UsageError, match="no Ray cluster answers at 'nowhere:1'"):
        resolve_engine("ray", address="nowhere:1")


def test_ray_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"parsimony-learning\[dist\]"):
        resolve_engine("ray")


STARTED = """
import sys
from parsimony.run.engine_ray import RayEngine
engine = RayEngine()
assert list(engine.run(abs, [{}], lambda: False)) == []
import ray
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.readline()
engine.close()
"""
STRANGER = """
import sys
from ray._raylet import GcsClient
try:
    print(GcsClient(address=sys.argv[1]).internal_kv_keys(b"", None))
except Exception as error:
    print(error)
"""


@pytest.fixture(scope="module")
def started():
    """A cluster that a process of its own started, as a command does; yield (process, address)."""
    pytest.importorskip("ray")
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    process = subprocess.Popen(
        [sys.executable, "-c", STARTED],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, env=clean,
    )  # fmt: skip
    try:
        yield process, process.stdout.readline().strip(), clean
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(60)


def listening(pid):
    """Return the (address, port) pairs on which a process and its children listen."""
    family = {pid}
    status = {
        int(p.name): (p / "stat").read_text().rsplit(")", 1)[1].split()
        for p in Path("/proc").iterdir()
        if p.name.isdigit()
    }
    for _ in range(5):
        family |= {child for child, fields in status.items() if int(fields[1]) in family}
    inodes = set()
    for member in family:
        for handle in Path(f"/proc/{member}/fd").iterdir():
            try:
                inodes.add(os.readlink(handle))
            except OSError:
                continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                address, port = fields[1].split(":")
                found.add((address, int(port, 16)))
    return found


@pytest.mark.skipif(not Path("/proc/net/tcp").is_file(), reason="reads /proc")
def test_a_cluster_started_here_listens_on_the_loopback_address_and_asks_for_its_token(started):
    process, address, clean = started
    found = listening(process.pid)
    assert int(address.rpartition(":")[2]) in {port for _, port in found}
    loopback = {"0100007F", "0" * 24 + "01000000", "0" * 16 + "FFFF0000" + "0100007F"}
    assert {host for host, _ in found} <= loopback
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, address],
        capture_output=True, text=True, timeout=120, env=clean,
    )  # fmt: skip
    assert "InvalidAuthToken" in done.stdout + done.stderr


@pytest.mark.skipif(not Path("/proc/net/tcp").is_file(), reason="reads /proc")
def test_another_network_cannot_reach_it(started):
    process, _, _ = started
    ports = sorted({port for _, port in listening(process.pid)})
    name, here, there = "parsimony-test", "10.213.7.1", "10.213.7.2"
    commands = [
        f"ip netns add {name}",
        f"ip link add psy0 type veth peer name psy1 netns {name}",
        f"ip address add {here}/30 dev psy0",
        "ip link set psy0 up",
        f"ip netns exec {name} ip address add {there}/30 dev psy1",
        f"ip netns exec {name} ip link set psy1 up",
    ]
    try:
        for command in commands:
            if (
                shutil.which("ip") is None
                or subprocess.run(command.split(), capture_output=True, check=False).returncode
            ):
                pytest.skip("this machine does not let us make a network of our own")
        reach = (
            "import socket, sys\n"
            f"for port in {ports}:\n"
            "    try:\n"
            f"        socket.create_connection(({here!r}, port), timeout=3).close()\n"
            "        print(port)\n"
            "    except OSError:\n"
            "        pass\n"
        )
        done = subprocess.run(
            ["ip", "netns", "exec", name, sys.executable, "-c", reach],
            capture_output=True, text=True, timeout=200, check=True,
        )  # fmt: skip
        assert done.stdout == ""
    finally:
        if shutil.which("ip"):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
