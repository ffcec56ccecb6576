"""The first process of a training over several: it has the trainer, and tells the others.

The trainer is that of one process: what it asks of the learner's tensors is done by every process
with the rows that it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from parsimony.base import Fitting
from parsimony.errors import InvalidParameter
from parsimony.link.embeddings.epoch import EmbeddingLearner
from parsimony.link.embeddings.sharded.grid import rounds_of_facts
from parsimony.link.embeddings.sharded.side import Side
from parsimony.link.task import QuerySet
from parsimony.metrics import Ranks
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.training.crew import Crew
from parsimony.training.keeping import Keeping
from parsimony.training.trainer import Step

__all__ = ["fit_shared", "require_shareable"]

Array = npt.NDArray[Any]
_QUERIES = ("head", "relation", "answer_ptr", "answer", "known_ptr", "known")


class Leader:
    """Tells all processes what to do, and does it as well.

    Parameters
    ----------
    model
        Prepared for its task.
    crew
        The processes.
    """

    def __init__(self, model: Any, crew: Crew) -> None:
        task, p = model.task_, model.resolved_
        self.crew, self._open = crew, False
        plain: dict[str, Any] = {
            # Names of relations are told by their numbers.
            "parameters": p.model_dump(mode="json", exclude_none=True, exclude={"symmetric"}),
            "n_entities": task.data.n_entities, "n_relations": task.n_relations,
        }  # fmt: skip
        rows: dict[str, Any] = {"symmetric": np.array(model._symmetric_rows(), np.int64)}
        crew.tell("open", rows, **plain)
        self.side = Side(crew, type(model), **plain, **rows)

    def do(self, what: str, arrays: Mapping[str, Array] | None = None, **plain: Any) -> Any:
        """Let all processes do something; returns what the first one's part of it gives."""
        if what not in ("step", "give_back"):
            self.close_round()
        self.crew.tell(what, arrays, **plain)
        return getattr(self.side, what)(**plain, **(arrays or {}))

    @contextmanager
    def within(self, name: str) -> Iterator[None]:
        """Let all enter a block of their keeping's, "averaged" or "unchanged", and leave it."""
        self.do("enter", name=name)
        try:
            yield
        finally:
            self.do("leave", name=name)

    def close_round(self) -> None:
        """End a round that was cut, or is over: its rows go back to their owners."""
        if self._open:
            self._open = False
            self.do("give_back")

    def round(self, facts: list[Array], seed: int, number: int) -> int:
        """Begin a round; returns its steps."""
        self.close_round()
        arrays: dict[str, Any] = {
            "relation": self.side.relation.weight.numpy(), "sums": self.side.relation.state.numpy()
        }  # fmt: skip
        plain: dict[str, Any] = {
            "seed": seed,
            "number": number,
            "counts": [len(rows) for rows in facts],
        }
        self.crew.tell("round", arrays, **plain)
        for rank, rows in enumerate(facts):
            if rank and len(rows):
                self.crew.send(rows, rank)
        steps = self.side.round(facts[0], **plain, **arrays)
        self._open = True
        return steps


