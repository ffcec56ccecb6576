"""Dataset folders: train.txt, valid.txt, test.txt and their optional companions."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import polars as pl
from pydantic import BaseModel

from parsimony.decoding import check_folder, checked, read_json
from parsimony.decoding.files import check_file
from parsimony.decoding.lines import numbered_lines
from parsimony.decoding.look import SUFFIXES, Look
from parsimony.errors import EmptySplit, FormatError, MissingFile
from parsimony.graph.encoding import build_vocabularies, encode
from parsimony.graph.formats import fact_columns, line_reader, read_triples
from parsimony.graph.names import Names
from parsimony.graph.vocabulary import Kind, Vocabulary
from parsimony.link.column_order import DOCUMENTED, column_order, numbered
from parsimony.link.data import SPLITS, LinkData
from parsimony.link.entity_labels import read_labels
from parsimony.link.single_file import suspected_header
from parsimony.link.unseen import describe, not_in_train

__all__ = ["load_folder", "split_files", "split_path"]


Columns = tuple[str, str, str]


def split_files(folder: Path, split: str) -> list[Path]:
    """Return the files of a folder that can hold a split; there should be one."""
    return [path for s in (*SUFFIXES, "2id.txt") if os.path.lexists(path := folder / f"{split}{s}")]


def load_folder(
    folder: str | os.PathLike[str],
    *,
    name: str | None = None,
    source: str = "",
    columns: Columns | None = None,
) -> LinkData:
    """Read a dataset folder, with its ``<folder>_ind`` sibling if there is one.

    Parameters
    ----------
    folder : path
        Holds ``train.txt``, ``valid.txt``, ``test.txt`` (or ``.tsv``, ``.csv``, ``.parquet``);
        optionally ``entities.txt`` and ``relations.txt`` (line number = id), ``entity_names.tsv``,
        ``redgnn_split.json``. ``train2id.txt`` … with ``entity2id.txt`` and ``relation2id.txt``
        are OpenKE's: head, tail, relation.
    name : str, optional
        Defaults to the folder's name.
    source : str
        Where the data come from; defaults to the folder.
    columns : tuple of str, optional
        Header names, or numbers from 1, of head, relation and tail in all files. Where they are not
        given, headers name them, or else counts over all files tell which holds the relations.

    Returns
    -------
    LinkData

    Raises
    ------
    MissingFile, NotAFile, EncodingError, FormatError, EmptySplit
    UnknownEntity
        A name that ``entities.txt`` does not list.
    UnknownRelation
        A relation that only valid or test has and ``relations.txt`` does not list.
    """
    folder = check_folder(folder)
    if not any(split_files(folder, split) for split in SPLITS):
        raise MissingFile(
            "no dataset folder: it has neither train.txt nor valid.txt nor test.txt",
            remedy="name a folder with these three, or a single file to have it split",
            where=str(folder),
        )
    name = name or folder.resolve().name
    data = _load_one(folder, name, source or str(folder), None, columns)
    sibling = folder.resolve().with_name(f"{folder.resolve().name}_ind")
    if sibling.is_dir():
        inductive = _load_one(sibling, f"{name}_ind", data.source, data.relations, columns)
        data = replace(data, inductive=inductive)
    return data


def read_names(path: Path, kind: Kind) -> Vocabulary:
    """Read ``entities.txt`` or ``relations.txt``: one name per line, as it stands.

    Raises
    ------
    FormatError
        An empty line within the list, or a name twice.
    """
    with check_file(path).open("rb") as stream:
        lines = [text for _, text, _ in numbered_lines(stream, str(path))]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise FormatError("no names, expected one per line", remedy="list the names, or remove it",
                          where=str(path))  # fmt: skip
    first: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line:
            raise FormatError(
                f"an empty line, expected the name of {kind} {number - 1}",
                remedy="remove the line: line numbers are ids",
                where=f"{path}:{number}",
            )
        if first.setdefault(line, number) != number:
            raise FormatError(
                f"{kind} {line[:60]!r} stands in line {first[line]} already",
                remedy="remove one of the two lines",
                where=f"{path}:{number}",
            )
    return Vocabulary(lines, kind)


def _load_one(
    folder: Path, name: str, source: str, relations: Vocabulary | None, columns: Columns | None
) -> LinkData:
    paths = {split: split_path(folder, split) for split in SPLITS}
    frames, given, notes = _frames(folder, paths, columns)
    for split, path in paths.items():
        if not len(frames[split]):
            raise EmptySplit(
                f"no triples, expected at least one line of head, relation, tail in {split}",
                remedy="complete the file, or give a single file to have it split",
                where=str(path),
            )
    entity_file, relation_file = folder / "entities.txt", folder / "relations.txt"
    found_entities, found_relations = build_vocabularies(list(frames.values()))
    entities = found_entities
    if entity_file.exists() or entity_file.is_symlink():
        entities = read_names(entity_file, "entity")
    home = relation_file.name
    if relations is not None:
        # The relations of a trained model are those of the training graph, and no others.
        home = "the relations of the training graph"
    elif relation_file.exists() or relation_file.is_symlink():
        relations = read_names(relation_file, "relation")
    else:
        relations = found_relations
        _refuse_test_only(frames, paths, given)
    ids = {
        split: encode(
            frame,
            entities,
            relations,
            lines=None if _openke(paths[split]) else line_reader(paths[split], given[split]),
            listed_in=(entity_file.name, home),
        )
        for split, frame in frames.items()
    }
    return LinkData(
        name=name,
        entities=entities,
        relations=relations,
        train=ids["train"],
        valid=ids["valid"],
        test=ids["test"],
        n_facts=_read_n_facts(folder / "redgnn_split.json", len(ids["train"])),
        entity_names=read_labels(folder, entities),
        notes=(*notes, *describe(ids, entities, relations)),
        source=source,
    )


def split_path(folder: Path, split: str) -> Path:
    """Return the file of a split; where there is none, the name that it should have."""
    found = split_files(folder, split)
    if len(found) > 1:
        raise FormatError(
            f"{found[0].name} and {found[1].name}: which of them is the split?",
            remedy="remove one of them",
            where=str(folder),
        )
    return found[0] if found else folder / f"{split}.txt"


def _openke(path: Path) -> bool:
    return path.name.endswith("2id.txt")


def _frames(
    folder: Path, paths: dict[str, Path], columns: Columns | None
) -> tuple[dict[str, pl.DataFrame], dict[str, Columns | None], list[str]]:
    """Read the splits in one order of columns; also the columns of each, and notes."""
    given: dict[str, Columns | None] = dict.fromkeys(paths, columns)
    openke = all(map(_openke, paths.values()))
    found = {split: fact_columns(path) for split, path in paths.items()}
    named = {reading.columns for reading in found.values() if reading and reading.named}
    notes: list[str] = []
    if columns is None and openke:
        given = dict.fromkeys(paths, numbered((0, 2, 1)))
        notes.append("OpenKE's files: the columns are read as head, tail, relation")
    elif columns is None and len(named) == 1:
        # A header in one of the files counts for those without.
        (order,) = named
        given = {s: None if r and r.named else numbered(order) for s, r in found.items()}
    names = Names.new()
    frames = {s: read_triples(p, given[s], names=names, notes=notes) for s, p in paths.items()}
    if columns is None and not openke and not named:
        counted = column_order(list(frames.values()), str(folder))
        notes += counted.notes
        if counted.columns != DOCUMENTED:
            given = dict.fromkeys(paths, numbered(counted.columns))
            frames = {s: read_triples(p, given[s], names=names) for s, p in paths.items()}
        else:
            notes += suspected_header(*frames.values())
    return (_named(folder, frames) if openke else frames), given, notes


def _named(folder: Path, frames: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Put the names of OpenKE's lists in the place of its ids."""
    for file, columns in (("entity2id.txt", ("head", "tail")), ("relation2id.txt", ("relation",))):
        if not os.path.lexists(folder / file):
            continue
        look = Look.at(folder / file)
        names, ids = look.column(0), look.column(look.width - 1).str.strip_chars()
        for split, frame in frames.items():
            try:
                frames[split] = frame.with_columns(
                    pl.col(c).cast(pl.String).replace_strict(ids, names).cast(frame.schema[c])
                    for c in columns
                )
            except pl.exceptions.PolarsError:
                raise FormatError(
                    f"an id of {split}2id.txt is not in it, or one stands there twice",
                    remedy="complete the list: name, tab, id",
                    where=str(folder / file),
                ) from None
    return frames


def _refuse_test_only(
    frames: dict[str, pl.DataFrame], paths: dict[str, Path], given: dict[str, Columns | None]
) -> None:
    """Raise UnknownRelation for a relation without a training fact that no list names."""
    known = set(frames["train"]["relation"].unique().cast(pl.String))
    for split in ("valid", "test"):
        missing = set(frames[split]["relation"].unique().cast(pl.String)) - known
        if missing:
            raise not_in_train(missing, known, paths[split], given[split])


class _Split(BaseModel, strict=True):
    """What ``redgnn_split.json`` holds."""

    n_facts: int


def _read_n_facts(path: Path, n_train: int) -> int | None:
    if not path.exists() and not path.is_symlink():
        return None
    remedy = f'write {{"n_facts": n}} with n in 1 … {n_train:,} (lines of train.txt), or remove it'
    found = checked(_Split, read_json(path, remedy=remedy), str(path), remedy=remedy)
    if not 0 < found.n_facts <= n_train:
        raise FormatError(f"n_facts is {found.n_facts:,}", remedy=remedy, where=str(path))
    return found.n_facts
