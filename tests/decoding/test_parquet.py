"""Parquet: limits on what a file unpacks to, typed errors, literal paths."""

from __future__ import annotations

import io
import subprocess
import sys

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsimony.decoding import parquet
from parsimony.decoding.parquet import join_parquet, parquet_schema, read_parquet
from parsimony.decoding.tables import read_table
from parsimony.errors import DataError, FormatError
from parsimony.graph import read_triples

COLUMNS = {"h": "h", "r": "r", "t": "t"}


def written(frame, path, **options):
    with path.open("wb") as stream:
        frame.write_parquet(stream, **options)
    return path


def peak_of(code, *words):
    """MiB beyond the imports that a piece of code takes in a process of its own."""
    whole = (
        "import sys\nfrom pathlib import Path\nfrom parsimony.graph import read_triples\n"
        "from parsimony.errors import FormatError\n"
        "def peak():\n    text = Path('/proc/self/status').read_text()\n"
        "    return int(text.split('VmHWM:')[1].split()[0]) // 1024\n"
        f"before = peak()\n{code}\nprint(peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", whole, *map(str, words)], capture_output=True,
                          text=True, check=True)  # fmt: skip
    return done.stdout.split()


# ---- limits ----------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("kind", ["rows", "long names", "plain pages"])
def test_a_small_file_that_unpacks_to_gigabytes_is_refused_without_unpacking(tmp_path, kind):
    n = 30_000_000
    if kind == "rows":
        frame = pl.select(h=pl.repeat("a", n), r=pl.repeat("b", n), t=pl.repeat("c", n))
    elif kind == "long names":
        frame = pl.DataFrame({c: pl.repeat("x" * 4000, 200_000, eager=True) for c in "hrt"})
    else:
        name = pl.int_range(12_000, eager=True).cast(pl.String) + "x" * 66_000
        frame = pl.DataFrame({"h": name, "r": name, "t": name})
    path = written(frame, tmp_path / "bomb.parquet", row_group_size=len(frame))
    del frame
    assert path.stat().st_size < 3_000_000
    code = (
        "try:\n    read_triples(sys.argv[1])\n"
        "except FormatError as error:\n    assert 'unpack' in str(error), error\n"
        "    assert 'split it' in error.remedy\n    print('refused')"
    )
    refused, peak = peak_of(code, path)
    assert refused == "refused"
    assert int(peak) < 300


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ten_million_facts_of_few_names_are_read(tmp_path):
    n = 10_000_000
    index = pl.int_range(n, dtype=pl.Int32)
    entity = pl.Series([f"http://example.org/resource/entity/{i:020d}" for i in range(1000)])
    frame = pl.select(
        h=pl.lit(entity).gather(index % 1000), r=pl.lit("related"),
        t=pl.lit(entity).gather((index * 7) % 1000),
    )  # fmt: skip
    path = written(frame, tmp_path / "large.parquet")
    assert path.stat().st_size < n / 10
    del frame
    rows, peak = peak_of("print(len(read_triples(sys.argv[1])))", path)
    assert int(rows) == n
    assert int(peak) < 600


def test_what_is_unpacked_is_counted_and_so_are_rows(tmp_path, monkeypatch):
    frame = pl.DataFrame({c: ["name"] * 1000 for c in "hrt"})
    path = written(frame, tmp_path / "a.parquet")
    monkeypatch.setattr(parquet, "MAX_TEXT", 1000)
    monkeypatch.setattr(parquet, "TEXT_PER_BYTE", 1)
    with pytest.raises(FormatError, match="unpack to more than 12,000 bytes of text"):
        read_parquet(path, COLUMNS)
    monkeypatch.setattr(parquet, "MAX_CELLS", 1000)
    monkeypatch.setattr(parquet, "CELLS_PER_BYTE", 1)
    with pytest.raises(FormatError, match="unpack to 1,000 rows of 3 columns"):
        read_parquet(path, COLUMNS)
    monkeypatch.setattr(parquet, "TEXT_PER_BYTE", 1000)
    assert len(read_parquet(path, {"h": "h"})) == 1000
    monkeypatch.setattr(parquet, "memory_budget", lambda: 100)
    with pytest.raises(FormatError, match="more than the 100 bytes that this machine can hold"):
        read_parquet(path, {"h": "h"})


