"""The readers: every format yields the same names, and ids that do not depend on threads."""

from __future__ import annotations

import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsimony.errors import (
    FormatError,
    InvalidParameter,
    MissingExtra,
    UnknownEntity,
    UnknownRelation,
)
from parsimony.graph import Vocabulary, rdf, read_triples
from parsimony.graph.encoding import build_vocabularies, encode
from parsimony.graph.formats import line_reader
from parsimony.graph.names import Names

ROWS = [("anna", "knows", "bert"), ("bert", "is a", "cät"), ("anna", "knows", "bert")]


def tsv(rows, separator="\t", end="\n"):
    return end.join(separator.join(row) for row in rows) + end


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", tsv(ROWS)),
        ("a.tsv", tsv(ROWS).rstrip("\n")),
        ("crlf.tsv", tsv(ROWS, end="\r\n")),
        ("bom.tsv", "\ufeff" + tsv(ROWS)),
        ("blank.tsv", "\n" + tsv(ROWS[:1]) + "\n\n" + tsv(ROWS[1:]) + "\n\n"),
        ("head.csv", "head,relation,tail\nanna,knows,bert\nbert,is a,cät\nanna,knows,bert\n"),
        (
            "more.csv",
            'w,object,subject,predicate\n1,bert,anna,knows\n2,"cät",bert,is a\n3,bert,anna,knows\n',
        ),
        ("bare.csv", tsv(ROWS, ",")),
        ("late.csv", "\n\nh,r,t\n" + tsv(ROWS, ",")),
        ("a.nt", "# facts\n" + "".join(f"<{h}> <{r}> <{t}> .\n" for h, r, t in ROWS) + "\n"),
        (
            "b.nt",
            "".join(f"  <{h}>\t<{r}>   <{t}>.  # so\n" for h, r, t in ROWS)
            + '<anna> <age> "4\\"2"^^<int> .\n',
        ),
    ],
)
def test_every_text_format(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content.encode())
    assert read_triples(path).cast(pl.String).rows() == ROWS
    assert [triple for _, triple in line_reader(path).triples()][:3] == ROWS


def test_spaces_and_punctuation(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text('"a #b r1\n#b /m/0.x "a\n')
    with pytest.raises(FormatError, match="single spaces"):
        path.write_text("a b\n")
        read_triples(path)
    path.write_text('"a r, #b\n#b r, "a\n')
    assert read_triples(path).cast(pl.String).rows() == [('"a', "r,", "#b"), ("#b", "r,", '"a')]


def test_columns_by_name(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("id\tto\tby\tfrom\n1\tb\tr\ta\n")
    frame = read_triples(path, ("from", "by", "to"))
    assert frame.cast(pl.String).rows() == [("a", "r", "b")]
    with pytest.raises(FormatError, match=r"no column 'form'.*did you mean 'from'"):
        read_triples(path, ("form", "by", "to"))
    with pytest.raises(InvalidParameter, match="different"):
        read_triples(path, ("from", "from", "to"))


def test_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    pl.DataFrame(ROWS, orient="row", schema=["s", "p", "o"]).write_parquet(path)
    assert read_triples(path).cast(pl.String).rows() == ROWS
    numbers = pl.DataFrame({"x": [1, 2], "y": [0, 0], "z": [2, 1], "w": [0.5, 0.1]})
    numbers.write_parquet(path)
    assert read_triples(path, ("x", "y", "z")).cast(pl.String).rows()[0] == ("1", "0", "2")
    with pytest.raises(FormatError, match=r"4 columns without .*: 'x', 'y', 'z', 'w'"):
        read_triples(path)
    pl.DataFrame({"s": ["a", None], "p": ["r", "r"], "o": ["b", "c"]}).write_parquet(path)
    with pytest.raises(FormatError, match=r"a\.parquet:2: an empty field"):
        read_triples(path)


def test_escapes_of_n_triples(tmp_path):
    path = tmp_path / "a.nt"
    path.write_text(
        "<http://x/\\u00e9> <r> _:b .\n<http://x/\\U0001F600> <r> <y> .\n"
        "<http://x/\\uD83D\\uDE00> <r> <z> .\n"  # the pair of UTF-16 that others write
    )
    rows = read_triples(path).cast(pl.String).rows()
    face = "http://x/😀"
    assert rows == [("http://x/é", "r", "_:b"), (face, "r", "y"), (face, "r", "z")]
    assert [triple for _, triple in line_reader(path).triples()] == rows


TURTLE = """
@prefix e: <http://e/> .
e:anna e:knows e:bert, [ e:knows e:cleo ] ;
    e:age 4 .
_:lab a e:Person .
"""
XML = """<?xml version="1.0"?>
<!DOCTYPE rdf:RDF [ <!ENTITY e "http://e/"> ]>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/">
 <rdf:Description rdf:about="&e;anna">
  <e:knows rdf:resource="&e;bert"/>
  <e:knows><rdf:Description><e:knows rdf:resource="&e;cleo"/></rdf:Description></e:knows>
  <e:age>4</e:age>
 </rdf:Description>
 <e:Person rdf:nodeID="lab"/>
</rdf:RDF>
"""
KNOWS, TYPE = "http://e/knows", "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
IN_RDF = {
    ("http://e/anna", KNOWS, "http://e/bert"),
    ("http://e/anna", KNOWS, "_:[1]"),
    ("_:[1]", KNOWS, "http://e/cleo"),
    ("_:lab", TYPE, "http://e/Person"),
}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.ttl", TURTLE), ("a.owl", TURTLE), ("bom.ttl", "\ufeff" + TURTLE),
        ("a.rdf", XML), ("a.xml", XML), ("b.owl", XML), ("bom.owl", "\ufeff" + XML),
    ],
)  # fmt: skip
def test_turtle_xml_and_owl(tmp_path, name, content, monkeypatch):
    monkeypatch.setattr(rdf, "_ROWS", 3)  # more than one block
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    notes = []
    rows = read_triples(path, notes=notes).cast(pl.String).rows()
    assert set(rows) == IN_RDF
    assert len(rows) == 4
    assert notes == ["1 statement with a literal left out: no entities"]
    assert read_triples(path).cast(pl.String).rows() == rows, "nameless nodes have other names"
    assert [triple for _, triple in line_reader(path).triples()] == rows


