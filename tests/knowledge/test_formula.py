"""Formulas of modulation: text, bits, files, and what they compute."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsimony.errors import FormatError, MissingFile
from parsimony.knowledge.formula import OPERATORS, POSITIONS, Formula, read_formula

BITS = st.integers(0, 65535)


@given(BITS)
def test_what_is_printed_is_read_back(bits):
    formula = Formula.from_bits(bits)
    assert formula.bits == bits
    assert Formula.parse(str(formula)) == formula
    assert Formula.parse(formula.text()) == formula
    assert formula.n_operators == bits.bit_count() == sum(map(sum, formula.gates()))


def test_every_structure_has_its_own_text():
    assert len({str(Formula.from_bits(bits)) for bits in range(65536)}) == 65536


@given(BITS, st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_it_computes_what_it_says(bits, position, seed):
    random = np.random.default_rng(seed)
    h = random.normal(size=(5, 3))
    vectors = {o: random.normal(size=3) for o in OPERATORS}
    formula = Formula.from_bits(bits)
    text = str(formula).split("; ")[position]
    names = {name: vectors[operator] for operator, name in OPERATORS.items()}
    expected = eval(text, {"max": np.maximum, "min": np.minimum, "h": h, **names})
    np.testing.assert_array_equal(formula.apply(position, h, vectors), expected)


def test_torch_computes_the_same():
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(0)
    h, vectors = random.normal(size=(4, 3)), {o: random.normal(size=3) for o in OPERATORS}
    full = Formula.from_bits(65535)
    found = full.apply(2, torch.from_numpy(h), {o: torch.from_numpy(v) for o, v in vectors.items()})
    np.testing.assert_array_equal(found.numpy(), full.apply(2, h, vectors))


@given(
    st.lists(st.sampled_from(["max", "min", "*", "+", "-"]), min_size=1, max_size=6),
    st.integers(0, 2**32 - 1),
)
def test_any_sequence_is_a_clip_a_factor_and_a_shift(operators, seed):
    """The theorem behind the space, for scales that are not negative."""
    random = np.random.default_rng(seed)
    low, high, scale, shift = -np.inf, np.inf, 1.0, 0.0
    h = np.linspace(-5, 5, 101)
    state = h.copy()
    for operator in operators:
        c = float(random.normal()) if operator != "*" else float(random.random() + 0.1)
        if operator == "max":
            state, low = np.maximum(state, c), max(low, (c - shift) / scale)
            high = max(high, low)
        elif operator == "min":
            state, high = np.minimum(state, c), min(high, (c - shift) / scale)
            low = min(low, high)
        elif operator == "*":
            state, scale, shift = state * c, scale * c, shift * c
        else:
            sign = 1 if operator == "+" else -1
            state, shift = state + sign * c, shift + sign * c
    vectors = {"max": low, "min": high, "*": scale, "+": shift}
    full = Formula.from_bits(65535)
    np.testing.assert_allclose(full.apply(0, h, vectors), state, atol=1e-9)


def test_names():
    film = Formula.parse("film")
    assert film.name == "FiLM"
    assert str(film) == "; ".join(["h * c + d"] * POSITIONS)
    assert Formula.parse("none").n_operators == 0
    assert Formula.from_bits(1).name is None


def test_operators_in_any_order_are_the_same_formula():
    for order in itertools.permutations(OPERATORS):
        assert Formula((order, (), (), ())) == Formula.from_bits(15)
    assert Formula.parse("(h + d) * c; h; h; h") == Formula.parse("h * c + d; h; h; h")


def test_latex_names_every_position():
    text = Formula.parse("h + d; h * c; max(h, a); min(h, b)").latex()
    for part in (
        r"h^{0} + d^{0}_u",
        r"h^{1} \odot c^{1}_u",
        r"\max(h^{2}, a^{2}_u)",
        r"\min(h^{3}",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("h / c; h; h; h", "position 0"),
        ("h; h; sin(h); h", "unknown operator 'sin'"),
        ("h; h + c; h; h", "position 1"),
        ("h; h; h", "4 positions"),
        ("h; h; h; h; h", "4 positions"),
        ("h + d + d; h; h; h", "twice"),
        ("h; max(h, b); h; h", "position 1"),
        ("h; h; h; __import__('os')", "position 3"),
        ("", "4 positions"),
    ],
)
def test_what_is_no_formula_is_refused(text, told):
    with pytest.raises(FormatError, match=told) as caught:
        Formula.parse(text)
    assert caught.value.remedy


def test_files(tmp_path):
    formula = Formula.from_bits(4711)
    text = tmp_path / "mine.txt"
    text.write_text(formula.text() + "\n")
    assert read_formula(text) == formula
    toml = tmp_path / "knowledge.toml"
    lines = ", ".join(f'"{line}"' for line in formula.text().splitlines())
    toml.write_text(f"[formula]\npositions = [{lines}]\n")
    assert read_formula(toml) == formula
    toml.write_text("[symbol]\nname = 'ComplEx'\n")
    with pytest.raises(FormatError, match="no \\[formula\\]") as caught:
        read_formula(toml)
    assert caught.value.where == str(toml)
    toml.write_text("[formula")
    with pytest.raises(FormatError, match="not TOML"):
        read_formula(toml)
    with pytest.raises(MissingFile):
        read_formula(tmp_path / "nothing.toml")
