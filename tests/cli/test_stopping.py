"""Real processes, stopped at any moment: one line, the right code, nothing half-written."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parsimony.run.atomic import is_temporary

SOURCE = Path(__file__).parents[2] / "src"
RUNS = Path(__file__).parents[1] / "fixtures" / "runs_0_1"
ENTITY = (RUNS / "rules" / "data" / "entities.txt").read_text().splitlines()[0]
#: quick epochs, without an end before the test's own
SMALL = ["--set", "dim=4", "--set", "n_layers=2", "--set", "patience=5000"]
VERBS = {
    "fit": ["fit", "royal", "--method", "redgnn", "--out", "run", "--epochs", "5000", *SMALL],
    "audit": ["audit", "royal"],
    "evaluate": ["evaluate", "RUNS/redgnn"],
    "predict": ["predict", "RUNS/redgnn", "--head", ENTITY, "--relation", "cousin"],
    "report": ["report", "RUNS/redgnn", "--out", "page.html"],
    "ddi": ["ddi", "predict", "RUNS/neighbours", "--drug", "ritonavir", "--drug", "fentanyl"],
    "adapt": ["adapt", "RUNS/means", "--support", "RUNS/ratings_support.csv",
              "--predict", "RUNS/ratings_asked.csv"],
}  # fmt: skip


def start(words, folder):
    # A test that runs in the background of a shell would inherit that Ctrl-C is ignored.
    def reset():
        signal.signal(signal.SIGINT, signal.default_int_handler)

    words = [word.replace("RUNS", str(RUNS)) for word in words]
    return subprocess.Popen([sys.executable, "-m", "parsimony", *words], cwd=folder, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=reset,
                            env=os.environ)  # fmt: skip


def wait_for(condition, process):
    """Wait as long as it takes on a busy machine; the process must not end before."""
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def listens(process):
    """Whether it hears SIGTERM, which Python by itself does not."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():  # another system
        time.sleep(1)
        return True
    caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt"))
    return int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1


def has_checkpoint(folder):
    return any((folder / "run").glob("checkpoints/*.safetensors"))


def stopped_after(seconds, words, folder, number=signal.SIGINT):
    """What it printed when stopped so long after it listens; None where it had ended before."""
    process = start(words, folder)
    wait_for(lambda: listens(process), process)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    out, err = process.communicate(timeout=300)
    return None if process.returncode == 0 else (process.returncode, out, err)


def test_a_module_is_loaded_to_its_end(tmp_path):
    """Else C++ that runs while torch is loaded may end the process, without a line of ours."""
    (tmp_path / "slow.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nprint('loaded', flush=True)\n"
    )
    code = (
        "import time\nfrom parsimony import stopping\nstopping.listen()\nimport slow\n"
        "try:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print('heard')\n"
    )
    found = os.environ | {"PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=found, text=True,
                          capture_output=True, timeout=300)  # fmt: skip
    assert done.stdout.split() == ["loaded", "heard"], done.stderr


def numberless(text):
    """Without its numbers, some of which are seconds."""
    return re.sub(r"[\d.]+", "#", text)


def ended(words, folder):
    process = start(words, folder)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_ctrl_c_is_answered_by_one_line(verb, tmp_path):
    draw, answered = random.Random(verb), 0
    moments = draw.uniform(0.1, 0.8), draw.uniform(0.8, 2.5)
    # Until the command is known, all verbs are the same. A short one may have ended at both
    # moments, and do little but load modules before, which no stop cuts off: several tries.
    for at in (*moments, *[0.0] * 10):
        if at == 0.0 and answered and (verb != "fit" or answered > 2):
            break
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        found = stopped_after(at, VERBS[verb], tmp_path)
        if found is None:
            continue
        code, out, err = found
        assert code == 130, err
        line = err.strip().splitlines()
        if out and verb == "fit":  # it had begun to learn
            assert "ended by the interruption" in out
        elif out:  # it was about to end: what stands there is what an undisturbed one says
            _, whole, _ = ended(VERBS[verb], tmp_path)
            assert numberless(whole).startswith(numberless(out))
        else:
            assert len(line) == 1 or verb == "fit", err
        assert line[-1].startswith("error: interrupted; "), err
        assert "command" in line[-1] or "parsimony fit" in line[-1]
        answered += 1
    assert answered
    assert not [path for path in tmp_path.rglob("*") if is_temporary(path)]


@pytest.mark.slow
def test_sigterm_too_and_the_error_is_json_from_the_start(tmp_path):
    for at in (0.0, 0.2):
        found = stopped_after(at, [*VERBS["audit"], "--json"], tmp_path, signal.SIGTERM)
        if found is None:  # at its end
            continue
        code, out, err = found
        assert code == 143, err
        error = json.loads(out)["error"]
        assert error["type"] == "Interrupted"
        assert error["message"] == "terminated"
        assert error["remedy"]


