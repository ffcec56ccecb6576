"""Graphs from other libraries, and back: NetworkX, PyG, PyKEEN; and folders that most tools read.

None of these libraries is needed here: what comes in is read by the attributes that they document,
and only :func:`to_networkx` makes an object of another library.

>>> from parsimony.link.interchange import from_networkx
>>> data = from_networkx(graph)  # doctest: +SKIP
>>> parsimony.fit(data, "rules")  # doctest: +SKIP
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from parsimony.errors import FormatError, MissingExtra, UsageError
from parsimony.graph.distinct import first_occurrences
from parsimony.graph.splits import split_triples
from parsimony.graph.vocabulary import Vocabulary
from parsimony.link.data import SPLITS, LinkData
from parsimony.link.single_file import split_note
from parsimony.run.lock import write_outputs

if TYPE_CHECKING:
    import networkx  # type: ignore[import-untyped]

__all__ = ["from_networkx", "from_pyg", "from_pykeen", "to_networkx", "to_pyg", "write_folder"]

Ids = npt.NDArray[np.int32]

#: of a name: what a line of a text file cannot give back
_UNWRITABLE = re.compile(r"^$|^\ufeff|[\t\n\r\ud800-\udfff]")


def from_networkx(
    graph: networkx.Graph, *, relation: str = "relation", name: str = "graph", seed: int = 0
) -> LinkData:
    """Take the edges of a NetworkX graph as facts, split 80/10/10 by seed as a file is.

    Parameters
    ----------
    graph
        Of any kind; an undirected edge is a fact in each direction. Nodes are named by ``str``.
    relation
        The edge attribute with the relation; in a multigraph an edge without it is named by its
        key.
    name, seed
        What the data are called; seed of the split.

    Raises
    ------
    FormatError
        An edge without a relation, or two nodes of one name.
    EmptySplit
        No edges.
    """
    nodes = {node: str(node) for node in graph}
    if len(set(nodes.values())) < len(nodes):
        raise FormatError("two nodes have the same text as their name", remedy="rename the nodes")
    edges = graph.edges(keys=True, data=True) if graph.is_multigraph() else graph.edges(data=True)
    facts = []
    for head, tail, *key, attributes in edges:
        found = attributes.get(relation, key[0] if key and isinstance(key[0], str) else None)
        if found is None:
            raise FormatError(
                f"edge {head!r} – {tail!r} has no attribute {relation!r}",
                remedy="give its name as relation=…, or set it on every edge",
            )
        facts.append((nodes[head], str(found), nodes[tail]))
        if not graph.is_directed() and head != tail:
            facts.append((nodes[tail], str(found), nodes[head]))
    entities = Vocabulary(sorted(nodes.values()), "entity")
    relations = Vocabulary(sorted({fact[1] for fact in facts}), "relation")
    return _split(_ids(facts, entities, relations), entities, relations, name, "NetworkX", seed)


def to_networkx(data: LinkData, splits: Iterable[str] = SPLITS) -> networkx.MultiDiGraph:
    """Return facts as a directed multigraph: key and ``relation`` are its relation, and ``split``.

    An inductive sibling is another graph: ``to_networkx(data.inductive)``.

    Raises
    ------
    MissingExtra
        NetworkX is not installed.
    """
    try:
        import networkx
    except ImportError:
        raise MissingExtra("networkx is not installed", remedy="pip install networkx") from None
    graph = networkx.MultiDiGraph(name=data.name)
    graph.add_nodes_from((name, {"label": data.label(name)}) for name in data.entities)
    for split in splits:
        for head, relation, tail in _named(data, split):
            graph.add_edge(head, tail, relation, relation=relation, split=split)
    return graph


def from_pyg(
    data: Any,
    *,
    entities: Iterable[str] | None = None,
    relations: Iterable[str] | None = None,
    name: str = "graph",
    seed: int = 0,
) -> LinkData:
    """Take the edges of a PyTorch Geometric ``Data`` as facts.

    Parameters
    ----------
    data
        With ``edge_index`` (2, n) and ``edge_type`` (n,), split by seed; or already split, with
        ``train_edge_index``, ``train_edge_type``, ``valid_…``, ``test_…``, as PyG's
        ``RelLinkPredDataset`` has them.
    entities, relations
        Their names by number; numbers where left out.
    name, seed

    Raises
    ------
    UsageError
        Neither layout is there.
    """
    if getattr(data, "train_edge_index", None) is not None:
        parts = [_pyg_triples(data, f"{split}_") for split in SPLITS]
    elif getattr(data, "edge_type", None) is not None:
        parts = [_pyg_triples(data, "")]
    else:
        raise UsageError(
            "no edge_index with edge_type, and no train_edge_index",
            remedy="give every edge its relation: Data(edge_index=…, edge_type=…)",
        )
    every = np.concatenate(parts)
    n = int(getattr(data, "num_nodes", None) or every[:, [0, 2]].max(initial=-1) + 1)
    n_kinds = int(every[:, 1].max(initial=-1)) + 1
    named = Vocabulary(_names(entities, n), "entity")
    kinds = Vocabulary(_names(relations, n_kinds), "relation")
    if len(parts) == 1:
        return _split(every, named, kinds, name, "PyG", seed)
    train, valid, test = parts
    return LinkData(name, named, kinds, train, valid, test, source="PyG")


def to_pyg(data: LinkData) -> dict[str, Any]:
    """Return the fields of a PyG ``Data``, as ``RelLinkPredDataset`` has them.

    ``torch_geometric.data.Data(**to_pyg(data))``: ``num_nodes``; ``edge_index`` (2, 2 n) and
    ``edge_type`` with the training facts and their inverses, whose numbers follow those of the
    relations; ``train_edge_index``, ``train_edge_type``, ``valid_…``, ``test_…``. Numbers are those
    of ``data.entities`` and ``data.relations``. An inductive sibling is another graph:
    ``to_pyg(data.inductive)``.
    """
    import torch

    fields: dict[str, Any] = {"num_nodes": data.n_entities}
    for split in SPLITS:
        triples = torch.from_numpy(data.triples(split).astype(np.int64))
        fields[f"{split}_edge_index"] = triples[:, [0, 2]].T.contiguous()
        fields[f"{split}_edge_type"] = triples[:, 1].contiguous()
    index, kind = fields["train_edge_index"], fields["train_edge_type"]
    fields["edge_index"] = torch.cat([index, index.flip(0)], dim=1)
    fields["edge_type"] = torch.cat([kind, kind + data.n_relations])
    return fields


def from_pykeen(training: Any, validation: Any, testing: Any, *, name: str = "graph") -> LinkData:
    """Take three PyKEEN triples factories, as a ``Dataset`` has them, with their split.

    Parameters
    ----------
    training, validation, testing
        With ``mapped_triples`` (n, 3); the first also with ``entity_to_id`` and ``relation_to_id``.
    name
        What the data are called.

    Raises
    ------
    UsageError
        A factory with inverse triples, which are made here where they are needed; or numbers that
        are not 0, 1, 2, ….
    """
    if getattr(training, "create_inverse_triples", False):
        raise UsageError(
            "the factory adds inverse triples",
            remedy="make it with create_inverse_triples=False",
        )
    entities = Vocabulary(_by_number(training.entity_to_id), "entity")
    relations = Vocabulary(_by_number(training.relation_to_id), "relation")
    train, valid, test = (
        np.asarray(part.mapped_triples, np.int32) for part in (training, validation, testing)
    )
    return LinkData(name, entities, relations, train, valid, test, source="PyKEEN")


def write_folder(data: LinkData, folder: str | os.PathLike[str]) -> Path:
    """Write ``train.txt``, ``valid.txt``, ``test.txt`` and the vocabularies as text.

    Tabs between head, relation and tail, no header: what ConvE, AnyBURL and Parsimony read, and
    PyKEEN by ``TriplesFactory.from_path``. An inductive sibling is written beside it, as
    ``<folder>_ind``, where Parsimony finds it.

    Raises
    ------
    FormatError
        A name that such a file cannot hold: an empty one, one with a tab or a line end, one that
        begins with a byte order mark, or half of a surrogate pair.
    CannotWrite
        The folder is full or not writable.
    """
    folder = Path(folder)
    contents = _folder(data, folder)
    if data.inductive is not None:
        whole = folder.resolve()
        contents |= _folder(data.inductive, whole.with_name(f"{whole.name}_ind"))
    write_outputs(contents)
    return folder


def _folder(data: LinkData, folder: Path) -> dict[Path, bytes | str]:
    """The files of a folder."""
    for name in (*data.entities, *data.relations):
        if _UNWRITABLE.search(name):
            raise FormatError(
                f"the name {name!r} is empty, or has a tab, a line end, or what is no text",
                remedy="rename it, or write Parquet",
            )
    contents: dict[Path, bytes | str] = {
        folder / f"{split}.txt": "".join("\t".join(fact) + "\n" for fact in _named(data, split))
        for split in SPLITS
    }
    contents[folder / "entities.txt"] = "".join(f"{name}\n" for name in data.entities)
    contents[folder / "relations.txt"] = "".join(f"{name}\n" for name in data.relations)
    return contents


def _names(given: Iterable[str] | None, n: int) -> list[str]:
    return [str(i) for i in range(n)] if given is None else [str(name) for name in given]


def _by_number(numbers: Mapping[str, int]) -> list[str]:
    names = sorted(numbers, key=numbers.__getitem__)
    if [numbers[name] for name in names] != list(range(len(names))):
        raise UsageError(
            f"{len(names):,} names are not numbered 0, 1, 2, …",
            remedy="make the factory anew from labelled triples",
        )
    return names


def _named(data: LinkData, split: str) -> Iterable[tuple[str, str, str]]:
    entity, relation = data.entities.names, data.relations.names
    return ((entity[h], relation[r], entity[t]) for h, r, t in data.triples(split).tolist())


def _ids(facts: Iterable[tuple[str, str, str]], entities: Vocabulary, relations: Vocabulary) -> Ids:
    number: Mapping[str, int] = {name: i for i, name in enumerate(entities)}
    kind: Mapping[str, int] = {name: i for i, name in enumerate(relations)}
    rows = [(number[h], kind[r], number[t]) for h, r, t in facts]
    return np.array(rows, np.int32).reshape(-1, 3)


def _pyg_triples(data: Any, prefix: str) -> Ids:
    head, tail = np.asarray(getattr(data, f"{prefix}edge_index"), np.int32)
    kind = np.asarray(getattr(data, f"{prefix}edge_type"), np.int32)
    return np.stack([head, kind, tail], axis=1)


def _split(
    triples: Ids, entities: Vocabulary, relations: Vocabulary, name: str, source: str, seed: int
) -> LinkData:
    rows = first_occurrences(triples, len(entities), len(relations))
    train, valid, test = split_triples(triples[np.sort(rows)], seed)
    notes = (split_note(len(train), len(valid), len(test), seed),)
    return LinkData(name, entities, relations, train, valid, test, notes=notes, source=source)
