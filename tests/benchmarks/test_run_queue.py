"""The run queue as it is used: real commands, killed, resumed, stopped, edited."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SCRIPT = REPOSITORY / "benchmarks" / "run_queue.py"


class Queue:
    """A folder with a list of runs, and the command typed in it."""

    def __init__(self, root):
        self.root = root
        (root / "benchmarks").mkdir()

    def write(self, *entries):
        lines = []
        for entry in entries:
            lines.append("[[run]]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in entry.items()]
        (self.root / "benchmarks" / "runs.toml").write_text("\n".join(lines))

    def arguments(self, *words):
        return [sys.executable, str(SCRIPT), "--root", str(self.root), *words]

    def __call__(self, *words, code=0):
        done = subprocess.run(
            self.arguments(*words), capture_output=True, text=True, cwd=self.root, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stdout + done.stderr

    def start(self):
        return subprocess.Popen(
            self.arguments("run"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def result(self, name):
        return json.loads((self.root / "benchmarks" / "results" / f"{name}.json").read_text())

    def path(self, name):
        return self.root / "runs" / "queue" / name

    def statuses(self):
        rows = json.loads(self("status", "--json"))["runs"]
        return {row["name"]: row["status"] for row in rows}

    def readme(self):
        return (self.root / "benchmarks" / "results" / "README.md").read_text()


@pytest.fixture
def queue(tmp_path):
    return Queue(tmp_path)


def python(code):
    assert '"' not in code
    return f'python -c "{code}"'


def noting(name, then="pass"):
    """A command that appends its arguments to order.txt."""
    note = f"open('order.txt', 'a').write('{name}' + ' '.join(sys.argv[1:]) + '\\n')"
    return python(f"import sys; {note}; {then}")


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def order(queue):
    return (queue.root / "order.txt").read_text().split("\n")[:-1]


def test_runs_are_executed_by_priority_and_only_once(queue):
    queue.write(
        {"name": "late", "command": noting("late"), "priority": 2},
        {"name": "first", "command": noting("first", "print('{\\'mrr\\': 1}')"), "priority": 1},
        {"name": "second", "command": noting("second", "print(7)"), "priority": 1},
    )
    assert queue.statuses() == dict.fromkeys(("first", "second", "late"), "not run")
    assert "not run" in queue.readme()
    queue("run")
    assert order(queue) == ["first", "second", "late"]
    queue("run")
    assert len(order(queue)) == 3
    assert set(queue.statuses().values()) == {"finished"}
    assert queue.result("second")["result"] == 7
    entry = queue.result("late")
    assert entry["command"] == noting("late")
    assert time.strptime(entry["date"], "%Y-%m-%d")
    assert entry["attempts"] == 1
    assert 0 <= entry["seconds"] < 30
    assert "core" in entry["hardware"]


def test_a_failure_is_recorded_told_and_tried_again_next_time(queue):
    queue.write(
        {"name": "bad", "command": python("import sys; sys.exit('no luck')")},
        {"name": "good", "command": python("print(1)")},
    )
    out = queue("run", code=1)
    assert "no luck" in out
    assert queue.result("bad")["status"] == "failed"
    assert queue.result("bad")["error"] == "exit code 1: no luck"
    assert queue.result("good")["status"] == "finished"
    assert queue.statuses()["bad"].startswith("failed")
    queue("run", code=1)
    assert queue.result("bad")["attempts"] == 2


def test_a_run_beyond_its_limit_is_stopped_and_not_tried_again(queue):
    command = noting("x", "import time; time.sleep(60)")
    queue.write({"name": "slow", "command": command, "limit": "1s"})
    begin = time.monotonic()
    queue("run")
    assert time.monotonic() - begin < 25
    assert queue.result("slow")["status"] == "stopped at its limit"
    assert queue.statuses()["slow"].startswith("stopped at its limit")
    queue("run")
    assert len(order(queue)) == 1
    # A longer limit gives it what is left of that.
    queue.write({"name": "slow", "command": command, "limit": "2s"})
    queue("run")
    assert len(order(queue)) == 2
    assert 2 <= queue.result("slow")["seconds"] < 25


# Goes on only when asked to; the first time it waits to be killed.
RESUMED = (
    "import sys, time; from pathlib import Path; print(len(sys.argv) - 1); "
    "Path('begun').touch(); '--resume' in sys.argv or time.sleep(60)"
)


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_queue_goes_on_with_resume_and_the_time_used(queue, sign):
    queue.write({"name": "long", "command": python(RESUMED), "resumable": True})
    process = queue.start()
    try:
        wait_for((queue.root / "begun").exists)
        assert queue.statuses()["long"].startswith("running")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    finally:
        process.send_signal(sign)
        process.wait(60)
    assert children
    for child in children:  # it does not outlive the queue
        wait_for(lambda child=child: not Path(f"/proc/{child}/cmdline").exists() or _zombie(child))
    assert queue.statuses()["long"].startswith("interrupted")
    assert "interrupted" in queue.readme()
    queue("run")
    assert queue.result("long")["result"] == 1
    assert queue.result("long")["attempts"] == 2
    assert queue.statuses()["long"] == "finished"


def _zombie(child):
    try:
        return "State:\tZ" in Path(f"/proc/{child}/status").read_text()
    except OSError:
        return True


def test_only_one_queue_at_a_time(queue):
    queue.write({"name": "long", "command": python("import time; time.sleep(60)")})
    process = queue.start()
    try:
        wait_for((queue.path("long") / "state.json").exists)
        out = queue("run", code=2)
        assert f"process {process.pid} is executing the queue" in out
    finally:
        process.terminate()
        process.wait(60)
    assert process.returncode == 130


def test_a_changed_command_is_run_again_and_the_old_work_kept(queue):
    queue.write({"name": "a", "command": python("print(1)")})
    queue("run")
    queue.write({"name": "a", "command": python("print(2)")})
    assert queue.statuses() == {"a": "not run since its command changed"}
    queue("run")
    assert queue.result("a")["result"] == 2
    assert queue.path("a.old1").is_dir()
    queue("run", "a", "--fresh")
    assert queue.path("a.old2").is_dir()


def test_the_list_may_grow_while_the_queue_runs(queue):
    more = {"name": "more", "command": noting("more")}
    text = json.dumps(f'\n[[run]]\nname = "more"\ncommand = {json.dumps(more["command"])}\n')
    (queue.root / "grow.py").write_text(f"open('benchmarks/runs.toml', 'a').write({text})")
    queue.write({"name": "first", "command": "python grow.py"})
    queue("run")
    assert order(queue) == ["more"]


def test_names_choose(queue):
    queue.write(
        {"name": "a", "command": noting("a"), "seeds": [0, 1]},
        {"name": "b", "command": noting("b")},
    )
    queue("run", "a-1")
    assert order(queue) == ["a--seed 1"]
    queue("run", "a")
    assert order(queue) == ["a--seed 1", "a--seed 0"]
    out = queue("run", "a-2", code=2)
    assert "did you mean 'a-" in out


def test_no_place_of_this_machine_is_recorded(queue):
    code = (
        "import json, sys; print(json.dumps([sys.executable, sys.prefix + '/x', '1/2', 'a/b', "
        "'https://e.org/a/b']))"
    )
    queue.write(
        {"name": "a", "command": python(code)},
        {"name": "b", "command": python("open('/nowhere/at/all')")},
    )
    queue("run", code=1)
    assert queue.result("a")["result"][2:] == ["1/2", "a/b", "https://e.org/a/b"]
    for name in ("a", "b"):
        record = queue.result(name)
        del record["command"]
        for place in (sys.prefix, str(queue.root), "/nowhere"):
            assert place not in json.dumps(record)


def test_background(queue):
    queue.write({"name": "a", "command": python("print(1)")})
    out = queue("run", "--background")
    assert "executes the queue" in out
    wait_for((queue.root / "benchmarks" / "results" / "a.json").exists)
    wait_for(lambda: not (queue.root / "runs" / "queue" / ".lock").exists())
    assert "finished" in (queue.root / "runs" / "queue" / "queue.log").read_text()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "a"}, "no command"),
        ({"name": "a", "command": "rm -r x"}, "begins with parsimony or python"),
        ({"name": "a", "command": "python x", "limits": "1m"}, "did you mean 'limit'"),
        ({"name": "a", "command": "python x", "limit": "91m"}, "90m at most"),
        ({"name": "a", "command": "python x", "limit": "soon"}, "not a duration"),
        ({"name": "a", "command": "python x", "priority": "1"}, "priority must be a int"),
        ({"name": "../a", "command": "python x"}, "a name is"),
        ({"name": "a", "command": "python 'x"}, "not a command"),
        ({"name": "a", "command": "python /srv/x.py"}, "no absolute path"),
        ({"name": "a", "command": "parsimony fit x --out y"}, "--out: the queue's to set"),
        ({"name": "a", "command": "python x", "seeds": ["0"]}, "seeds must be integers"),
    ],
)
def test_a_wrong_entry_is_told_by_name(queue, entry, message):
    queue.write(entry)
    for words in (("run",), ("run", "--background"), ("status",)):
        out = queue(*words, code=2)
        assert message in out
        assert "runs.toml" in out
        assert "Traceback" not in out


def test_a_wrong_list_is_told(queue):
    assert "no list of runs" in queue("status", code=2)
    (queue.root / "benchmarks" / "runs.toml").write_text("[[run]\n")
    assert "not TOML" in queue("status", code=2)
    queue.write(*[{"name": "a", "command": "python x"}] * 2)
    assert "two runs are named a" in queue("status", code=2)


FIT = "parsimony fit royal --epochs 1 --set dim=8 --set n_layers=2 --set threads=1"
RULES = "parsimony fit royal --method rules --set max_length=2"


@pytest.mark.slow
def test_a_training_run_is_evaluated_and_its_bill_recorded(queue):
    queue.write(
        {"name": "royal-rules", "command": RULES, "seeds": [0, 1], "target": 0.0},
        {"name": "royal-redgnn", "command": FIT, "target": 1.0, "published": 0.5},
    )
    queue("run")
    assert queue.result("royal-rules-1")["command"] == f"{RULES} --seed 1"
    assert queue.result("royal-rules-1")["config"]["parameters"]["seed"] == 1
    record = queue.result("royal-redgnn")
    assert record["command"] == FIT
    assert record["config"]["method"] == "redgnn"
    assert record["config"]["data"]["name"] == "royal"
    assert record["fit"]["epochs"] == record["fit"]["best_epoch"] == 1
    assert record["ledger"]["cpu_seconds"] > 0
    for split in ("valid", "test"):
        assert 0 < record[split]["metrics"]["mrr"] < 1
        assert record[split]["queries_per_second"] > 0
        assert "per_relation" not in record[split]
    assert len(json.dumps(record)) < 6000
    assert str(queue.root) not in json.dumps(record)
    readme = queue.readme()
    assert f"| royal-redgnn | {record['test']['metrics']['mrr']:.4f} [" in readme
    assert "**royal-rules**, mean [range] of 2 seeds" in readme
    assert "royal: `royal-rules-" in readme, "the better on validation"
    assert readme.count("✗") >= 1
    assert readme.count("✓") >= 3


@pytest.mark.slow
def test_a_training_run_killed_with_its_queue_goes_on(queue):
    queue.write({"name": "royal", "command": FIT.replace("--epochs 1", "--epochs 12")})
    run = queue.path("royal") / "run"
    process = queue.start()
    try:
        wait_for((run / "checkpoints" / "000002.safetensors").exists, 120)
    finally:
        process.kill()
        process.wait()
    begun = len((run / "log.jsonl").read_text().splitlines())
    queue("run")
    record = queue.result("royal")
    assert record["fit"]["epochs"] <= 12
    assert record["attempts"] == 2
    epochs = [json.loads(line)["epoch"] for line in (run / "log.jsonl").read_text().splitlines()]
    assert epochs[begun] in (begun, begun + 1), "it began again"


def test_the_list_of_this_repository_is_right():
    sys_path = [str(SCRIPT.parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    code = """
import json, shlex, sys
from pathlib import Path
from run_list import read_entries
from parsimony.base import estimators
from parsimony.datasets import names
for entry in read_entries(Path(sys.argv[1])):
    words = shlex.split(entry.command)
    if entry.trains:
        assert words[2] in names(), words[2]
        assert words[words.index("--method") + 1] in estimators(), words
        assert "--time-budget" in words or "--epochs" in words, words
print("right")
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(SCRIPT.parent / "runs.toml")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys_path))},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "right", done.stderr


def test_a_status_before_anything_was_run_lists_all_of_it(queue):
    (queue.root / "benchmarks" / "runs.toml").write_text((SCRIPT.parent / "runs.toml").read_text())
    out = queue("status")
    assert out.count("not run") == len(queue.statuses()) > 30
    assert queue.readme().count("not run") == len(queue.statuses())
