"""Writing a store: names to ids, repeated rows out, the split, the adjacency; whole or not at all.

Facts are streamed: in memory are some numbers an entity and as much of the rest as ``memory``
allows. Names get codes in the order in which they appear, and ids in ascending order afterwards, as
everywhere. Where a table of all names exceeds the memory, the facts are read several times, and
every pass codes a share of the names.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from parsimony.decoding.strict_json import json_text
from parsimony.errors import InvalidParameter
from parsimony.graph.names import COLUMNS
from parsimony.graph.splits import held_out
from parsimony.run.progress import Progress
from parsimony.store.ahead import ahead
from parsimony.store.arranging import count, grouped, mark_repeated, number_facts
from parsimony.store.array_files import ArrayFiles
from parsimony.store.dictionary import Dictionary, Hashed
from parsimony.store.manifest import DIGRAPH, FORMAT, MANIFEST, SPLITS, Manifest
from parsimony.store.name_files import write_names

__all__ = ["Facts", "StoreWriter", "hashed"]

_ROWS = 1 << 20  # facts of a block
_EDGE = 16  # bytes of an edge that is being arranged
IntArray = npt.NDArray[np.int32]
#: names of heads, relations and tails
Facts = tuple[Hashed, Hashed, Hashed]


def hashed(frame: pl.DataFrame) -> Facts:
    """Hash the names of facts, in columns head, relation and tail."""
    head, relation, tail = (Hashed.of(frame[column].cast(pl.String)) for column in COLUMNS)
    return head, relation, tail


class StoreWriter:
    """Facts on their way into a store.

    Parameters
    ----------
    folder : Path
        Empty, on the disk of the store; what is left there is the store.
    memory : int
        Bytes that arrays of edges and the dictionary of names may take each.
    quiet : bool
        Show no progress.

    Attributes
    ----------
    n_rows : list of int
        Facts added to each split.
    """

    def __init__(self, folder: Path, *, memory: int = 4 << 30, quiet: bool = True) -> None:
        self.folder, self.memory, self.quiet = folder, memory, quiet
        self._files = ArrayFiles(folder)
        self._spool = folder / "names"
        self._raw = folder / "rows"
        self._stream = self._raw.open("x+b")
        self.read(0, 1)

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file of rows."""
        self._stream.close()

    def read(self, number: int, passes: int) -> None:
        """Begin a pass over all facts; the first one of several begins anew."""
        self.n_rows: list[int] = []
        self._number = number
        if number == 0:
            shutil.rmtree(self._spool, ignore_errors=True)
            self._spool.mkdir()
            self._entities = Dictionary(self._spool, self.memory)
            self._relations = Dictionary()
            self._stream.truncate(0)
        self._entities.begin(number, passes)
        self._stream.seek(0)

    def begin(self) -> None:
        """Begin a split, train first; without a second one the facts are split at random."""
        self.n_rows.append(0)

    @property
    def n_relations(self) -> int:
        """The number of relations so far."""
        return len(self._relations)

    def relations(self) -> list[str]:
        """Return the relations so far, in the order in which they appeared."""
        return [name for part in self._relations.names() for name in part]

    def add(self, facts: Facts) -> None:
        """Append facts to the split begun last.

        Parameters
        ----------
        facts
            As of :func:`hashed`.

        Raises
        ------
        InvalidParameter
            More facts than ids of 32 bits can number.
        DictionaryFull
            The names exceed the memory: more passes are needed, from the first on.
        """
        head, relation, tail = facts
        rows = np.empty((len(head.names), 3), np.int32)
        if self._number == 0:
            self._relations.codes(relation, rows[:, 1])
        else:
            at = self._stream.tell()
            rows.ravel()[:] = np.fromfile(self._stream, np.int32, rows.size)
            self._stream.seek(at)
        self._entities.codes(head, rows[:, 0])
        self._entities.codes(tail, rows[:, 2])
        self._stream.write(rows.data)
        self.n_rows[-1] += len(rows)
        if sum(self.n_rows) >= 1 << 30:
            raise InvalidParameter(
                f"more than {1 << 30:,} facts, which a store cannot number",
                remedy="split them into several graphs",
            )

    def finish(
        self,
        name: str,
        source: str,
        *,
        seed: int,
        most: int | None,
        notes: Callable[[dict[str, int], int], Iterable[str]],
    ) -> Manifest:
        """Arrange the facts and write the files of the store, the manifest last.

        Parameters
        ----------
        name, source
            As of :class:`parsimony.link.data.LinkData`.
        seed
            Splits the facts 80/10/10, where they came as one split.
        most
            Most facts of valid, and of test, of such a split.
        notes
            Of the facts in each split and the number of repeated rows, what a user should know.

        Raises
        ------
        EmptySplit
            Too few facts.
        """
        self._stream.close()
        n_rows, n_entities, n_relations = (
            sum(self.n_rows), len(self._entities), len(self._relations)
        )  # fmt: skip
        with Progress(3 * n_rows + n_entities, "arranging", quiet=self.quiet) as progress:
            self._progress = progress
            write = partial(write_names, memory=self.memory, advance=progress.advance)
            entities = write(self._entities, self._files, "entities", "entity")
            relations = write(self._relations, self._files, "relations", "relation")
            shutil.rmtree(self._spool)
            del self._entities
            self._room = np.empty((min(self.memory // _EDGE, n_rows), 4), np.int32)
            part = self._parts(n_entities, seed, most)
            facts = {split: int(np.count_nonzero(part == i)) for i, split in enumerate(SPLITS)}
            counts = f"{n_entities} {n_relations} {facts['train']}\n"
            heads, tails = np.zeros((2, n_entities), np.int32)
            data, graph = self._write_facts(part, facts, entities, relations, counts, heads, tails)
            del part
            self._raw.unlink()
            self._write_digraph(facts["train"], heads, tails, n_relations)
        manifest = Manifest(
            format=FORMAT,
            name=name,
            source=source,
            n_entities=n_entities,
            n_relations=n_relations,
            facts=facts,
            notes=list(notes(facts, n_rows - sum(facts.values()))),
            hashes={"data": data, "graph": graph, "entities": entities[1]},
            files=dict(sorted(self._files.sums.items())),
        )
        text = json_text(manifest.model_dump(), ensure_ascii=False, indent=1)
        (self.folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
        return manifest

    def blocks(self, path: Path | None = None, skip: int = 0) -> Iterator[tuple[int, IntArray]]:
        """Yield the row at which a block of facts begins, and the block; two are kept at a time."""
        at, kept = 0, cycle(np.empty((2, _ROWS, 3), np.int32))
        with (path or self._raw).open("rb") as stream:  # a short read of a file system is filled up
            stream.seek(skip)
            while n := stream.readinto(rows := next(kept)) // 12:  # type: ignore[arg-type]
                yield at, rows[:n]
                at += n

    def _parts(self, n_entities: int, seed: int, most: int | None) -> npt.NDArray[np.int8]:
        """Say to which split each row falls, -1 for a row that was stated before in its split."""
        part = np.full(sum(self.n_rows), -1, np.int8)
        begin = 0
        for number, n in enumerate(self.n_rows):
            rows = slice(begin, begin + n)
            kept = self._distinct(rows, n_entities)
            if len(self.n_rows) > 1:
                part[rows][kept] = number
            else:
                self._split(part, kept, seed, most)
            begin += n
        return part

    def _split(
        self,
        part: npt.NDArray[np.int8],
        kept: npt.NDArray[np.bool_],
        seed: int,
        most: int | None,
    ) -> None:
        """Deal the rows that are kept out to train, valid and test."""
        part[kept] = 0
        chosen = [np.empty(0, np.int32)]
        for low in range(0, len(kept), _ROWS):
            chosen.append(np.flatnonzero(kept[low : low + _ROWS]).astype(np.int32) + np.int32(low))
        triples = np.memmap(self._raw, np.int32, "r", shape=(len(kept), 3))
        valid, test = held_out(triples, np.concatenate(chosen), seed, most=most)
        part[valid], part[test] = 1, 2

    def _distinct(self, rows: slice, n_entities: int) -> npt.NDArray[np.bool_]:
        """Mark the rows of a split whose fact was not stated in an earlier one."""
        kept = np.ones(rows.stop - rows.start, bool)
        heads = np.zeros(n_entities, np.int32)
        for _, block in self._of(rows):
            count(block[:, 0], heads)
        for ptr, edges in ahead(grouped(lambda: self._of(rows), heads, None, 0, self._room)):
            mark_repeated(ptr, edges, kept)
        self._progress.advance(len(kept))
        return kept

    def _of(self, rows: slice) -> Iterator[tuple[int, IntArray]]:
        """Yield the blocks of some rows, counted from the first of them."""
        n = rows.stop - rows.start
        for at, block in self.blocks(skip=12 * rows.start):
            if at >= n:
                return
            yield at, block[: n - at]

    def _write_facts(
        self,
        part: npt.NDArray[np.int8],
        facts: dict[str, int],
        entities: tuple[IntArray, str],
        relations: tuple[IntArray, str],
        counts: str,
        heads: IntArray,
        tails: IntArray,
    ) -> tuple[str, str]:
        """Write the splits by ids, count the ends of train; return the hashes of data and graph."""
        data = hashlib.sha256((entities[1] + relations[1]).encode())
        graph = hashlib.sha256(counts.encode())
        data.update(f"train {facts['train']}\n".encode())
        with contextlib.ExitStack() as stack:
            files = [
                stack.enter_context(self._files.opened(f"{split}.npy", np.int32, (n, 3)))
                for split, n in facts.items()
            ]

            def numbered() -> Iterator[tuple[int, IntArray]]:
                for at, block in self.blocks():
                    number_facts(block, entities[0], relations[0])
                    yield at, block

            for at, block in ahead(numbered()):
                own = part[at : at + len(block)]
                for number, write in enumerate(files):
                    wanted = own == number
                    chosen = block if wanted.all() else block[wanted]
                    write(chosen.data)
                    if number == 0:
                        data.update(chosen.data)
                        graph.update(chosen.data)
                        count(chosen[:, 0], heads)
                        count(chosen[:, 2], tails)
                self._progress.advance(len(block))
        for split in SPLITS[1:]:
            data.update(f"{split} {facts[split]}\n".encode())
            for _, block in self._written(split, facts[split]):
                data.update(block.data)
        data.update(b"n_facts None\n")
        return data.hexdigest(), graph.hexdigest()

    def _written(self, split: str, n: int) -> Iterator[tuple[int, IntArray]]:
        """Yield the facts of a split as :meth:`blocks` does."""
        path = self.folder / f"{split}.npy"
        return self.blocks(path, path.stat().st_size - 12 * n)

    def _write_digraph(
        self, n_facts: int, heads: IntArray, tails: IntArray, n_relations: int
    ) -> None:
        """Write both directions of the training facts, grouped by node."""
        indptr = np.zeros(len(heads) + 1, np.int64)
        np.cumsum(heads + tails, out=indptr[1:])
        self._files.write("digraph.indptr.npy", indptr)
        del indptr
        with contextlib.ExitStack() as stack:
            files = [
                stack.enter_context(
                    self._files.opened(f"digraph.{part}.npy", np.int32, (2 * n_facts,))
                )
                for part in DIGRAPH[1:]
            ]
            blocks = partial(self._written, "train", n_facts)
            arranged = grouped(blocks, heads, tails, n_relations, self._room)
            for _, edges in ahead(arranged):
                for write, array in zip(files, edges, strict=True):
                    write(array.data)
                self._progress.advance(edges.shape[1] // 2)
