"""Folders of drug–drug interactions: a user's own, or the registered sets with several splits.

``drugs.tsv`` (id, name, smiles, drugbank_id …), ``relations.tsv`` (id, template with #Drug1 and
#Drug2, and optionally ``subject``: which drug of a row #Drug1 is, else the first), and
``train.txt`` with ``valid.txt test.txt`` or ``valid_S1.txt test_S1.txt …``: rows of drug1, drug2,
type, or the pair's labels separated by commas; the separator of columns is a tab if the first line
has one, else single spaces. Where a row has several labels, all rows of the folder are pairs
without an order that may have several. Optionally ``fingerprints.txt`` (drug, 1,024 bits in
hexadecimal), so that no structures need be read, and ``background/train.txt``, a graph of their
own.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from parsimony.chem.fingerprints import BITS
from parsimony.datasets import registry
from parsimony.datasets.loading import locate
from parsimony.ddi.data import DDIData
from parsimony.ddi.direction import Subject, drugbank
from parsimony.ddi.time_split import split_by_time, years_of
from parsimony.ddi.twosides import load_twosides
from parsimony.decoding.files import check_file, check_folder
from parsimony.decoding.lines import TextTable, first_line
from parsimony.decoding.look import Look, Reading
from parsimony.decoding.tables import read_cells, read_table
from parsimony.errors import (
    EmptySplit,
    FormatError,
    InvalidParameter,
    MissingFile,
    UnknownDataset,
    suggest,
)
from parsimony.graph.vocabulary import Kind, Vocabulary

__all__ = ["is_ddi", "load_ddi", "load_ddi_folder", "reading"]

SETTINGS = ("S0", "S1", "S2")
TIME = "time"  # the split that is made from DATES where no folder holds it
DATES = "approval_date"


def load_ddi_folder(
    folder: str | os.PathLike[str],
    *,
    split: str | None = None,
    name: str | None = None,
    graph: str | None = None,
    source: str = "",
    registered: bool = False,
) -> DDIData:
    """Read a folder of drug–drug interactions.

    Parameters
    ----------
    folder
        Holds ``drugs.tsv``, ``relations.tsv`` and the pairs, or the pairs in a folder a split.
    split
        Which of several splits; needed only where the pairs lie in folders. "time" divides all
        pairs by the drugs' ``approval_date``.
    name, graph, source, registered
        Of the :class:`DDIData`; the graph is the folder's own ``background`` where there is one.

    Raises
    ------
    MissingFile, NotAFile, EncodingError
    InvalidParameter
        No such split, or one must be named.
    FormatError
        A missing column, an empty field, a wrong number of columns; ``where`` names the line.
    UnknownDrug, UnknownRelation
        A pair of a drug or type that the tables do not list.
    EmptySplit
        No training pair, or nothing to validate or test on.
    """
    folder = check_folder(folder)
    drugs = _table(folder / "drugs.tsv", ("id",))
    types = _table(folder / "relations.tsv", ("id", "template"))
    drug_ids = _vocabulary(drugs, folder / "drugs.tsv", "drug")
    type_ids = _vocabulary(types, folder / "relations.tsv", "relation")
    notes: tuple[str, ...] = ()
    if split == TIME and not (folder / TIME).is_dir():
        pairs, several, notes = _by_time(folder, drugs, drug_ids, type_ids)
    else:
        home = _home(folder, split)
        pairs, several = _pairs_of(home, drug_ids, type_ids)
        if len(pairs) == 1:
            raise MissingFile(
                "neither valid.txt and test.txt nor valid_S1.txt and test_S1.txt or others",
                remedy="hold some pairs out",
                where=str(home),
            )

    def column(name: str) -> tuple[str, ...]:
        return tuple(drugs[name]) if name in drugs.columns else ("",) * len(drugs)

    own = folder / "background"
    bits = folder / "fingerprints.txt"
    whole = name or folder.resolve().name
    return DDIData(
        name=f"{whole}/{split}" if split else whole,
        drugs=drug_ids,
        names=column("name"),
        smiles=column("smiles"),
        external_ids=column("drugbank_id"),
        types=type_ids,
        templates=tuple(types["template"]),
        subjects=_subjects(types, folder / "relations.tsv"),
        pairs=pairs,
        graph=str(own) if own.is_dir() else graph or "none",
        fingerprints=_fingerprints(bits, drug_ids) if bits.exists() else None,
        notes=(*notes, *_later_notes(folder, split, drugs, pairs)),
        source=source or str(folder),
        registered=registered,
        multilabel=several,
    )


def _pairs_of(
    home: Path, drugs: Vocabulary, types: Vocabulary
) -> tuple[dict[str, np.ndarray], bool]:
    """Read the pairs of every split in a folder, and whether a pair has several labels."""
    pairs, several = {}, False
    for part in ("train", *(f"{p}{s}" for s in ("", *(f"_{s}" for s in SETTINGS))
                            for p in ("valid", "test"))):  # fmt: skip
        path = home / f"{part}.txt"
        if part == "train" or os.path.lexists(path):
            pairs[part], more = _pairs(path, drugs, types)
            several |= more
    if not len(pairs["train"]):
        raise EmptySplit("no training pairs", remedy="fill it", where=str(home / "train.txt"))
    return pairs, several


def _by_time(
    folder: Path, table: pl.DataFrame, drugs: Vocabulary, types: Vocabulary
) -> tuple[dict[str, np.ndarray], bool, tuple[str, ...]]:
    """Divide all pairs of the folder, whatever its splits, by the drugs' years of approval."""
    if DATES not in table.columns:
        raise InvalidParameter(
            f"no column {DATES!r} to split by time",
            remedy="add it, or choose another split",
            where=f"{folder / 'drugs.tsv'}:1",
        )
    homes = sorted(path.parent for path in folder.glob("*/train.txt")) or [folder]
    read = [_pairs_of(home, drugs, types) for home in homes]
    rows = [part for pairs, _ in read for part in pairs.values()]
    years = years_of(table[DATES])
    pairs, (valid_from, test_from) = split_by_time(np.unique(np.concatenate(rows), axis=0), years)
    note = (
        f"split by time: drugs approved from {test_from} on are tested, those from {valid_from} on "
        f"validate; {int((years == 0).sum())} drugs without a year count as known"
    )
    return pairs, any(several for _, several in read), (note,)


