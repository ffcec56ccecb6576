import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load_file

from parsimony.errors import (
    CorruptRun,
    InvalidMeasure,
    MissingRun,
    RunExists,
    RunVersionError,
    UsageError,
)
from parsimony.run import RunFolder
from parsimony.run.lock import FolderLock

CONFIG = {"method": "redgnn", "parameters": {"dim": 32, "lr": 1e-3}, "data": {"name": "family"}}


def tensors(value=0.0, n=8):
    return {"weights": np.full((n, 2), value, np.float32), "steps": np.arange(3)}


def finish(path, config=CONFIG):
    with RunFolder.create(path, config) as run:
        run.log(epoch=1, loss=0.5)
        run.save_checkpoint({"epoch": 1}, tensors(1))
        run.save_model(tensors(2))
        (path / "data").mkdir()
        np.save(path / "data" / "train.npy", np.arange(30, dtype=np.int32).reshape(-1, 3))
        run.write_json("metrics.json", {"test": {"mrr": 0.5}})
        run.write_toml("knowledge.toml", {"layers": 3})
    return path


def files(path):
    return {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()}


# ---- the whole way ---------------------------------------------------------------------------


def test_a_run_is_written_sealed_and_opened(tmp_path):
    path = finish(tmp_path / "a" / "run")
    assert files(path) == {
        "config.toml", "checksums.json", "log.jsonl", "model.safetensors", "metrics.json",
        "knowledge.toml", "data/train.npy", "checkpoints/000001.safetensors",
    }  # fmt: skip
    run = RunFolder.open(path)
    assert run.finished
    assert run.config == {"version": 1, **CONFIG}
    assert run.read_json("metrics.json") == {"test": {"mrr": 0.5}}
    assert run.read_json("ledger.json") is None
    np.testing.assert_array_equal(run.load_model()["weights"], tensors(2)["weights"])
    assert json.loads((path / "log.jsonl").read_text())["loss"] == 0.5


def test_after_an_error_the_run_is_not_sealed_and_can_go_on(tmp_path):
    with pytest.raises(ZeroDivisionError), RunFolder.create(tmp_path / "r", CONFIG) as run:
        run.save_checkpoint({"epoch": 3}, tensors())
        raise ZeroDivisionError
    with pytest.raises(MissingRun, match=r"has not finished.*--resume"):
        RunFolder.open(tmp_path / "r")
    with RunFolder.create(tmp_path / "r", CONFIG, resume=True) as run:
        assert run.load_checkpoint()[0] == {"epoch": 3}
    assert RunFolder.open(tmp_path / "r").finished


# ---- starting and resuming -------------------------------------------------------------------


def test_a_non_empty_folder_needs_resume(tmp_path):
    path = finish(tmp_path / "run")
    before = {p: (path / p).read_bytes() for p in files(path)}
    with pytest.raises(RunExists, match="--resume") as caught:
        RunFolder.create(path, CONFIG)
    assert caught.value.where == str(path)
    assert {p: (path / p).read_bytes() for p in files(path)} == before


def test_resume_never_writes_into_a_folder_that_is_no_run(tmp_path):
    (tmp_path / "thesis.tex").write_text("…")
    with pytest.raises(RunExists, match="not a run"):
        RunFolder.create(tmp_path, CONFIG, resume=True)
    assert files(tmp_path) == {"thesis.tex"}


@pytest.mark.parametrize("resume", [False, True])
def test_an_empty_or_missing_folder_starts_afresh(tmp_path, resume):
    for path in (tmp_path, tmp_path / "new" / "deep"):
        with RunFolder.create(path, CONFIG, resume=resume) as run:
            assert run.load_checkpoint() is None
        assert RunFolder.open(path).finished
        for name in files(path):
            (path / name).unlink()
    assert not files(tmp_path)


