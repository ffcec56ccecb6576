"""JSON that every reader understands: what it says is what was meant, or an error says where."""

from __future__ import annotations

import ast
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import parsimony
from parsimony.decoding import parse_json
from parsimony.decoding.strict_json import json_text
from parsimony.errors import InvalidMeasure

SOURCE = Path(parsimony.__file__).parent
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=4)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)  # fmt: skip


@given(PLAIN, st.booleans())
def test_what_is_written_is_read(value, plain):
    assert parse_json(json_text(value, ensure_ascii=plain)) == value


@given(PLAIN, st.sampled_from([math.nan, math.inf, -math.inf]))
def test_one_number_that_is_not_finite_is_named(value, odd):
    with pytest.raises(InvalidMeasure, match=r"^test\.metrics\.1\.mse is not finite"):
        json_text({"a": value, "test": {"metrics": [value, {"mse": odd}]}})


def test_a_circle_is_no_number():
    circle = []
    circle.append(circle)
    with pytest.raises((ValueError, RecursionError)):
        json_text(circle)


def test_nothing_else_writes_json():
    """No module calls json.dump or json.dumps but the one that is strict."""
    found = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in ("dump", "dumps")
        and isinstance(node.value, ast.Name)
        and node.value.id == "json"
        # Errors are texts, and are told where nothing but the standard library is imported yet.
        and path.name not in ("strict_json.py", "stopping.py")
    ]
    assert found == []
    assert json.loads(json_text({"a": 1})) == {"a": 1}