def _later_notes(
    folder: Path, split: str | None, table: pl.DataFrame, pairs: dict[str, np.ndarray]
) -> list[str]:
    """Say where a folder's own split by time holds out drugs that are not the newest."""
    if split != TIME or not (folder / TIME).is_dir() or DATES not in table.columns:
        return []
    years = years_of(table[DATES])
    known = np.unique(pairs["train"][:, [0, 2]])
    notes = []
    for part in ("valid", "test"):
        rows = [r for name, r in pairs.items() if name.startswith(part) and not name.endswith("S0")]
        held = np.setdiff1d(np.concatenate([np.empty((0, 3), int), *rows])[:, [0, 2]], known)
        dated = held[years[held] > 0]
        older = int((years[dated] <= years[known].max()).sum())
        if older:
            notes.append(
                f"warning: {older:,} of {len(dated):,} drugs that {part} holds out are not newer "
                f"than all training drugs (up to {years[known].max()})"
            )
    return notes


def is_ddi(name_or_path: str) -> bool:
    """Whether a name or a folder is of drug-drug interactions."""
    return (
        name_or_path in registry.names("ddi")
        or Path(os.path.expanduser(name_or_path), "drugs.tsv").is_file()
    )


def reading(look: Look) -> Reading | None:
    """How a table is read as drug pairs: by its header; :func:`load_ddi` asks for a folder then."""
    found = look.named("drug1", "drug2")
    return None if found is None else Reading(found, True)


def load_ddi(
    name_or_path: str | os.PathLike[str],
    *,
    split: str | None = None,
    mirror: str | os.PathLike[str] | None = None,
) -> DDIData:
    """Load drug–drug interactions by registered name, or from a user's folder.

    Parameters
    ----------
    name_or_path
        ``drugbank-ddi`` (split by default at random over drugs), ``twosides``, or a folder.
    split
        Which of several splits.
    mirror
        A folder or web address with a ``manifest.json``.

    Raises
    ------
    InvalidParameter
        A registered dataset of another kind.
    UnknownDataset, DataError
        Neither a name nor a folder, or a wrong one.
    """
    text = os.fspath(name_or_path)
    if text not in registry.names():
        path = Path(os.path.expanduser(text))
        if not os.path.lexists(path) and os.sep not in text:
            raise UnknownDataset.of(text, registry.names("ddi"))
        if path.is_file():
            raise FormatError(
                "a file; drug pairs come as a folder of drugs.tsv, relations.tsv, train.txt …",
                remedy="see docs/ddi.md, or read the file as facts: --task link",
                where=text,
            )
        return load_ddi_folder(path, split=split)
    item = registry.entry(text, "ddi")
    folder, found = locate(text, mirror=mirror)
    source = f"{found}; licence: {item.licence}"
    if text == "twosides":
        return load_twosides(folder, split=split, mirror=mirror, source=source)
    several = split is None and not os.path.lexists(folder / "train.txt")
    data = load_ddi_folder(
        folder,
        split="random" if several else split,
        name=text,
        graph="hetionet",
        source=source,
        registered=True,
    )
    return _directed(data) if text == "drugbank-ddi" else data


def _directed(data: DDIData) -> DDIData:
    """Say of DrugBank's types which drug of a row acts."""
    subjects, unsettled, note = drugbank(data.types.names, data.external_ids)
    return replace(data, subjects=subjects, unsettled=unsettled, notes=(*data.notes, note))