class SharedKeeping(Keeping):
    """A trainer's wishes about the tensors, passed on to all processes.

    Parameters
    ----------
    leader
        Who passes them on.
    learner
        Whose relations they are, and the first process's rows.
    """

    def __init__(self, leader: Leader, *, averaged: bool) -> None:
        self.leader, self.side = leader, leader.side
        leader.do("keep", averaged=averaged)

    def follow(self, part: float) -> None:
        """Move the average."""
        self.leader.do("follow", part=part)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Let the model stand at the average meanwhile."""
        with self.leader.within("averaged"):
            yield

    def keep_best(self) -> None:
        """Keep the model as it stands."""
        self.leader.do("keep_best")

    def end(self) -> None:
        """Let the model stand at what answers."""
        self.leader.do("settle")

    def infinite(self) -> str:
        """Whether a tensor of any process holds NaN or infinity."""
        return "a vector" if self.leader.do("infinite") else ""

    def save(self, run: RunFolder, plain: dict[str, Any], carried: Mapping[str, Array]) -> None:
        """Write a checkpoint, and the rows of every process into a file of their own."""
        relations = {
            f"{part}.relation": named["relation"].numpy()
            for part, named in self.side.kept.parts().items()
            if named
        }
        names = [name for name in self.side.tables() if name != "entity"]
        self.leader.do("send", names=names)
        run.save_checkpoint(plain, {**relations, **carried}, self.side.shards(names))

    def take(self, tensors: Mapping[str, Any]) -> None:
        """Go on from a checkpoint, of whatever number of processes."""
        shapes = self.leader.side
        n, width = shapes.n_entities, shapes.parameters.dim
        wanted = ["model", "optimizer", *["mean"] * bool(self.side.kept.mean)]
        wanted += ["best"] * ("best.entity" in tensors)
        for part in wanted:
            for name, shape in (("entity", (n, width)), ("relation", None)):
                table = tensors[f"{part}.{name}"]
                if table.shape != (shape or tuple(shapes.relation.weight.shape)):
                    raise ValueError(f"{part}.{name} is of another shape than this training's")
        names = [f"{part}.entity" for part in wanted]
        relations = {f"{part}.relation": np.array(tensors[f"{part}.relation"]) for part in wanted}
        self.leader.close_round()
        self.leader.crew.tell("take", relations, names=names)
        self.side.take(relations, names=names, sources={name: tensors[name] for name in names})


class SharedLearner(EmbeddingLearner):
    """Embeddings of which every process trains a bucket of the grid at a time.

    Parameters
    ----------
    leader
        Tells the others.
    facts
        Of training, (n, 3).
    options
        As of :class:`EmbeddingLearner`.
    """

    def __init__(self, leader: Leader, facts: Array, **options: Any) -> None:
        super().__init__(leader.side.objective, None, **options)
        self.leader, self.facts = leader, facts

    def epoch(self, number: int, drawn: np.random.Generator) -> tuple[int, Iterator[Step]]:
        """Draw the parts of the epoch; items are answers."""
        return 2 * len(self.facts), self._rounds(number, int(drawn.integers(2**40)))

    def _rounds(self, number: int, seed: int) -> Iterator[Step]:
        leader, side = self.leader, self.leader.side
        order, ptr = rounds_of_facts(self.facts, side.part(seed), side.holder, seed)
        size = leader.crew.size
        for r in range(len(side.holder)):
            cuts = ptr[r * size : (r + 1) * size + 1]
            dealt = [
                np.ascontiguousarray(self.facts[order[a:b]], np.int32) for a, b in pairwise(cuts)
            ]
            for _ in range(leader.round(dealt, seed, r)):
                loss, answers = leader.do("step", lr=self.lr(number))
                self.flops = side.flops
                yield Step(loss, answers)
        leader.close_round()

    def looked(self, flops: float) -> None:
        """Count the operations of a look at validation, of all processes."""
        self.leader.side.flops += flops * self.leader.crew.size
        self.flops = self.leader.side.flops

    def unchanged(self) -> AbstractContextManager[None]:
        """Give all processes their tensors back when the block ends."""
        return self.leader.within("unchanged")

    def keeping(self, *, averaged: bool) -> Keeping:
        """What passes the trainer's wishes on."""
        return SharedKeeping(self.leader, averaged=averaged)


def require_shareable(model: Any, workers: int) -> None:
    """Refuse what several processes cannot train, before any is started.

    Raises
    ------
    InvalidParameter
        More processes than pairs of entities, or a book that excludes answers.
    """
    n = model.task_.data.n_entities
    if model.task_.possible is not None:
        raise InvalidParameter(
            "what a book makes impossible is known to one process", remedy="use one worker"
        )
    if 2 * workers > n:
        raise InvalidParameter(
            f"{workers} workers share {n} entities: each needs two at least",
            remedy="leave --workers out",
        )


def fit_shared(model: Any, crew: Crew, fitting: Fitting) -> dict[str, Any]:
    """Train a prepared model with other processes; returns its tables.

    Returns
    -------
    dict
        ``relation``, and ``entity``: mapped from the shards that were written into the run folder,
        or in memory where there is none.

    """
    task, p = model.task_, model.resolved_
    leader = Leader(model, crew)
    side = leader.side
    model.training_notes_.append(
        f"{crew.size} processes had a part of the vectors each: facts came in the order of their "
        "parts, and were compared with entities of two; CPU seconds and memory are of the first"
    )
    valid = task.queries("valid") if len(task.data.valid) else None

    def measure(queries: QuerySet) -> dict[str, float]:
        leader.do("ask", {name: getattr(queries, name) for name in _QUERIES})
        with Progress(len(queries.answer), "validation", quiet=fitting.quiet) as progress:
            leader.crew.tell("rank")
            counts = side.rank(progress)
        relation, n = queries.answer_relation, task.n_relations
        return Ranks(counts[0], counts[1], relation % n, relation // n).metrics()

    with side.stack:
        learner = SharedLearner(
            leader, task.train_graph.triples, batch=p.batch, negatives=p.negatives or 0, lr=p.lr,
            decay=p.decay, valid=valid, measure=measure,
        )  # fmt: skip
        learner.queries_at_once = p.eval_batch
        model._train(learner, model.schedule(), fitting)
        leader.do("send", names=["entity"])
        shards = side.shards(["entity"])
        entity: Any
        if fitting.run is None:
            blocks = [block.copy() for shard in shards for block in shard.blocks("entity")]
            entity = torch.from_numpy(np.concatenate(blocks))
        else:
            entity = fitting.run.save_shards(shards)["entity"]
        return {"entity": entity, "relation": side.relation.weight}
