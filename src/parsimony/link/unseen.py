"""What validation and test name that no training fact does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from parsimony.decoding.parquet import PARQUET
from parsimony.errors import UnknownRelation, suggest
from parsimony.graph.formats import line_reader
from parsimony.graph.names import spelling_notes
from parsimony.graph.vocabulary import Vocabulary

__all__ = ["describe", "not_in_train", "unseen_notes"]


def not_in_train(
    missing: set[str], known: set[str], path: Path, columns: tuple[str, str, str] | None
) -> UnknownRelation:
    """Return the error of relations of valid or test that train does not have, with the line."""
    name, where = sorted(missing)[0], str(path)
    if path.suffix.lower() not in PARQUET:
        for number, triple in line_reader(path, columns).triples():
            if triple[1] in missing:
                name, where = triple[1], f"{path}:{number}"
                break
    hint = suggest(name, known)
    return UnknownRelation(
        f"relation {name!r} has no fact in train.txt",
        remedy=(f"{hint} Or " if hint else "")
        + f"list all relations in relations.txt to allow it ({len(known):,} in train)",
        where=where,
    )


def describe(ids: dict[str, np.ndarray], entities: Vocabulary, relations: Vocabulary) -> list[str]:
    """Return notes on what valid and test hold and train does not, and on names spelled alike."""
    seen = np.zeros(len(entities), dtype=bool)
    seen[ids["train"][:, [0, 2]]] = True
    trained = np.zeros(len(relations), dtype=bool)
    trained[ids["train"][:, 1]] = True
    return [*spelling_notes(entities, relations), *unseen_notes(seen, trained, ids, relations.name)]


def unseen_notes(
    seen: np.ndarray,
    trained: np.ndarray,
    ids: Mapping[str, np.ndarray],
    relation_name: Callable[[int], str],
) -> list[str]:
    """Return notes on the entities and relations of valid and test without a fact in train.

    Parameters
    ----------
    seen, trained : bool arrays
        Which entities, and which relations, have one.
    ids : mapping of str to int array, shape (n, 3)
    relation_name : callable
    """
    notes = []
    for split in ("valid", "test"):
        unseen = np.unique(ids[split][:, [0, 2]][~seen[ids[split][:, [0, 2]]]])
        if len(unseen):
            one = len(unseen) == 1
            notes.append(
                f"{len(unseen):,} {'entity' if one else 'entities'} of {split} "
                f"{'has' if one else 'have'} no fact in train"
            )
    for split in ("valid", "test"):
        missing = np.unique(ids[split][:, 1][~trained[ids[split][:, 1]]])
        if len(missing):
            shown = ", ".join(relation_name(int(r)) for r in missing[:5])
            more = ", …" if len(missing) > 5 else ""
            notes.append(
                f"warning: {len(missing):,} relation{'s' * (len(missing) > 1)} of {split} "
                f"without a fact in train ({shown}{more}); nothing can be learned about them"
            )
    return notes
