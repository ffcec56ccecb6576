"""Readable labels of entities, from the side files that dataset folders carry."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from parsimony.decoding.files import read_text
from parsimony.errors import FormatError
from parsimony.graph.vocabulary import Vocabulary

__all__ = ["read_labels"]


def read_labels(folder: Path, entities: Vocabulary) -> dict[str, str] | None:
    """Read ``entity_names.tsv`` or ``entity_text.tsv``, whichever is there.

    ``entity_names.tsv`` is id, label, with an optional header; under a header the column
    ``label`` is preferred to ``name``. ``entity_text.tsv`` is id, then "name, gloss". A label
    that several entities share gets the id in brackets, so that labels stay unique.

    Parameters
    ----------
    folder : Path
        The dataset folder.
    entities : Vocabulary
        Rows about other names are ignored.

    Returns
    -------
    dict of str to str, or None
        From entity name to label, for those that have one.

    Raises
    ------
    FormatError
        A row without a second column.
    """
    for file, read in (("entity_names.tsv", _names), ("entity_text.tsv", _glosses)):
        path = folder / file
        if path.exists() or path.is_symlink():
            raw = {name: label for name, label in read(path, entities).items() if label}
            shared = {label for label, n in Counter(raw.values()).items() if n > 1}
            return {n: f"{label} ({n})" if label in shared else label for n, label in raw.items()}
    return None


def _rows(path: Path) -> list[list[str]]:
    rows = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line := line.removesuffix("\r"):
            fields = line.split("\t")
            if len(fields) < 2:
                raise FormatError(
                    f"{len(fields)} column, expected id and label separated by a tab: "
                    f"{line[:60]!r}",
                    remedy="correct the line",
                    where=f"{path}:{number}",
                )
            rows.append(fields)
    return rows


def _names(path: Path, entities: Vocabulary) -> dict[str, str]:
    rows = _rows(path)
    columns = [1]
    if rows and rows[0][0] not in entities:
        header = [name.strip().lower() for name in rows[0]]
        columns = [header.index(c) for c in ("label", "name") if c in header[1:]] or [1]
        rows = rows[1:]
    labels = {}
    for fields in rows:
        if fields[0] in entities:
            texts = (fields[c].strip() for c in columns if c < len(fields))
            labels[fields[0]] = next((t for t in texts if t), "").replace("_", " ")
    return labels


def _glosses(path: Path, entities: Vocabulary) -> dict[str, str]:
    return {
        fields[0]: fields[1].split(", ", 1)[0].replace("_", " ").strip()
        for fields in _rows(path)
        if fields[0] in entities
    }
