"""Drug–drug interactions: DDI-Bench and KnowDDI as published, the tables of TDC with our split."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl

from parsimony.datasets.convert import Raw
from parsimony.datasets.convert.reading import lines, table, write_lines

__all__ = ["ddi_bench", "tdc_drugbank", "tdc_twosides"]

SEED, SHARE = 0, 0.1


def ddi_bench(raw: Raw, folder: Path) -> None:
    """Three splits of 1,710 drugs and 86 types; names and kinds of drugs from DrugBank's table."""
    ids, types, smiles = (
        json.loads(raw[f"{name}.json"].read_bytes())
        for name in ("node2id", "relation2id", "id2smiles")
    )
    known = table(raw["drugbank.tsv"], ("drugbank_id", "name", "type"), "\t")
    about = {row[0]: row[1:] for row in known.iter_rows()}
    order = sorted(((int(number), name) for name, number in ids.items()))
    drugs = (
        "\t".join((str(number), name, about.get(name, ("",))[0], smiles.get(str(number), ""),
                   about.get(name, ("", ""))[1]))
        for number, name in order if str(number) in smiles
    )  # fmt: skip
    write_lines(folder / "drugs.tsv", ["id\tdrugbank_id\tname\tsmiles\ttype", *drugs])
    # Relations of the background graph follow those between drugs.
    named = sorted((int(number), text) for number, text in types.items() if "#Drug" in text)
    write_lines(folder / "relations.tsv", ["id\ttemplate", *(f"{n}\t{text}" for n, text in named)])
    for file, path in raw.items():
        split, _, name = file.partition("/")
        if name:
            (folder / split).mkdir(exist_ok=True)
            write_lines(folder / split / name, lines(path, file))


def tdc_drugbank(raw: Raw, folder: Path) -> None:
    """TDC's DrugBank table: one type a row, the order of the drugs matters."""
    (path,) = raw.values()
    frame = table(path, ("ID1", "ID2", "Y", "Map", "X1", "X2"), "\t")
    _write(folder, frame.rename({"Map": "template"}), merged=False)


def tdc_twosides(raw: Raw, folder: Path) -> None:
    """TDC's TWOSIDES table: all side effects of a pair in one row."""
    (path,) = raw.values()
    frame = table(path, ("ID1", "ID2", "Y", "Side Effect Name", "X1", "X2"), "\t")
    text = pl.lit("#Drug1 and #Drug2 together: ") + pl.col("Side Effect Name")
    _write(folder, frame.with_columns(template=text), merged=True)


def _write(folder: Path, frame: pl.DataFrame, *, merged: bool) -> None:
    drugs = (
        pl.concat([frame.select(id=f"ID{n}", smiles=f"X{n}") for n in (1, 2)])
        .unique("id", keep="first", maintain_order=True)
        .with_columns(drugbank_id=pl.col("id"))
    )
    drugs.write_csv(folder / "drugs.tsv", separator="\t", quote_style="never")
    types = frame.select(id="Y", template="template").unique("id", keep="first")
    types = types.sort(pl.col("id").cast(pl.Int64, strict=False), "id")
    types.write_csv(folder / "relations.tsv", separator="\t", quote_style="never")
    pairs = frame.select("ID1", "ID2", "Y").unique(maintain_order=True)
    if merged:
        pairs = pairs.group_by("ID1", "ID2", maintain_order=True).agg(pl.col("Y").str.join(","))
    for name, chosen in _by_drugs(pairs, drugs["id"]).items():
        chosen.write_csv(folder / f"{name}.txt", separator="\t", include_header=False,
                         quote_style="never")  # fmt: skip


def _by_drugs(pairs: pl.DataFrame, drugs: pl.Series) -> dict[str, pl.DataFrame]:
    """Hold a tenth of the drugs out for validation and a tenth for test.

    S1 pairs join a held-out drug and a known one, S2 pairs two drugs held out for the same; pairs
    of a validation and a test drug are left out. A tenth each of the pairs of known drugs are S0.
    """
    rng = np.random.default_rng(SEED)
    side = np.zeros(len(drugs), np.int8)
    n = round(SHARE * len(drugs))
    chosen = rng.permutation(len(drugs))
    side[chosen[:n]], side[chosen[n : 2 * n]] = 1, 2
    of = dict(zip(drugs, side.tolist(), strict=True))
    a, b = (pairs[name].replace_strict(of).to_numpy() for name in ("ID1", "ID2"))
    known = np.flatnonzero((a == 0) & (b == 0))
    drawn = rng.permutation(known)
    m = round(SHARE * len(known))
    parts = {"valid_S0": drawn[:m], "test_S0": drawn[m : 2 * m], "train": np.sort(drawn[2 * m :])}
    for number, name in ((1, "valid"), (2, "test")):
        parts[f"{name}_S1"] = np.flatnonzero(np.minimum(a, b) + np.maximum(a, b) * 4 == number * 4)
        parts[f"{name}_S2"] = np.flatnonzero((a == number) & (b == number))
    return {name: pairs[np.sort(index)] for name, index in parts.items()}
