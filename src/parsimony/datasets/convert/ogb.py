"""ogbl-biokg and ogbl-wikikg2 of the Open Graph Benchmark: its splits, without its negatives."""

from __future__ import annotations

import codecs
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from parsimony.datasets.convert import Raw
from parsimony.datasets.convert.reading import member, table, unpacked
from parsimony.errors import CorruptArchive

__all__ = ["ogb_biokg", "ogb_wikikg2"]

SPLITS = ("train", "valid", "test")
KINDS = ("disease", "drug", "function", "protein", "sideeffect")


def ogb_biokg(raw: Raw, folder: Path) -> None:
    """An entity is its kind and its name there, a relation its name."""
    (packed,) = raw.values()
    names = {
        kind: f"{kind}::" + _mapping(packed, f"mapping/{kind}_entidx2entid.csv.gz")
        for kind in KINDS
    }
    relations = _mapping(packed, "mapping/relidx2relname.csv.gz")
    for split in SPLITS:
        found = _arrays(packed, f"split/random/{split}.pt")
        facts = pl.DataFrame({
            end: pl.Series(_typed(names, found[f"{end}_type"], found[end]))
            for end in ("head", "tail")
        }).with_columns(relation=relations.gather(found["relation"]))  # fmt: skip
        _write(folder, split, facts)


def ogb_wikikg2(raw: Raw, folder: Path) -> None:
    """Wikidata's own ids."""
    (packed,) = raw.values()
    entities = _mapping(packed, "mapping/nodeidx2entityid.csv.gz")
    relations = _mapping(packed, "mapping/reltype2relid.csv.gz")
    for split in SPLITS:
        found = _arrays(packed, f"split/time/{split}.pt")
        facts = pl.DataFrame({
            "head": entities.gather(found["head"]),
            "relation": relations.gather(found["relation"]),
            "tail": entities.gather(found["tail"]),
        })  # fmt: skip
        _write(folder, split, facts)


def _write(folder: Path, split: str, facts: pl.DataFrame) -> None:
    facts.select("head", "relation", "tail").write_csv(
        folder / f"{split}.txt", separator="\t", include_header=False, quote_style="never"
    )


def _mapping(packed: Path, name: str) -> pl.Series:
    """The second column of a table of number and name, in order of the number."""
    text = unpacked(packed, name)
    head = text.split(b"\n", 1)[0].decode().strip().split(",")
    found = table(io.BytesIO(text), head[:2], where=name)
    return found.sort(found[head[0]].cast(pl.Int64))[head[1]]


def _typed(names: dict[str, pl.Series], kinds: list[str], numbers: np.ndarray) -> np.ndarray:
    out = np.empty(len(numbers), object)
    which = np.asarray(kinds)
    for kind in np.unique(which):
        here = which == kind
        out[here] = names[str(kind)].gather(numbers[here]).to_numpy()
    return out


#: What the splits are made of beside numbers, text, lists and dictionaries.
_KNOWN = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): codecs.encode,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0]
       for core in ("core", "_core")},
}  # fmt: skip


class _Arrays(pickle.Unpickler):
    """Reads arrays; a file that names anything else is refused, so that no code is run."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return _KNOWN[module, name]


def _arrays(packed: Path, name: str) -> dict[str, Any]:
    """What ``torch.save`` wrote, as a zip or, as it did before, as several pickles in a row."""
    content = member(packed, name).read()
    try:
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                (inner,) = (n for n in archive.namelist() if n.endswith("/data.pkl"))
                found = _Arrays(io.BytesIO(archive.read(inner))).load()
        else:
            stream = io.BytesIO(content)
            *_, found = (_Arrays(stream).load() for _ in range(4))  # magic, version, system
        return dict(found)
    except (
        pickle.UnpicklingError, zipfile.BadZipFile, ValueError, EOFError, AttributeError, TypeError,
        LookupError, OverflowError, MemoryError,
    ) as error:  # fmt: skip
        raise CorruptArchive(
            f"{name} holds more than arrays ({error})", remedy="fetch it again", where=str(packed)
        ) from None