def _subjects(table: pl.DataFrame, path: Path) -> tuple[Subject, ...]:
    """Read which drug of a row the #Drug1 of each template stands for."""
    if "subject" not in table.columns:
        return ()
    for number, word in enumerate(table["subject"], start=2):
        if word and word not in list(Subject):
            raise FormatError(
                f"subject {word!r}",
                remedy=suggest(word, list(Subject)) or f"{', '.join(Subject)}, or leave it empty",
                where=f"{path}:{number}",
            )
    return tuple(Subject(word or "first") for word in table["subject"])


def _home(folder: Path, split: str | None) -> Path:
    """Return the folder that holds the pairs."""
    splits = sorted(path.parent.name for path in folder.glob("*/train.txt"))
    if split is None and (os.path.lexists(folder / "train.txt") or not splits):
        return folder
    if split not in splits:
        named = f"no split {split!r}" if split else "several splits"
        remedy = (suggest(split, splits) if split else "") or f"split={' | split='.join(splits)}"
        raise InvalidParameter(named, remedy=f"{remedy} (--set split=…)", where=str(folder))
    return folder / split


def _table(path: Path, needed: tuple[str, ...]) -> pl.DataFrame:
    """Read a table with a header, every field as text, empty where absent."""
    table = read_table(path, needed, separator="\t", quoted=False, empty=True)
    if (empty := table.frame["id"].str.strip_chars() == "").any():
        raise FormatError(
            "no id", remedy="complete the row", where=table.where(int(empty.arg_true()[0]))
        )
    return table.frame


def _vocabulary(table: pl.DataFrame, path: Path, kind: Kind) -> Vocabulary:
    if not len(table):
        raise FormatError("no rows", remedy="list them", where=str(path))
    try:
        return Vocabulary(list(table["id"]), kind)
    except FormatError:  # one that occurs twice
        names = list(table["id"])
        line, name = next((i, n) for i, n in enumerate(names) if n in names[:i])
        raise FormatError(
            f"{kind} {name!r} occurs twice, first in line {names.index(name) + 2}",
            remedy="remove one of them",
            where=f"{path}:{line + 2}",
        ) from None


def _fingerprints(path: Path, drugs: Vocabulary) -> np.ndarray:
    """Read packed bits of every drug; one that is not listed has none."""
    packed = np.zeros((len(drugs), BITS // 8), np.uint8)
    table = TextTable(path, "\t", width=2, expected="a drug and its bits")
    seen: set[str] = set()
    for number, (drug, bits), _ in table.checked_rows():
        where = f"{path}:{number}"
        if drug in seen:
            raise FormatError(f"drug {drug!r} twice", remedy="keep one row", where=where)
        seen.add(drug)
        try:
            row = np.frombuffer(bytes.fromhex(bits), np.uint8)
        except ValueError:
            row = packed[0, :0]
        if len(row) != BITS // 8:
            raise FormatError(
                f"not {BITS:,} bits in hexadecimal", remedy="drug, a tab, the bits", where=where
            )
        packed[drugs.index(drug, where=where)] = row
    return packed


def _pairs(path: Path, drugs: Vocabulary, types: Vocabulary) -> tuple[np.ndarray, bool]:
    """Read rows of drug1, drug2, type as (drug1, type, drug2) numbers.

    Also whether a row has several labels; it gives as many rows.
    """
    _, start = first_line(check_file(path))
    table = TextTable(
        path,
        "\t" if "\t" in start else " ",
        width=3,
        wanted=(0, 1, 2),
        filled=True,
        expected="drug1, drug2, type or labels joined by commas alone",
    )
    drug, kind = pl.Enum(drugs.names), pl.Enum(types.names)
    frame = read_cells(table, {"drug1": 0, "drug2": 1, "type": 2})
    try:
        frame = frame.with_columns(
            pl.col("drug1", "drug2").cast(drug).to_physical().cast(pl.Int32),
            pl.col("type").cast(kind).to_physical().cast(pl.Int32),
        )
    except pl.exceptions.PolarsError:
        return _pairs_slowly(table, drugs, types)
    if (frame["drug1"] == frame["drug2"]).any():
        return _pairs_slowly(table, drugs, types)
    return frame.select("drug1", "type", "drug2").to_numpy(), False


def _pairs_slowly(
    table: TextTable, drugs: Vocabulary, types: Vocabulary
) -> tuple[np.ndarray, bool]:
    """Read line by line: rows of several labels, and to name a line that is wrong."""
    rows: list[tuple[int, int, int]] = []
    several = False
    for number, (first, second, kind), _ in table.checked_rows():
        where = f"{table.path}:{number}"
        if first == second:
            raise FormatError(f"drug {first!r} with itself", remedy="remove the row", where=where)
        a, b = drugs.index(first, where=where), drugs.index(second, where=where)
        labels = [kind] if kind in types else kind.split(",")
        several |= len(labels) > 1
        for label in labels:
            if not label:
                raise FormatError(
                    f"an empty label in {kind!r}", remedy="one comma between labels", where=where
                )
            if labels.count(label) > 1:
                raise FormatError(f"label {label!r} twice", remedy="name each once", where=where)
            rows.append((a, types.index(label, where=where), b))
    return np.array(rows, np.int32).reshape(-1, 3), several
