"""Runs that are read once and shared by all requests; their folders are only read."""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from parsimony.errors import MissingRun, ParsimonyError, UnknownParameter, UsageError, suggest
from parsimony.knowledge.sources import read_knowledge
from parsimony.methods import load_run
from parsimony.problems import problem
from parsimony.run.folder import RunFolder
from parsimony.run.seal import SEAL
from parsimony.web.book_edits import EditedBook
from parsimony.web.name_search import NameSearch
from parsimony.web.waiting import Desk, Lane, Limits, Ticket

__all__ = ["Questions", "Served", "Service"]

Answer = dict[str, Any]
T = TypeVar("T")


class Questions:
    """What a run of one kind of problem can be asked; each method gives what ``--json`` prints.

    Names of methods are those of ``can`` with underscores; each takes the question as a dict and
    the ticket that may end it.
    """

    #: what it can be asked, and of these what takes long, or several steps
    can: tuple[str, ...] = ()
    long: ClassVar[frozenset[str]] = frozenset()
    steps: ClassVar[frozenset[str]] = frozenset({"explain"})
    caution: ClassVar[str] = ""

    def __init__(self, model: Any, run: RunFolder) -> None:
        self.model, self.run = model, run

    def counts(self) -> Answer:
        """Sizes of the data."""
        return {}

    def calibration(self) -> str:
        """What the probabilities of its answers are, in a sentence."""
        return "Probabilities are uncalibrated."

    def warm(self) -> None:
        """Ask the model something: loops that are compiled at their first call are compiled."""

    # ---- entities ----------------------------------------------------------------------------

    def names(self) -> Sequence[str]:
        """What is asked about, by the names that questions take."""
        return ()

    def labels(self) -> Sequence[str]:
        """Readable names, in the same order."""
        return self.names()

    def other_names(self) -> list[Sequence[str]]:
        """Further names to be found by."""
        return []

    def weights(self) -> npt.NDArray[np.number]:
        """How much is known of each."""
        return np.zeros(len(self.names()))

    def types(self) -> Mapping[str, Sequence[str]]:
        """Types by name, of those that have some."""
        return {}

    @cached_property
    def search(self) -> NameSearch:
        """Finds them."""
        columns = [self.names(), self.labels(), *self.other_names()]
        return NameSearch(columns, self.weights())

    @cached_property
    def typed(self) -> dict[str, npt.NDArray[np.int64]]:
        """The entities of every type, the largest type first."""
        number = {name: i for i, name in enumerate(self.names())}
        found: dict[str, list[int]] = {}
        for name, types in self.types().items():
            for each in types if name in number else ():
                found.setdefault(each, []).append(number[name])
        order = sorted(found, key=lambda each: (-len(found[each]), each))
        return {each: np.array(sorted(found[each])) for each in order}

    def of_type(self, name: str) -> npt.NDArray[np.int64]:
        """The entities of a type.

        Raises
        ------
        UnknownParameter
            No such type; names the nearest.
        """
        if name not in self.typed:
            raise UnknownParameter(
                f"no entity is of type {name!r}",
                remedy=suggest(name, self.typed) or f"{len(self.typed):,} types are known",
            )
        return self.typed[name]

    def entities(self, q: str, type: str | None, limit: int) -> Answer:
        """Search: see :class:`parsimony.web.models.Entities`."""
        names, labels, types = self.names(), self.labels(), self.types()
        allowed = None
        if type is not None:
            allowed = np.zeros(len(names), bool)
            allowed[self.of_type(type)] = True
        found, total = self.search(q, limit, allowed)
        weight = self.weights()
        return {
            "query": q,
            "entities": [
                {"name": names[e], "label": labels[e], "types": list(types.get(names[e], ())),
                 "degree": int(weight[e]), "match": match}
                for e, match in found
            ],
            "total": total,
            "notes": [],
        }  # fmt: skip

    def facts(self, entity: str, limit: int) -> Answer:
        """The training facts of an entity."""
        return {"facts": [], "total": 0}

    def relations(self, entity: str | None) -> Answer:
        """The relations that can be asked about."""
        return {"relations": []}