def test_the_lines_of_statements(tmp_path):
    path = tmp_path / "a.ttl"
    path.write_text(TURTLE)
    lines = {triple: number for number, triple in line_reader(path).triples()}
    assert lines["http://e/anna", KNOWS, "http://e/bert"] == 3
    assert lines["_:lab", TYPE, "http://e/Person"] == 5


def test_nodes_of_n_triples_keep_their_names(tmp_path):
    path = tmp_path / "a.nt"
    path.write_text(f"_:{'ab' * 16} <r> _:x .\n")
    assert read_triples(path).cast(pl.String).rows() == [(f"_:{'ab' * 16}", "r", "_:x")]


def test_rdf_is_an_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyoxigraph", None)
    (tmp_path / "a.ttl").write_text(TURTLE)
    with pytest.raises(MissingExtra, match=r"pip install 'parsimony-learning\[rdf\]'"):
        read_triples(tmp_path / "a.ttl")


def test_nothing_to_read(tmp_path):
    for content in ("", "\n", "\n\n\r\n"):
        path = tmp_path / "a.txt"
        path.write_text(content)
        assert len(read_triples(path)) == 0


name = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6)


@settings(max_examples=60)
@given(st.lists(st.tuples(name, name, name), min_size=1, max_size=12))
def test_any_names_come_back(rows):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tsv"
        # A file's first character U+FEFF is a byte-order mark and no part of a name.
        path.write_text(tsv(rows).replace("\ufeff", "f"), encoding="utf-8", newline="")
        rows = [tuple(part.replace("\ufeff", "f") for part in row) for row in rows]
        frame = read_triples(path)
    entities, relations = build_vocabularies([frame])
    ids = encode(frame, entities, relations)
    decoded = [(entities.name(h), relations.name(r), entities.name(t)) for h, r, t in ids]
    assert decoded == rows
    assert list(entities) == sorted({r[0] for r in rows} | {r[2] for r in rows})


def test_files_share_their_codes(tmp_path):
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text("a\tr\tb\n")
    second.write_text("c\ts\ta\nb\tr\tc\n")
    names = Names.new()
    frames = [read_triples(path, names=names) for path in (first, second)]
    entities, relations = build_vocabularies(frames)
    assert entities.names == ("a", "b", "c")
    assert encode(frames[1], entities, relations).tolist() == [[2, 1, 0], [1, 0, 2]]


def test_unknown_names_are_located(tmp_path):
    path = tmp_path / "test.txt"
    path.write_text("a\tr\tb\n\nb\tr\tc\nd\ts\ta\n")
    frame = read_triples(path)
    entities, relations = Vocabulary(["a", "b", "d"]), Vocabulary(["r", "s"], "relation")
    with pytest.raises(UnknownEntity, match=r"test\.txt:3: unknown entity 'c'") as caught:
        encode(frame, entities, relations, lines=line_reader(path))
    assert "list it in entities.txt" in caught.value.remedy
    with pytest.raises(UnknownRelation, match=r"test\.txt:4: unknown relation 's'"):
        encode(
            frame,
            Vocabulary(["a", "b", "c", "d"]),
            Vocabulary(["r"], "relation"),
            lines=line_reader(path),
        )


def test_many_rows_agree_with_a_plain_loop(tmp_path):
    rng = np.random.default_rng(0)
    rows = [(f"e{h}", f"r{r}", f"e{t}") for h, r, t in rng.integers(0, 50, (5000, 3))]
    path = tmp_path / "a.tsv"
    path.write_text(tsv(rows))
    frame = read_triples(path)
    entities, relations = build_vocabularies([frame])
    expected = [(entities.index(h), relations.index(r), entities.index(t)) for h, r, t in rows]
    assert encode(frame, entities, relations).tolist() == [list(row) for row in expected]
