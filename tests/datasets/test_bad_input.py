"""Every kind of bad input: an error of our tree that says where, what was expected, the remedy.

One row an input: how it is made, the error, what its text must hold. The texts are part of the
product; a change here is a change that users see.
"""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.datasets.dataset_files import folder_members, tar_bytes, write_folder, write_mirror

from parsimony import datasets
from parsimony.errors import (
    ChecksumMismatch,
    CorruptArchive,
    DataError,
    EmptySplit,
    EncodingError,
    FormatError,
    MissingFile,
    NotAFile,
    UnknownDataset,
    UnknownEntity,
    UnknownRelation,
)

pytestmark = pytest.mark.usefixtures("cache")


def folder_with(file: str, content: bytes | str) -> Callable[[Path], Any]:
    """Load a good folder in which one file has this content."""

    def act(tmp_path: Path) -> Any:
        folder = write_folder(tmp_path / "set")
        path = folder / file
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return datasets.load(folder)

    return act


def folder_without(file: str) -> Callable[[Path], Any]:
    """Load a folder that lacks one file."""

    def act(tmp_path: Path) -> Any:
        folder = write_folder(tmp_path / "set")
        (folder / file).unlink()
        return datasets.load(folder)

    return act


def folder_where(file: str, put: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """Load a folder in which something else stands in the place of one file."""

    def act(tmp_path: Path) -> Any:
        folder = write_folder(tmp_path / "set")
        (folder / file).unlink(missing_ok=True)
        put(folder / file)
        return datasets.load(folder)

    return act


def single(name: str, content: bytes) -> Callable[[Path], Any]:
    """Load one file."""

    def act(tmp_path: Path) -> Any:
        (tmp_path / name).write_bytes(content)
        return datasets.load(tmp_path / name)

    return act


def archive(content: bytes, **changes: Any) -> Callable[[Path], Any]:
    """Load ``umls`` from a mirror that serves these bytes."""

    def act(tmp_path: Path) -> Any:
        mirror = write_mirror(tmp_path / "mirror", {"kg_umls.tar.gz": content}, **changes)
        return datasets.load("umls", mirror=mirror)

    return act


def member(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def look_up(kind: str, name: str) -> Callable[[Path], Any]:
    """Look up a name as a prediction does."""

    def act(tmp_path: Path) -> Any:
        data = datasets.load(write_folder(tmp_path / "set"))
        return (data.entities if kind == "entity" else data.relations).index(name)

    return act


GOOD = "anna\tknows\tbert\n"
WHOLE = tar_bytes(folder_members("umls"))
FLIPPED = bytearray(WHOLE)
FLIPPED[len(WHOLE) // 2] ^= 0xFF
LONG = "x" * 5_000_000
RDF_OPEN = b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
LAUGHS = b'<!DOCTYPE r [<!ENTITY a0 "ha">%s]><r>&a9;</r>' % b"".join(
    b'<!ENTITY a%d "%s">' % (i, b"&a%d;" % (i - 1) * 10) for i in range(1, 10)
)

# id: (how it is made, the error, a pattern of its text)
CASES: dict[str, tuple[Callable[[Path], Any], type[DataError], str]] = {
    "no such path": (
        lambda tmp_path: datasets.load(tmp_path / "absent.tsv"),
        MissingFile,
        r"absent\.tsv: no such file; check the path$",
    ),
    "no such path, a similar one is there": (
        lambda tmp_path: [write_folder(tmp_path / "family"), datasets.load(tmp_path / "famly")],
        MissingFile,
        r"famly: no such file; did you mean 'family'\?$",
    ),
    "neither name nor path": (
        lambda tmp_path: datasets.load("fb15k237"),
        UnknownDataset,
        r"unknown dataset 'fb15k237'; did you mean 'fb15k-237'\? \(\d+ datasets known\)$",
    ),
    "a split is missing": (
        folder_without("valid.txt"),
        MissingFile,
        r"set/valid\.txt: no such file",
    ),
    "two columns": (
        folder_with("train.txt", GOOD + "bert\tknows\n"),
        FormatError,
        r"train\.txt:2: 2 columns, expected 3 \(head, relation and tail\) separated by tabs: "
        r"'bert\\tknows'; correct the line$",
    ),
    "four columns": (
        folder_with("valid.txt", GOOD + "\n" + "bert\tknows\tanna\t1999\n"),
        FormatError,
        r"valid\.txt:3: 4 columns, expected 3",
    ),
    "spaces where tabs are": (
        folder_with("test.txt", GOOD + "bert knows anna\n"),
        FormatError,
        r"test\.txt:2: 1 column, expected 3 .* separated by tabs: 'bert knows anna'",
    ),
    "two spaces": (
        folder_with("test.txt", "anna  knows bert\n"),
        FormatError,
        r"test\.txt:1: 4 columns, expected 3 .* separated by single spaces",
    ),
    "an empty field": (
        folder_with("train.txt", GOOD + "bert\t\tanna\n"),
        FormatError,
        r"train\.txt:2: an empty field, expected head, relation and tail: 'bert \|  \| anna'; "
        r"complete or remove the line$",
    ),
    "an unknown entity": (
        folder_with("entities.txt", "anna\nbert\ncleopatra\n"),
        UnknownEntity,
        r"train\.txt:2: unknown entity 'cleo', not in entities\.txt; did you mean "
        r"'cleopatra'\? \(3 entities known\), or list it in entities\.txt$",
    ),
    "an unknown relation": (
        folder_with("relations.txt", "know\nlikes\n"),
        UnknownRelation,
        r"train\.txt:1: unknown relation 'knows', not in relations\.txt; did you mean 'know'\?",
    ),
    "an unknown entity at predict time": (
        look_up("entity", "Anna"),
        UnknownEntity,
        r"^unknown entity 'Anna'; did you mean 'anna'\? \(3 entities known\)$",
    ),
    "an unknown relation at predict time": (
        look_up("relation", "knowz"),
        UnknownRelation,
        r"^unknown relation 'knowz'; did you mean 'knows'\? \(2 relations known\)$",
    ),
    "a relation that only test has": (
        folder_with("test.txt", "anna\thates\tbert\n"),
        UnknownRelation,
        r"test\.txt:1: relation 'hates' has no fact in train\.txt; list all relations in "
        r"relations\.txt to allow it",
    ),
    "a name twice in entities.txt": (
        folder_with("entities.txt", "anna\nbert\nanna\n"),
        FormatError,
        r"entities\.txt:3: entity 'anna' stands in line 1 already; remove one",
    ),
    "a gap in relations.txt": (
        folder_with("relations.txt", "knows\n\nlikes\n"),
        FormatError,
        r"relations\.txt:2: an empty line, expected the name of relation 1; remove the line",
    ),
    "an empty list": (
        folder_with("entities.txt", "\n"),
        FormatError,
        r"entities\.txt: no names, expected one per line",
    ),
    "an empty split": (
        folder_with("valid.txt", ""),
        EmptySplit,
        r"valid\.txt: no triples, expected at least one line .* in valid; complete the file",
    ),
    "a split of blank lines": (
        folder_with("test.txt", "\n\n"),
        EmptySplit,
        r"test\.txt: no triples",
    ),
    "an empty single file": (single("graph.tsv", b""), EmptySplit, r"graph\.tsv: no triples"),
    "Latin-1": (
        folder_with("train.txt", GOOD.encode() + "zoë\tknows\tbert\n".encode("latin-1")),
        EncodingError,
        r"train\.txt:2: byte 0xeb is not UTF-8; convert the file, e\.g\. iconv",
    ),
    "UTF-16": (
        folder_with("train.txt", GOOD.encode("utf-16")),
        EncodingError,
        r"train\.txt:1: text in UTF-16, not in UTF-8; convert the file: iconv -f utf-16 -t utf-8$",
    ),
    "Latin-1 in a list": (
        folder_with("entities.txt", b"anna\nbert\ncleo\nzo\xeb\n"),
        EncodingError,
        r"entities\.txt:4: byte 0xeb is not UTF-8",
    ),
    "Latin-1 in N-Triples": (
        single("graph.nt", b"<a> <r> <b> .\n<a> <r> <\xeb> .\n"),
        EncodingError,
        r"graph\.nt:2: byte 0xeb",
    ),
    "no statement in N-Triples": (
        single("graph.nt", b"# facts\n<a> <r> <b> .\n<a> <r> b .\n"),
        FormatError,
        r"graph\.nt:3: not N-Triples: The object of a triple must be an IRI.*; correct the \w+$",
    ),
    "half of a UTF-16 pair in N-Triples": (
        single("graph.nt", b"<a> <r> <b> .\n<a> <r> <\\uD83D> .\n"),
        FormatError,
        r"graph\.nt:2: not N-Triples: .*D83D",
    ),
    "an escape that is no character in N-Triples": (
        single("graph.nt", b"<a> <r> <b> .\n<a> <r> <\\U00110000> .\n"),
        FormatError,
        r"graph\.nt:2: not N-Triples: The escape sequence .* not a valid unicode character",
    ),
    "an unknown prefix in Turtle": (
        single("graph.ttl", b"@prefix e: <http://e/> .\ne:a e:r e:b ;\n  x:r e:c .\n"),
        FormatError,
        r"graph\.ttl:3: not Turtle: The prefix x: has not been declared; .* save it as RDF/XML",
    ),
    "a statement in Turtle that does not end": (
        single("graph.ttl", b"@prefix e: <http://e/> .\n\ne:a e:r e:b"),
        FormatError,
        r"graph\.ttl:3: not Turtle: ",
    ),
    "Latin-1 in Turtle": (
        single("graph.ttl", b"@prefix e: <http://e/> .\n\ne:a e:r e:\xeb .\n"),
        EncodingError,
        r"graph\.ttl:3: byte 0xeb is not UTF-8; .*iconv",
    ),
    "XML that is not well-formed": (
        single("graph.rdf", b"<?xml version='1.0'?>\n" + RDF_OPEN + b"\n</rdf:RD>"),
        FormatError,
        r"graph\.rdf:3: not well-formed XML: mismatched tag",
    ),
    "XML that is no RDF": (
        single(
            "graph.rdf", RDF_OPEN + b"\n\n<rdf:Description rdf:ID='a' rdf:about='b'/></rdf:RDF>"
        ),
        FormatError,
        r"graph\.rdf:3: not RDF/XML: Not both ",
    ),
    "an ontology in OWL's own XML": (
        single(
            "onto.owl",
            b"<?xml version='1.0'?>\n<Ontology xmlns='http://www.w3.org/2002/07/owl#'>"
            b"<Declaration><Class IRI='#A'/></Declaration></Ontology>",
        ),
        FormatError,
        r"onto\.owl:2: not RDF/XML: .*; OWL in another syntax: save it as RDF/XML or Turtle",
    ),
    "an ontology in functional syntax": (
        single("onto.owl", b"Prefix(:=<http://e/>)\nOntology(<http://e/o>)\n"),
        FormatError,
        r"onto\.owl:1: not Turtle: .*; OWL in another syntax: save it as RDF/XML or Turtle",
    ),
    "XML whose entities explode": (
        single("graph.rdf", LAUGHS),
        FormatError,
        r"graph\.rdf:1: not well-formed XML: limit on input amplification",
    ),
    "a ragged CSV": (
        single("graph.csv", b'head,relation,tail\na,r,"b,c"\na,r\n'),
        FormatError,
        r"graph\.csv:3: 2 columns, expected 3 .* separated by commas: 'a,r'",
    ),
    "not Parquet": (
        single("graph.parquet", b"PAR1 no"),
        FormatError,
        r"graph\.parquet: not a readable Parquet file",
    ),
    "n_facts beyond train": (
        folder_with("redgnn_split.json", '{"n_facts": 99}'),
        FormatError,
        r'redgnn_split\.json: n_facts is 99; write \{"n_facts": n\} with n in 1 … 3',
    ),
    "a label file of one column": (
        folder_with("entity_names.tsv", "anna\tAnna\nbert\n"),
        FormatError,
        r"entity_names\.tsv:2: 1 column, expected id and label separated by a tab: 'bert'",
    ),
    "a folder in the place of a file": (
        folder_where("train.txt", Path.mkdir),
        NotAFile,
        r"train\.txt: a folder where a file is expected; name the file inside it",
    ),
    "a link to itself": (
        folder_where("test.txt", lambda path: path.symlink_to(path)),
        NotAFile,
        r"test\.txt: a link that leads back to itself; expected a file; remove the link",
    ),
    "a list that is a link to itself": (
        folder_where("entities.txt", lambda path: path.symlink_to(path)),
        NotAFile,
        r"entities\.txt: a link that leads back to itself",
    ),
    "a single file that is a link to itself": (
        lambda tmp_path: [
            (tmp_path / "graph.tsv").symlink_to(tmp_path / "graph.tsv"),
            datasets.load(tmp_path / "graph.tsv"),
        ],
        NotAFile,
        r"graph\.tsv: a link that leads back to itself",
    ),
    "a link to nothing": (
        folder_where("test.txt", lambda path: path.symlink_to("gone.txt")),
        MissingFile,
        r"test\.txt: a link to 'gone\.txt', which does not exist; expected a file; restore",
    ),
    "a pipe": (
        folder_where("test.txt", os.mkfifo),
        NotAFile,
        r"test\.txt: not a regular file",
    ),
    "a line of five megabytes": (
        folder_with("train.txt", GOOD + LONG + "\n"),
        FormatError,
        r"train\.txt:2: a line of 5,000,001 bytes, expected at most 1,048,576; "
        r"check that this is a table, one row per line$",
    ),
    "a name of five megabytes": (
        folder_with("train.txt", GOOD + f"anna\tknows\t{LONG}\n" + GOOD),
        FormatError,
        r"train\.txt:2: a line of 5,000,012 bytes",
    ),
    "a name of five megabytes in N-Triples": (
        single("graph.nt", b"<a> <r> <b> .\n<" + LONG.encode() + b"> <r> <b> .\n"),
        FormatError,
        r"graph\.nt:2: not N-Triples: a name of more than 1,048,576 characters",
    ),
    "a name of forty megabytes in Turtle": (
        single("graph.ttl", b"<a> <r> <b> .\n<" + b"x" * 40_000_000 + b"> <r> <b> .\n"),
        FormatError,
        r"graph\.ttl:2: not Turtle: Reached the buffer maximal size",
    ),
    "a truncated archive": (
        archive(WHOLE[: len(WHOLE) // 2]),
        CorruptArchive,
        r"kg_umls\.tar\.gz: a damaged or truncated archive \(.*\); expected a \.tar\.gz; "
        r"fetch it again$",
    ),
    "a flipped byte": (archive(bytes(FLIPPED)), CorruptArchive, r"a damaged or truncated archive"),
    "no archive at all": (archive(b"<html>not found"), CorruptArchive, r"a damaged or truncated"),
    "an empty archive": (archive(b""), CorruptArchive, r"a damaged or truncated"),
    "a wrong checksum": (
        archive(WHOLE, sha256="ab" * 32),
        ChecksumMismatch,
        r"kg_umls\.tar\.gz: sha256 \w{16}…, expected abababababababab… by the manifest; fetch",
    ),
    "fewer bytes than promised": (
        archive(WHOLE, bytes=len(WHOLE) + 7),
        ChecksumMismatch,
        r"kg_umls\.tar\.gz: \d+ bytes \(truncated\?\), expected \d+ by the manifest",
    ),
    "a member above the archive": (
        archive(tar_bytes({"umls/../../evil.txt": b"x"})),
        CorruptArchive,
        r"member 'umls/\.\./\.\./evil\.txt' points outside the archive; expected plain files",
    ),
    "a member at the root": (
        archive(tar_bytes({"/tmp/evil.txt": b"x"})),
        CorruptArchive,
        r"member '/tmp/evil\.txt' points outside the archive",
    ),
    "a link as a member": (
        archive(tar_bytes({"x": member("umls/train.txt", tarfile.SYMTYPE, "/etc/passwd")})),
        CorruptArchive,
        r"member 'umls/train\.txt' is a link, a device or sparse",
    ),
    "a device as a member": (
        archive(tar_bytes({"x": member("umls/train.txt", tarfile.CHRTYPE)})),
        CorruptArchive,
        r"member 'umls/train\.txt' is a link, a device or sparse",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input(case: str, tmp_path: Path, cache: Path) -> None:
    act, error, text = CASES[case]
    with pytest.raises(error) as caught:
        act(tmp_path)
    raised = caught.value
    assert type(raised) is error
    assert re.search(text, str(raised)), str(raised)
    assert raised.remedy
    assert raised.exit_code == 2
    assert len(str(raised)) < 1000, "the message repeats the input"
    assert raised.__cause__ is None
    half_written = [path for path in cache.rglob("*") if path.is_file()] if cache.exists() else []
    assert half_written == []
    assert not (tmp_path.parent / "evil.txt").exists()