class Served:
    """A loaded run.

    Attributes
    ----------
    id : str
        Its name in addresses.
    hash : str
        Of the seal, which holds the checksum of every file: changes whenever the run does.
    """

    def __init__(self, id: str, path: Path, desk: Desk, edits: Path | None = None) -> None:
        self.id, self.path, self.desk = id, path, desk
        self._edits, self._reading = edits, Lock()
        self.folder = RunFolder.open(path)
        self.model: Any = load_run(path)
        self.hash = _sealed(path)
        self.questions: Questions = problem(self.model.kind).part("web")(self.model, self.folder)

    def sealed(self) -> str:
        """The hash of the seal as it is now: a run may be measured while it is served."""
        try:
            return _sealed(self.path)
        except OSError:  # the folder is gone, what was read is not
            return self.hash

    @property
    def book(self) -> EditedBook:
        """The run's book with the edits: one for all threads, or edits would be lost."""
        with self._reading:
            return self._book

    @cached_property
    def _book(self) -> EditedBook:
        notes: list[str] = []
        graph = self.model.task_.train_graph
        known = read_knowledge(self.path, graph, notes=notes)
        file = None if self._edits is None else self._edits / f"{self.hash[:16]}.toml"
        return EditedBook(known, graph, file)

    def shown(self) -> Answer:
        """See :class:`parsimony.web.models.RunShown`."""
        return {
            "id": self.id,
            "kind": self.model.kind,
            "method": self.model.method,
            "data": self.model.task_.data.name,
            "hash": self.hash,
            "can": list(self.questions.can),
            "caution": self.questions.caution,
        }

    def card(self) -> Answer:
        """See :class:`parsimony.web.models.Card`."""
        data, read = self.model.task_.data, self.folder.read_json
        notes = [*getattr(data, "notes", ()), *getattr(self.model, "notes_", ())]
        return {
            **self.shown(),
            "data_info": {"name": data.name, "source": data.source, "hash": data.content_hash,
                          **self.questions.counts()},
            "metrics": read("metrics.json") or {},
            "ledger": read("ledger.json") or {},
            "config": self.folder.config,
            "calibration": self.questions.calibration(),
            "notes": list(dict.fromkeys(notes)),
        }  # fmt: skip

    def asking(self, verb: str) -> Callable[[Answer, Ticket], Answer]:
        """The function that answers a kind of question.

        Raises
        ------
        UsageError
            Not of this run; says what it can be asked.
        """
        if verb not in self.questions.can:
            raise UsageError(
                f"run {self.id} ({self.model.kind}, method {self.model.method}) cannot be asked "
                f"to {verb}",
                remedy=f"it can be asked to {', '.join(self.questions.can)}",
            )
        found: Callable[[Answer, Ticket], Answer] = getattr(self.questions, verb.replace("-", "_"))
        return found

    def lane(self, verb: str) -> Lane:
        """Where a kind of question is handed in."""
        if verb in self.questions.long:
            return "long"
        return "reason" if verb in self.questions.steps else "answer"


def _sealed(path: Path) -> str:
    return hashlib.sha256((path / SEAL).read_bytes()).hexdigest()


class Service:
    """All runs of a server.

    Parameters
    ----------
    paths
        Run folders.
    limits
    edits
        Folder of a person's edits of the runs' books; None: they are not kept.

    Raises
    ------
    MissingRun, CorruptRun, RunVersionError
        Not a run folder, a damaged one, or one of another version.
    """

    def __init__(
        self, paths: Iterable[Path], limits: Limits | None = None, edits: Path | None = None
    ) -> None:
        self.limits = limits or Limits()
        self.desk = Desk(self.limits)  # for what is of no run, or of several
        self.runs: dict[str, Served] = {}
        self._edits = edits
        for path in paths:
            self.add(path)

    def run(self, id: str) -> Served:
        """A run by its id.

        Raises
        ------
        MissingRun
            With the nearest id.
        """
        if id not in self.runs:
            raise MissingRun(
                f"no run {id!r} is served",
                remedy=suggest(id, self.runs) or f"runs: {', '.join(self.runs)}",
            )
        return self.runs[id]

    def add(self, path: Path) -> Served:
        """Read one more run, and serve it by the name of its folder, or the next that is free."""
        name = path.resolve().name or "run"
        taken, k = name, 1
        while name in self.runs:
            k += 1
            name = f"{taken}-{k}"
        found = Served(name, path, Desk(self.limits), self._edits)
        self.runs = {**self.runs, name: found}  # others may be looking through them
        if "torch" in sys.modules:  # a run of rules does without
            sys.modules["torch"].set_num_threads(1)  # requests are the parallelism
        return found

    async def read(
        self,
        work: Callable[[], T],
        gone: Callable[[], Awaitable[None]] | None = None,
        *,
        long: bool = False,
    ) -> T:
        """Do what asks no model that is served, within its time."""
        ticket = Ticket(self.limits.long if long else self.limits.quick, None)
        return await self.desk.ask(lambda _: work(), gone, lane="read", ticket=ticket)

    def warm(self) -> None:
        """Ask every run something, so that the first question is as fast as the next."""
        for served in self.runs.values():
            served.questions.search("a", 1)
            with contextlib.suppress(ParsimonyError):
                served.questions.warm()

    def close(self) -> None:
        """Give up all questions."""
        for desk in (self.desk, *(served.desk for served in self.runs.values())):
            desk.close()
