"""Paths of bytes that are not UTF-8, and paths that cannot be."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from parsimony.decoding import check_file, read_text
from parsimony.errors import DataError
from parsimony.graph import read_triples
from parsimony.problems import kind_of, load

FACTS = "".join(f"a{i}\tr\ta{(i + 1) % 30}\na{i}\ts\ta{(i + 7) % 30}\n" for i in range(30))


@pytest.fixture
def folder(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9"
    try:
        os.mkdir(path)
    except OSError:
        pytest.skip("the file system takes UTF-8 only")
    for name, text in ((b"/facts.tsv", FACTS), (b"/wrong.tsv", "a\tr\n")):
        with open(path + name, "wb") as stream:
            stream.write(text.encode())
    return path


def parsimony(*words):
    words = [word if isinstance(word, bytes) else word.encode() for word in words]
    done = subprocess.run(
        [os.fsencode(sys.executable), b"-m", b"parsimony", *words], capture_output=True
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")
    return done


def escaped(path):
    """A path as JSON holds it: no JSON has the halves of surrogate pairs that Python keeps."""
    return os.fsdecode(path).encode(errors="backslashreplace")


def test_a_path_that_is_not_utf8(folder):
    done = parsimony("audit", folder + b"/facts.tsv", "--json")
    found = json.loads(done.stdout.decode())
    assert found["source"].encode() == escaped(folder + b"/facts.tsv")
    done = parsimony("audit", folder + b"/wrong.tsv", "--json")
    error = json.loads(done.stdout.decode())["error"]
    assert error["where"].encode() == escaped(folder + b"/wrong.tsv:1")
    assert parsimony("audit", folder + b"/facts.tsv").returncode == 0
    assert b"wrong.tsv:1" in parsimony("audit", folder + b"/wrong.tsv").stderr


def test_a_run_cannot_record_such_a_path(folder):
    done = parsimony("fit", folder + b"/facts.tsv", "--method", "rules", "--out",
                     folder + b"/run", "--json")  # fmt: skip
    error = json.loads(done.stdout.decode())["error"]
    assert error["type"] == "InvalidParameter"
    assert "rename" in error["remedy"]
    assert done.returncode == 2
    assert not os.path.exists(folder + b"/run")


@pytest.mark.parametrize("read", [check_file, read_text, read_triples, load])
def test_a_nul_in_a_path(read):
    with pytest.raises(DataError) as caught:
        read("a\0b.csv")
    assert caught.value.where == "a\0b.csv"


def test_a_tilde_without_a_home_is_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~nobody.csv").write_text(FACTS.replace("\t", ","))
    assert kind_of("~nobody.csv") in (None, "link")
    assert load("~nobody.csv").n_entities == 30
