"""Dataset folders: train.txt, valid.txt, test.txt and their optional companions."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from pydantic import BaseModel

from parsimony.decoding import check_folder, checked, read_json, read_text
from parsimony.errors import EmptySplit, FormatError, MissingFile, UnknownRelation, suggest
from parsimony.graph.encoding import build_vocabularies, encode
from parsimony.graph.formats import line_reader, read_triples
from parsimony.graph.names import Names
from parsimony.graph.vocabulary import Kind, Vocabulary
from parsimony.link.data import SPLITS, LinkData
from parsimony.link.entity_labels import read_labels

__all__ = ["load_folder"]


def load_folder(
    folder: str | os.PathLike[str], *, name: str | None = None, source: str = ""
) -> LinkData:
    """Read a dataset folder, with its ``<folder>_ind`` sibling if there is one.

    Parameters
    ----------
    folder : path
        Holds ``train.txt``, ``valid.txt``, ``test.txt``; optionally ``entities.txt`` and
        ``relations.txt`` (line number = id), ``entity_names.tsv``, ``redgnn_split.json``.
    name : str, optional
        Defaults to the folder's name.
    source : str
        Where the data come from; defaults to the folder.

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
    if not any(os.path.lexists(folder / f"{split}.txt") for split in SPLITS):
        raise MissingFile(
            "no dataset folder: it has neither train.txt nor valid.txt nor test.txt",
            remedy="name a folder with these three, or a single file to have it split",
            where=str(folder),
        )
    name = name or folder.resolve().name
    data = _load_one(folder, name, source or str(folder), None)
    sibling = folder.resolve().with_name(f"{folder.resolve().name}_ind")
    if sibling.is_dir():
        inductive = _load_one(sibling, f"{name}_ind", data.source, data.relations)
        data = replace(data, inductive=inductive)
    return data


def read_names(path: Path, kind: Kind) -> Vocabulary:
    """Read ``entities.txt`` or ``relations.txt``: one name per line, as it stands.

    Raises
    ------
    FormatError
        An empty line within the list, or a name twice.
    """
    lines = [line.removesuffix("\r") for line in read_text(path).split("\n")]
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


def _load_one(folder: Path, name: str, source: str, relations: Vocabulary | None) -> LinkData:
    names = Names.new()
    paths = {split: folder / f"{split}.txt" for split in SPLITS}
    frames: dict[str, pl.DataFrame] = {}
    for split, path in paths.items():
        frames[split] = read_triples(path, names=names)
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
        _refuse_test_only(frames, paths)
    ids = {
        split: encode(
            frame,
            entities,
            relations,
            lines=line_reader(paths[split]),
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
        notes=tuple(describe(ids, entities, relations)),
        source=source,
    )


def _refuse_test_only(frames: dict[str, pl.DataFrame], paths: dict[str, Path]) -> None:
    """Raise UnknownRelation for a relation without a training fact that no list names."""
    known = set(frames["train"]["relation"].unique().cast(pl.String))
    for split in ("valid", "test"):
        missing = set(frames[split]["relation"].unique().cast(pl.String)) - known
        if missing:
            name, where = sorted(missing)[0], str(paths[split])
            for number, triple in line_reader(paths[split]).triples():
                if triple[1] in missing:
                    name, where = triple[1], f"{paths[split]}:{number}"
                    break
            hint = suggest(name, known)
            raise UnknownRelation(
                f"relation {name!r} has no fact in train.txt",
                remedy=(f"{hint} Or " if hint else "")
                + "list all relations in relations.txt to allow it "
                f"({len(known):,} in train)",
                where=where,
            )


def describe(ids: dict[str, np.ndarray], entities: Vocabulary, relations: Vocabulary) -> list[str]:
    """Return notes on what valid and test hold and train does not."""
    notes = []
    seen = np.zeros(len(entities), dtype=bool)
    seen[ids["train"][:, [0, 2]]] = True
    for split in ("valid", "test"):
        unseen = np.unique(ids[split][:, [0, 2]][~seen[ids[split][:, [0, 2]]]])
        if len(unseen):
            one = len(unseen) == 1
            notes.append(
                f"{len(unseen):,} {'entity' if one else 'entities'} of {split} "
                f"{'has' if one else 'have'} no fact in train"
            )
    trained = np.zeros(len(relations), dtype=bool)
    trained[ids["train"][:, 1]] = True
    for split in ("valid", "test"):
        missing = np.unique(ids[split][:, 1][~trained[ids[split][:, 1]]])
        if len(missing):
            shown = ", ".join(relations.name(int(r)) for r in missing[:5])
            more = ", …" if len(missing) > 5 else ""
            notes.append(
                f"warning: {len(missing):,} relation{'s' * (len(missing) > 1)} of {split} "
                f"without a fact in train ({shown}{more}); nothing can be learned about them"
            )
    return notes


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