def test_resume_without_a_checkpoint_starts_afresh(tmp_path):
    RunFolder.create(tmp_path / "r", CONFIG).close()
    with RunFolder.create(tmp_path / "r", CONFIG, resume=True) as run:
        assert run.load_checkpoint() is None


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "f").write_text("x")
    with pytest.raises(RunExists, match="a file exists"):
        RunFolder.create(tmp_path / "f", CONFIG)
    with pytest.raises(MissingRun, match="not a run folder"):
        RunFolder.open(tmp_path / "f")
    with pytest.raises(MissingRun, match="not a run folder"):
        RunFolder.open(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({**CONFIG, "parameters": {"dim": 64, "lr": 1e-3}}, "parameters.dim: 32 → 64"),
        ({**CONFIG, "method": "adaprop"}, "method: 'redgnn' → 'adaprop'"),
        ({**CONFIG, "parameters": {"dim": 32}}, "parameters.lr: 0.001 → None"),
        ({**CONFIG, "device": "cuda"}, "device: None → 'cuda'"),
    ],
)
def test_resume_with_another_configuration_names_the_key(tmp_path, other, named):
    path = finish(tmp_path / "run")
    with pytest.raises(UsageError, match="cannot resume") as caught:
        RunFolder.create(path, other, resume=True)
    assert named in str(caught.value)
    assert str(caught.value).count("→") == 1
    assert RunFolder.open(path).finished, "the refusal changed the run"
    with pytest.raises(UsageError, match="cannot resume"):
        RunFolder.open(path).require_same(other)
    RunFolder.open(path).require_same(CONFIG)


def test_what_toml_cannot_hold_is_no_difference(tmp_path):
    config = {
        "limits": (1, 2), "nothing": None, "n": np.int64(3), "deep": {"x": None, "y": 0.1 + 0.2}
    }  # fmt: skip
    RunFolder.create(tmp_path / "r", config).close()
    with RunFolder.create(tmp_path / "r", config, resume=True) as run:
        assert run.config == {"version": 1, "limits": [1, 2], "n": 3, "deep": {"y": 0.1 + 0.2}}
        run.require_same(config)
    assert RunFolder.open(tmp_path / "r").config == run.config


def test_another_version_of_the_format_is_told(tmp_path):
    path = finish(tmp_path / "run")
    (path / "checksums.json").unlink()
    text = (path / "config.toml").read_text()
    (path / "config.toml").write_text(text.replace("version = 1", "version = 7"))
    for action in (
        lambda: RunFolder.open(path),
        lambda: RunFolder.create(path, CONFIG, resume=True),
    ):
        with pytest.raises(RunVersionError, match=r"run format 7; this Parsimony reads 1"):
            action()


# ---- the seal --------------------------------------------------------------------------------


def test_a_changed_byte_anywhere_is_refused_by_name(tmp_path):
    path = finish(tmp_path / "run")
    sealed = files(path) - {"log.jsonl", "checkpoints/000001.safetensors"}
    generator = np.random.default_rng(0)
    for name in sorted(sealed):
        good = (path / name).read_bytes()
        for at in {0, len(good) - 1, *generator.integers(0, len(good), 12).tolist()}:
            bad = bytearray(good)
            bad[at] ^= 1 << int(generator.integers(8))
            (path / name).write_bytes(bad)
            with pytest.raises(CorruptRun) as caught:
                RunFolder.open(path)
            assert caught.value.where.startswith(str(path / name)), (name, at)
            assert caught.value.remedy
        (path / name).write_bytes(good)
    assert RunFolder.open(path).finished


@pytest.mark.parametrize("name", ["model.safetensors", "data/train.npy", "metrics.json"])
@pytest.mark.parametrize("harm", ["removed", "cut", "longer", "emptied"])
def test_a_file_of_another_length_is_refused(tmp_path, name, harm):
    path = finish(tmp_path / "run")
    file = path / name
    data = file.read_bytes()
    if harm == "removed":
        file.unlink()
    else:
        file.write_bytes({"cut": data[:-1], "longer": data + b"\n", "emptied": b""}[harm])
    with pytest.raises(CorruptRun) as caught:
        RunFolder.open(path)
    assert caught.value.where == str(file)