@pytest.mark.slow
def test_a_fit_says_what_it_kept_and_how_to_go_on(tmp_path):
    process = start(VERBS["fit"], tmp_path)
    wait_for(lambda: has_checkpoint(tmp_path), process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.02)
    process.send_signal(signal.SIGINT)  # an impatient user
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "interrupted" in err or "stopped at once" in err
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.parametrize("form", ["text", "--json"])
def test_the_first_ctrl_c_while_it_learns_writes_a_usable_run(form, tmp_path):
    words = [*VERBS["fit"], *[form] * (form == "--json")]
    process = start(words, tmp_path)
    wait_for(lambda: has_checkpoint(tmp_path), process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["ended"], summary["run"]) == ("interrupted", "run")
    if form == "--json":  # the run is the same: it is used once
        assert json.loads(out) == summary
        assert "error" not in err
        return
    assert err.strip().splitlines()[-1].endswith(f"parsimony {' '.join(words)} --resume")
    asked = ["predict", "run", "--head", ENTITY, "--relation", "cousin", "--json"]
    answers = start(asked, tmp_path)
    assert json.loads(answers.communicate(timeout=300)[0])["answers"]
    more = summary["epochs"] + 1
    words[words.index("--epochs") + 1] = str(more)
    again = start([*words, "--resume", "--quiet"], tmp_path)
    again.communicate(timeout=300)
    assert again.returncode == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["ended"], summary["epochs"]) == ("epochs", more)


@pytest.mark.slow
def test_ctrl_c_ends_a_race_with_the_best_until_then(tmp_path):
    words = ["fit", "royal", "--out", "run", "--time-budget", "10m", "--epochs", "2"]
    trials = tmp_path / "run" / "search" / "trials.jsonl"
    process = start(words, tmp_path)
    # A line for the header, one for popularity, one for the rules.
    wait_for(lambda: trials.exists() and len(trials.read_text().splitlines()) > 2, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert err.strip().splitlines()[-1].endswith(f"parsimony {' '.join(words)} --resume")
    told = json.loads((tmp_path / "run" / "race.json").read_text())
    assert told["ended"] == "interrupted"
    assert told["sentence"] in " ".join(out.split())
    assert "the interruption ended the training of" in told["sentence"]
    assert told["test"]["mrr"] > 0.2
    again = start([*words, "--resume", "--json", "--quiet"], tmp_path)
    more = json.loads(again.communicate(timeout=300)[0])
    assert again.returncode == 0
    heats = [sum(row["heats"] for row in each["rows"]) for each in (told, more)]
    assert heats[0] < heats[1]
    paused = json.loads((tmp_path / "run" / "search" / "draws" / "spent.json").read_text())
    assert 0 < paused <= told["seconds"] and paused < more["seconds"]  # no second is given twice


@pytest.mark.slow
def test_of_equal_batches_one_writes_and_the_others_say_so(tmp_path):
    words = ["predict", "RUNS/rules", "--queries", "asked.csv", "--out", "out.parquet", "--json"]
    rows = f"{ENTITY},cousin,?\n" * 3000
    (tmp_path / "asked.csv").write_text("head,relation,tail\n" + rows)
    every = [start(words, tmp_path) for _ in range(3)]
    ended = [(*process.communicate(timeout=300), process.returncode) for process in every]
    assert sorted(code for *_, code in ended) == [0, 2, 2], ended
    for out, _, code in ended:
        found = json.loads(out)
        if code:
            assert found["error"]["type"] == "RunExists"
            message = found["error"]["message"]
            assert "is writing to this file" in message or "exists" in message
        else:
            assert found["queries"] == 3000
    assert sorted(p.name for p in tmp_path.iterdir()) == ["asked.csv", "out.parquet"]


@pytest.mark.slow
def test_writers_of_one_page_leave_a_whole_one(tmp_path):
    words = ["rules", "RUNS/rules", "--out", "rules.txt", "--quiet"]
    every = [start(words, tmp_path) for _ in range(3)]
    ended = [(*process.communicate(timeout=300), process.returncode) for process in every]
    assert [code for *_, code in ended] == [0] * 3, ended
    assert [path.name for path in tmp_path.iterdir()] == ["rules.txt"]


def test_an_empty_file_is_no_interruption(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from parsimony.cli import app, audit

    def empty(*_, **__):
        raise EOFError("No data left in file")

    monkeypatch.setattr("parsimony.link.audit.audit", empty)
    done = CliRunner().invoke(app, ["audit", "royal"])
    assert audit
    assert done.exit_code == 1
    assert "interrupted" not in done.stderr
