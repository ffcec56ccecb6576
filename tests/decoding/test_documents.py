"""The decoding boundary: every malformed text or array is a typed error that names its file."""

from __future__ import annotations

import io
import json
import tomllib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from parsimony.decoding import checked, load_array, load_tensors, parse_json, parse_toml, read_json
from parsimony.errors import CorruptRun, FormatError


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[" * 100 + "]" * 100,
        "1" * 5_000,
        str(2**63),
        "NaN",
        "-Infinity",
        "1e999",
        '"\\ud800"',
        '{"\\udfff": 1}',
        "",
        b"\xff",
        b"\x00",
    ],
)
def test_a_text_outside_the_limits_is_refused_with_its_file(text):
    with pytest.raises(FormatError) as caught:
        parse_json(text, "here.json:3")
    assert caught.value.where == "here.json:3"


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 10_000,
        "a = nan",
        "a = inf",
        f"a = {2**63}",
        "a = 1\na = 2",
        "a." * 5_000 + "a = 1",
        "a = 9999-99-99",
    ],
)
def test_toml_outside_the_limits_is_refused(text):
    with pytest.raises(CorruptRun):
        parse_toml(text, error=CorruptRun)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63) + 1, 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_is_what_python_reads(value):
    assert parse_json(json.dumps(value)) == value


@given(
    st.binary(max_size=80) | st.text(alphabet='[]{}"\\,:=.#\n 0123456789eEntu_-+TZ', max_size=60)
)
def test_any_text_is_read_or_refused(text):
    for parse in (parse_json, parse_toml):
        try:
            value = parse(text)
        except FormatError:
            continue
        raw = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        assert value == (json.loads if parse is parse_json else tomllib.loads)(raw)


def test_a_schema_names_the_wrong_field():
    class Inner(BaseModel):
        rows: list[int]

    with pytest.raises(CorruptRun, match=r"rows\.1"):
        checked(Inner, {"rows": [1, "x"]}, "a.json", error=CorruptRun)
    assert checked(dict[str, int], {"a": 1}) == {"a": 1}


def test_a_file_too_long_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    path = tmp_path / "long.json"
    path.write_text("[" + "1," * 5_000 + "1]")
    monkeypatch.setattr("parsimony.decoding.files.read_bytes.__defaults__", (1_000,))
    monkeypatch.setattr("parsimony.decoding.files.read_text.__defaults__", (1_000,))
    with pytest.raises(FormatError, match="longer than"):
        read_json(path)


@given(st.data())
def test_a_damaged_array_is_refused_or_equal(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("arrays") / "a.npy"
    stream = io.BytesIO()
    np.save(stream, np.arange(12.0).reshape(3, 4))
    raw = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(0, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    try:
        array = load_array(path, ndim=2)
    except FormatError as error:
        assert error.where == str(path)
    else:
        assert array.ndim == 2
        assert np.isfinite(array).all()


@pytest.mark.parametrize("array", [np.array([np.nan]), np.array(["a"]), np.zeros((2, 2))])
def test_another_kind_of_array_is_refused(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(FormatError):
        load_array(tmp_path / "a.npy", ndim=1)


def test_objects_are_never_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(FormatError):
        load_array(tmp_path / "a.npy", kind="O")


@given(st.binary(max_size=200))
def test_tensors_are_read_or_refused(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("tensors") / "m.safetensors"
    path.write_bytes(raw)
    with pytest.raises(CorruptRun):
        load_tensors(path, error=CorruptRun)