@pytest.mark.parametrize("text", ["", "[]", "{", "3", "\xff"])
def test_a_broken_list_of_checksums_is_refused(tmp_path, text):
    path = finish(tmp_path / "run")
    (path / "checksums.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CorruptRun) as caught:
        RunFolder.open(path)
    assert caught.value.where.startswith(str(path / "checksums.json"))


def test_what_may_change_after_the_end(tmp_path):
    path = finish(tmp_path / "run")
    (path / "report.html").write_text("<html>")
    (path / "log.jsonl").write_text("")
    (path / "checkpoints" / "000001.safetensors").unlink()
    assert RunFolder.open(path).finished


def test_a_damaged_model_is_told_when_it_is_read(tmp_path):
    path = finish(tmp_path / "run")
    run = RunFolder.open(path)
    (path / "model.safetensors").write_bytes(b"\x10" * 40)
    with pytest.raises(CorruptRun, match="not the expected tensors"):
        run.load_model()
    (path / "model.safetensors").unlink()
    with pytest.raises(CorruptRun, match="the model is missing"):
        run.load_model()
    (path / "metrics.json").write_text("{")
    with pytest.raises(CorruptRun, match="not JSON"):
        run.read_json("metrics.json")


def test_not_a_number_is_never_written(tmp_path):
    with RunFolder.create(tmp_path / "r", CONFIG) as run, pytest.raises(InvalidMeasure):
        run.write_json("metrics.json", {"mrr": float("nan")})
    assert "metrics.json" not in files(tmp_path / "r")


# ---- checkpoints -----------------------------------------------------------------------------

arrays = st.sampled_from([np.float32, np.float64, np.int32, np.int64, np.uint8, np.bool_]).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))
)
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.text(), plain, max_size=3),
    st.dictionaries(st.text("abc._é", min_size=1), arrays, max_size=3),
)
def test_a_checkpoint_comes_back_as_it_was(tmp_path_factory, state, saved):
    run = RunFolder(tmp_path_factory.mktemp("run"), {})
    run.save_checkpoint(state, saved)
    loaded_state, loaded = run.load_checkpoint()
    assert loaded_state == state
    assert loaded.keys() == saved.keys()
    for name in saved:
        assert loaded[name].dtype == saved[name].dtype
        np.testing.assert_array_equal(loaded[name], saved[name])


def test_views_and_transposes_are_saved_as_they_look(tmp_path):
    run = RunFolder(tmp_path, {})
    whole = np.arange(12.0).reshape(3, 4)
    run.save_checkpoint({}, {"t": whole.T, "s": whole[:, ::2], "r": whole[::-1]})
    _, loaded = run.load_checkpoint()
    np.testing.assert_array_equal(loaded["t"], whole.T)
    np.testing.assert_array_equal(loaded["s"], whole[:, ::2])
    np.testing.assert_array_equal(loaded["r"], whole[::-1])
    run.save_model({"t": whole.T})
    np.testing.assert_array_equal(run.load_model()["t"], whole.T)


def test_the_last_two_are_kept_and_any_safetensors_reader_opens_them(tmp_path):
    run = RunFolder(tmp_path, {})
    for epoch in range(12):
        run.save_checkpoint({"epoch": epoch}, tensors(epoch))
    assert files(tmp_path / "checkpoints") == {"000011.safetensors", "000012.safetensors"}
    found = load_file(tmp_path / "checkpoints" / "000012.safetensors")
    np.testing.assert_array_equal(found["weights"], tensors(11)["weights"])


def test_strange_files_beside_the_checkpoints_do_no_harm(tmp_path):
    run = RunFolder(tmp_path, {})
    run.save_checkpoint({"epoch": 1}, tensors())
    for name in ("best.safetensors", "1.safetensors", "000009.safetensors.bak", "note.txt"):
        (tmp_path / "checkpoints" / name).write_text("?")
    run.save_checkpoint({"epoch": 2}, tensors())
    assert run.load_checkpoint()[0] == {"epoch": 2}
    assert "checkpoints/000002.safetensors" in files(tmp_path)


def test_order_is_by_number_beyond_six_digits(tmp_path):
    run = RunFolder(tmp_path, {})
    run.save_checkpoint({"epoch": 1}, tensors())
    (tmp_path / "checkpoints/000001.safetensors").rename(
        tmp_path / "checkpoints/999999.safetensors"
    )
    run.save_checkpoint({"epoch": 2}, tensors())
    assert run.load_checkpoint()[0] == {"epoch": 2}


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "noise"])
def test_a_damaged_last_checkpoint_falls_back_to_the_one_before(tmp_path, harm):
    generator = np.random.default_rng(0)
    with RunFolder.create(tmp_path / "r", CONFIG) as run:
        run.save_checkpoint({"epoch": 1}, tensors(1))
        run.save_checkpoint({"epoch": 2}, tensors(2))
        last = run.path / "checkpoints" / "000002.safetensors"
        good = last.read_bytes()
        for at in generator.integers(0, len(good), 40).tolist():
            bad = bytearray(good)
            bad[at] ^= 1 << int(generator.integers(8))
            damaged = {"flip": bytes(bad), "cut": good[:at], "empty": b"", "noise": b"\xff" * at}
            last.write_bytes(damaged[harm])
            state, loaded = RunFolder(run.path, {}).load_checkpoint()
            assert state == {"epoch": 1}, at
            assert loaded["weights"][0, 0] == 1
        # The writer drops it: it must not push a whole one out of the two that are kept.
        assert run.load_checkpoint()[0] == {"epoch": 1}
        run.save_checkpoint({"epoch": 2}, tensors(2))
        assert len(files(run.path / "checkpoints")) == 2
        assert run.load_checkpoint()[0] == {"epoch": 2}


