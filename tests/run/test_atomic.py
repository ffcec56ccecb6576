import os
import stat
import threading

import pytest

from parsimony.errors import CannotWrite
from parsimony.run import write_atomic
from parsimony.run.atomic import is_temporary


def test_text_and_bytes(tmp_path):
    write_atomic(tmp_path / "a", "é")
    write_atomic(str(tmp_path / "b"), b"\0\xff")
    assert (tmp_path / "a").read_bytes() == "é".encode()
    assert (tmp_path / "b").read_bytes() == b"\0\xff"
    write_atomic(tmp_path / "a", "")
    assert (tmp_path / "a").read_bytes() == b""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_the_file_has_the_rights_of_any_other(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomic(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, call):
    write_atomic(tmp_path / "a", "old")

    def full(*_):
        raise OSError("no space left")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space"):
        patch.setattr(os, call, full)
        write_atomic(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(CannotWrite, match="No such file"):
        write_atomic(tmp_path / "none" / "a", "x")


def test_a_reader_never_sees_a_part(tmp_path):
    path = tmp_path / "a"
    texts = {letter * 300_000 for letter in "xyz"}
    write_atomic(path, "x" * 300_000)
    done = threading.Event()

    def write():
        for _ in range(20):
            for text in texts:
                write_atomic(path, text)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert path.read_text() in texts
    writer.join()


def test_what_a_kill_leaves_is_recognised(tmp_path):
    assert is_temporary(tmp_path / ".model.safetensors.0a1b2c3d.tmp")
    assert not is_temporary(tmp_path / "notes.tmp")
    assert not is_temporary(tmp_path / ".hidden")
