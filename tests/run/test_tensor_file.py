"""Files of arrays are what safetensors reads, and are written in pieces."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load

from parsimony.errors import CannotWrite
from parsimony.run import tensor_file
from parsimony.run.tensor_file import tensor_digest, tensor_pieces, write_tensors

ARRAYS = {
    "b": np.arange(12, dtype=np.float32).reshape(3, 4).T,  # no C order
    "a": np.arange(5.0)[::2],
    "none": np.zeros((0, 3), np.int32),
    "one": np.array(7, np.int64),
    "half": np.ones(3, np.float16),
    "yes": np.array([True, False]),
    "byte": np.arange(3, dtype="u1"),
}  # fmt: skip


@pytest.mark.parametrize("metadata", [None, {"state": '{"é": 1}', "sha256": "0"}])
@pytest.mark.parametrize("piece", [4, 1 << 26])
def test_safetensors_reads_them(tmp_path, monkeypatch, metadata, piece):
    monkeypatch.setattr(tensor_file, "PIECE", piece)
    content = b"".join(bytes(part) for part in tensor_pieces(ARRAYS, metadata))
    found = load(content)
    assert {*found} == {*ARRAYS}
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    write_tensors(tmp_path / "file", ARRAYS, metadata)
    assert (tmp_path / "file").read_bytes() == content
    with safe_open(tmp_path / "file", "np") as opened:
        assert opened.metadata() == metadata


def test_the_digest_is_of_names_types_shapes_and_bytes():
    expected = hashlib.sha256(b"text")
    for name in sorted(ARRAYS):
        array = ARRAYS[name]
        expected.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        expected.update(array.tobytes())
    assert tensor_digest("text", ARRAYS) == expected.hexdigest()


def test_what_cannot_be_written_leaves_the_target(tmp_path):
    with pytest.raises(CannotWrite):
        write_tensors(tmp_path / "absent" / "file", ARRAYS)
    (tmp_path / "file").write_text("before")
    with pytest.raises(KeyError):  # no such kind in the format
        write_tensors(tmp_path / "file", {"text": np.array(["a"])})
    assert [p.read_text() for p in tmp_path.iterdir()] == ["before"]