def test_two_damaged_checkpoints_are_an_error_not_a_fresh_start(tmp_path):
    run = RunFolder(tmp_path, {})
    run.save_checkpoint({}, tensors())
    run.save_checkpoint({}, tensors())
    for path in (tmp_path / "checkpoints").iterdir():
        path.write_bytes(b"")
    with pytest.raises(CorruptRun, match=r"so is the one before it.*to start afresh"):
        run.load_checkpoint()


# ---- one writer ------------------------------------------------------------------------------


def test_a_second_writer_is_refused_by_the_first_ones_number(tmp_path):
    with RunFolder.create(tmp_path / "r", CONFIG) as run:
        assert (run.path / ".lock").read_text() == str(os.getpid())
        with pytest.raises(RunExists, match=rf"process {os.getpid()} is writing"):
            RunFolder.create(tmp_path / "r", CONFIG, resume=True)
        assert (run.path / ".lock").exists(), "the refused one removed the lock"
        run.save_checkpoint({}, tensors())
    assert not (tmp_path / "r" / ".lock").exists()


@pytest.mark.parametrize("left", ["", "999999999", "not a number", "own", "1"])
def test_a_lock_file_without_a_living_owner_is_taken_over(tmp_path, left):
    # Even where its number belongs to a living process: process ids are used again.
    finish(tmp_path / "r")
    (tmp_path / "r" / ".lock").write_text(str(os.getpid()) if left == "own" else left)
    with RunFolder.create(tmp_path / "r", CONFIG, resume=True) as run:
        assert (run.path / ".lock").read_text() == str(os.getpid())


@pytest.mark.parametrize("make", [Path.symlink_to, Path.hardlink_to])
def test_a_lock_file_that_leads_elsewhere_is_refused(tmp_path, make):
    victim = tmp_path / "victim.txt"
    victim.write_text("precious data")
    for name in ("new", "taken_up"):
        folder = tmp_path / name
        if name == "new":
            folder.mkdir()
        else:
            finish(folder)
        make(folder / ".lock", victim)
        with pytest.raises(RunExists, match="a link or no plain file") as caught:
            RunFolder.create(folder, CONFIG, resume=name != "new")
        assert victim.read_text() == "precious data"
        assert "remove it" in caught.value.remedy
        (folder / ".lock").unlink()
        RunFolder.create(folder, CONFIG, resume=name != "new").close()


def test_a_link_to_nowhere_and_a_folder_are_no_lock_files(tmp_path):
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / ".lock").symlink_to(tmp_path / "made")
    (tmp_path / "folder" / ".lock").mkdir(parents=True)
    for name in ("link", "folder"):
        with pytest.raises(RunExists, match="a link or no plain file"):
            RunFolder.create(tmp_path / name, CONFIG)
    assert not (tmp_path / "made").exists()


def test_a_link_put_there_at_the_last_moment_is_not_followed(tmp_path, monkeypatch):
    (tmp_path / "victim.txt").write_text("precious data")
    lock = FolderLock(tmp_path)
    looked, require = [], lock._require_plain_file

    def race():
        require()
        if not looked:
            lock.path.symlink_to(tmp_path / "victim.txt")
        looked.append(1)

    monkeypatch.setattr(lock, "_require_plain_file", race)
    with pytest.raises(RunExists, match="a link or no plain file"):
        lock.acquire()
    assert (tmp_path / "victim.txt").read_text() == "precious data"


def test_a_refused_start_releases_the_lock(tmp_path):
    path = finish(tmp_path / "r")
    with pytest.raises(UsageError):
        RunFolder.create(path, {"method": "x"}, resume=True)
    RunFolder.create(path, CONFIG, resume=True).close()


# ---- the log ---------------------------------------------------------------------------------


def test_a_torn_last_line_does_not_swallow_the_next(tmp_path):
    run = RunFolder.create(tmp_path / "r", CONFIG)
    run.log(epoch=1)
    run.close()
    log = tmp_path / "r" / "log.jsonl"
    log.write_text(log.read_text() + '{"time": 1, "epo')
    with RunFolder.create(tmp_path / "r", CONFIG, resume=True) as run:
        run.log(epoch=2)
    assert [json.loads(line)["epoch"] for line in log.read_text().splitlines()] == [1, 2]
