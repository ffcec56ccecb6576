"""fit and evaluate as a user types them."""

from __future__ import annotations

import tomllib

import pytest

from parsimony.cli.fit import default_run
from parsimony.cli.options import parse_settings
from parsimony.errors import InvalidParameter

QUICK = ["--method", "rules", "--set", "max_length=2", "--set", "constants=false"]


def test_fit_prints_what_it_did(typed, trained):
    config = tomllib.loads((trained / "config.toml").read_text())
    assert config["parameters"]["dim"] == 16
    assert config["parameters"]["epochs"] == 2
    for name in ("model.safetensors", "metrics.json", "ledger.json", "log.jsonl", "data"):
        assert (trained / name).exists()


def test_schema_of_fit(typed):
    done = typed("fit", "royal", *QUICK, "--json")
    assert list(done.json) == [
        "run", "method", "parameters", "description_bytes", "epochs", "best_epoch", "ended",
        "valid", "seconds", "notes", "time_budget", "total_seconds",
    ]  # fmt: skip
    assert done.json["run"] == "runs/royal-rules-0"
    assert done.json["valid"]["mrr"] > 0.5
    assert all(line.startswith("note: ") for line in done.err.splitlines())


def test_readable_fit_says_what_comes_next(typed):
    done = typed("fit", "royal", *QUICK, "--seed", "7")
    assert "parsimony evaluate runs/royal-rules-7" in done.out
    assert "mrr" in done.out


def test_an_occupied_folder_is_refused(typed):
    typed("fit", "royal", *QUICK, "--out", "run")
    error = typed("fit", "royal", *QUICK, "--out", "run", "--json", code=2).error
    assert error["type"] == "RunExists"
    assert "--resume" in error["remedy"]


def test_resume_returns_a_finished_run(typed):
    first = typed("fit", "royal", *QUICK, "--out", "run", "--json").json
    again = typed("fit", "royal", *QUICK, "--out", "run", "--resume", "--json").json
    assert again == first
    words = ["fit", "royal", *QUICK, "--out", "run", "--resume", "--seed", "3", "--json"]
    other = typed(*words, code=2)
    assert other.error["type"] == "UsageError"


def test_resume_without_a_run_starts_afresh(typed):
    assert typed("fit", "royal", *QUICK, "--out", "run", "--resume", "--json").json["run"] == "run"


def test_a_file_of_facts_with_named_columns(typed, tmp_path):
    rows = ["s,p,o,source"] + [
        f"n{i},{'next' if k == 1 else 'skip'},n{(i + k) % 40},x" for i in range(40) for k in (1, 2)
    ]
    (tmp_path / "own facts.csv").write_text("\n".join(rows) + "\n")
    done = typed("fit", "own facts.csv", "--columns", "s,p,o", *QUICK, "--json").json
    assert done["run"] == "runs/own facts-rules-0"
    result = typed("evaluate", "runs/own facts-rules-0", "--split", "valid", "--json").json
    assert result["split"] == "valid"


def test_evaluate(typed, trained):
    result = typed("evaluate", trained, "--json").json
    assert result["policy"] == "realistic"
    assert set(result["metrics"]) == {"mrr", "hits@1", "hits@3", "hits@10"}
    low, high = result["interval"]["mrr"]
    assert low < result["metrics"]["mrr"] < high
    assert result["pessimistic"]["mrr"] <= result["metrics"]["mrr"] <= result["optimistic"]["mrr"]
    assert result["n_queries"] == 2 * 619
    assert {row["relation"] for row in result["per_relation"]} >= {"uncle", "aunt", "cousin"}
    readable = typed("evaluate", trained, "--split", "valid").out
    for word in ("valid", "realistic", "pessimistic", "95% interval", "uncle"):
        assert word in readable


@pytest.mark.parametrize("split", ["tset", "train"])
def test_evaluate_refuses_other_splits(typed, trained, split):
    error = typed("evaluate", trained, "--split", split, "--json", code=2).error
    assert error["type"] == "InvalidParameter"


def test_a_changed_byte_is_refused(typed, own_run):
    path = own_run / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    error = typed("evaluate", own_run, "--json", code=2).error
    assert error["type"] == "CorruptRun"
    assert "model.safetensors" in error["where"]


