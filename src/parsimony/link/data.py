"""A link-prediction dataset: vocabularies, three splits, and readable names."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
from pydantic import BaseModel

from parsimony.decoding import check_folder, checked, load_array, read_json
from parsimony.decoding.strict_json import json_text
from parsimony.errors import FormatError, InvalidParameter
from parsimony.graph.knowledge_graph import KnowledgeGraph, frozen_triples
from parsimony.graph.vocabulary import Vocabulary
from parsimony.store.opening import GraphStore, is_store

__all__ = ["SPLITS", "LinkData"]

SPLITS = ("train", "valid", "test")
_FORMAT = 1
_REMEDY = "restore the file, or load the original data again"


class _Meta(BaseModel, strict=True):
    """What ``meta.json`` holds."""

    format: int
    name: str
    n_facts: int | None = None
    notes: list[str] = []
    source: str = ""
    registered: bool = False
    inductive: bool = False


@dataclass(frozen=True, eq=False)
class LinkData:
    """Facts split for link prediction.

    Attributes
    ----------
    name : str
        The dataset's name, or the stem of its folder or file.
    entities, relations : Vocabulary
    train, valid, test : int32 arrays, shape (n, 3)
        Read-only; columns head, relation, tail.
    n_facts : int, optional
        The first ``n_facts`` rows of train are RED-GNN's published fact graph, the rest its
        training queries.
    entity_names : mapping of str to str, optional
        Readable labels of entity names.
    inductive : LinkData, optional
        The ``_ind`` sibling: entities of its own, the same relation vocabulary.
    notes : tuple of str
        What a user should know: unseen entities, relations that only a test split has.
    source : str
        Where the data come from.
    registered : bool
        Whether ``name`` is that of the registry, so that its presets apply. A user's own file of
        the same name is not.
    store : GraphStore, optional
        Where the arrays are memory-mapped from; they were checked when they were written.
    """

    name: str
    entities: Vocabulary
    relations: Vocabulary
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    n_facts: int | None = None
    entity_names: Mapping[str, str] | None = None
    inductive: LinkData | None = None
    notes: tuple[str, ...] = ()
    source: str = ""
    registered: bool = False
    store: GraphStore | None = None

    def __post_init__(self) -> None:
        """Freeze the arrays and check them against the vocabularies."""
        more = self.n_facts is not None or self.inductive is not None
        if self.store is not None and (
            more
            or any(
                getattr(self, part) is not getattr(self.store, part)
                for part in (*SPLITS, "entities", "relations")
            )
        ):
            object.__setattr__(self, "store", None)  # other data than those of the store
        for split in SPLITS if self.store is None else ():
            array = frozen_triples(getattr(self, split), self.n_entities, self.n_relations)
            object.__setattr__(self, split, array)
        if self.n_facts is not None and not 0 < self.n_facts <= len(self.train):
            raise InvalidParameter(
                f"n_facts is {self.n_facts}, expected 1 … {len(self.train)} (rows of train)"
            )
        if self.entity_names is not None:
            object.__setattr__(self, "entity_names", MappingProxyType(dict(self.entity_names)))
        if self.inductive is not None and self.inductive.relations != self.relations:
            raise InvalidParameter("the inductive sibling must share the relation vocabulary")

    def __repr__(self) -> str:
        """Show the name and the counts."""
        counts = " / ".join(f"{len(getattr(self, split)):,}" for split in SPLITS)
        tail = f", inductive={self.inductive!r}" if self.inductive is not None else ""
        return (
            f"LinkData({self.name}: {self.n_entities:,} entities, {self.n_relations:,} relations, "
            f"{counts}{tail})"
        )

    @property
    def n_entities(self) -> int:
        """The number of entities, including those without facts."""
        return len(self.entities)

    @property
    def n_relations(self) -> int:
        """The number of relations, without inverses."""
        return len(self.relations)

    def triples(self, split: str) -> np.ndarray:
        """Return the triples of ``train``, ``valid`` or ``test``.

        Raises
        ------
        InvalidParameter
            No such split.
        """
        if split not in SPLITS:
            raise InvalidParameter(f"no split {split!r}", remedy="use train, valid or test")
        array: np.ndarray = getattr(self, split)
        return array

    @cached_property
    def graph(self) -> KnowledgeGraph:
        """The training facts as a graph."""
        if self.store is not None:
            return self.store.graph
        return KnowledgeGraph(
            self.train, self.n_entities, self.n_relations, self.entities, self.relations
        )

    def label(self, entity: int | str) -> str:
        """Return the readable label of an entity, given by id or name; its name if it has none.

        Raises
        ------
        UnknownEntity
            No entity of that name.
        """
        if isinstance(entity, str):
            if entity not in self.entities:
                self.entities.index(entity)
            name = entity
        else:
            name = self.entities.name(int(entity))
        return name if self.entity_names is None else self.entity_names.get(name, name)

    @cached_property
    def content_hash(self) -> str:
        """sha256 over vocabularies, splits and the inductive sibling, in hexadecimal."""
        if self.store is not None:
            return self.store.manifest.hashes["data"]
        digest = hashlib.sha256()
        for vocabulary in (self.entities, self.relations):
            digest.update(vocabulary.content_hash.encode())
        for split in SPLITS:
            triples = getattr(self, split)
            digest.update(f"{split} {len(triples)}\n".encode())
            digest.update(np.ascontiguousarray(triples).data)
        digest.update(f"n_facts {self.n_facts}\n".encode())
        if self.inductive is not None:
            digest.update(self.inductive.content_hash.encode())
        return digest.hexdigest()

    @classmethod
    def of_store(cls, folder: str | os.PathLike[str]) -> LinkData:
        """Open a graph store: nothing is read before it is needed.

        Raises
        ------
        MissingFile, NotAFile, FormatError
            ``where`` names the file.
        """
        store = GraphStore.open(folder)
        told = store.manifest
        return cls(
            name=told.name,
            entities=store.entities,
            relations=store.relations,
            train=store.train,
            valid=store.valid,
            test=store.test,
            notes=tuple(told.notes),
            source=told.source,
            store=store,
        )

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write arrays, vocabularies and ``meta.json`` into ``folder`` (created if absent).

        ``meta.json`` is written last: a folder without it is not a dataset. Data of a graph store
        are put there as that store.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if self.store is not None:
            return self.store.put(folder)
        for split in SPLITS:
            np.save(folder / f"{split}.npy", getattr(self, split))
        self.entities.save(folder / "entities.txt")
        self.relations.save(folder / "relations.txt")
        if self.entity_names is not None:
            text = json_text(dict(self.entity_names), ensure_ascii=False, indent=0)
            (folder / "entity_names.json").write_text(text + "\n", encoding="utf-8")
        if self.inductive is not None:
            self.inductive.save(folder / "inductive")
        meta = {
            "format": _FORMAT,
            "name": self.name,
            "n_facts": self.n_facts,
            "notes": list(self.notes),
            "source": self.source,
            "registered": self.registered,
            "inductive": self.inductive is not None,
            "content_hash": self.content_hash,
        }
        text = json_text(meta, ensure_ascii=False, indent=1)
        (folder / "meta.json").write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | os.PathLike[str], mmap: bool = True) -> LinkData:
        """Read what :meth:`save` wrote, the splits memory-mapped unless ``mmap`` is false.

        Raises
        ------
        MissingFile, NotAFile, EncodingError, FormatError
            ``where`` names the file.
        """
        folder = check_folder(folder)
        if is_store(folder):
            return cls.of_store(folder)
        path = folder / "meta.json"
        content = checked(dict[str, object], read_json(path), str(path), remedy=_REMEDY)
        if content.get("format") != _FORMAT:
            raise FormatError(
                f"dataset format {content.get('format')!r}, expected {_FORMAT}",
                remedy="load it with the version that wrote it, or load the original data again",
                where=str(path),
            )
        meta = checked(_Meta, {"name": folder.name} | content, str(path), remedy=_REMEDY)
        entities = Vocabulary.load(folder / "entities.txt", "entity")
        relations = Vocabulary.load(folder / "relations.txt", "relation")
        triples = {}
        for split in SPLITS:
            file = folder / f"{split}.npy"
            array = load_array(file, kind="iu", ndim=2, mmap=mmap, remedy=_REMEDY)
            try:
                triples[split] = frozen_triples(array, len(entities), len(relations))
            except InvalidParameter as error:
                raise FormatError(error.message, remedy=_REMEDY, where=str(file)) from None
        n_facts, n_train = meta.n_facts, len(triples["train"])
        if n_facts is not None and not 0 < n_facts <= n_train:
            raise FormatError(
                f"n_facts is {n_facts}, expected 1 … {n_train:,} (rows of train)",
                remedy=_REMEDY,
                where=str(path),
            )
        inductive = cls.load(folder / "inductive", mmap) if meta.inductive else None
        if inductive is not None and inductive.relations != relations:
            raise FormatError(
                "other relations than those of the training graph",
                remedy=_REMEDY,
                where=str(folder / "inductive" / "relations.txt"),
            )
        names = folder / "entity_names.json"
        return cls(
            name=meta.name,
            entities=entities,
            relations=relations,
            train=triples["train"],
            valid=triples["valid"],
            test=triples["test"],
            n_facts=n_facts,
            entity_names=checked(dict[str, str], read_json(names), str(names), remedy=_REMEDY)
            if names.exists()
            else None,
            inductive=inductive,
            notes=tuple(meta.notes),
            source=meta.source,
            registered=meta.registered,
        )
