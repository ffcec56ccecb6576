"""The cache of features: whole or made anew, shared by processes, and never needed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="features need the extra chem")

from parsimony.chem.cache import cached
from parsimony.chem.descriptors import molecule_features
from parsimony.chem.fingerprints import morgan_fingerprints
from parsimony.chem.graphs import molecule_graphs
from parsimony.chem.smiles import canonical_forms

SMILES = ["CCO", "c1ccccc1O", "C[C@H](N)C(=O)O", "[Na+].[Cl-]"]


def everything() -> list[np.ndarray]:
    features, graphs = molecule_features(SMILES), molecule_graphs(SMILES)
    return [
        morgan_fingerprints(SMILES), features.counts, features.descriptors, graphs.atoms,
        graphs.element, graphs.chirality, graphs.bonds, graphs.neighbour, graphs.bond_type,
        graphs.direction, np.array(canonical_forms(SMILES)),
    ]  # fmt: skip


def assert_whole(expected):
    for one, two in zip(everything(), expected, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("harm", ["empty", "cut", "flipped", "swapped", "folder", "text"])
def test_damage_is_made_good(cache, harm):
    expected = everything()
    files = sorted(cache.rglob("*.safetensors"))
    assert len(files) == 4
    before = [file.read_bytes() for file in files]
    for i, file in enumerate(files):
        data = before[i]
        if harm == "folder":
            file.unlink()
            (file / "inside").mkdir(parents=True)
            continue
        file.write_bytes({
            "empty": b"", "cut": data[: len(data) // 2], "text": b"not a cache",
            "flipped": data[:-3] + bytes([data[-3] ^ 64]) + data[-2:],
            "swapped": before[i - 1],
        }[harm])  # fmt: skip
    assert_whole(expected)
    if harm != "folder":
        assert [file.read_bytes() for file in files] == before


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch):
    place = tmp_path / "file"
    place.write_text("where the cache should be")
    monkeypatch.setenv("PARSIMONY_CACHE", str(place))
    expected = everything()
    assert_whole(expected)
    assert place.read_text() == "where the cache should be"


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
def test_a_read_only_cache_is_read_and_done_without(monkeypatch):
    """In a process that may not write there: one of another user where the tests run as root."""
    code = (
        "import os, sys, rdkit.Chem, rdkit.Chem.rdFingerprintGenerator\n"
        "from parsimony.chem.fingerprints import morgan_fingerprints as f\n"
        "os.geteuid() or os.setuid(65534)\n"
        f"print(f({SMILES!r}).sum(), f({SMILES[:2]!r}).sum())"
    )
    with tempfile.TemporaryDirectory() as place:
        monkeypatch.setenv("PARSIMONY_CACHE", place)
        expected = everything()[0]
        kept = sorted(Path(place).rglob("*"))
        folders = [Path(place), *(path for path in kept if path.is_dir())]
        for folder in folders:
            folder.chmod(0o555)
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        for folder in folders:
            folder.chmod(0o755)
        assert found.stdout.split() == [str(expected.sum()), str(expected[:2].sum())], found.stderr
        assert sorted(Path(place).rglob("*")) == kept


def test_two_at_once_see_a_whole_file_or_none(cache):
    wrong = []

    def read(number):
        for _ in range(20):
            made = cached("kind", 1, SMILES, lambda: {"a": np.arange(10_000)})
            if not np.array_equal(made["a"], np.arange(10_000)):
                wrong.append(number)
            for file in (cache / "kind").glob("*.safetensors"):
                file.unlink(missing_ok=True)

    threads = [threading.Thread(target=read, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
