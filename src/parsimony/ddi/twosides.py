"""TWOSIDES: side effects of drug pairs, from the observed pairs of the partial archive.

The published training and S1 files are not in the archive, so the observed pairs are divided anew:
of the drugs that occur, 10 % validate and 20 % are tested (seed 0, the paper's 7 : 1 : 2), which
leaves 561 S2 pairs to the test where the published 514 / 30 / 60 would leave 138. Results are not
comparable with published ones.

The archive knows its drugs by STITCH numbers, and DrugBank ids of 335 of the 604. Where RDKit and
the DrugBank archive are there, others are recognised by structure (uncharged, without salt and
stereochemistry: 308 of the 319 known ids that can be compared come out the same, the other 11 are
stereoisomers), and drugs get their names; that is how they join the background graph.

Source: N. Tatonetti et al., Data-driven prediction of drug effects and interactions, Sci. Transl.
Med. 2012, in the edition of EmerGNN and SumGNN (604 drugs, 200 side effects).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from parsimony.chem.smiles import parent
from parsimony.datasets.loading import locate
from parsimony.ddi.data import DDIData
from parsimony.ddi.time_split import divide
from parsimony.decoding.lines import TextTable
from parsimony.decoding.tables import read_cells, read_table
from parsimony.errors import FormatError, InvalidParameter, MissingFile
from parsimony.graph.vocabulary import Vocabulary

__all__ = ["load_twosides"]

SEED = 0
SHARES = (0.1, 0.2)  # of the drugs: validation, test
TEMPLATE = "{} is reported with #Drug1 and #Drug2 together."
NOTE = (
    "TWOSIDES: 18,669 observed pairs of a partial archive, divided by this project; not comparable "
    "with published results"
)


def load_twosides(
    folder: Path,
    *,
    split: str | None = None,
    mirror: str | os.PathLike[str] | None = None,
    source: str = "",
) -> DDIData:
    """Read the archive's observed pairs and divide them by drugs.

    Parameters
    ----------
    folder
        Of the unpacked archive.
    split
        "random", which is the default.
    mirror
        Where the DrugBank archive is found, for names and ids.
    source
        Of the :class:`DDIData`.

    Raises
    ------
    InvalidParameter
        Another split.
    MissingFile, FormatError
        A file that is not there, or not as published.
    """
    if split not in (None, "random"):
        raise InvalidParameter(
            f"twosides has no split {split!r}", remedy="--set split=random", where=str(folder)
        )
    drugs = _table(folder / "emergnn_drugs.tsv", ("cid", "drugbank_id", "smiles"))
    effects = _table(folder / "emergnn_relations.tsv", ("umls_cui", "name"))
    rows = _pairs(folder / "emergnn" / "positives_union.tsv", len(drugs), len(effects))
    ids, names, note = _known_drugs(list(drugs["drugbank_id"]), list(drugs["smiles"]), mirror)
    return DDIData(
        name="twosides",
        drugs=Vocabulary(list(drugs["cid"]), "drug"),
        names=tuple(names),
        smiles=tuple(drugs["smiles"]),
        external_ids=tuple(ids),
        types=Vocabulary(list(effects["name"]), "relation"),
        templates=tuple(TEMPLATE.format(_sentence_case(name)) for name in effects["name"]),
        pairs=divide(rows, _sides(rows, len(drugs)), seed=SEED),
        graph="hetionet",
        notes=(NOTE, note),
        source=source or str(folder),
        registered=True,
        multilabel=True,
    )


def _sides(rows: npt.NDArray[np.int32], n_drugs: int) -> npt.NDArray[np.int64]:
    """0 known, 1 of validation, 2 of the test, of every drug; without pairs it counts as known."""
    drugs = np.random.default_rng(SEED).permutation(np.unique(rows[:, [0, 2]]))
    valid, test = (round(share * len(drugs)) for share in SHARES)
    side = np.zeros(n_drugs, np.int64)
    side[drugs[:valid]] = 1
    side[drugs[valid : valid + test]] = 2
    return side


def _sentence_case(name: str) -> str:
    return name[:1].upper() + name[1:]


def _table(path: Path, columns: Iterable[str]) -> pl.DataFrame:
    return read_table(path, tuple(columns), separator="\t", quoted=False).frame


def _pairs(path: Path, n_drugs: int, n_effects: int) -> npt.NDArray[np.int32]:
    """Rows (drug, effect, drug) of the observed pairs, the lower number first, sorted."""
    table = TextTable(path, width=3, filled=True, expected="two drugs and their effects")
    frame = read_cells(table, {"a": 0, "b": 1, "effects": 2})
    try:
        frame = frame.with_columns(
            pl.col("a", "b").cast(pl.Int32),
            pl.col("effects").str.split(",").cast(pl.List(pl.Int32)),
        )
    except pl.exceptions.PolarsError as error:
        raise FormatError(
            f"not rows of two drugs and their effects ({error})",
            remedy="restore the archive",
            where=str(path),
        ) from None
    a, t, b = frame.explode("effects").select("a", "effects", "b").to_numpy().T
    rows = np.unique(np.stack([np.minimum(a, b), t, np.maximum(a, b)], 1), axis=0)
    if not len(rows) or rows.min() < 0 or (rows.max(0) >= (n_drugs, n_effects, n_drugs)).any():
        raise FormatError(
            "no pair, or a pair of a drug or effect that is not listed",
            remedy="restore the archive",
            where=str(path),
        )
    return rows.astype(np.int32)


def _known_drugs(
    ids: list[str], smiles: list[str], mirror: str | os.PathLike[str] | None
) -> tuple[list[str], list[str], str]:
    """DrugBank ids, as far as structures tell more of them, and names; and a note on both."""
    given = sum(map(bool, ids))
    try:
        folder, _ = locate("drugbank-ddi", mirror=mirror)
    except MissingFile:
        note = f"{given} of {len(ids)} drugs join the background graph; names are not known (they "
        return ids, [""] * len(ids), f"{note}come with drugbank-ddi, which was not found)"
    drugbank = _table(folder / "drugs.tsv", ("drugbank_id", "name", "smiles"))
    ids = _recognised(ids, smiles, list(drugbank["drugbank_id"]), list(drugbank["smiles"]))
    named = dict(zip(drugbank["drugbank_id"], drugbank["name"], strict=True))
    note = f"{sum(map(bool, ids))} of {len(ids)} drugs join the background graph ({given} by the "
    return ids, [named.get(i, "") for i in ids], f"{note}archive's ids, the rest by structure)"


def _recognised(
    ids: list[str], smiles: list[str], other_ids: list[str], other_smiles: list[str]
) -> list[str]:
    """Give drugs without an id that of the same structure, where nobody else has it."""
    try:
        import rdkit  # noqa: F401
    except ImportError:
        return ids
    of: dict[str, str] = {}
    for number, text in zip(other_ids, other_smiles, strict=True):
        if text and (structure := parent(text)):
            of.setdefault(structure, number)
    taken, found = set(filter(None, ids)), []
    for number, text in zip(ids, smiles, strict=True):
        own = number or of.get(parent(text), "")
        if not number and own in taken:
            own = ""
        taken.add(own)
        found.append(own)
    return found
