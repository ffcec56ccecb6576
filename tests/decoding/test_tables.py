"""Tables as text: rows are those of Python's csv reader, or an error names the line."""

from __future__ import annotations

import csv
import io
import os

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsimony.decoding import lines, tables
from parsimony.decoding.lines import MAX_LINE, TextTable, first_line
from parsimony.decoding.tables import read_cells, read_table
from parsimony.errors import DataError, EmptySplit, EncodingError, FormatError

# ---- the property ----------------------------------------------------------------------------

MESSY = st.text(st.sampled_from('ab"\n\r ,é\t'), max_size=4)
CLEAN = st.text(st.sampled_from("abé ;"), max_size=4)


@st.composite
def texts(draw, separator):
    """A width and a text: blank lines, short and long rows, any quoting, BOM, LF or CRLF."""
    width = draw(st.integers(1, 4))
    messy = draw(st.sampled_from(["no", "no", "quoted", "stray"]))
    rows = []
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.integers(0, 9))
        cells = []
        for _ in range((0 if kind == 0 else draw(st.integers(1, 5))) if kind in (0, 9) else width):
            cell = draw(CLEAN if messy == "no" else MESSY)
            quoted = '"' + cell.replace('"', '""') + '"'
            if draw(st.booleans()):
                cells.append(quoted)
            elif messy == "stray":
                cells.append(draw(st.sampled_from([cell, f'"{cell}', f'{cell}"', f'"{cell}"'])))
            else:
                cells.append(quoted if set(cell) & set(separator + '"\n\r') else cell)
        rows.append(separator.join(cells))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    text = end.join(rows) + draw(st.sampled_from(["", end, end + end]))
    return width, draw(st.sampled_from(["", "\ufeff"])) + text


def oracle(text, separator):
    """Line and cells of every row by Python's csv reader; None where it gives up."""
    reader, rows, start = csv.reader(io.StringIO(text, newline=""), delimiter=separator), [], 1
    try:
        for cells in reader:
            if cells:
                rows.append((start, cells))
            start = reader.line_num + 1
    except csv.Error:
        return None
    return rows


@settings(max_examples=600)
@given(st.data(), st.sampled_from([",", "\t"]), st.sampled_from([3, 7, 1 << 24]))
def test_rows_are_those_of_csv_or_refused(tmp_path_factory, data, separator, block):
    width, text = data.draw(texts(separator))
    wanted = data.draw(st.lists(st.integers(0, width - 1), min_size=1, unique=True))
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(text.encode())
    expected = oracle(text.removeprefix("\ufeff"), separator)
    before, tables._BLOCK = tables._BLOCK, block
    try:
        frame = read_cells(TextTable(path, separator, True, width), {f"c{i}": i for i in wanted})
    except FormatError as error:
        place, _, line = error.where.rpartition(":")
        assert place == str(path)
        bare = text.replace("\r\n", "\n")
        if expected is not None and '"' not in text and "\r" not in bare:
            wrong = [line for line, cells in expected if len(cells) != width]
            assert int(line) == wrong[0]
        else:  # the line is one that holds a quote, a carriage return or a wrong width
            culprit = bare.split("\n")[int(line) - 1]
            assert set('"\r') & set(culprit) or len(culprit.split(separator)) != width
        return
    finally:
        tables._BLOCK = before
    assert expected is not None
    assert frame.rows() == [tuple(cells[i] for i in wanted) for _, cells in expected]


