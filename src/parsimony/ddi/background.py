"""The background graph of drug–drug interactions: what is known about drugs beside their pairs.

Entities 0 … n_drugs − 1 are the drugs, with or without facts; the other nodes follow. Sources are
joined by "+":

``hetionet``
    Hetionet without drug–drug edges, without GpBP and without CrC. Of its metaedges AeG, GpMF, GpCC
    and Gr>G are partial here.
``crc``
    Hetionet's compound–resembles–compound (structural similarity).
``layer``
    Targets, enzymes, transporters and carriers with what the drug does to them ("inhibitor of
    enzyme"), ATC codes, categories and further side effects.
``substructures``
    What every drug's formula has: functional groups and rings with a name.
a folder
    ``train.txt`` of head, relation, tail, drugs by their ids or external ids.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from parsimony.datasets.loading import locate
from parsimony.ddi.data import DDIData
from parsimony.ddi.substructures import HAS, substructures
from parsimony.decoding import checked, mapped_array, read_json
from parsimony.decoding.strict_json import json_text
from parsimony.decoding.tables import read_table
from parsimony.errors import FormatError, InvalidParameter, suggest
from parsimony.graph.formats import read_triples
from parsimony.graph.knowledge_graph import frozen_triples
from parsimony.graph.vocabulary import Vocabulary

__all__ = ["Background", "load_background"]

IntArray = npt.NDArray[np.int32]
DROPPED = ("GpBP", "CrC")
ACTIONS = 50  # times that an action on proteins occurs, for a relation of its own
_RESTORE = "restore the run folder, or fit again"


@dataclass(frozen=True)
class _Saved:
    """What background.json holds."""

    nodes: list[str]
    labels: list[str]
    relations: list[str]


@dataclass(frozen=True, eq=False)
class Background:
    """Facts over drugs and other nodes.

    Attributes
    ----------
    entities : Vocabulary
        The drugs, in their order, then the other nodes.
    labels : tuple of str
        Readable names, "" where there is none.
    relations : Vocabulary
    triples : int32 array, shape (n, 3)
        Head, relation, tail; duplicates of different sources kept once.
    n_drugs : int
    """

    entities: Vocabulary
    labels: tuple[str, ...]
    relations: Vocabulary
    triples: IntArray
    n_drugs: int

    @classmethod
    def of_drugs(cls, data: DDIData) -> Background:
        """Return the graph of drugs without facts."""
        drugs = Vocabulary(list(data.drugs.names), "entity")
        none = np.empty((0, 3), np.int32)
        return cls(drugs, _drug_labels(data), Vocabulary([], "relation"), none, data.n_drugs)

    def save(self, folder: Path) -> None:
        """Write ``background.npy`` and ``background.json`` into an existing folder."""
        np.save(folder / "background.npy", self.triples)
        meta = {
            "nodes": list(self.entities)[self.n_drugs :],
            "labels": self.labels,
            "relations": list(self.relations),
        }
        text = json_text(meta, ensure_ascii=False, indent=0)
        (folder / "background.json").write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, data: DDIData) -> Background:
        """Read what :meth:`save` wrote.

        Raises
        ------
        MissingFile, FormatError
            ``where`` names the file.
        """
        path, n = folder / "background.json", data.n_drugs
        meta = checked(_Saved, read_json(path, remedy=_RESTORE), str(path), remedy=_RESTORE)
        try:
            entities = Vocabulary([*data.drugs.names, *meta.nodes], "entity")
            relations = Vocabulary(meta.relations, "relation")
            if len(meta.labels) != len(entities):
                raise FormatError(f"{len(meta.labels)} labels of {len(entities)} nodes")
            triples = mapped_array(folder / "background.npy", kind="iu", ndim=2, remedy=_RESTORE)
            triples = frozen_triples(triples, len(entities), len(relations))
        except (FormatError, InvalidParameter) as error:
            where = error.where or str(path)
            raise FormatError(error.message, remedy=_RESTORE, where=where) from None
        labels = (*_drug_labels(data), *meta.labels[n:])
        return cls(entities, labels, relations, triples, n)

    @property
    def degree(self) -> npt.NDArray[np.int64]:
        """Facts at every entity, (n_entities,)."""
        return np.bincount(self.triples[:, [0, 2]].ravel(), minlength=len(self.entities))


def load_background(
    data: DDIData, graph: str = "hetionet", *, mirror: str | os.PathLike[str] | None = None
) -> Background:
    """Read the background graph of a set of drugs.

    Parameters
    ----------
    data
        The drugs; joined by id or external id.
    graph
        Sources joined by "+", or "none".
    mirror
        Where registered sources are found.

    Raises
    ------
    InvalidParameter
        No such source.
    MissingFile, FormatError
        A source that is not there or cannot be read.
    """
    sources: dict[str, Callable[[], tuple[pl.DataFrame, pl.DataFrame | None]]] = {
        "hetionet": lambda: _hetionet(locate("hetionet", mirror=mirror)[0]),
        "crc": lambda: _resembling(locate("hetionet", mirror=mirror)[0]),
        "layer": lambda: _layer(locate("drugbank-layer", mirror=mirror)[0]),
        "substructures": lambda: _substructures(data),
    }
    facts, labels = [], []
    for name in _source_names(graph, sources):
        frame, named = sources[name]() if name in sources else (_own_graph(name), None)
        facts.append(frame)
        if named is not None:
            labels.append(named)
    empty = pl.DataFrame(schema=dict.fromkeys(("head", "relation", "tail"), pl.String))
    return _joined(data, pl.concat([empty, *facts]).unique(maintain_order=True), labels)


def _source_names(graph: str, known: Collection[str]) -> list[str]:
    """Divide sources at "+"; as a folder's name may hold one too, the longest source is taken.

    Raises
    ------
    InvalidParameter
        A part is no source.
    """
    names: list[str] = []
    rest = "" if graph == "none" else f"+{graph}"
    while rest:
        rest = rest[1:]
        ends = [len(rest), *(i for i in range(len(rest) - 1, 0, -1) if rest[i] == "+")]
        heads = [rest[:end] for end in ends]
        found = next((head for head in heads if head in known or _is_folder(head)), None)
        if found is None:
            raise InvalidParameter(
                f"no background graph {heads[-1]!r}",
                remedy=suggest(heads[-1], known) or f"{', '.join(known)}, none, or a folder",
            )
        names.append(found)
        rest = rest[len(found) :]
    return names


def _is_folder(name: str) -> bool:
    return bool(name) and os.path.isdir(os.path.expanduser(name))


def _own_graph(folder: str) -> pl.DataFrame:
    return read_triples(Path(os.path.expanduser(folder)) / "train.txt").cast(pl.String)


def _drug_labels(data: DDIData) -> tuple[str, ...]:
    """What drugs are called, "" where that is their id."""
    labels = zip(data.drugs, data.drug_names.labels, strict=True)
    return tuple("" if label == name else label for name, label in labels)


def _under_own_ids(data: DDIData, facts: pl.DataFrame) -> pl.DataFrame:
    """Call drugs by their ids; a fact of an external id that several drugs have is of each."""
    turns: list[dict[str, str]] = []
    for drug, external in zip(data.drugs, data.external_ids, strict=True):
        if external:
            turn = next((t for t in turns if external not in t), None)
            if turn is None:
                turns.append(turn := {})
            turn |= {external: drug, f"Compound::{external}": drug}
    parts = [facts.with_columns(pl.col("head", "tail").replace(t)) for t in turns[:1]]
    for turn in turns[1:]:
        theirs = facts.filter(pl.any_horizontal(pl.col("head", "tail").is_in(list(turn))))
        renamed = (turns[0] | turn) if turns else {}
        parts.append(theirs.with_columns(pl.col("head", "tail").replace(renamed)))
    return pl.concat(parts or [facts]).unique(maintain_order=True)


def _joined(data: DDIData, facts: pl.DataFrame, labels: list[pl.DataFrame]) -> Background:
    """Number the nodes: drugs first, under their own ids."""
    own = pl.Series(data.drugs.names)
    facts = _under_own_ids(data, facts)
    nodes = pl.concat([facts["head"], facts["tail"]]).unique(maintain_order=True)
    others = nodes.filter(~nodes.is_in(own.implode()))
    entities = Vocabulary([*data.drugs.names, *others], "entity")
    relations = Vocabulary(list(facts["relation"].unique(maintain_order=True)), "relation")
    ids = pl.Enum(entities.names)
    kinds = pl.Enum(relations.names)
    triples = facts.select(
        pl.col("head").cast(ids).to_physical().cast(pl.Int32),
        pl.col("relation").cast(kinds).to_physical().cast(pl.Int32),
        pl.col("tail").cast(ids).to_physical().cast(pl.Int32),
    ).to_numpy()
    readable = dict(zip(data.drugs, _drug_labels(data), strict=True))
    for frame in labels:
        for name, label in frame.iter_rows():
            readable.setdefault(name, label)
    return Background(
        entities,
        tuple(readable.get(name, "") for name in entities),
        relations,
        np.ascontiguousarray(triples).reshape(-1, 3),
        data.n_drugs,
    )


def _table(path: Path, columns: dict[str, str], *, empty: bool = False) -> pl.DataFrame:
    frame = read_table(
        path, tuple(columns), only=(), separator="\t", quoted=False, empty=empty
    ).frame
    return frame.select(pl.col(old).alias(new) for old, new in columns.items())


def _hetionet(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    columns = {"source": "head", "metaedge": "relation", "target": "tail"}
    facts = pl.concat(
        # Of the whole graph, as it is published, no relation is there in part.
        [_table(folder / f"edges_{part}.tsv", columns, empty=True) for part in ("exact", "partial")]
    )
    named = _table(folder / "nodes.tsv", {"id": "id", "name": "name"})
    return facts.filter(~pl.col("relation").is_in(DROPPED)), named


def _resembling(folder: Path) -> tuple[pl.DataFrame, None]:
    columns = {"source": "head", "metaedge": "relation", "target": "tail"}
    return _table(folder / "edges_compound_resembles.tsv", columns), None


def _substructures(data: DDIData) -> tuple[pl.DataFrame, pl.DataFrame]:
    found = substructures(data.smiles, data.names)
    nodes = [f"Substructure::{name}" for _, name, _ in found]
    drugs = [data.drugs.name(drug) for drug, _, _ in found]
    schema = dict.fromkeys(("head", "relation", "tail"), pl.String)
    facts = pl.DataFrame({"head": drugs, "relation": [HAS] * len(drugs), "tail": nodes}, schema)
    named = pl.DataFrame({"id": nodes, "name": [words for _, _, words in found]})
    return facts, named.unique(maintain_order=True)


def _layer(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read the layer, what a drug does to a protein as the relation: ``inhibitor of enzyme``."""
    columns = ("head", "relation", "tail", "attribute")
    facts = _table(folder / "edges.tsv", {name: name for name in columns})
    protein = pl.col("relation").str.extract(r"^has_(target|enzyme|transporter|carrier)$")
    action = pl.col("attribute").str.extract(r"actions=([^;]*)").str.split("|")
    facts = facts.with_columns(action=action).explode("action")
    facts = facts.with_columns(done=pl.col("action") + pl.lit(" of ") + protein)
    often = pl.col("done").count().over("done") >= ACTIONS
    relation = pl.when(often).then("done").otherwise("relation")
    facts = facts.select("head", relation.alias("relation"), "tail")
    return facts, _table(folder / "nodes.tsv", {"id": "id", "name": "name"})
