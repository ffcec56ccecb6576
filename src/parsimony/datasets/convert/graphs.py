"""Graphs that come without a split: Hetionet, PrimeKG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from parsimony.datasets.convert import Raw
from parsimony.datasets.convert.reading import table

__all__ = ["held_out", "hetionet", "hetionet_facts", "primekg", "write_facts"]

RESEMBLES = "CrC"  # the one relation between drugs; it has a file of its own
SEED, SHARE = 0, 0.1


def hetionet(raw: Raw, folder: Path) -> None:
    """The whole of Hetionet in the layout of the background graph."""
    nodes, edges = _hetionet(raw)
    nodes.write_csv(folder / "nodes.tsv", separator="\t")
    drugs = pl.col("metaedge") == RESEMBLES
    edges.filter(drugs).write_csv(folder / "edges_compound_resembles.tsv", separator="\t")
    edges.filter(~drugs).write_csv(folder / "edges_exact.tsv", separator="\t")
    # The layout's file of relations that are there in part: of a whole graph there is none.
    none = edges.clear().with_columns(provenance=pl.lit("", pl.String))
    none.write_csv(folder / "edges_partial.tsv", separator="\t")


def hetionet_facts(raw: Raw, folder: Path) -> None:
    """The same as facts, a tenth each held out."""
    nodes, edges = _hetionet(raw)
    facts = edges.rename({"source": "head", "metaedge": "relation", "target": "tail"})
    write_facts(folder, facts, nodes.select("id", "name"))


def _hetionet(raw: Raw) -> tuple[pl.DataFrame, pl.DataFrame]:
    nodes = table(raw["hetionet-v1.0-nodes.tsv"], ("id", "name", "kind"), "\t")
    edges = table(raw["hetionet-v1.0-edges.sif.gz"], ("source", "metaedge", "target"), "\t")
    return nodes, edges


def primekg(raw: Raw, folder: Path) -> None:
    """PrimeKG as facts: an entity is its type and id, an undirected edge stands once.

    The source writes every edge in both directions; a test fact whose mirror image is in train
    would not be a question.
    """
    ends = [f"{end}_{what}" for end in "xy" for what in ("index", "type", "id", "name")]
    rows = table(raw["kg.csv"], ("relation", *ends))
    number = {end: pl.col(f"{end}_index").cast(pl.Int64) for end in "xy"}
    once = rows.with_columns(
        low=pl.min_horizontal(number["x"], number["y"]),
        high=pl.max_horizontal(number["x"], number["y"]),
    ).unique(["relation", "low", "high"], keep="first", maintain_order=True)

    def entity(end: str) -> pl.Expr:
        return pl.concat_str(f"{end}_type", f"{end}_id", separator="::")

    facts = once.select(head=entity("x"), relation=pl.col("relation"), tail=entity("y"))
    names = pl.concat([rows.select(id=entity(e), name=pl.col(f"{e}_name")) for e in "xy"])
    write_facts(folder, facts, names.unique("id", keep="first", maintain_order=True))


def held_out(facts: pl.DataFrame, seed: int = SEED, share: float = SHARE) -> np.ndarray:
    """0 train, 1 valid, 2 test for every fact.

    The first fact of every entity and relation stays in train; of the others, ``share`` of all
    facts (or as many as there are) are drawn for valid and as many for test.
    """
    columns = [facts[name].to_physical().to_numpy() for name in ("head", "relation", "tail")]
    kept = np.zeros(len(facts), bool)
    for column in (np.stack([columns[0], columns[2]], axis=1).ravel(), columns[1]):
        _, first = np.unique(column, return_index=True)
        kept[first // 2 if len(column) > len(facts) else first] = True
    free = np.random.default_rng(seed).permutation(np.flatnonzero(~kept))
    n = min(round(share * len(facts)), len(free) // 2)
    split = np.zeros(len(facts), np.int8)
    split[free[:n]], split[free[n : 2 * n]] = 1, 2
    return split


def write_facts(folder: Path, facts: pl.DataFrame, names: pl.DataFrame) -> None:
    """Write the three splits of a table of facts without duplicates, and names of entities."""
    facts = facts.select("head", "relation", "tail").unique(maintain_order=True)
    shared = pl.concat([facts["head"], facts["tail"]]).unique(maintain_order=True)
    kind = pl.Enum(shared)
    coded = facts.with_columns(
        pl.col("head", "tail").cast(kind), pl.col("relation").cast(pl.Categorical)
    )
    split = held_out(coded)
    for number, part in enumerate(("train", "valid", "test")):
        chosen = facts.filter(pl.Series(split == number))
        chosen.write_csv(folder / f"{part}.txt", separator="\t", include_header=False,
                         quote_style="never")  # fmt: skip
    names.write_csv(folder / "entity_names.tsv", separator="\t", quote_style="never")
