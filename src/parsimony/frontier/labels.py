"""Fewer training labels: nested parts of them, the walked graph kept or thinned with them.

What is drawn depends on the seed alone, so that all methods learn from the same labels, and those
of a smaller share are among those of a larger one. Validation and test are as they are.

=========  ============================  ===========================================================
kind       a label                       the walked graph
=========  ============================  ===========================================================
link       a training fact; in           the facts. Kept, reasoners walk all of them, and ask only
           RED-GNN's inductive protocol  about those that are labels; rules and embeddings cannot
           a training query              tell labels from graph: they learn from the labels alone,
                                         and rules then answer on all facts
ddi        a training pair               the background graph; pairs are always thinned
molecules  a label of a training task    none: the labels of other assays are labels
coldstart  a training user               none
=========  ============================  ===========================================================
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.base import Task
from parsimony.ddi.background import Background
from parsimony.ddi.task import DDITask
from parsimony.link.task import LinkTask
from parsimony.methods import resolve
from parsimony.molecules.data import UNMEASURED
from parsimony.molecules.task import MoleculeTask
from parsimony.ratings.task import ColdStartTask
from parsimony.run.seeds import rng

__all__ = ["AskedInPart", "chosen", "labels_of", "learned_part"]

Rows = npt.NDArray[np.int64]


def chosen(n: int, share: float, seed: int, *what: str) -> Rows:
    """Rows that are kept of n, ascending: those of a smaller share are among them.

    Parameters
    ----------
    share
        In (0, 1]; at least one row is kept.
    what
        Whose rows they are: parts of different things are drawn independently.
    """
    order = rng(seed, "labels", *what).permutation(n)
    return np.sort(order[: max(1, math.ceil(share * n))]) if n else order


class AskedInPart(LinkTask):
    """Facts that are all walked, of which training asks about a part."""

    #: of the training facts the first so many; of fixed training queries their rows
    first: int | None = None
    rows: Rows | None = None

    @classmethod
    def of(cls, task: LinkTask, share: float, seed: int) -> AskedInPart:
        """Let training ask about a share of the facts, or of the fixed training queries."""
        data = task.data
        if task.training_queries is not None:
            self = cls(data, task.protocol)
            self.rows = chosen(len(data.valid), share, seed, "queries")
            return self
        asked = chosen(len(data.train), share, seed, "facts")
        rest = np.delete(data.train, asked, axis=0)
        self = cls(
            replace(data, train=np.concatenate([data.train[asked], rest]), n_facts=None),
            task.protocol,
        )
        self.first = len(asked)
        return self

    @property
    def n_asked(self) -> int:
        """Training facts that may be asked about."""
        return super().n_asked if self.first is None else self.first

    @property
    def training_queries(self) -> npt.NDArray[np.int32] | None:
        """Those of the fixed training queries that may be asked."""
        fixed = super().training_queries
        return fixed if fixed is None or self.rows is None else fixed[self.rows]


def learned_part(task: Task, method: str, share: float, seed: int, *, thinned: bool) -> Task:
    """Return the task with a share of its training labels.

    Parameters
    ----------
    method
        Which learns from it; of link prediction only reasoners tell labels from the walked graph.
    thinned
        Whether the walked graph loses the same share.
    """
    if share == 1:
        return task
    if isinstance(task, LinkTask):
        return _fewer_facts(task, method, share, seed, thinned=thinned)
    if isinstance(task, DDITask):
        return _fewer_pairs(task, share, seed, thinned=thinned)
    if isinstance(task, MoleculeTask):
        labels = task.data.labels.copy()
        columns = labels[:, task.train_tasks]
        cells = np.argwhere(columns != UNMEASURED)
        left_out = np.delete(cells, chosen(len(cells), share, seed, "measured"), axis=0)
        columns[tuple(left_out.T)] = UNMEASURED
        labels[:, task.train_tasks] = columns
        return MoleculeTask(replace(task.data, labels=labels), task.options)
    assert isinstance(task, ColdStartTask)
    data = task.data
    users = np.flatnonzero(data.split == 0)
    kept = np.ones(len(data.users), bool)
    kept[users] = False
    kept[users[chosen(len(users), share, seed, "users")]] = True
    rows = kept[data.user]
    part: dict[str, Any] = {n: getattr(data, n)[rows] for n in ("user", "item", "rating", "query")}
    return ColdStartTask(replace(data, **part), task.options)


def labels_of(task: Task, share: float, *, thinned: bool) -> int:
    """How many training labels a share is, whatever a method makes of them."""
    whole = task.n_labels
    if isinstance(task, LinkTask) and task.training_queries is not None and not thinned:
        whole = len(task.training_queries)
    return max(1, math.ceil(share * whole))


def _fewer_facts(
    task: LinkTask, method: str, share: float, seed: int, *, thinned: bool
) -> LinkTask:
    from parsimony.link.reasoning.reasoner import Reasoner

    if not thinned and issubclass(resolve(method), Reasoner):
        return AskedInPart.of(task, share, seed)
    data = task.data
    less: dict[str, Any] = {
        "train": data.train[chosen(len(data.train), share, seed, "facts")], "n_facts": None,
    }  # fmt: skip
    if task.training_queries is not None:
        less["valid"] = data.valid[chosen(len(data.valid), share, seed, "queries")]
    if data.inductive is not None and thinned:
        walked = data.inductive.train
        rows = chosen(len(walked), share, seed, "walked")
        less["inductive"] = replace(data.inductive, train=walked[rows], n_facts=None)
    return LinkTask(replace(data, **less), task.protocol)


def _fewer_pairs(task: DDITask, share: float, seed: int, *, thinned: bool) -> DDITask:
    rows = task.data.pairs["train"]
    pairs, of = task.labelling.pair_rows(rows)
    kept = np.isin(of, chosen(len(pairs), share, seed, "pairs"))
    data = replace(task.data, pairs={**task.data.pairs, "train": rows[kept]})
    background: Background = task.background
    if thinned:
        triples = background.triples
        walked = chosen(len(triples), share, seed, "walked")
        background = replace(background, triples=triples[walked])
    options = task.options.model_copy(update={"setting": task.setting})
    return DDITask(data, options, background)
