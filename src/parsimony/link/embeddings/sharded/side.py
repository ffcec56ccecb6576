"""One process's side of a training whose table of entities is cut over all of them.

What the first process tells, all do, itself included: a method of :class:`Side` for each word.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from parsimony.errors import TrainingDiverged
from parsimony.graph import KnowledgeGraph
from parsimony.link.embeddings.batches import GroupedQueries
from parsimony.link.embeddings.objective import Objective, Penalties
from parsimony.link.embeddings.sharded.borrowing import Borrowed
from parsimony.link.embeddings.sharded.grid import bounds, draw_parts, schedule
from parsimony.link.embeddings.sharded.ranking import ShardRanker
from parsimony.link.embeddings.tables import Table, ThreadPool, torch_threads
from parsimony.link.task import QuerySet
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng
from parsimony.run.table_shards import Shard, blocks_of
from parsimony.training.crew import Crew
from parsimony.training.keeping import Keeping

__all__ = ["Side", "work"]

Array = npt.NDArray[Any]


class Side:
    """The rows of one process, and what it does with them when it is told.

    Parameters
    ----------
    crew
        The processes.
    cls
        The method.
    parameters
        Its parameters, as JSON.
    n_entities, n_relations
        Of the graph.
    symmetric
        Rows of the relations that are kept symmetric.
    """

    def __init__(
        self, crew: Crew, cls: type[Any], *, parameters: dict[str, Any],
        n_entities: int, n_relations: int, symmetric: Array,
    ) -> None:  # fmt: skip
        self.crew, self.n_entities, self.n_relations = crew, n_entities, n_relations
        model = cls(**parameters)
        p = model.resolved_ = model.parameters
        self.parameters, self.scoring = p, model.use_scoring()
        self.bounds = bounds(n_entities, crew.size)
        self.low, self.high = self.bounds[crew.rank : crew.rank + 2]
        self.holder, self.batch = schedule(crew.size), -(-p.batch // crew.size)
        model.shapes_ = model.shapes(n_entities, n_relations)
        first = model.first_vectors(self.low, self.high)
        self.entity, self.relation = (
            Table(torch.from_numpy(first[name])) for name in ("entity", "relation")
        )
        self.stack = ExitStack()
        self.threads = max(p.threads // crew.size, 1)
        self.stack.enter_context(torch_threads(self.threads))
        self.pool = ThreadPool(self.threads)
        self.stack.callback(self.pool.close)
        self.objective = Objective(
            self.scoring, self.entity, self.relation, Penalties.of(p), self.pool,
            symmetric.tolist(),
        )  # fmt: skip
        self.kept = Keeping(self, averaged=False)
        self._seed, self._part = -1, np.empty(0, np.int16)
        self._undo: dict[str, ExitStack] = {}
        self.flops = 0.0

    # ---- a learner's tensors, as far as they are here ----------------------------------------

    def weights(self) -> dict[str, Tensor]:
        """The own rows, and the relations, which all processes have alike."""
        return {"entity": self.entity.weight, "relation": self.relation.weight}

    def state(self) -> dict[str, Tensor]:
        """The same: there are no other tensors."""
        return self.weights()

    def optimizer_state(self) -> dict[str, Tensor]:
        """Sums of squared gradients."""
        return {"entity": self.entity.state, "relation": self.relation.state}

    def restore_optimizer(self, state: dict[str, Tensor]) -> None:
        """Copy the sums in place."""
        self.entity.state.copy_(state["entity"])
        self.relation.state.copy_(state["relation"])

    def keep(self, averaged: bool) -> None:
        """Begin to keep what a trainer keeps."""
        self.kept = Keeping(self, averaged=averaged)

    def follow(self, part: float) -> None:
        """Move the average."""
        self.kept.follow(part)

    def keep_best(self) -> None:
        """Keep the vectors as they stand."""
        self.kept.keep_best()

    def settle(self) -> None:
        """Stand at what answers."""
        self.kept.end()

    def infinite(self) -> bool:
        """Whether a vector of any process is not finite."""
        found = np.array([bool(self.kept.infinite())], np.int64)
        self.crew.agree(found)
        return bool(found[0])

    def enter(self, name: str) -> None:
        """Stand at the average ("averaged"), or remember all ("unchanged"), until leaving."""
        self._undo[name] = ExitStack()
        self._undo[name].enter_context(getattr(self.kept, name)())

    def leave(self, name: str) -> None:
        """Leave what was entered."""
        self._undo.pop(name).close()

    # ---- rounds ------------------------------------------------------------------------------

    def part(self, seed: int) -> npt.NDArray[np.int16]:
        """The part of every entity in the epoch of a seed."""
        if seed != self._seed:
            self._seed, self._part = seed, draw_parts(self.n_entities, self.crew.size, seed)
        return self._part

    def round(
        self, facts: Array | None, *, seed: int, number: int, counts: list[int],
        relation: Array, sums: Array,
    ) -> int:  # fmt: skip
        """Borrow the rows of a round, and take its facts; returns the steps that all will take."""
        crew = self.crew
        if crew.rank:
            facts = np.empty((counts[crew.rank], 3), np.int32)
            if len(facts):
                crew.receive(facts, 0)
            # Equal already, but for what processors of another kind round otherwise.
            self.relation.weight.copy_(torch.from_numpy(relation))
            self.relation.state.copy_(torch.from_numpy(sums))
        assert facts is not None
        self.borrowed = Borrowed(crew, self.holder[number][self.part(seed)], self.bounds)
        rows = self.borrowed.rows
        self.lent = Table(*(
            torch.from_numpy(self.borrowed.fetch(table.numpy()))
            for table in (self.entity.weight, self.entity.state)
        ))  # fmt: skip
        self.objective.entity, self.changed = self.lent, np.zeros(len(rows), bool)
        local = facts.copy()
        local[:, [0, 2]] = np.searchsorted(rows, facts[:, [0, 2]])
        self.queries = GroupedQueries.of(
            local, len(rows), self.n_relations, self.parameters.reciprocal,
            stands_for=self.n_entities,
        )  # fmt: skip
        self.drawn = rng(seed, "round", number, crew.rank)
        self.noise = torch.Generator().manual_seed(int(self.drawn.integers(2**62)))
        self.order, self.at = self.drawn.permutation(len(self.queries)), 0
        steps = np.array([-(-len(self.queries) // self.batch)])
        crew.agree(steps, most=True)
        return int(steps[0])

    def step(self, lr: float) -> tuple[float, int]:
        """Train on a batch of every process; returns the summed loss and the answers of all.

        Relations move by the mean gradient of all answers, entities by that of the process that
        holds them: what one process would do with the batches together.
        """
        objective, size, n = self.objective, self.relation.weight.numel(), len(self.relation.weight)
        which = self.order[self.at : self.at + self.batch]
        self.at += self.batch
        # One message: the gradient, the mentions, and loss, answers and operations.
        shared, before = np.zeros(size + n + 3, np.float32), objective.flops
        if len(which):
            batch = self.queries.batch(which, self.parameters.negatives or 0, self.drawn)
            found = objective.gradients(batch, self.noise)
            answers = len(batch.answer)
            shared[:size] = found.relation.numpy().reshape(-1)
            shared[size : size + n] = found.relation_mentions.numpy()
            shared *= answers
            shared[size + n :] = found.loss, answers, objective.flops - before
            objective.update_entities(found, batch, lr)
            self.changed[batch.row] = True
        self.crew.agree(shared)
        loss, answers, flops = shared[size + n :].tolist()
        mean = torch.from_numpy(shared[: size + n] / max(answers, 1))
        gradient = mean[:size].view(self.relation.weight.shape)
        objective.update_relations(gradient, mean[size:], lr)
        self.flops += flops
        return loss, round(answers)

    def give_back(self) -> None:
        """Return what was borrowed to its owners."""
        tables = [
            (self.entity.weight.numpy(), self.lent.weight.numpy()),
            (self.entity.state.numpy(), self.lent.state.numpy()),
        ]
        self.borrowed.give_back(self.changed, tables)
        self.objective.entity = self.entity
        del self.lent, self.borrowed, self.queries

    # ---- validation --------------------------------------------------------------------------

    def ask(self, **queries: Array) -> None:
        """Take the queries that are to be ranked."""
        graph = KnowledgeGraph(np.empty((0, 3), np.int32), self.n_entities, self.n_relations)
        self.asked = QuerySet(graph, **queries)

    def rank(self, progress: Progress | None = None) -> Array:
        """Counts of greater and equal scores of all answers (2, n); the first process has the sums.

        Raises
        ------
        TrainingDiverged
            A score is not finite; in the first process only.
        """
        p = self.parameters
        ranker = ShardRanker(
            self.crew, self.bounds, self.scoring, self.entity.weight, self.objective.relations(),
            self.n_relations, reciprocal=p.reciprocal, block=p.eval_batch,
        )  # fmt: skip
        try:
            found = ranker.rank(self.asked, progress or Progress(0, "", quiet=True), self.pool)
        except TrainingDiverged:
            if not self.crew.rank:
                raise
            return np.empty(0)
        counts = np.stack([found.greater, found.equal]).astype(np.int64)
        self.crew.add_up(counts)
        return counts

    # ---- to and from the first process -------------------------------------------------------

    def tables(self) -> dict[str, Tensor]:
        """The entities' rows of a checkpoint and, as "entity", of the model."""
        parts = self.kept.parts()
        found = {f"{part}.entity": named["entity"] for part, named in parts.items() if named}
        return found | {"entity": self.entity.weight}

    def send(self, names: list[str]) -> None:
        """Send rows to the first process, block by block."""
        tables = self.tables()
        for name in names if self.crew.rank else ():
            for low, high in blocks_of(self.high - self.low, 4 * self.parameters.dim):
                self.crew.send(tables[name][low:high].numpy(), 0)

    def shards(self, names: list[str]) -> list[Shard]:
        """Of the first process: the shards of all, which :meth:`send` theirs one after another."""

        def of(rank: int) -> Shard:
            rows = self.bounds[rank + 1] - self.bounds[rank]

            def blocks(name: str) -> Iterator[Array]:
                for low, high in blocks_of(rows, 4 * self.parameters.dim):
                    if rank:
                        block = np.empty((high - low, self.parameters.dim), np.float32)
                        yield self.crew.receive(block, rank)
                    else:
                        yield self.tables()[name][low:high].numpy()

            return Shard(rows, dict.fromkeys(names, self.parameters.dim), blocks)

        return [of(rank) for rank in range(self.crew.size)]

    def take(self, relations: dict[str, Array], *, names: list[str], sources: Any = None) -> None:
        """Take rows and relations from the first process, which reads them from ``sources``."""
        if "best.entity" in names:
            self.kept.keep_best()  # its numbers come now
        parts = self.kept.parts()
        for name, array in relations.items():
            parts[name.partition(".")[0]]["relation"].copy_(torch.from_numpy(array))
        for name in names:
            for rank in range(self.crew.size):
                for low, high in blocks_of(
                    self.bounds[rank + 1] - self.bounds[rank], 4 * self.parameters.dim
                ):
                    self._take_block(parts[name.partition(".")[0]]["entity"], rank, low, high,
                                     None if sources is None else sources[name])  # fmt: skip

    def _take_block(self, own: Tensor, rank: int, low: int, high: int, source: Any) -> None:
        begin = self.bounds[rank]
        if self.crew.rank:
            if rank == self.crew.rank:
                self.crew.receive(own[low:high].numpy(), 0)
        elif rank:
            self.crew.send(np.array(source[begin + low : begin + high]), rank)
        else:
            own[low:high] = torch.from_numpy(np.array(source[low:high]))


def work(crew: Crew, cls: type[Any]) -> None:
    """The side of the others: do what the first process tells until it lets us go."""
    side: Side | None = None
    try:
        while True:
            told, arrays = crew.hear()
            what = told.pop("what")
            if what == "open":
                side = Side(crew, cls, **{**told, **arrays})
            elif side is None or what not in WORDS:
                return
            elif what == "round":
                side.round(None, **{**told, **arrays})
            elif what == "take":
                side.take(arrays, **told)
            else:
                getattr(side, what)(**told, **arrays)
    finally:
        if side is not None:
            side.stack.close()


#: what can be told
WORDS = {
    "keep", "follow", "keep_best", "settle", "infinite", "enter", "leave", "round", "step",
    "give_back", "ask", "rank", "send", "take",
}  # fmt: skip
