"""A book applied to a task: what of it is used, and the graphs, masks and rules that this gives."""

from __future__ import annotations

import copy
from functools import partial
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from parsimony.graph import KnowledgeGraph
from parsimony.knowledge.book import KnowledgeBook
from parsimony.knowledge.book_check import of_vocabulary
from parsimony.link.guidance.completion import Completion, complete
from parsimony.link.guidance.entries import inferences_of, masking_axioms, prior_rules
from parsimony.link.guidance.graph_task import CompletedTask
from parsimony.link.guidance.mask import Mask
from parsimony.link.guidance.restriction import Restriction
from parsimony.link.task import LinkTask

__all__ = ["USES", "AppliedBook", "Use", "relation_names"]

IntArray = npt.NDArray[np.int32]
Use = Literal["facts", "prior", "mask", "restriction", "loss"]
USES: tuple[Use, ...] = ("facts", "prior", "mask", "restriction", "loss")
#: entities up to which losses are masked: a batch holds a bit for each of its queries and entities
MOST_MASKED = 200_000


def relation_names(task: LinkTask) -> list[str]:
    """Names of the relations of a task, by id."""
    return [task.data.relations.name(i) for i in range(task.n_relations)]


class AppliedBook:
    """A book for the relations of a task.

    Parameters
    ----------
    book, task
    wanted
        The uses to make of it; by default facts, prior and mask, as far as it has entries for them.
    sure
        Least confidence of a counted entry that infers facts or masks.

    Attributes
    ----------
    uses
        That are made of it.
    inferences, masking, prior_rules, restriction
        Its entries by use.
    walked_task
        The task whose graphs hold what follows from their facts.

    Raises
    ------
    UnknownRelation, FormatError
        A book of another vocabulary, or whose sub-relations go round.
    """

    def __init__(
        self, book: KnowledgeBook, task: LinkTask, *, wanted: tuple[Use, ...] | None, sure: float
    ) -> None:
        of_vocabulary(book, task.train_graph)
        self.book, self.task, names = book, task, relation_names(task)
        self.inferences = inferences_of(book, names, sure)
        self.masking = masking_axioms(book, sure)
        self.prior_rules = prior_rules(book, book.rules, names)
        self.restriction = Restriction(book.rules, names)
        supported: dict[str, bool] = {
            "facts": bool(self.inferences),
            "prior": bool(self.prior_rules),
            "mask": bool(self.masking),
        }
        chosen = [use for use in USES if supported.get(use, False)]
        self.uses: tuple[Use, ...] = tuple(chosen) if wanted is None else wanted
        self.walked_task: LinkTask = task
        if "facts" in self.uses:
            self.walked_task = CompletedTask.of(
                task, lambda graph: complete(graph, self.inferences)
            )
        self._names = names
        self._masks: dict[str, Mask] = {}
        self._completed: dict[str, KnowledgeGraph] = {}

    def apart(self) -> Self:
        """The same book, whose graphs and masks are kept apart from those of this one."""
        again = copy.copy(self)
        again._masks, again._completed = dict(self._masks), dict(self._completed)
        return again

    def whole(self, graph: KnowledgeGraph) -> KnowledgeGraph:
        """The graph that is walked in place of one of the task's: with what follows from it."""
        if not isinstance(self.walked_task, CompletedTask):
            return graph
        key = graph.content_hash
        if key not in self._completed:
            task = self.walked_task
            known = {
                self.task.train_graph.content_hash: lambda: task.completion,
                self.task.test_graph.content_hash: lambda: task.test_completion,
            }
            done: Completion = known[key]() if key in known else task.infer(graph)
            self._completed[key] = done.graph
        return self._completed[key]

    def mask(self, graph: KnowledgeGraph) -> Mask:
        """Which answers the book calls possible, where the facts of a graph are known."""
        key = graph.content_hash
        if key not in self._masks:
            test = (
                graph.n_entities == self.task.test_data.n_entities
                and key != self.task.train_graph.content_hash
            )
            data = self.task.test_data if test else self.task.data
            names = [data.entities.name(i) for i in range(graph.n_entities)]
            self._masks[key] = Mask(self.masking, self.book.types, graph, names, self._names)
        return self._masks[key]

    def possible(
        self, head: IntArray, relation: IntArray, graph: KnowledgeGraph
    ) -> npt.NDArray[np.bool_] | None:
        """The answers possible, (n_queries, n_entities); None where the book is no mask."""
        return self.mask(graph).possible(head, relation) if "mask" in self.uses else None

    def mask_loss(self) -> str:
        """Leave impossible answers out of the loss on the walked task; what was done, as a note."""
        if not self.masking:
            return "warning: the book makes no answer impossible: the loss is not masked"
        if self.task.data.n_entities > MOST_MASKED:
            return f"warning: the loss is not masked: there are more than {MOST_MASKED:,} entities"
        mask = self.mask(self.task.train_graph)
        self.walked_task = copy.copy(self.walked_task)  # the task given stays as it is
        self.walked_task.possible = partial(mask.possible, asked_anew=True)
        return "loss: impossible answers are left out of it"

    def notes_on_facts(self) -> list[str]:
        """Say what was inferred, and what of it valid and test ask for."""
        if not isinstance(self.walked_task, CompletedTask):
            return []
        done, n = self.walked_task.completion, self.task.n_relations
        added = done.graph.triples[done.n_stated :]
        return [
            f"facts: {done.n_inferred:,} inferred from {done.n_stated:,} stated ones, of "
            f"{len(np.unique(added[:, 1])):,} of {n:,} relations" + self._told_in_splits(added),
            *(
                f"warning: {entry} was left out of the inference: it has too many groundings"
                for entry in done.left_out
            ),
        ]

    def _told_in_splits(self, added: IntArray) -> str:
        """How many inferred facts valid and test ask for: they follow from training facts alone."""
        inferred = {*map(tuple, added.tolist())}
        data = self.task.data
        asked = {
            split: len({*map(tuple, getattr(data, split).tolist())} & inferred)
            for split in ("valid", "test")
        }
        if not any(asked.values()):
            return ""
        return (
            f"; {asked['valid']:,} of them stand in valid and {asked['test']:,} in test, though "
            "only training facts are premises"
        )

    def notes_on_answers(self) -> list[str]:
        """Say of how many relations answers are masked, and walks restricted."""
        n, notes = self.task.n_relations, list[str]()
        if "mask" in self.uses:
            mask = self.mask(self.task.test_graph)
            about = {asked % n for asked in mask.relations}
            notes.append(f"mask: impossible answers of {len(about):,} of {n:,} relations are last")
            notes += [
                f"warning: no entity is a {name}: its domains and ranges are not used"
                for name in dict.fromkeys(mask.without_members)
            ]
        if "restriction" in self.uses:
            notes.append(
                f"restriction: queries of {len(self.restriction.used):,} of {n:,} relations walk "
                "only what rules use"
            )
        if not self.uses:
            notes.append("warning: the book has no entry that bears on these relations")
        return notes
