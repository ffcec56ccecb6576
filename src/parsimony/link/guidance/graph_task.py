"""A task whose walked graphs hold what follows from their facts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt

from parsimony.graph import KnowledgeGraph
from parsimony.link.guidance.completion import Completion
from parsimony.link.task import LinkTask

__all__ = ["CompletedTask"]


class CompletedTask(LinkTask):
    """The facts, queries and filters of a task, on graphs that are completed.

    Inferred facts are edges, or what an embedding is trained on. They are no training queries of a
    reasoner, no answers that filters know, and no labels.
    """

    infer: Callable[[KnowledgeGraph], Completion]

    @classmethod
    def of(cls, task: LinkTask, infer: Callable[[KnowledgeGraph], Completion]) -> CompletedTask:
        """Complete the graphs of a task."""
        self = cls(task.data, task.protocol, selecting=task.selecting)
        self.infer = infer
        return self

    @cached_property
    def completion(self) -> Completion:
        """Of the training graph."""
        return self.infer(super().train_graph)

    @cached_property
    def test_completion(self) -> Completion:
        """Of the graph walked at test time."""
        return self.infer(super().test_graph) if self.inductive else self.completion

    @property
    def train_graph(self) -> KnowledgeGraph:
        """The facts to learn from, and what follows from them."""
        return self.completion.graph

    @property
    def test_graph(self) -> KnowledgeGraph:
        """The facts walked at test time, and what follows from them."""
        return self.test_completion.graph

    def walking(self, graph: KnowledgeGraph) -> LinkTask:
        """The task itself on another graph, which is walked as it is."""
        plain = LinkTask(self.data, self.protocol)
        plain.filters(not self.inductive)
        return plain.walking(graph)

    def entailed(self, active: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The edges that follow from the stated facts left in a training graph."""
        return self.completion.entailed(active)