@settings(max_examples=200)
@given(
    st.lists(st.lists(MESSY, min_size=3, max_size=3), min_size=1, max_size=5),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_csv_writes_comes_back_with_its_lines(tmp_path_factory, rows, quoting, end):
    # csv does not quote a carriage return unless it belongs to the line end.
    rows = [[cell.replace("\r", "") for cell in row] for row in rows]
    path = tmp_path_factory.getbasetemp() / "written.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, quoting=quoting, lineterminator=end)
        writer.writerows([["one", "two", "three"], *rows])
    table = read_table(path, ("two",))
    assert [list(row) for row in table.frame.rows()] == rows
    text = path.read_bytes().decode()
    assert [table.line(i) for i in range(len(rows))] == [n for n, _ in oracle(text, ",")[1:]]


@settings(max_examples=300)
@given(st.binary(max_size=60), st.sampled_from(["csv", "tsv", "parquet"]))
def test_any_bytes_are_a_table_or_a_typed_error(tmp_path_factory, content, suffix):
    path = tmp_path_factory.getbasetemp() / f"bytes.{suffix}"
    path.write_bytes(content)
    try:
        read_table(path)
    except DataError as error:
        assert error.where is not None
        assert error.remedy


# ---- headers and columns ---------------------------------------------------------------------


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_columns_are_found_by_name(tmp_path):
    path = write(tmp_path / "a.csv", "\ufeff SMILES ,x,Label,x\nCC,1,0,2\n")
    table = read_table(path, ("label", "smiles"), only=())
    assert table.frame.to_dict(as_series=False) == {"smiles": ["CC"], "label": ["0"]}
    assert table.columns == (" SMILES ", "x", "Label", "x")
    with pytest.raises(FormatError, match="column 'x' twice") as caught:
        read_table(path, ("label",))
    assert caught.value.where == f"{path}:1"
    with pytest.raises(FormatError, match=r"no column 'lable'.*did you mean 'Label'"):
        read_table(path, ("lable",))


def test_lines_behind_blank_lines_and_cells_of_several_lines(tmp_path):
    path = write(tmp_path / "a.csv", '\n"a\nb",c\n\n1,2\n"3\n3",4\n\n5,6\n')
    table = read_table(path)
    assert table.columns == ("a\nb", "c")
    assert table.column("c") == ["2", "4", "6"]
    assert [table.line(i) for i in range(3)] == [5, 6, 9]
    assert table.where(2) == f"{path}:9"


@pytest.mark.parametrize("content", ["", "\n", "\ufeff", "\r\n\r\n", "a,b\n", "a,b", "a,b\n\n\n"])
def test_nothing_to_read(tmp_path, content):
    path = write(tmp_path / "a.csv", content)
    with pytest.raises(EmptySplit):
        read_table(path)
    if content.strip("\r\n\ufeff"):
        assert len(read_table(path, empty=True)) == 0


def test_short_rows_are_refused_though_the_missing_column_is_not_read(tmp_path):
    path = write(tmp_path / "a.tsv", "x\ty\tcomment\n1\t2\t3\n\n1\t2\n")
    with pytest.raises(FormatError, match="2 columns, expected 3") as caught:
        read_table(path, ("x", "y"), only=())
    assert caught.value.where == f"{path}:4"
    write(path, "x\ty\tcomment\n1\t2\n1\t2\t3\t4\n")  # as many tabs as there should be
    with pytest.raises(FormatError, match="2 columns, expected 3"):
        read_table(path, ("x", "y"), only=())


# ---- what is no text -------------------------------------------------------------------------

TEXT = "head,relation,tail\na,r,b\n"


@pytest.mark.parametrize(
    ("content", "error", "message", "remedy"),
    [
        (b"\x1f\x8b\x08\0\0\0\0\0\0\3\xab", FormatError, "packed by gzip", "gzip -d"),
        (b"PK\x03\x04\x14\0\6\0", FormatError, "spreadsheet", "CSV UTF-8"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", FormatError, "xls", "CSV UTF-8"),
        (b"BZh91AY&SYabc", FormatError, "bzip2", "bzip2 -d"),
        (b"\xfd7zXZ\0\0", FormatError, "packed by xz", "xz -d"),
        (b"\x28\xb5\x2f\xfd\4", FormatError, "zstd", "zstd -d"),
        (b"PAR1\x15\4", FormatError, "a Parquet file", ".parquet"),
        (TEXT.encode("utf-16"), EncodingError, "UTF-16", "iconv -f utf-16 -t utf-8"),
        (TEXT.encode("utf-16-le"), EncodingError, "UTF-16LE", "iconv -f utf-16le"),
        (TEXT.encode("utf-16-be"), EncodingError, "UTF-16BE", "iconv -f utf-16be"),
        (TEXT.encode("utf-32"), EncodingError, "UTF-32", "iconv -f utf-32"),
        (b"<!DOCTYPE html>\n<html>", FormatError, "a web page", "download"),
        (b"a,b\n1,\xff\0\n", FormatError, "binary data", "UTF-8"),
        (b"a,b\n1,\0\n", FormatError, "NUL", "UTF-8"),
        (b"a,b\n1,\xe9\n", EncodingError, "0xe9 is not UTF-8", "iconv -f latin1"),
        (b"a,b\r1,2\r3,4\r", FormatError, "carriage return", "LF or CRLF"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_another_kind_of_file_has_its_own_remedy(tmp_path, suffix, content, error, message, remedy):
    path = write(tmp_path / f"a.{suffix}", content)
    with pytest.raises(error, match=message) as caught:
        read_table(path)
    assert remedy in caught.value.remedy


def test_a_long_line_is_refused_quickly_and_a_word_like_a_magic_number_is_not(tmp_path):
    path = write(tmp_path / "a.csv", f"a,b\n1,2\n3,{'x' * 2 * MAX_LINE}\n")
    with pytest.raises(FormatError, match="a line of 2,097,155 bytes"):
        read_table(path)
    write(path, f'a,b\n1,2\n3,"{"x," * MAX_LINE}\n"\n')
    with pytest.raises(FormatError, match="a line of"):
        read_table(path)
    write(path, 'a,b\n1,"' + "x\n" * MAX_LINE + '"\n')
    with pytest.raises(FormatError, match="not closed") as caught:
        read_table(path)
    assert caught.value.where == f"{path}:2"
    assert first_line(write(tmp_path / "b.csv", "BZhead,relation\n")) == (1, "BZhead,relation")


# ---- paths and files that change -------------------------------------------------------------


def test_a_path_that_is_not_utf8(tmp_path):
    odd = os.fsencode(tmp_path) + b"/caf\xe9.csv"
    try:
        with open(odd, "wb") as stream:
            stream.write(b"a,b\n1,2\n")
    except OSError:
        pytest.skip("the file system takes UTF-8 only")
    path = os.fsdecode(odd)
    assert read_table(path).frame.rows() == [("1", "2")]
    with pytest.raises(FormatError):
        read_table(path, ("c",))


def test_a_nul_in_a_path():
    with pytest.raises(DataError, match="null"):
        read_table("a\0b.csv")


def test_checked_and_parsed_are_the_same_bytes(tmp_path, monkeypatch):
    """A file that shrinks or grows in between is read as it was at one moment."""
    path = write(tmp_path / "a.csv", "a,b\n" + "1,2\n" * 1000)
    plain = tables._plain

    def shrink(data):
        path.write_bytes(b"a,b\n")
        return plain(data)

    monkeypatch.setattr(tables, "_plain", shrink)
    table = read_table(path)
    assert len(table) == 1000
    assert table.where(999) == f"{path}:0", "the line is gone"


def test_a_file_beyond_memory_is_refused(tmp_path, monkeypatch):
    path = write(tmp_path / "a.csv", TEXT)
    monkeypatch.setattr(tables, "memory_budget", lambda: 10)
    with pytest.raises(FormatError, match="this machine can hold 10"):
        read_table(path)


def test_slow_and_fast_agree_on_categories(tmp_path):
    text = "h,r,t\n" + "".join(f"e{i % 5},r,e{i % 7}\n" for i in range(50))
    types = dict.fromkeys("hrt", pl.Categorical(pl.Categories.random()))
    table = TextTable(tmp_path / "a.csv", ",", True, 3, 1, filled=True)
    write(table.path, text)
    columns = {"h": 0, "r": 1, "t": 2}
    fast = read_cells(table, columns, types)
    slow = tables._parse_slowly(table, columns, types, text.encode())
    assert fast.equals(slow)
    assert lines.shorten("x" * 100).endswith("… (100 characters)")
