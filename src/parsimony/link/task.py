"""Link prediction: a graph, the queries of each split, what they are filtered by.

Transductive data: the graph of every split is train; each epoch splits train anew into graph
edges and training queries. Inductive data (a set with an ``_ind`` sibling) follow RED-GNN's
protocol by default (docs/conventions.md): facts X/train, training queries X/valid, selection on
X/test, final test X_ind/valid + X_ind/test on the graph X_ind/train; ``protocol="grail"`` trains on
X/train, selects on X/valid and tests on X_ind/test.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from parsimony import base
from parsimony.errors import CorruptRun, DataError, EmptySplit, InvalidParameter, UsageError
from parsimony.graph import KnowledgeGraph
from parsimony.graph.distinct import distinct_triples, first_occurrences
from parsimony.graph.knowledge_graph import rows_of
from parsimony.graph.parts import relation_counts
from parsimony.link.data import LinkData
from parsimony.link.leaks import Overlap, all_facts, find_overlaps, renumbered
from parsimony.link.loading import load
from parsimony.link.notes import Asked, common_facts, split_notes
from parsimony.link.subgraph import walked_subgraph
from parsimony.run.seeds import rng

IntArray = npt.NDArray[np.int32]
Split = Literal["train", "valid", "test"]


@dataclass(frozen=True)
class QuerySet:
    """Distinct queries (head, relation, ?) of a split with their answers and filters.

    ``relation`` r + R asks for heads. Of query i the answers to rank are
    ``answer[answer_ptr[i]:answer_ptr[i + 1]]``, all answers known from any split
    ``known[known_ptr[i]:known_ptr[i + 1]]`` (distinct).
    """

    graph: KnowledgeGraph
    head: IntArray
    relation: IntArray
    answer_ptr: npt.NDArray[np.int64]
    answer: IntArray
    known_ptr: npt.NDArray[np.int64]
    known: IntArray

    def __len__(self) -> int:
        """Return the number of distinct queries."""
        return len(self.head)

    def sample(self, most: int | None, seed: int = 0) -> QuerySet:
        """Return all queries, or ``most`` of them drawn by the seed where there are more."""
        if most is None or len(self) <= most:
            return self
        drawn = rng(seed, "queries").choice(len(self), most, replace=False)
        return self.take(np.sort(drawn))

    @property
    def answer_relation(self) -> IntArray:
        """The query relation of every answer, (n_answers,)."""
        return np.repeat(self.relation, np.diff(self.answer_ptr))

    def take(self, rows: npt.NDArray[np.integer]) -> QuerySet:
        """The queries of some rows, in that order, with all their answers and filters."""
        answer_ptr, answer = _cut(self.answer_ptr, self.answer, rows)
        known_ptr, known = _cut(self.known_ptr, self.known, rows)
        return QuerySet(
            self.graph, self.head[rows], self.relation[rows], answer_ptr, answer, known_ptr, known
        )


def runs_of(
    ptr: npt.NDArray[np.int64], rows: npt.NDArray[np.integer]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where the parts ``ptr[row]:ptr[row + 1]`` of some rows stand, one after another.

    Returns
    -------
    ptr : (n_rows + 1,)
        Of the parts among themselves.
    index : (ptr[-1],)
        Their positions.
    """
    count = ptr[rows + 1] - ptr[rows]
    own = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    return own, np.arange(own[-1]) + np.repeat(ptr[rows] - own[:-1], count)


def _cut(
    ptr: npt.NDArray[np.int64], values: IntArray, rows: npt.NDArray[np.integer]
) -> tuple[npt.NDArray[np.int64], IntArray]:
    own, index = runs_of(ptr, rows)
    return own, values[index]


#: (head, relation) of queries → entities of each, (ptr, entity): known answers, for example
AnswerFilter = Callable[[IntArray, IntArray], tuple[npt.NDArray[np.int64], IntArray]]
#: (head, relation) of queries → which entities can answer them, (n_queries, n_entities)
Possible = Callable[[IntArray, IntArray], npt.NDArray[np.bool_]]