# ---- content ---------------------------------------------------------------------------------


def test_numbers_nulls_and_several_groups(tmp_path):
    frame = pl.DataFrame(
        {"h": range(1000), "r": [None, "x"] * 500, "t": [0.5, 1.0] * 500, "skip": [[1]] * 1000}
    )
    path = written(frame, tmp_path / "a.parquet", row_group_size=100)
    found = read_parquet(path, COLUMNS)
    # A whole number is the same name in a column of any type.
    expected = (
        frame.select("h", "r", "t").cast(pl.String).with_columns(pl.col("t").str.strip_suffix(".0"))
    )
    assert found.equals(expected)
    assert read_table(path, ("R",), only=()).column("R") == ["", "x"] * 500
    types = dict.fromkeys("hrt", pl.Categorical(pl.Categories.random()))
    assert read_parquet(path, COLUMNS, types).cast(pl.String).equals(expected)


@pytest.mark.parametrize(
    "cell", [[1], {"a": 1}, [["x"]], b"\xff\xfe", object], ids=["list", "struct", "lists", "bytes",
    "none"]
)  # fmt: skip
def test_columns_that_are_no_names(tmp_path, cell):
    frame = pl.DataFrame({"h": [None if cell is object else cell], "r": ["r"], "t": ["t"]})
    path = written(frame, tmp_path / "a.parquet")
    with pytest.raises(FormatError, match=r"a\.parquet") as caught:
        read_triples(path)
    assert caught.value.remedy


def test_shards_are_joined_whatever_their_names(tmp_path):
    files = [
        written(pl.DataFrame({"a": [i, i]}), tmp_path / name)
        for i, name in enumerate(["x[1].parquet", "x*.parquet", "x1.parquet", "a=1.parquet"])
    ]
    out = tmp_path / "[whole]?.parquet"
    assert join_parquet(files[:2], out) == 4
    with out.open("rb") as stream:
        assert pl.read_parquet(stream)["a"].to_list() == [0, 0, 1, 1]
    files[1].write_bytes(b"PAR1 damaged PAR1")
    with pytest.raises(FormatError, match="not a readable Parquet file"):
        join_parquet(files, out)


# ---- damage ----------------------------------------------------------------------------------


def _sound():
    stream = io.BytesIO()
    frame = pl.DataFrame({"h": [f"e{i % 9}" for i in range(80)], "r": ["r"] * 80, "t": range(80)})
    frame.write_parquet(stream, row_group_size=40)
    return stream.getvalue()


SOUND = _sound()


@settings(max_examples=150)
@given(st.data())
def test_damaged_files_have_typed_errors(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged.parquet"
    content = bytearray(SOUND)
    # In the footer, whose bytes are numbers that Polars would believe, or anywhere.
    footer = len(SOUND) - 8 - int.from_bytes(SOUND[-8:-4], "little")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1) | st.integers(footer, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    path.write_bytes(bytes(content))
    try:
        parquet_schema(path)
        read_triples(path)
    except DataError as error:
        assert str(path) in error.where


@settings(max_examples=300)
@given(st.binary(max_size=80), st.integers(0, 200))
def test_any_footer_is_read_or_refused(tmp_path_factory, footer, claimed):
    path = tmp_path_factory.getbasetemp() / "footer.parquet"
    path.write_bytes(b"PAR1" + footer + claimed.to_bytes(4, "little") + b"PAR1")
    with pytest.raises(DataError):
        read_parquet(path, COLUMNS)
