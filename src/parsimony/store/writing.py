"""Writing a store: names to ids, repeated rows out, the split, the adjacency; whole or not at all.

Facts are streamed: in memory are the names, some numbers an entity and as much of the rest as
``memory`` allows. Names get codes in the order in which they appear, and ids in ascending order
afterwards, as everywhere.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from parsimony.decoding.strict_json import json_text
from parsimony.errors import InvalidParameter
from parsimony.graph.names import COLUMNS
from parsimony.graph.splits import split_parts
from parsimony.graph.vocabulary import QUOTED, Kind, name_lines
from parsimony.run.progress import Progress
from parsimony.store.arranging import count_ends, mark_repeated, scatter_edges, scatter_keys
from parsimony.store.dictionary import Dictionary
from parsimony.store.manifest import DIGRAPH, FORMAT, MANIFEST, SPLITS, Manifest, file_sum

__all__ = ["StoreWriter"]

_ROWS = 1 << 21  # facts of a block
IntArray = npt.NDArray[np.int32]


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
        self._entities, self._relations = Dictionary(), Dictionary()
        self.n_rows: list[int] = []
        self._raw = folder / "rows"
        self._stream = self._raw.open("xb")

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file of rows."""
        self._stream.close()

    def begin(self) -> None:
        """Begin a split, train first; without a second one the facts are split at random."""
        self.n_rows.append(0)

    def add(self, frame: pl.DataFrame) -> None:
        """Append facts to the split begun last.

        Parameters
        ----------
        frame
            Columns head, relation, tail of names.

        Raises
        ------
        InvalidParameter
            More facts than ids of 32 bits can number, or names that exceed the memory.
        """
        codes = np.empty((len(frame), 3), np.int32)
        for i, (column, dictionary) in enumerate(
            zip(COLUMNS, (self._entities, self._relations, self._entities), strict=True)
        ):
            codes[:, i] = dictionary.codes(frame[column].cast(pl.String))
        self._stream.write(codes.data)
        self.n_rows[-1] += len(frame)
        if sum(self.n_rows) >= 1 << 30:
            raise InvalidParameter(
                f"more than {1 << 30:,} facts, which a store cannot number",
                remedy="split them into several graphs",
            )
        if (size := self._entities.n_bytes + self._relations.n_bytes) > self.memory:
            raise InvalidParameter(
                f"the names of {len(self._entities):,} entities take {size / 2**30:.3g} GiB, more "
                f"than the memory of {self.memory / 2**30:.3g} GiB",
                remedy="give more, for example --memory 8G",
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
        n_rows = sum(self.n_rows)
        entities = self._write_names(self._entities.names(), "entities", "entity")
        relations = self._write_names(self._relations.names(), "relations", "relation")
        del self._entities, self._relations
        n_entities, n_relations = len(entities[0]), len(relations[0])
        with Progress(5 * n_rows, "arranging", quiet=self.quiet) as progress:
            self._progress = progress
            self._encode(entities[0], relations[0])
            part = self._parts(n_entities, seed, most)
            facts = {split: int(np.count_nonzero(part == i)) for i, split in enumerate(SPLITS)}
            names = entities[1] + relations[1]
            data, graph = self._write_facts(
                part, facts, names, f"{n_entities} {n_relations} {facts['train']}\n"
            )
            del part
            self._raw.unlink()
            self._write_digraph(facts["train"], n_entities, n_relations)
        manifest = Manifest(
            format=FORMAT,
            name=name,
            source=source,
            n_entities=n_entities,
            n_relations=n_relations,
            facts=facts,
            notes=list(notes(facts, n_rows - sum(facts.values()))),
            hashes={"data": data, "graph": graph, "entities": entities[1]},
            files={path.name: file_sum(path) for path in sorted(self.folder.glob("*.npy"))},
        )
        text = json_text(manifest.model_dump(), ensure_ascii=False, indent=1)
        (self.folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
        return manifest

    def blocks(self, path: Path | None = None, skip: int = 0) -> Iterator[tuple[int, IntArray]]:
        """Yield the row at which a block of facts begins, and the block."""
        at = 0
        with (path or self._raw).open("rb") as stream:
            stream.seek(skip)
            while len(block := np.fromfile(stream, np.int32, 3 * _ROWS)):
                yield at, block.reshape(-1, 3)
                at += len(block) // 3

    def _write_names(self, names: pl.Series, file: str, kind: Kind) -> tuple[IntArray, str]:
        """Write names in ascending order; return the id of every code, and their content hash."""
        order = names.arg_sort().to_numpy()
        ids = np.empty(len(names), np.int32)
        ids[order] = np.arange(len(names), dtype=np.int32)
        offsets = np.zeros(len(names) + 1, np.int64)
        np.cumsum(names.str.len_bytes().to_numpy()[order], out=offsets[1:])
        np.save(self.folder / f"{file}.offsets.npy", offsets)
        digest = hashlib.sha256(kind.encode())
        with (self.folder / f"{file}.text.npy").open("xb") as stream:
            _header(stream, np.uint8, (int(offsets[-1]),))
            for low in range(0, len(names), 1 << 20):
                part = names.gather(order[low : low + (1 << 20)])
                stream.write(part.str.join("").item().encode())
                plain = not part.str.contains(QUOTED).any()
                lines = part.str.join("\n").item() + "\n" if plain else name_lines(part)
                digest.update(lines.encode())
        return ids, digest.hexdigest()

    def _encode(self, entities: IntArray, relations: IntArray) -> None:
        """Put ids in the place of codes."""
        with self._raw.open("r+b") as stream:
            for at, block in self.blocks():
                for column, ids in enumerate((entities, relations, entities)):
                    block[:, column] = ids[block[:, column]]
                stream.seek(12 * at)
                stream.write(block.data)
                self._progress.advance(len(block))

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
                part[kept] = self._split(kept, seed, most)
            begin += n
        return part

    def _split(
        self, kept: npt.NDArray[np.bool_], seed: int, most: int | None
    ) -> npt.NDArray[np.int8]:
        def distinct() -> Iterator[IntArray]:
            for at, block in self.blocks():
                yield block[kept[at : at + len(block)]]

        return split_parts(distinct, int(kept.sum()), seed, most=most)

    def _distinct(self, rows: slice, n_entities: int) -> npt.NDArray[np.bool_]:
        """Mark the rows of a split whose fact was not stated in an earlier one."""
        kept = np.ones(rows.stop - rows.start, bool)
        heads, tails = np.zeros(n_entities, np.int64), np.zeros(n_entities, np.int64)
        for _, block in self._of(rows):
            count_ends(block, heads, tails)
        ptr = np.concatenate([[0], np.cumsum(heads)])
        for low, high in _ranges(ptr, self.memory // 12):
            own = ptr[low : high + 1] - ptr[low]
            keys, row = np.empty(own[-1], np.int64), np.empty(own[-1], np.int32)
            place = own[:-1].copy()
            for at, block in self._of(rows):
                scatter_keys(block, at, low, high, n_entities, place, keys, row)
            mark_repeated(own, keys, row, kept)
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
        names: str,
        counts: str,
    ) -> tuple[str, str]:
        """Write the splits; return the content hashes of the data and of the graph."""
        data, graph = hashlib.sha256(names.encode()), hashlib.sha256(counts.encode())
        for number, (split, n) in enumerate(facts.items()):
            data.update(f"{split} {n}\n".encode())
            with (self.folder / f"{split}.npy").open("xb") as stream:
                _header(stream, np.int32, (n, 3))
                for at, block in self.blocks():
                    chosen = np.ascontiguousarray(block[part[at : at + len(block)] == number])
                    data.update(chosen.data)
                    if split == "train":
                        graph.update(chosen.data)
                    stream.write(chosen.data)
        self._progress.advance(len(part))
        data.update(b"n_facts None\n")
        return data.hexdigest(), graph.hexdigest()

    def _write_digraph(self, n_facts: int, n_entities: int, n_relations: int) -> None:
        """Write both directions of the training facts, grouped by node."""
        path = self.folder / "train.npy"
        skip = path.stat().st_size - 12 * n_facts
        heads, tails = np.zeros(n_entities, np.int64), np.zeros(n_entities, np.int64)
        for _, block in self.blocks(path, skip):
            count_ends(block, heads, tails)
        indptr = np.concatenate([[0], np.cumsum(heads + tails)])
        np.save(self.folder / "digraph.indptr.npy", indptr)
        with contextlib.ExitStack() as stack:
            files = [
                stack.enter_context((self.folder / f"digraph.{part}.npy").open("xb"))
                for part in DIGRAPH[1:]
            ]
            for stream in files:
                _header(stream, np.int32, (2 * n_facts,))
            for low, high in _ranges(indptr, self.memory // 12):
                forward = indptr[low:high] - indptr[low]
                backward = forward + heads[low:high]
                edges = [np.empty(indptr[high] - indptr[low], np.int32) for _ in files]
                for at, block in self.blocks(path, skip):
                    scatter_edges(block, at, low, high, n_relations, forward, backward, *edges)
                for stream, array in zip(files, edges, strict=True):
                    stream.write(array.data)
                self._progress.advance(len(edges[0]))


def _header(stream: Any, kind: type, shape: tuple[int, ...]) -> None:
    about = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(kind)),
        "fortran_order": False,
        "shape": shape,
    }
    np.lib.format.write_array_header_1_0(stream, about)


def _ranges(ptr: npt.NDArray[np.int64], most: int) -> Iterator[tuple[int, int]]:
    """Cut rows into ranges of at most so many entries; a longer row is a range of its own."""
    low, n = 0, len(ptr) - 1
    while low < n:
        high = int(np.searchsorted(ptr, ptr[low] + most, "right")) - 1
        high = min(max(high, low + 1), n)
        yield low, high
        low = high