def test_settings_are_typed():
    settings = [
        "a=1", "b=0.5", "c=true", "d=relu", 'e="x y"', "f=[1, 2]", "g=", "h=a=b", "i=2024-01-01",
        "j=1\nk=2", " l = 3 ",
    ]  # fmt: skip
    assert parse_settings(settings) == {
        "a": 1, "b": 0.5, "c": True, "d": "relu", "e": "x y", "f": [1, 2], "g": "", "h": "a=b",
        "i": "2024-01-01", "j": "1\nk=2", "l": 3,
    }  # fmt: skip
    for wrong in ("dim", "=3", ""):
        with pytest.raises(InvalidParameter):
            parse_settings([wrong])


@pytest.mark.parametrize(
    "value", ["[" * 5000, "[" * 100 + "]" * 100, "9" * 5000, str(2**70), "nan", "[1, inf]"],
    ids=["brackets", "deep", "digits", "large", "nan", "inf"],
)  # fmt: skip
def test_a_setting_beyond_all_limits_is_a_typed_error(typed, value):
    error = typed("fit", "royal", "--set", f"dim={value}", "--json", code=2).error
    assert error["type"] == "InvalidParameter"
    assert error["message"].startswith("--set dim: ")


def test_default_run_names(tmp_path):
    assert str(default_run("royal", "redgnn", 0)) == "runs/royal-redgnn-0"
    assert str(default_run("some/folder/", "rules", 3)) == "runs/folder-rules-3"
    file = tmp_path / "facts.tsv"
    file.write_text("")
    assert str(default_run(str(file), "rules", 3)) == "runs/facts-rules-3"


SMALL = ["--method", "redgnn", "--set", "dim=8", "--set", "n_layers=2"]


def test_a_dry_run_says_what_it_takes_and_writes_nothing(typed, tmp_path):
    found = typed("fit", "royal", *SMALL, "--epochs", "7", "--dry-run", "--json").json
    assert list(found) == [
        "method", "epochs", "epoch_seconds", "total_seconds", "peak_memory_bytes", "parameters",
        "reach", "notes", "time_budget",
    ]  # fmt: skip
    assert found["epochs"] == 7
    assert found["total_seconds"] == pytest.approx(7 * found["epoch_seconds"])
    assert found["peak_memory_bytes"] > 1e8
    assert found["parameters"] > 100
    assert 1 < found["reach"]["entities"] <= found["reach"]["of"] == 237
    assert list(tmp_path.iterdir()) == []
    done = typed("fit", "royal", *SMALL, "--dry-run", "--time-budget", "5s")
    assert "ended by the time budget of 5 s" in done.out
    assert "edges and reaches" in done.out


def test_a_dry_run_of_what_has_no_epochs_is_honest(typed):
    found = typed("fit", "royal", *QUICK, "--dry-run", "--json").json
    assert found["epoch_seconds"] is None
    assert "no epochs" in found["notes"][0]
    assert "time unknown" in typed("fit", "royal", *QUICK, "--dry-run").out


def test_memory_makes_batches_smaller_or_refuses(typed):
    words = ["fit", "royal", *SMALL, "--dry-run", "--json", "--set", "batch=20000"]
    free = typed(*words, "--memory", "1T").json
    assert free["notes"] == []
    error = typed(*words, "--memory", "100M", code=2).error
    assert error["type"] == "InvalidParameter"
    assert "more than the 0.1 GB allowed" in error["message"]
    # The process, whose memory counts, grows from call to call.
    for more in (1.02, 1.05, 1.08, 1.12):
        limit = f"{free['peak_memory_bytes'] / 1e9 * more:.3f}G"
        tight = typed(*words, "--memory", limit, code=None).json
        if "error" not in tight:
            break
    assert tight["notes"][0].startswith("to stay within ")
    assert "batch=" in tight["notes"][0]
    for wrong in ("four", "0G", "-1", "3X"):
        error = typed(*words, "--memory", wrong, code=2).error
        assert error["remedy"] == "write 4G or 500M"


def test_a_race_is_no_dry_run(typed):
    assert "--method" in typed("fit", "royal", "--dry-run", "--json", code=2).error["remedy"]
