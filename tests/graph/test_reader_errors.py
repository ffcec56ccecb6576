"""Whatever a file holds, a reader returns data or raises an error of our own that names it."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from parsimony.errors import DataError, EncodingError, FormatError, ParsimonyError
from parsimony.graph import KnowledgeGraph, Vocabulary, read_triples
from parsimony.knowledge.formula import read_formula
from parsimony.knowledge.rule_formats import FORMATS, rules_from_text
from parsimony.knowledge.rules import read_rules
from parsimony.knowledge.symbol_file import read_symbol
from parsimony.link.folder import read_names

TRIPLES = {
    "a.nt": b'<a> <r> <b> .\n_:x <r> "l"@en .\n<a\\u00e9> <r> <b> .\n',
    "a.ttl": b"@prefix e: <http://e/> .\ne:a e:r e:b, [ e:r e:c ] ; e:n 4 .\n",
    "a.rdf": b'<?xml version="1.0" encoding="utf-8"?>\n<rdf:RDF xmlns:rdf="http://www.w3.org/1999/'
    b'02/22-rdf-syntax-ns#" xmlns:e="http://e/"><rdf:Description rdf:about="x">'
    b'<e:r rdf:resource="y"/></rdf:Description></rdf:RDF>',
    "a.csv": b'head,relation,tail,x\na,"r",b,"1\n2"\nc,r,"d""",\n',
    "a.tsv": b"a\tr\tb\n\nc\tr\td\n",
}
OTHERS = {
    "rules.txt": (read_rules, b'0.93  412/443  uncle(X,Y) <- "a \\u00e9"(X,A), father(A,Y)\n'),
    "symbol.txt": (read_symbol, b"h1*r1*t1 - h2*r3*t4 + <h3,r3,t3>"),
    "rows.txt": (read_symbol, b"1 0 3 0; 0 2 0 4; -3 0 1 0; 0 -4 0 2"),
    "symbol.toml": (read_symbol, b"[symbol]\nrows = [[1, 0], [2, 0]]\n"),
    "formula.txt": (read_formula, b"h * c + d; h; min(max(h, a), b); h0 <- h"),
    "formula.toml": (read_formula, b'[formula]\npositions = ["h", "h * c", "h", "h"]\n'),
    "names.txt": (Vocabulary.load, b'a\n"b\\tc"\n'),
    "entities.txt": (lambda path: read_names(path, "entity"), b"a\nb\n"),
}


@st.composite
def damaged(draw, sound):
    """A sound file with some bytes replaced, repeated or cut off; or any bytes."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=40))
    content = bytearray(sound)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(content)))
        piece = draw(st.binary(max_size=3) | st.sampled_from(
            [b'"', b"\\u", b"\\uD83D", b"\0", b"\xff", b"\r", b"9" * 5000, b"(" * 500, b"[" * 500,
             b"-" * 300, b"&x;", b"<!--", b"\n", b"\t", b",", b"1e999", b"nan"]))  # fmt: skip
        content[at : at + draw(st.integers(0, 4))] = piece
    return bytes(content)


@pytest.mark.parametrize("name", TRIPLES)
@settings(max_examples=80)
@given(data=st.data())
def test_triples(tmp_path_factory, name, data):
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(data.draw(damaged(TRIPLES[name])))
    try:
        read_triples(path)
    except DataError as error:
        assert str(path) in error.where


@pytest.mark.parametrize("name", OTHERS)
@settings(max_examples=80)
@given(data=st.data())
def test_rules_symbols_formulas_and_names(tmp_path_factory, name, data):
    read, sound = OTHERS[name]
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(data.draw(damaged(sound)))
    try:
        read(path)
    except ParsimonyError as error:
        assert error.message


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=80)
@given(data=st.data())
def test_rules_of_other_tools(format, data):
    sound = {
        "parsimony": OTHERS["rules.txt"][1],
        "anyburl": b"443\t412\t0.93\tuncle(X,Y) <= brother(X,A), father(A,Y)\n",
        "amie": b"?x  r  ?a  ?a  s  ?y   => ?x  uncle  ?y\t0.3\t0.9\tNaN\t4\t5\tNaN\t?x\n",
        "datalog": b'.decl r(a:symbol) // "r \\u00e9"\nr(X,Y) :- r(Y,X). // 0.93  412/443\n',
    }[format]
    text = data.draw(damaged(sound)).decode("utf-8", "replace")
    try:
        for rule in rules_from_text(text, format, where="rules"):
            str(rule).encode()
    except ParsimonyError as error:
        assert error.message


@settings(max_examples=100)
@given(
    st.recursive(
        st.none() | st.integers() | st.floats() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["n_entities", "n_relations", "x"]), inner)
        ),
    )
)
@example({"n_entities": 1e400, "n_relations": 1})
@example({"n_entities": 10**30, "n_relations": [1]})
def test_graph_json(tmp_path_factory, value):
    folder = tmp_path_factory.getbasetemp() / "graph"
    if not folder.exists():
        KnowledgeGraph([[0, 0, 1]], 2, 1).save(folder)
    (folder / "graph.json").write_text(json.dumps(value))
    try:
        KnowledgeGraph.load(folder)
    except ParsimonyError as error:
        assert error.message


# ---- size ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.nt", b"<" + b"x" * (1 << 21) + b"> <r> <b> .\n"),
        ("a.nt", b"<a> <r> <b> ." + b" " * (1 << 20) + b"x\n"),
        ("a.nt", b"<a> <r> \"" + b"\\" * (1 << 20) + b"\n"),
        ("a.csv", b"a,r," + b'"' * (1 << 20) + b"\n"),
        ("a.csv", b"a,r," + b'x"' * (1 << 19) + b"\n"),
    ],
)  # fmt: skip
def test_a_line_of_a_megabyte_takes_linear_time(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    begin = time.process_time()
    with pytest.raises(DataError):
        read_triples(path)
    assert time.process_time() - begin < 5, "quadratic would be hours"


def test_blanks_in_a_symbol_take_linear_time(tmp_path):
    path = tmp_path / "symbol.txt"
    path.write_text("h1*r1*t1 -" + " " * 200_000 + "x")
    begin = time.process_time()
    with pytest.raises(FormatError):
        read_symbol(path)
    assert time.process_time() - begin < 5


# ---- what the remedy says --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.nt", "a.ttl", "a.rdf", "a.csv", "a.tsv", "a.owl"])
def test_packed_and_wide_files_have_their_own_remedy(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\3")
    with pytest.raises(FormatError, match="packed by gzip") as caught:
        read_triples(path)
    assert caught.value.remedy == "unpack it first: gzip -d"
    path.write_bytes("<a> <r> <b> .\n".encode("utf-16"))
    with pytest.raises(EncodingError, match="UTF-16"):
        read_triples(path)


def test_xml_in_an_encoding_that_nobody_knows(tmp_path):
    path = tmp_path / "a.rdf"
    path.write_bytes(b'<?xml version="1.0" encoding="nobody"?><a/>')
    with pytest.raises(DataError, match="encoding"):
        read_triples(path)
