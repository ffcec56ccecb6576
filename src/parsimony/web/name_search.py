"""Finding entities by a few letters of a name: exact, beginning, word, inside, or near in spelling.

All folded texts stand in one buffer, a line each, which the machine searches at memory speed; the
near ones are found by their trigrams, whose index is built when a search first finds little. Both
are arrays: five million names take a few hundred megabytes, and tens of milliseconds a search.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.graph.names import fold

__all__ = ["Found", "NameSearch"]

_MOST_HITS = 20_000  # occurrences that are looked at
_NEAR = 0.55  # least similarity of spelling, in [0, 1]
_TRIED = 200  # names that are compared letter by letter
_RANK = {"exact": 0, "start": 1, "word": 2, "inside": 3}


class Found(NamedTuple):
    """An entity and how it was found: exact, start, word, inside or near."""

    entity: int
    match: str


class NameSearch:
    """Texts by which entities go.

    Parameters
    ----------
    columns : sequence of sequences of str
        Each gives one text for every entity, "" where there is none: ids, labels, other names.
    weight : array, shape (n_entities,)
        Of entities found alike the heavier comes first.
    """

    def __init__(self, columns: Sequence[Sequence[str]], weight: npt.NDArray[np.number]) -> None:
        self._columns, self._weight = columns, weight

    @cached_property
    def _folded(self) -> tuple[list[str], npt.NDArray[np.int64]]:
        texts, entity = [], []
        for k, column in enumerate(self._columns):
            for i, text in enumerate(column):
                if text and not (k and text == self._columns[0][i]):
                    texts.append(fold(text.replace("_", " ")).replace("\n", " "))
                    entity.append(i)
        return texts, np.array(entity, np.int64)

    @cached_property
    def _buffer(self) -> tuple[bytes, npt.NDArray[np.int64]]:
        """All texts, each behind a line break, and where each begins."""
        raw = [text.encode("utf-8", "surrogatepass") for text in self._folded[0]]
        size = np.array([len(line) + 1 for line in raw], np.int64)
        return b"\n" + b"\n".join(raw) + b"\n", np.cumsum(size) - size + 1

    def __call__(
        self, query: str, limit: int = 20, allowed: npt.NDArray[np.bool_] | None = None
    ) -> tuple[list[Found], int]:
        """The first ``limit`` entities, and how many there are without those near in spelling.

        Without a query the heaviest come first. ``allowed``: (n_entities,).
        """
        n = len(self._weight)
        wanted = fold(query.replace("_", " "))
        if not wanted:
            order = np.argsort(-self._weight, kind="stable")
            order = order if allowed is None else order[allowed[order]]
            return [Found(int(e), "") for e in order[:limit]], len(order)
        rank = np.full(n, 9, np.int8)
        for line, match in self._inside(wanted):
            entity = self._folded[1][line]
            rank[entity] = min(rank[entity], _RANK[match])
        if allowed is not None:
            rank[~allowed] = 9
        hits = np.flatnonzero(rank < 9)
        order = hits[np.lexsort((hits, -self._weight[hits], rank[hits]))]
        names = {value: name for name, value in _RANK.items()}
        found = [Found(int(e), names[int(rank[e])]) for e in order[:limit]]
        if len(found) < limit:
            near = [
                e for e in dict.fromkeys(self._near(wanted))
                if rank[e] == 9 and (allowed is None or allowed[e])
            ]  # fmt: skip
            found += [Found(e, "near") for e in near[: limit - len(found)]]
        return found, len(hits)

    def _inside(self, wanted: str) -> Iterator[tuple[int, str]]:
        buffer, begin = self._buffer
        needle = wanted.encode("utf-8", "surrogatepass")
        places = []
        for hit in re.finditer(re.escape(needle), buffer):
            places.append(hit.start())
            if len(places) == _MOST_HITS:
                break
        lines = np.searchsorted(begin, np.array(places, np.int64), "right") - 1
        for at, line in zip(places, lines.tolist(), strict=True):
            before, after = buffer[at - 1 : at], buffer[at + len(needle) : at + len(needle) + 1]
            if before == b"\n":
                yield line, "exact" if after == b"\n" else "start"
            else:
                yield line, "word" if not before.isalnum() and before < b"\x80" else "inside"

    # ---- near in spelling --------------------------------------------------------------------

    @cached_property
    def _trigrams(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Every trigram of bytes with the line it stands in, sorted by trigram."""
        buffer, begin = self._buffer
        raw = np.frombuffer(buffer, np.uint8).astype(np.int32)
        code = raw[:-2] << 16 | raw[1:-1] << 8 | raw[2:]
        inner = raw[1:-1] != 10  # the break before a name counts as its first letter
        where = np.flatnonzero(inner)
        line = (np.searchsorted(begin, where + 1, "right") - 1).astype(np.int32)
        code = code[where]
        order = np.argsort(code, kind="stable")
        return code[order], line[order]

    def _near(self, wanted: str) -> list[int]:
        """Entities whose names share many trigrams with a text, the most similar first."""
        code, line = self._trigrams
        raw = np.frombuffer(b"\n" + wanted.encode("utf-8", "surrogatepass") + b"\n", np.uint8)
        if len(raw) < 4 or not len(code):
            return []
        raw = raw[:80].astype(np.int32)
        own = np.unique(raw[:-2] << 16 | raw[1:-1] << 8 | raw[2:])
        low, high = np.searchsorted(code, own, "left"), np.searchsorted(code, own, "right")
        texts, entity = self._folded
        rare = np.argsort(high - low)
        parts: list[npt.NDArray[np.int32]]
        parts, room = [], 2_000_000
        for k in rare.tolist():
            if len(parts) > 3 and high[k] - low[k] > room:
                break
            parts.append(line[low[k] : high[k]])
            room -= int(high[k] - low[k])
        shared = np.bincount(np.concatenate(parts), minlength=len(texts)).astype(np.float32)
        length = np.diff(np.append(self._buffer[1], len(self._buffer[0])))
        shared /= np.maximum(length, len(raw)) ** 0.5
        some = min(_TRIED, len(texts))
        tried = np.argpartition(-shared, some - 1)[:some]
        matcher = difflib.SequenceMatcher(b=wanted, autojunk=False)
        found = []
        for k in tried[shared[tried] > 0].tolist():
            matcher.set_seq1(texts[k])
            if matcher.quick_ratio() >= _NEAR and (near := matcher.ratio()) >= _NEAR:
                found.append((-near, -float(self._weight[entity[k]]), int(entity[k])))
        return [e for _, _, e in sorted(found)]
