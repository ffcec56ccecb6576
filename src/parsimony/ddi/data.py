"""Drug–drug interactions: drugs, interaction types, and the pairs of every split."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, NotRequired

import numpy as np
import numpy.typing as npt
from pydantic import Field

from parsimony.chem.fingerprints import BITS
from parsimony.datasets.saved_table import SavedTable, read_table, write_table
from parsimony.ddi.direction import Subject, of_older_run, wording
from parsimony.ddi.drug_names import DrugNames
from parsimony.decoding.strict_json import json_text
from parsimony.errors import InvalidParameter
from parsimony.graph.knowledge_graph import frozen_triples
from parsimony.graph.vocabulary import Vocabulary

__all__ = ["DDIData"]

IntArray = npt.NDArray[np.int32]
_COLUMNS = ("names", "smiles", "external_ids")
Split = Annotated[str, Field(pattern=r"^(train|(valid|test)(_S[012])?)$")]


class _Saved(SavedTable):
    """meta.json."""

    drugs: list[str]
    names: list[str]
    smiles: list[str]
    external_ids: list[str]
    types: list[str]
    templates: list[str]
    splits: list[Split]
    graph: str
    # Not in runs of before there were several labels, or directions.
    multilabel: NotRequired[bool]
    subjects: NotRequired[list[str]]
    unsettled: NotRequired[list[list[int]]]


@dataclass(frozen=True, eq=False)
class DDIData:
    """Drug pairs with one interaction type each, or with several labels.

    Attributes
    ----------
    name : str
        The dataset's name, with the split it was cut by where it has several.
    drugs : Vocabulary
        Ids of the drugs.
    names, smiles, external_ids : tuple of str
        Of every drug; "" where unknown. External ids (DrugBank's) join the background graph.
    types : Vocabulary
        Ids of the interaction types.
    templates : tuple of str
        A sentence for every type, with #Drug1 and #Drug2.
    subjects : tuple of Subject
        Which drug of a row the #Drug1 of a type's template stands for; empty where the data do not
        say, and it is the first one.
    unsettled : frozenset of (int, int)
        (type, first drug): rows of which the type's subject does not hold, nor any other.
    pairs : mapping of str to int32 array, shape (n, 3)
        Rows (drug1, type, drug2) of ``train``, ``valid_S0`` … ``test_S2`` as far as they exist;
        where ``multilabel``, a pair has one row for each of its labels.
    graph : str
        The background graph that belongs to the data (see :mod:`parsimony.ddi.background`).
    fingerprints : uint8 array, shape (n_drugs, 128), optional
        Packed Morgan fingerprints that came with the data.
    notes : tuple of str
        What a user should know.
    source : str
        Where the data come from.
    registered : bool
        Whether ``name`` is of the registry, so that its presets apply.
    multilabel : bool
        Whether a pair has several labels, such as side effects, and no order.
    """

    name: str
    drugs: Vocabulary
    names: tuple[str, ...]
    smiles: tuple[str, ...]
    external_ids: tuple[str, ...]
    types: Vocabulary
    templates: tuple[str, ...]
    pairs: Mapping[str, IntArray]
    graph: str = "none"
    fingerprints: npt.NDArray[np.uint8] | None = None
    notes: tuple[str, ...] = ()
    source: str = ""
    registered: bool = False
    multilabel: bool = False
    subjects: tuple[Subject, ...] = ()
    unsettled: frozenset[tuple[int, int]] = frozenset()

    def __post_init__(self) -> None:
        """Freeze the arrays and check them against the vocabularies."""
        for column in _COLUMNS:
            if len(getattr(self, column)) != len(self.drugs):
                raise InvalidParameter(f"{column} must hold one entry a drug ({len(self.drugs)})")
        bits = self.fingerprints
        if bits is not None and bits.shape != (len(self.drugs), BITS // 8):
            raise InvalidParameter(
                f"fingerprints must have the shape ({len(self.drugs)}, {BITS // 8}). "
                f"Got {bits.shape}"
            )
        if "train" not in self.pairs:
            raise InvalidParameter("pairs must hold train")
        if len(self.templates) != len(self.types):
            raise InvalidParameter(f"templates must hold one entry a type ({len(self.types)})")
        if self.subjects and len(self.subjects) != len(self.types):
            raise InvalidParameter(f"subjects must hold one entry a type ({len(self.types)})")
        frozen = {
            split: frozen_triples(rows, len(self.drugs), len(self.types))
            for split, rows in self.pairs.items()
        }
        object.__setattr__(self, "pairs", MappingProxyType(frozen))

    def __repr__(self) -> str:
        """Show the name and the counts."""
        counts = ", ".join(f"{split} {len(rows):,}" for split, rows in self.pairs.items())
        return f"DDIData({self.name}: {len(self.drugs):,} drugs, {len(self.types)} types; {counts})"

    @property
    def n_drugs(self) -> int:
        """The number of drugs, with or without interactions."""
        return len(self.drugs)

    @property
    def n_types(self) -> int:
        """The number of interaction types."""
        return len(self.types)

    @cached_property
    def drug_names(self) -> DrugNames:
        """What the drugs are called."""
        return DrugNames(self.drugs.names, self.external_ids, self.names)

    def drug(self, name: str) -> int:
        """Return the number of a drug by id, external id or name; case does not matter.

        Raises
        ------
        UnknownDrug
            No such drug; the closest name is suggested.
        FormatError
            Several drugs go by this name; their ids are listed.
        """
        return self.drug_names.find(name)

    def label(self, drug: int) -> str:
        """Return a drug's name, or its id where it has none; both where others share the name."""
        return self.drug_names.labels[drug]

    def subject(self, kind: int, drug1: int | None = None) -> Subject:
        """Which drug of a type's rows its #Drug1 stands for; of the rows with this first drug."""
        if drug1 is not None and (kind, drug1) in self.unsettled:
            return Subject.UNDECIDED
        return self.subjects[kind] if self.subjects else Subject.FIRST

    def acting(self, drug1: int, kind: int, drug2: int) -> str | None:
        """The drug of a row that acts; None where the data state no direction."""
        drug = {Subject.FIRST: drug1, Subject.SECOND: drug2}.get(self.subject(kind, drug1))
        return None if drug is None or not self.subjects else self.label(drug)

    def sentence(self, drug1: int, kind: int, drug2: int) -> str:
        """Return the sentence of a row: every text about two drugs comes from here."""
        subject = self.subject(kind, drug1)
        return wording(self._template(kind), subject, self.label(drug1), self.label(drug2))

    def pattern(self, kind: int, first: str, second: str) -> str:
        """Return the sentence of a type for the first and the second drug of a row by any name."""
        return wording(self._template(kind), self.subject(kind), first, second)

    def _template(self, kind: int) -> str:
        return self.templates[kind] or f"#Drug1 –{self.types.name(kind)}→ #Drug2"

    @cached_property
    def content_hash(self) -> str:
        """sha256 over drugs, structures, types and pairs, in hexadecimal."""
        digest = hashlib.sha256()
        for vocabulary in (self.drugs, self.types):
            digest.update(vocabulary.content_hash.encode())
        for column in (self.smiles, self.external_ids, self.templates):
            digest.update(json_text(column).encode())
        for split in sorted(self.pairs):
            digest.update(f"{split} {len(self.pairs[split])}\n".encode())
            digest.update(np.ascontiguousarray(self.pairs[split]).data)
        if self.multilabel:
            digest.update(b"multilabel")
        return digest.hexdigest()

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write arrays and ``meta.json`` into ``folder`` (created if absent), that one last."""
        arrays: dict[str, npt.NDArray[Any]] = dict(self.pairs)
        if self.fingerprints is not None:
            arrays["fingerprints"] = self.fingerprints
        write_table(folder, arrays, {
            "name": self.name,
            "drugs": self.drugs.names,
            **{column: getattr(self, column) for column in _COLUMNS},
            "types": self.types.names,
            "templates": self.templates,
            "splits": list(self.pairs),
            "graph": self.graph,
            "notes": self.notes,
            "source": self.source,
            "registered": self.registered,
            "multilabel": self.multilabel,
            "subjects": self.subjects,
            "unsettled": sorted(self.unsettled),
        })  # fmt: skip

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> DDIData:
        """Read what :meth:`save` wrote.

        Raises
        ------
        MissingFile, NotAFile, EncodingError, FormatError
            ``where`` names the file.
        """
        bits = Path(folder) / "fingerprints.npy"
        with read_table(folder, "interaction dataset", _Saved) as (meta, array):
            saved, meta = meta, of_older_run(meta)
            data = cls(
                name=meta["name"],
                drugs=Vocabulary(meta["drugs"], "drug"),
                **{column: tuple(meta[column]) for column in _COLUMNS},
                types=Vocabulary(meta["types"], "relation"),
                templates=tuple(meta["templates"]),
                pairs={split: array(split) for split in meta["splits"]},
                graph=meta["graph"],
                fingerprints=array("fingerprints") if bits.exists() else None,
                notes=tuple(meta["notes"]),
                source=meta["source"],
                registered=meta["registered"],
                multilabel=meta.get("multilabel", False),
                subjects=tuple(Subject(subject) for subject in meta.get("subjects", ())),
                unsettled=frozenset((t, u) for t, u in meta.get("unsettled", ())),
            )
            if meta is not saved:  # its config.toml has the hash of the templates as it stored them
                stored = replace(data, templates=tuple(saved["templates"]))
                data.__dict__["content_hash"] = stored.content_hash
            return data
