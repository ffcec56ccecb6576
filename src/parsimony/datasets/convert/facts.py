"""Published sets of triples: the same facts, our file names, line number = id."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from parsimony.datasets.convert import Raw
from parsimony.datasets.convert.reading import (
    Triple,
    lines,
    member,
    rows,
    triples,
    write_lines,
    write_triples,
)
from parsimony.decoding.strict_json import json_text

__all__ = [
    "as_they_are",
    "countries",
    "fb15k_237",
    "grail",
    "nell_995",
    "red_gnn",
    "triples_of",
    "wn18rr",
]

SPLITS = ("train", "valid", "test")
BREAKS = re.compile(r"[\t\r\n]")


def triples_of(raw: Raw) -> dict[str, list[Triple]]:
    """Return the three splits, from files of these names or from one archive of them."""
    if all(f"{split}.txt" in raw for split in SPLITS):
        return {split: triples(raw[f"{split}.txt"], f"{split}.txt") for split in SPLITS}
    (packed,) = raw.values()
    return {s: triples(member(packed, f"{s}.txt").read(), f"{packed.name}:{s}.txt") for s in SPLITS}


def _in_order(found: dict[str, list[Triple]]) -> tuple[list[str], list[str]]:
    """Entities and relations in the order in which train, valid and test first name them."""
    every = [triple for split in SPLITS for triple in found[split]]
    entities = dict.fromkeys(name for head, _, tail in every for name in (head, tail))
    return list(entities), list(dict.fromkeys(relation for _, relation, _ in every))


def _write(folder: Path, found: dict[str, list[Triple]], **vocabularies: Iterable[str]) -> None:
    for split, content in found.items():
        write_triples(folder / f"{split}.txt", content)
    for name, names in vocabularies.items():
        write_lines(folder / f"{name}.txt", names)


def as_they_are(raw: Raw, folder: Path) -> None:
    """Any three files of triples; ids in the order of first occurrence."""
    found = triples_of(raw)
    entities, relations = _in_order(found)
    _write(folder, found, entities=entities, relations=relations)


def countries(raw: Raw, folder: Path) -> None:
    """Countries has two relations, which no file lists."""
    found = triples_of(raw)
    _write(folder, found, entities=_in_order(found)[0])


def red_gnn(raw: Raw, folder: Path) -> None:
    """RED-GNN's layout: facts and train together are the training set, facts first."""
    facts, queries = (triples(raw[f"{part}.txt"], f"{part}.txt") for part in ("facts", "train"))
    found = {
        "train": facts + queries,
        **{split: triples(raw[f"{split}.txt"], f"{split}.txt") for split in ("valid", "test")},
    }
    names = {part: lines(raw[f"{part}.txt"], part) for part in ("entities", "relations")}
    _write(folder, found, **names)
    _write_split(folder, len(facts), len(queries))


def _write_split(folder: Path, n_facts: int, n_query: int) -> None:
    text = json_text({"n_facts": n_facts, "n_query": n_query})
    (folder / "redgnn_split.json").write_text(text, encoding="utf-8")


def wn18rr(raw: Raw, folder: Path) -> None:
    """RED-GNN's order of WN18RR, with the gloss of every synset."""
    red_gnn(raw, folder)
    texts = dict(rows(raw["ent2text.txt"], 2, "ent2text.txt"))
    entities = lines(raw["entities.txt"], "entities.txt")
    write_lines(folder / "entity_text.tsv", (f"{name}\t{texts.get(name, '')}" for name in entities))


def fb15k_237(raw: Raw, folder: Path) -> None:
    """FB15k-237 in alphabetical order of ids, with names and Wikidata's labels."""
    found = triples_of({"FB15k-237.tar.gz": raw["FB15k-237.tar.gz"]})
    entities, relations = (sorted(names) for names in _in_order(found))
    _write(folder, found, entities=entities, relations=relations)
    named = dict(rows(raw["FB15k_mid2name.txt"], 2, "FB15k_mid2name.txt"))
    known = json.loads(raw["entity2wikidata.json"].read_bytes())

    def row(mid: str) -> str:
        about = known.get(mid) or {}
        cells = (about.get(key) for key in ("wikidata_id", "label", "description"))
        return "\t".join([mid, named.get(mid, ""), *(BREAKS.sub(" ", c or "") for c in cells)])

    head = "mid\tname\twikidata_id\tlabel\tdescription"
    write_lines(folder / "entity_names.tsv", [head, *map(row, entities)])


def nell_995(raw: Raw, folder: Path) -> None:
    """NELL-995: all triples, RED-GNN's queries apart; its smaller test set, and the full one."""
    whole = triples_of({"NELL-995.zip": raw["NELL-995.zip"]})
    queries = triples(raw["train.txt"], "train.txt")
    apart = set(queries)
    facts = [triple for triple in whole["train"] if triple not in apart]
    found = {
        "train": facts + queries,
        "valid": triples(raw["valid.txt"], "valid.txt"),
        "test": triples(raw["test.txt"], "test.txt"),
        "test_full": whole["test"],
    }
    names = {part: lines(raw[f"{part}.txt"], part) for part in ("entities", "relations")}
    _write(folder, found, **names)
    _write_split(folder, len(facts), len(queries))


def grail(raw: Raw, folder: Path) -> None:
    """A training graph and the disjoint test graph beside it, whose relations are the first's."""
    for inside in dict.fromkeys(name.split("/")[0] for name in raw):
        target = folder if not inside.endswith("_ind") else folder.with_name(inside)
        target.mkdir(exist_ok=True)
        found = {s: triples(raw[f"{inside}/{s}.txt"], f"{inside}/{s}.txt") for s in SPLITS}
        kinds = ("entities",) if inside.endswith("_ind") else ("entities", "relations")
        names = {
            kind: _by_id(raw[f"{inside}/{kind}.txt"], f"{inside}/{kind}.txt") for kind in kinds
        }
        _write(target, found, **names)


def _by_id(path: Path, where: str) -> Sequence[str]:
    """Names of lines ``name id``, ordered by id."""
    return [name for name, _ in sorted(rows(path, 2, where), key=lambda row: int(row[1]))]
