"""Files of facts into a graph store, as :func:`parsimony.link.loading.load` would read them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from parsimony.decoding.files import check_file, memory_budget
from parsimony.decoding.packed import bare
from parsimony.errors import CannotWrite, EmptySplit, FormatError, InvalidParameter, RunExists
from parsimony.graph.formats import fact_blocks, fact_columns
from parsimony.graph.parts import relation_counts
from parsimony.link.column_order import DOCUMENTED, column_order, numbered
from parsimony.link.data import SPLITS
from parsimony.link.folder import split_files, split_path
from parsimony.link.single_file import split_note, suspected_header
from parsimony.link.unseen import not_in_train, unseen_notes
from parsimony.run.atomic import left_behind, replaced_folder
from parsimony.run.lock import only_writer
from parsimony.run.progress import Progress
from parsimony.store.ahead import ahead
from parsimony.store.dictionary import DictionaryFull
from parsimony.store.manifest import Manifest
from parsimony.store.writing import Facts, StoreWriter, hashed

__all__ = ["HELD_OUT", "default_memory", "ingest"]

Columns = tuple[str, str, str]
#: most facts of validation and of test, where the facts are split here
HELD_OUT = 10_000
_COMPANIONS = ("entities.txt", "relations.txt", "entity_names.tsv", "redgnn_split.json")
_LOOKED_AT = 1 << 21  # bytes whose names tell which column holds the relations
_FACT_BYTES = 12 + 24 + 12  # of a fact: itself, its two edges, and its row while it is written


def default_memory() -> int:
    """Four GiB, or a quarter of what this machine has."""
    return min(4 << 30, memory_budget() // 2)


def ingest(
    facts: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    columns: Columns | None = None,
    seed: int = 0,
    held_out: int = HELD_OUT,
    memory: int | None = None,
    quiet: bool = True,
) -> dict[str, Any]:
    """Write a graph store.

    Parameters
    ----------
    facts
        Files that together hold the facts (TSV, CSV, Parquet, RDF; text also packed by gzip or
        zstd), or one folder with train, valid and test.
    out
        Folder of the store, written whole or not at all.
    columns
        Header names, or numbers from 1, of head, relation and tail in all files.
    seed
        Splits files 80/10/10, as :func:`parsimony.link.single_file.load_file` does.
    held_out
        Most facts of validation, and of test, where files are split.
    memory
        Bytes that arrays of edges and the dictionary of names may take each; by default
        :func:`default_memory`.
    quiet
        Show no progress.

    Returns
    -------
    dict
        JSON-able: ``store, name, entities, relations, facts`` (by split), ``bytes``, ``seconds``,
        ``facts_per_second, notes``.

    Raises
    ------
    RunExists
        There is something at ``out``, or another process writes there.
    MissingFile, NotAFile, EncodingError, FormatError, EmptySplit, MissingExtra
        The facts cannot be read; ``where`` names file and line.
    CannotWrite
        The disk has not enough room.
    """
    begun, out = time.perf_counter(), Path(os.path.abspath(os.path.expanduser(out)))
    if held_out < 1:
        raise InvalidParameter(f"held_out is {held_out}", remedy="give 1 or more")
    if isinstance(facts, str | os.PathLike):
        facts = [facts]
    parts = _parts([Path(os.path.expanduser(each)) for each in facts])
    with only_writer(out):
        said = _require_free(out)
        with replaced_folder(out) as folder:
            limit = memory or default_memory()
            with StoreWriter(folder, memory=limit, quiet=quiet) as writer:
                told = _write(writer, parts, columns, seed, held_out, said)
    n_bytes = sum(each.bytes for each in told.files.values())
    seconds = time.perf_counter() - begun
    return {
        "store": str(out),
        "name": told.name,
        "entities": told.n_entities,
        "relations": told.n_relations,
        "facts": told.facts,
        "bytes": n_bytes,
        "seconds": round(seconds, 3),
        "facts_per_second": round(sum(writer.n_rows) / seconds),
        "notes": told.notes,
    }


def _parts(paths: list[Path]) -> list[list[Path]]:
    """Return the files of one split, or those of train, valid and test."""
    if not paths:
        raise InvalidParameter("no files of facts", remedy="name one or more")
    if len(paths) == 1 and paths[0].is_dir():
        if not any(split_files(paths[0], split) for split in SPLITS):
            raise EmptySplit(
                "a folder without train, valid and test",
                remedy="name the files of facts in it",
                where=str(paths[0]),
            )
        files = [check_file(split_path(paths[0], split)) for split in SPLITS]
        if any(file.name.endswith("2id.txt") for file in files):
            raise FormatError(
                "numbered files of OpenKE, whose ids are names of another list",
                remedy="fit the folder itself, or write the names into train, valid and test",
                where=str(paths[0]),
            )
        return [[file] for file in files]
    return [[check_file(path) for path in paths]]


def _require_free(out: Path) -> list[str]:
    """Remove what a killed ingestion left, and say so; refuse a folder that holds something."""
    if os.path.lexists(out) and not (out.is_dir() and not any(out.iterdir())):
        raise RunExists("there is something already", remedy="choose another --out", where=str(out))
    said = []
    for left in left_behind(out) if out.parent.is_dir() else ():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
            said = [
                "an earlier ingestion was killed: this one began anew, what it left was removed"
            ]
    return said


def _write(
    writer: StoreWriter,
    parts: list[list[Path]],
    columns: Columns | None,
    seed: int,
    held_out: int,
    said: list[str],
) -> Manifest:
    files = [path for part in parts for path in part]
    given = columns or _order(files, said)
    passes = _read(writer, parts, given, said)

    def notes(n: dict[str, int], repeated: int) -> Iterator[str]:
        if len(parts) == 1:
            yield _split_note(n, seed, held_out)
        left = [name for name in _COMPANIONS if len(parts) > 1 and (first / name).exists()]
        test_graph = first.resolve().with_name(f"{name}_ind")
        left += [test_graph.name] if len(parts) > 1 and test_graph.is_dir() else []
        if left:
            yield f"not read into the store: {', '.join(left)}"
        yield from said
        if len(parts) > 1:
            yield from _unseen(writer.folder, writer.relations())
        if passes > 1:
            yield (
                f"the names exceed the memory, so that the facts were read {passes} times: "
                "--memory gives more"
            )
        if repeated:
            yield f"{repeated:,} repeated rows dropped" + " before the split" * (len(parts) == 1)

    first = files[0].parent if len(parts) > 1 else files[0]
    source = ", ".join(map(str, files)) if len(parts) == 1 else str(first)
    name = first.resolve().name if len(parts) > 1 else bare(first).stem
    return writer.finish(name, source, seed=seed, most=held_out, notes=notes)


def _read(
    writer: StoreWriter, parts: list[list[Path]], columns: Columns | None, said: list[str]
) -> int:
    """Read all facts, again for every share of the names where these exceed the memory."""
    total = sum(path.stat().st_size for part in parts for path in part)
    listed = os.path.lexists(parts[0][0].parent / "relations.txt")
    number, passes = 0, 1
    while number < passes:
        writer.read(number, passes)
        notes: list[str] = []
        label = "reading" if passes == 1 else f"reading, {number + 1} of {passes}"
        try:
            with Progress(total, label, quiet=writer.quiet) as progress:
                known = begin = 0
                for part in parts:
                    writer.begin()
                    for facts, done in ahead(_hashed(part, columns, notes, begin)):
                        writer.add(facts)
                        progress.advance(done - progress.done)
                        _require_disk(writer, progress, total)
                        if known and writer.n_relations > known and not listed:
                            found = writer.relations()
                            new, train = {*found[known:]}, {*found[:known]}
                            raise not_in_train(new, train, part[0], columns)
                    known = known or writer.n_relations
                    begin += sum(path.stat().st_size for path in part)
                    if not writer.n_rows[-1]:
                        raise EmptySplit(
                            "no triples, expected at least one row of head, relation, tail",
                            remedy="complete the file",
                            where=str(part[0]),
                        )
        except DictionaryFull:
            number, passes = 0, 2 * passes
        else:
            number += 1
    said += notes
    return passes


def _unseen(folder: Path, relations: list[str]) -> list[str]:
    ids = {split: np.load(folder / f"{split}.npy", mmap_mode="r") for split in SPLITS}
    seen = np.diff(np.load(folder / "digraph.indptr.npy", mmap_mode="r")) > 0
    trained = relation_counts(ids["train"], len(relations)) > 0
    return unseen_notes(seen, trained, ids, sorted(relations).__getitem__)


def _order(files: list[Path], said: list[str]) -> Columns | None:
    """Return the columns by counts over the beginning of the first file, where none are named."""
    found = fact_columns(files[0])
    if found is None or found.named or found.columns != DOCUMENTED:
        return None
    begin = next(iter(fact_blocks(files[0], None, size=_LOOKED_AT)), None)
    if begin is None:
        return None
    order = column_order([begin], str(files[0]))
    said += [*order.notes, *suspected_header(begin)]
    if files[1:] or bare(files[0]) != files[0] or files[0].stat().st_size > _LOOKED_AT:
        given = ",".join(numbered(order.columns))
        said.append(
            f"which column holds the relations was judged by the first {len(begin):,} facts of "
            f"{files[0].name} alone: --columns {given} says so, and another order says otherwise"
        )
    return None if order.columns == DOCUMENTED else numbered(order.columns)


def _hashed(
    files: list[Path], columns: Columns | None, said: list[str], begin: int
) -> Iterator[tuple[Facts, int]]:
    """Yield facts, and how many bytes of all files have been read with them."""
    done = begin

    def passed(n: int) -> None:
        nonlocal done
        done = begin + n

    for path in files:
        for frame in fact_blocks(path, columns, notes=said, passed=passed):
            yield hashed(frame), done
        begin += path.stat().st_size


def _require_disk(writer: StoreWriter, progress: Progress, total: int) -> None:
    """Refuse early what the disk cannot hold, by the rows of the part read so far."""
    rows = sum(writer.n_rows)
    expected = rows * total / max(progress.done, 1)
    needed = round(expected * _FACT_BYTES - 12 * rows)
    free = shutil.disk_usage(writer.folder).free
    if progress.done and needed > free:
        raise CannotWrite(
            f"about {expected:,.0f} facts take {needed / 1e9:.3g} GB, the disk has "
            f"{free / 1e9:.3g} GB",
            remedy="free space, or write elsewhere: --out",
            where=str(writer.folder.parent),
        )


def _split_note(n: dict[str, int], seed: int, held_out: int) -> str:
    if held_out in (n["valid"], n["test"]) and sum(n.values()) > 10 * held_out + 5:
        return (
            f"split with seed {seed}: {n['valid']:,} facts for validation and {n['test']:,} for "
            "test, every entity and relation kept in train (--held-out gives more)"
        )
    return split_note(n["train"], n["valid"], n["test"], seed)