class Batch(NamedTuple):
    """Training queries, their answers, and what the loss leaves out of their partition sums.

    Laid out as in :class:`QuerySet`; ``known`` is empty for the published loss.
    """

    head: IntArray
    relation: IntArray
    answer_ptr: npt.NDArray[np.int64]
    answer: IntArray
    known_ptr: npt.NDArray[np.int64]
    known: IntArray


def both_directions(triples: IntArray, n_relations: int) -> IntArray:
    """(h, r, t) and (t, r + R, h) for every triple: (2 n, 3)."""
    inverse = triples[:, [2, 1, 0]].copy()
    inverse[:, 1] += n_relations
    return np.concatenate([triples, inverse])


def group_answers(
    queries: IntArray, n_relations: int
) -> tuple[IntArray, IntArray, npt.NDArray[np.int64], IntArray]:
    """Group (head, relation, tail) rows by query: (head, relation, answer_ptr, answer)."""
    key = queries[:, 0].astype(np.int64) * (2 * n_relations) + queries[:, 1]
    order = np.argsort(key, kind="stable")
    distinct, count = np.unique(key, return_counts=True)
    ptr = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    head = (distinct // (2 * n_relations)).astype(np.int32)
    relation = (distinct % (2 * n_relations)).astype(np.int32)
    return head, relation, ptr, queries[order, 2].astype(np.int32)


def training_batch(queries: IntArray, n_relations: int, known: AnswerFilter | None = None) -> Batch:
    """Group (head, relation, tail) rows into a batch; ``known`` names the answers to leave out."""
    grouped = group_answers(queries, n_relations)
    head, relation, ptr, _ = grouped
    if known is None:
        return Batch(*grouped, np.zeros_like(ptr), np.empty(0, np.int32))
    return Batch(*grouped, *known(head, relation))


class Filter:
    """All known answers of every query, over all splits of one graph."""

    def __init__(self, triples: IntArray, n_entities: int, n_relations: int) -> None:
        rows = both_directions(triples, n_relations)
        distinct = distinct_triples(rows, n_entities, 2 * n_relations)
        self.n_relations = n_relations
        self._key = distinct[:, 0].astype(np.int64) * (2 * n_relations) + distinct[:, 1]
        self._tail = distinct[:, 2].astype(np.int32)

    @classmethod
    def of(cls, arrays: Mapping[str, npt.NDArray[Any]], n_relations: int) -> Self:
        """The filter whose :meth:`arrays` these are."""
        self = cls(np.empty((0, 3), np.int32), 0, n_relations)
        self._key, self._tail = arrays["key"], arrays["tail"]
        return self

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What it holds, for another process."""
        return {"key": self._key, "tail": self._tail}

    def __call__(
        self, head: IntArray, relation: IntArray
    ) -> tuple[npt.NDArray[np.int64], IntArray]:
        """Known answers of every query: (known_ptr, known)."""
        key = head.astype(np.int64) * (2 * self.n_relations) + relation
        low = np.searchsorted(self._key, key, "left")
        count = np.searchsorted(self._key, key, "right") - low
        ptr = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        index = np.arange(ptr[-1]) - np.repeat(ptr[:-1], count) + np.repeat(low, count)
        return ptr, self._tail[index]


class GraphFilter(Filter):
    """The same, read off the edges of a stored graph: nothing of its size is made.

    Parameters
    ----------
    graph
        Distinct facts, grouped already.
    more
        Facts beside those of the graph, few.
    """

    def __init__(self, graph: KnowledgeGraph, more: IntArray) -> None:
        super().__init__(more, graph.n_entities, graph.n_relations)
        self._graph, self._more = graph, more

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What a :class:`Filter` of all of these facts holds; that is as large as the graph."""
        graph = self._graph
        facts = np.concatenate([graph.triples, self._more])
        return Filter(facts, graph.n_entities, graph.n_relations).arrays()

    def __call__(
        self, head: IntArray, relation: IntArray
    ) -> tuple[npt.NDArray[np.int64], IntArray]:
        """Known answers of every query: (known_ptr, known)."""
        ptr, more = super().__call__(head, relation)
        indptr, neighbour, step, _ = self._graph.digraph
        found = [
            np.union1d(neighbour[low:high][step[low:high] == r], more[a:b])
            for low, high, r, a, b in zip(
                indptr[head].tolist(), indptr[head + 1].tolist(), relation.tolist(),
                ptr[:-1].tolist(), ptr[1:].tolist(), strict=True,
            )
        ]  # fmt: skip
        own = np.concatenate([[0], np.cumsum([len(each) for each in found])]).astype(np.int64)
        return own, np.concatenate([np.empty(0, np.int32), *found]).astype(np.int32)


class LinkTask(base.Task):
    """Data and protocol of link prediction.

    Parameters
    ----------
    data
        The facts.
    protocol
        "redgnn" or "grail"; matters for inductive data only.
    selecting
        Which of the validation facts are asked, by their place; all where left out. All of them
        stay known answers, which filters leave out.

    Raises
    ------
    InvalidParameter
        An unknown protocol.
    EmptySplit
        No facts to train on.
    """

    kind: ClassVar[str] = "link"

    def __init__(
        self, data: LinkData, protocol: str = "redgnn", *, selecting: IntArray | None = None
    ) -> None:
        if protocol not in ("redgnn", "grail"):
            raise InvalidParameter(
                f"protocol must be 'redgnn' or 'grail'. Got {protocol!r}",
                remedy="for example protocol='redgnn'",
            )
        if not len(data.train):
            raise EmptySplit(f"{data.name} has no training facts", remedy="fill train.txt")
        self.data = data
        self.protocol = protocol
        self.selecting = selecting

    def __repr__(self) -> str:
        """The data, and the protocol where it matters."""
        protocol = f", protocol={self.protocol!r}" if self.inductive else ""
        return f"LinkTask({self.data!r}{protocol})"

    @classmethod
    def open(
        cls,
        data: str | os.PathLike[str] | base.Data,
        settings: Mapping[str, Any],
        *,
        mirror: str | None = None,
        columns: tuple[str, str, str] | None = None,
        seed: int = 0,
    ) -> Self:
        """Make the task of a registered name, a folder, a file, or loaded data.

        Raises
        ------
        InvalidParameter
            Data of another kind.
        DataError
            The data are wrong.
        """
        if isinstance(data, str | os.PathLike):
            data = load(data, mirror=mirror, columns=columns, seed=seed)
        if not isinstance(data, LinkData):
            raise InvalidParameter(f"these data are not a graph: {data!r}")
        return cls(data, str(settings.get("protocol", "redgnn")))

    def unregistered(self) -> Self:
        """The same facts as a stranger's, to which no preset applies."""
        data = replace(self.data, registered=False)
        return type(self)(data, self.protocol, selecting=self.selecting)

    def count(self, split: str) -> int:
        """Distinct queries of a split."""
        return len(self.queries(split)) if len(self._asked(split)[2]) else 0

    def config(self) -> dict[str, Any]:
        """What config.toml holds of the protocol."""
        return {"protocol": self.protocol}

    def save(self, folder: Path) -> None:
        """Write the data into a folder of the run."""
        self.data.save(folder)

    @classmethod
    def load(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        """Read what :meth:`save` wrote, with the config.toml of the run.

        Raises
        ------
        CorruptRun
            A file is damaged or missing; the message names it.
        """
        try:
            return cls(LinkData.load(folder), config.get("protocol", "redgnn"))
        except (DataError, UsageError) as error:
            raise CorruptRun(
                error.message,
                remedy="restore the run folder, or fit again",
                where=error.where or str(folder),
            ) from None

    @property
    def n_relations(self) -> int:
        """R: relations without inverses."""
        return self.data.n_relations

    @property
    def inductive(self) -> bool:
        """Whether the test graph has entities of its own."""
        return self.data.inductive is not None

    @cached_property
    def train_graph(self) -> KnowledgeGraph:
        """The facts to learn from."""
        return self.data.graph

    @cached_property
    def test_graph(self) -> KnowledgeGraph:
        """The facts walked at test time."""
        return self.train_graph if self.data.inductive is None else self.data.inductive.graph

    def walking(self, graph: KnowledgeGraph) -> LinkTask:
        """The same task, asked on another graph of the entities of :attr:`test_graph`."""
        self.filters(not self.inductive)  # made once, for all copies
        again = copy.copy(self)
        vars(again)["test_graph"] = graph
        return again

    @cached_property
    def learned(self) -> npt.NDArray[np.bool_]:
        """Which relations have a fact to learn from, (n_relations,)."""
        found: npt.NDArray[np.bool_] = (
            relation_counts(self.train_graph.triples, self.n_relations) > 0
        )
        if self.training_queries is not None:
            found[self.training_queries[:, 1]] = True
        return found

    @property
    def test_data(self) -> LinkData:
        """The data that test queries, predictions and explanations refer to."""
        return self.data.inductive or self.data

    @property
    def training_queries(self) -> IntArray | None:
        """Fixed training queries (n, 3), or None: cut from the facts anew every epoch."""
        return self.data.valid if self.inductive and self.protocol == "redgnn" else None

    @property
    def n_asked(self) -> int:
        """Training facts that may be cut out as queries, the first so many; others are walked."""
        return len(self.data.train)

    @cached_property
    def training_answers(self) -> Filter:
        """The answers of every query that training may know of."""
        fixed = self.training_queries
        if self.data.store is not None:
            return GraphFilter(self.data.graph, np.empty((0, 3), np.int32))
        facts = self.data.train if fixed is None else np.concatenate([self.data.train, fixed])
        return Filter(facts, self.data.n_entities, self.n_relations)

    #: which entities can answer training queries; the loss leaves the others out. None: all can
    possible: Possible | None = None

    def entailed(self, active: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The edges of the training graph that hold where only these facts of it are known."""
        return active

    @property
    def n_labels(self) -> int:
        """How many labelled facts training sees."""
        fixed = self.training_queries
        return len(self.data.train) + (0 if fixed is None else len(fixed))

    def queries(self, split: str) -> QuerySet:
        """Return the queries of "valid" or "test", as selection and the final test use them.

        A fact that is stated twice is asked about once.

        Raises
        ------
        EmptySplit
            The split has no facts.
        """
        data, graph, triples = self._asked(split)
        if not len(triples):
            raise EmptySplit(
                f"the {split} split of {self.data.name} is empty",
                remedy=f"add facts to {split}.txt, or use the other split",
            )
        once = np.sort(first_occurrences(triples, data.n_entities, data.n_relations))
        return self.query_set(triples[once], graph, self.filters(data is self.data))

    def part(self, fraction: float, *, seed: int = 0) -> Self | None:
        """The facts among a fraction of the entities; None where another graph is tested on.

        Raises
        ------
        EmptySplit
            No training or validation fact lies within.
        """
        if self.inductive:
            return None
        return type(self)(walked_subgraph(self.data, fraction, seed=seed), self.protocol)

    def halves(self, seed: int = 0) -> tuple[Self, Self]:
        """Cut the validation facts in two at random: what one half chooses the other measures.

        Raises
        ------
        EmptySplit
            Fewer than two validation facts.
        """
        n = self.n_facts("valid")
        if n < 2:
            raise EmptySplit(
                f"{self.data.name} has {n} validation facts, too few to cut in two",
                remedy="move some facts from train.txt to valid.txt",
            )
        drawn = rng(seed, "halves").permutation(n).astype(np.int32)
        first, second = np.sort(drawn[: -(-n // 2)]), np.sort(drawn[-(-n // 2) :])
        own = np.arange(n, dtype=np.int32) if self.selecting is None else self.selecting
        return (
            type(self)(self.data, self.protocol, selecting=own[first]),
            type(self)(self.data, self.protocol, selecting=own[second]),
        )

    def n_facts(self, split: str) -> int:
        """How many facts "valid" or "test" asks about, twice stated ones twice."""
        return len(self.facts_of(split))

    def facts_of(self, split: str) -> IntArray:
        """The facts (n, 3) that "valid" or "test" asks about."""
        return self._asked(split)[2]

    def _asked(self, split: str) -> tuple[LinkData, KnowledgeGraph, IntArray]:
        """The data that a split asks about, the graph walked for it, and its facts."""
        if split not in ("valid", "test"):
            raise InvalidParameter(f"split must be 'valid' or 'test'. Got {split!r}")
        data, graph = self.data, self.train_graph
        if split == "valid":
            facts = data.test if self.inductive and self.protocol == "redgnn" else data.valid
            return data, graph, facts if self.selecting is None else facts[self.selecting]
        if not self.inductive:
            return data, graph, data.test
        data, graph = self.test_data, self.test_graph
        both = self.protocol == "redgnn"
        return data, graph, np.concatenate([data.valid, data.test]) if both else data.test

    def _seen(self, split: str) -> KnowledgeGraph:
        """The facts that a model has seen when a split is asked, by the ids of that split."""
        data, graph, _ = self._asked(split)
        seen = [self.data.train]
        if self.training_queries is not None:
            seen.append(self.training_queries)
        if data is not self.data:  # facts of the training graph that the test graph can state
            to_test = np.full(self.data.n_entities + data.n_entities, -1, np.int32)
            to_test[renumbered(self.data, data)] = np.arange(data.n_entities)
            head, relation, tail = np.concatenate(seen).T
            shared = np.stack([to_test[head], relation, to_test[tail]], axis=1)
            seen = [graph.triples, shared[(shared >= 0).all(axis=1)]]
        elif len(seen) == 1:
            return self.data.graph
        return KnowledgeGraph(np.concatenate(seen), data.n_entities, data.n_relations)

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of the data, and what makes measures on them too good or too rough."""
        return tuple(dict.fromkeys([*self.notes_of("valid"), *self.notes_of("test")]))

    def notes_of(self, split: str) -> tuple[str, ...]:
        """The notes that matter to measures on a split."""
        return (*self._data_notes, *self._split_notes[split])

    @cached_property
    def _data_notes(self) -> tuple[str, ...]:
        other = self.data.inductive
        more = () if other is None else (f"{note} ({other.name})" for note in other.notes)
        return (*self.data.notes, *more)

    @cached_property
    def overlaps(self) -> list[Overlap]:
        """Relations that repeat or mirror each other, counted on the facts of all splits."""
        return find_overlaps(all_facts(self.data))

    @cached_property
    def _split_notes(self) -> dict[str, list[str]]:
        asked = {split: self._asked(split) for split in ("valid", "test")}
        notes = {
            split: split_notes(Asked(split, facts, self._seen(split)), self.overlaps)
            for split, (_, _, facts) in asked.items()
        }
        (of_valid, _, valid), (data, _, test) = asked.values()
        if of_valid is data and len(valid) and len(test):
            common = common_facts(valid, test, data.n_entities, data.n_relations)
            if common:
                notes["test"].append(f"warning: {common:,} facts stand in both valid and test")
        return notes

    def query_set(self, triples: IntArray, graph: KnowledgeGraph, known: Filter) -> QuerySet:
        """Both directions of ``triples`` as filtered queries on ``graph``."""
        head, relation, ptr, answer = group_answers(
            both_directions(triples, self.n_relations), self.n_relations
        )
        return QuerySet(graph, head, relation, ptr, answer, *known(head, relation))

    def split_of(self, head: int, relation: int, tail: int) -> Split | None:
        """Return the split of the test data that states a fact, or None."""
        fact, data = (head, relation, tail), self.test_data
        splits: tuple[tuple[Split, IntArray], ...] = (
            ("train", data.train), ("valid", data.valid), ("test", data.test),
        )  # fmt: skip
        return next((name for name, facts in splits if len(rows_of(facts, fact))), None)

    def filters(self, of_training_graph: bool) -> Filter:
        """Return the filter of the training graph's entities, or of the test graph's."""
        return self._train_filter if of_training_graph else self._test_filter

    @cached_property
    def _train_filter(self) -> Filter:
        return _filter(self.data)

    @cached_property
    def _test_filter(self) -> Filter:
        return _filter(self.test_data) if self.inductive else self._train_filter


def _filter(data: LinkData) -> Filter:
    if data.store is not None:
        return GraphFilter(data.graph, np.concatenate([data.valid, data.test]))
    facts = np.concatenate([data.train, data.valid, data.test])
    return Filter(facts, data.n_entities, data.n_relations)
