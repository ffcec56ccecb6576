import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from parsimony.cli import app
from parsimony.errors import InvalidParameter
from parsimony.run import rng
from parsimony.run.seeds import seed_of

parts = st.lists(st.one_of(st.integers(-5, 2**70), st.text(max_size=3)), max_size=3)


def draw(seed, stream):
    return rng(seed, *stream).integers(0, 2**63, 4).tolist()


@given(st.integers(0, 2**40), parts)
def test_reproducible(seed, stream):
    assert draw(seed, stream) == draw(seed, stream)


@given(st.integers(0, 3), parts, st.integers(0, 3), parts)
def test_other_names_are_other_streams(seed, stream, other_seed, other):
    same = (seed, stream) == (other_seed, other)
    assert (draw(seed, stream) == draw(other_seed, other)) is same


def test_neither_padding_nor_grouping_joins_two_streams():
    # NumPy alone: default_rng([7]) draws what default_rng([7, 0]) draws.
    streams = [(), (0,), (0, 0), ("",), ("0",), (1, 23), (12, 3), ("a", "b"), ("ab",), (2**32 + 5,)]
    streams += [(5, 1)]
    drawn = [tuple(draw(7, stream)) for stream in streams]
    assert len(set(drawn)) == len(streams)


def test_numpy_integers_name_the_same_stream():
    assert draw(np.int64(3), (np.int32(4),)) == draw(3, (4,))


def test_the_same_in_another_process():
    code = "from parsimony.run import rng; print(rng(3, 'epoch', 4).integers(0, 2**63, 4).tolist())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == str(draw(3, ("epoch", 4)))


def test_the_numbers_are_fixed():
    # A change here changes every published result of this version.
    assert rng(0, "weights").integers(0, 1000, 4).tolist() == [717, 542, 481, 860]


@pytest.mark.parametrize("seed", ["abc", -1, 1.5, True, 2**63, None])
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(InvalidParameter, match="seed is"):
        seed_of({"seed": seed})
    assert seed_of({}, 3) == 3
    assert seed_of({"seed": 7}, 3) == 7


@pytest.mark.parametrize("verb", ["fit", "tune --method complex", "loop", "search", "frontier"])
def test_every_verb_refuses_it(verb, tmp_path):
    words = [*verb.split(), "royal", "--set", "seed=abc", "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert "seed is 'abc'" in done.stderr or "seed cannot be set" in done.stderr
