"""The contract of estimators: learn, answer, and live in a run folder."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, cast

from parsimony.base.estimate import Estimate, OnlyEstimated
from parsimony.base.parameters import Parameters, constructor
from parsimony.base.task import Task
from parsimony.errors import (
    InvalidParameter,
    NotFitted,
    TrainingDiverged,
    UnknownParameter,
    UsageError,
    suggest,
)
from parsimony.run.engine import Engine
from parsimony.run.progress import say
from parsimony.run.renamed import of_run

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from parsimony.answers import Measures
    from parsimony.knowledge.book import KnowledgeBook
    from parsimony.knowledge.rules import Rule
    from parsimony.run.cost import Cost
    from parsimony.run.deadline import Deadline
    from parsimony.run.folder import RunFolder
    from parsimony.training.probe import Probe
    from parsimony.training.trainer import Learner, Outcome, Schedule
    from parsimony.training.workers import Crew

__all__ = ["Estimator", "Fitting", "ParametersT", "TaskT"]

TaskT = TypeVar("TaskT", bound=Task)
ParametersT = TypeVar("ParametersT", bound=Parameters)


@dataclass(frozen=True)
class Fitting:
    """How a method is asked to learn: the limits and places of one call of ``fit``.

    ``time_budget`` is in seconds of learning, over all resumed parts; ``deadline``, where there is
    one, is when measuring and writing have to be done as well. ``only_estimate`` leaves before the
    first step. ``workers`` processes share every batch, or compute shards, as an ``engine`` does.
    """

    run: RunFolder | None = None
    time_budget: float | None = None
    device: str = "cpu"
    knowledge: KnowledgeBook | None = None
    quiet: bool = True
    deadline: Deadline | None = None
    only_estimate: bool = False
    workers: int = 1
    engine: Engine | None = None


class Estimator(ABC, Generic[TaskT, ParametersT]):
    """A method for one problem.

    Parameters
    ----------
    **parameters
        Fields of the class's ``Parameters``; those left out come from the preset of a registered
        dataset, else from the default.

    Attributes
    ----------
    task_, resolved_
        What was learned from, and the parameters with presets and defaults filled in.
    history_, best_epoch_, ended_
        A record per epoch; which answers; why training ended ("epochs", "patience", "time budget",
        "interrupted", or "" for what is not iterated).
    training_notes_
        What was reduced in the last call of ``fit``, so that it ended in time.
    parameters_count_, cost_, seconds_
        Trained numbers; what learning cost; its wall seconds over all resumed parts.

    Raises
    ------
    UnknownParameter
        A name that ``Parameters`` does not declare, with the nearest one that it does.
    InvalidParameter
        A value outside the declared limits.
    """

    #: name in the register, paper or source, and the problem that it is for
    method: ClassVar[str]
    paper: ClassVar[str] = ""
    kind: ClassVar[str]
    Task: ClassVar[type[Task]]
    Parameters: ClassVar[type[Parameters]]
    #: the measure that ``score`` returns
    headline: ClassVar[str]
    #: kinds of devices that it can learn on, and whether it can start from rules
    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    takes_knowledge: ClassVar[bool] = False
    #: whether several processes can share its batches (:meth:`work`)
    shares_batches: ClassVar[bool] = False
    counts_in_shards: ClassVar[bool] = False
    #: the part of a deadline that is kept for measuring and writing
    finishing: ClassVar[float] = 0.15
    #: whether ``evaluate`` and ``knowledge`` take a ``deadline`` by which they sample
    samples: ClassVar[bool] = False
    #: whether :meth:`explain` takes the ``side`` that was asked for
    asks_either_side: ClassVar[bool] = False

    parameters: ParametersT
    task_: TaskT
    resolved_: ParametersT
    history_: list[dict[str, Any]]
    training_notes_: list[str]
    best_epoch_: int
    ended_: str
    parameters_count_: int
    seconds_: float
    cost_: Cost

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Give a subclass the kind of its ``Task``, and the signature of its ``Parameters``."""
        super().__init_subclass__(**kwargs)
        if "Task" in vars(cls):
            cls.kind = cls.Task.kind
        if "Parameters" in vars(cls) and "__init__" not in vars(cls):
            setattr(cls, "__init__", constructor(cls.Parameters))  # noqa: B010

    def __init__(self, **parameters: Any) -> None:
        self.parameters = self._validate(parameters)

    @classmethod
    def _validate(cls, values: Mapping[str, Any]) -> ParametersT:
        return cast(ParametersT, cls.Parameters.of(values, cls.__name__))

    def __getattr__(self, name: str) -> Any:
        """Say that it is not fitted, where a learned attribute is not there yet.

        Raises
        ------
        NotFitted
            ``name`` ends in an underscore.
        """
        if name.endswith("_") and not name.startswith("_"):
            raise NotFitted(
                f"this {type(self).__name__} is not fitted: it has no {name}",
                remedy="call fit(task), or load a run with parsimony.load_run",
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _require_fitted(self) -> None:
        _ = self.task_

    # ---- parameters --------------------------------------------------------------------------

    def _given(self) -> dict[str, Any]:
        """The parameters that were given, without the defaults."""
        return self.parameters.model_dump(include=self.parameters.model_fields_set)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return all parameters by name, given or default, as scikit-learn means it."""
        return {name: getattr(self.parameters, name) for name in type(self.parameters).model_fields}

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters; what was fitted stays as it is.

        Raises
        ------
        UnknownParameter, InvalidParameter
            As the constructor; nothing is changed then.
        """
        self.parameters = self._validate(self._given() | parameters)
        return self

    def clone(self) -> Self:
        """Return an unfitted estimator with the same parameters."""
        return type(self)(**self._given())

    __sklearn_clone__ = clone

    def __repr__(self) -> str:
        """The class with the parameters that differ from the default."""
        default = type(self.parameters).model_fields
        changed = [
            f"{name}={value!r}"
            for name, value in self._given().items()
            if value != default[name].get_default(call_default_factory=True, validated_data={})
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def _repr_html_(self) -> str:
        """The parameters as a table, for notebooks."""
        from parsimony.pages.notebook import table_html

        fitted = ", fitted" if hasattr(self, "task_") else ""
        rows = [(name, value) for name, value in self.get_params().items()]
        return table_html(f"{self!r}{fitted}", ("parameter", "value"), rows)

    # ---- learning ----------------------------------------------------------------------------

    def prepare(self, task: TaskT, *, epochs: int | None = None) -> dict[str, Any]:
        """Resolve the parameters for a task; returns what config.toml will hold.

        Raises
        ------
        UsageError
            A task that this method cannot learn.
        """
        if not isinstance(task, self.Task):
            raise UsageError(
                f"{type(self).__name__} learns a {self.Task.__name__}. Got {task!r}",
                remedy=f"make one with parsimony.open_task({self.kind!r}, DATA)",
            )
        values = self._preset(task) | self._given()
        if epochs is not None and "epochs" in self.Parameters.model_fields:
            values["epochs"] = epochs
        self.task_, self.resolved_, self.training_notes_ = task, self._validate(values), []
        self._setup()
        return self.config()

    def _preset(self, task: TaskT) -> dict[str, Any]:
        """Parameters of a registered dataset that differ from the defaults."""
        return {}

    def _setup(self) -> None:
        """Fill in what ``resolved_`` leaves open, and forget what an earlier fit left."""

    def fit(
        self,
        task: TaskT,
        *,
        run: RunFolder | None = None,
        epochs: int | None = None,
        time_budget: float | Deadline | None = None,
        device: str = "cpu",
        knowledge: Sequence[Rule] | KnowledgeBook | None = None,
        workers: int = 1,
        engine: Engine | None = None,
        quiet: bool = True,
        **unknown: Any,
    ) -> Self:
        """Learn; with a run folder, checkpoints go there and are resumed from.

        Parameters
        ----------
        task
            What to learn.
        run
            Where to keep checkpoints and the log.
        epochs
            Overrides the parameter of that name.
        time_budget
            Wall seconds of learning, over all resumed parts; an epoch ends in its middle where they
            are over. Or a :class:`parsimony.run.deadline.Deadline`, by which what was learned can
            be measured and written as well.
        device
            "cpu", or a torch device where the method can use one.
        knowledge
            A book, or rules alone, where the method takes them.
        workers
            Processes that share every batch, where the method can; see
            :mod:`parsimony.training.workers`. Of a method that counts: that count shards.
        engine
            Where a method that counts does it, in place of ``workers``;
            see :mod:`parsimony.run.engine`.
        quiet
            Show no progress.

        Returns
        -------
        Self
            Fitted.

        Raises
        ------
        UnknownParameter
            Another keyword, with the nearest one that there is.
        InvalidParameter
            A device that the method cannot use, or rules or workers that it does not take.
        TrainingDiverged
            The loss, a score or a number of the model is not finite.
        WorkerLost
            A process that shared the batches is gone; checkpoints stay.
        """
        from parsimony.run.cost import Cost

        self.check_call(
            device=device, knowledge=knowledge, workers=workers, engine=engine, **unknown
        )
        self.history_, self.best_epoch_, self.ended_, self.parameters_count_ = [], 0, "", 0
        self.prepare(task, epochs=epochs)
        self.cost_ = Cost(0, task.n_labels, _spent(run))
        budget, deadline = self._limits(time_budget, run)
        self._fit(
            Fitting(
                run,
                budget,
                device,
                _as_book(knowledge),
                quiet,
                deadline,
                workers=workers,
                engine=engine,
            )
        )
        self._require_finite()
        self.cost_.parameters = self.parameters_count_
        self.seconds_ = self.cost_.as_dict()["wall_seconds"]
        return self

    def estimate(self, task: TaskT, *, epochs: int | None = None, device: str = "cpu") -> Estimate:
        """Say what :meth:`fit` will take, by a few steps that teach nothing.

        Parameters
        ----------
        task, epochs, device
            As for :meth:`fit`.

        Raises
        ------
        UsageError
            A task that this method cannot learn.
        """
        from parsimony.run.cost import Cost, peak_memory

        self.check_call(device=device)
        self.prepare(task, epochs=epochs)
        self.history_, self.best_epoch_, self.ended_, self.parameters_count_ = [], 0, "", 0
        self.cost_ = Cost(0, task.n_labels, {})
        if not {"epochs", "steps"} & set(self.Parameters.model_fields):
            why = "the method has no epochs: how long it takes shows when it runs"
            return Estimate(self.method, peak_memory_bytes=peak_memory(), notes=(why,))
        try:
            self._fit(Fitting(device=device, only_estimate=True))
        except OnlyEstimated as found:
            return found.estimate
        return Estimate(self.method, 0, 0.0, 0.0, peak_memory(), self.parameters_count_)

    def _estimated(self, found: Probe, learner: Learner, schedule: Schedule) -> Estimate:
        """What a probe says about a training."""
        every = schedule.validate_every
        looks = len(every) / schedule.epochs if isinstance(every, tuple) else 1 / every
        epochs = -(-schedule.epochs // schedule.stride)
        epoch = found.epoch_seconds + found.look_seconds * max(looks, schedule.stride * looks)
        size = sum(tensor.numel() * tensor.element_size() for tensor in learner.state().values())
        return Estimate(
            self.method, schedule.epochs, epoch / schedule.stride, epochs * epoch,
            found.peak_memory + size, sum(w.numel() for w in learner.weights().values()),
            self._reach(),
        )  # fmt: skip

    def memory_parts(self) -> dict[str, float] | None:
        """Bytes that the parameters of that name make, and "": what is fixed; None: not known."""
        return None

    def halved(self, name: str) -> int:
        """Half of a size; 0 where it cannot be smaller."""
        return int(getattr(self.resolved_, name)) // 2

    def _reach(self) -> dict[str, float] | None:
        """What a query walks on average: ``edges``, and ``entities`` ``of`` so many."""
        return None

    def _limits(
        self, time_budget: float | Deadline | None, run: RunFolder | None
    ) -> tuple[float | None, Deadline | None]:
        """Seconds of learning; of a deadline a part is kept for what comes after it."""
        if time_budget is None or isinstance(time_budget, float | int):
            return time_budget, None
        if not time_budget.limited:
            return None, None
        left = time_budget.left() * (1 - self.finishing)
        return self._learned_seconds(run) + left, time_budget

    def _learned_seconds(self, run: RunFolder | None) -> float:
        """Seconds that earlier parts of a run have learned, as its checkpoints count them."""
        kept = None if run is None else run.load_checkpoint()
        return 0.0 if kept is None else float(kept[0].get("seconds", 0.0))

    @classmethod
    def check_call(
        cls, *, device: str = "cpu", knowledge: Sequence[Rule] | KnowledgeBook | None = None,
        workers: int = 1, engine: Engine | None = None, **unknown: Any,
    ) -> None:  # fmt: skip
        """Refuse what :meth:`fit` would refuse of its keywords, before anything is written.

        Raises
        ------
        UnknownParameter
            Another keyword, with the nearest one that there is.
        InvalidParameter
            A device that the method cannot use, or rules or workers that it does not take.
        """
        for name in unknown:
            known = [*inspect.signature(cls.fit).parameters][2:-1]
            remedy = suggest(name, known) or f"keywords: {', '.join(known)}"
            if name in cls.Parameters.model_fields:
                remedy = f"give it to the constructor: {cls.__name__}({name}=…)"
            raise UnknownParameter(f"fit has no keyword {name!r}", remedy=remedy)
        _check_device(device, cls)
        if knowledge is not None and not cls.takes_knowledge:
            raise InvalidParameter(
                f"method {cls.method!r} takes no rules", remedy="use method rules"
            )
        if workers != 1:
            _check_workers(workers, device, cls)
        if engine is not None and not cls.counts_in_shards:
            raise InvalidParameter(
                f"method {cls.method!r} trains here", remedy="leave the engine out"
            )

    @classmethod
    def work(cls, crew: Crew) -> None:
        """Compute parts of the batches of a training that another process leads, until its end."""
        raise NotImplementedError(cls.method)

    def _require_finite(self) -> None:
        """Refuse a model that holds NaN or infinity, however it was learned."""
        import numpy as np

        for name, array in self._tensors().items():
            if array.dtype.kind in "fc" and not np.isfinite(array).all():
                raise TrainingDiverged(
                    f"{name} of the model holds NaN or infinity",
                    remedy="check the scale of the data"
                    + ", or train afresh with a lower --set lr=…"
                    * ("lr" in self.Parameters.model_fields),
                )

    @abstractmethod
    def _fit(self, fitting: Fitting) -> None:
        """Learn from ``task_`` with ``resolved_``; set ``parameters_count_``."""

    def _train(
        self, learner: Learner, schedule: Schedule, fitting: Fitting, **more: Any
    ) -> Outcome:
        """Train a learner; ``more`` goes to :class:`parsimony.training.trainer.Trainer`."""
        from parsimony.training.trainer import Trainer

        def announce(found: Probe) -> None:
            estimate = self._estimated(found, learner, schedule)
            if fitting.only_estimate:
                raise OnlyEstimated(estimate)
            limit = None if fitting.deadline is None else fitting.deadline.seconds
            for line in estimate.lines(limit) if estimate.long else ():
                say(line)

        asked = fitting.only_estimate or not fitting.quiet
        outcome = Trainer(
            schedule, self.cost_, run=fitting.run, time_budget=fitting.time_budget,
            deadline=fitting.deadline, reserve=self._reserve, on_probe=announce if asked else None,
            quiet=fitting.quiet, **more,
        ).train(learner)  # fmt: skip
        self.history_, self.best_epoch_ = outcome.history, outcome.best_epoch
        self.ended_ = outcome.ended
        self.training_notes_ += outcome.notes
        return outcome

    def _reserve(self, found: Probe, left: float) -> float | None:
        """Seconds to keep for measuring and writing, of those left; None: as ``finishing`` says."""
        return None

    # ---- answering ---------------------------------------------------------------------------

    @abstractmethod
    def evaluate(self, split: str = "test", *, seed: int = 0, quiet: bool = True) -> Measures:
        """Measure on a split; ``metrics`` holds the measures by name."""

    def score(self, split: str = "test") -> float:
        """Return the headline measure of a split, a fraction in [0, 1] where larger is better."""
        return float(self.evaluate(split)["metrics"][self.headline])

    @property
    def selected_by(self) -> str:
        """The measure of validation by which epochs and trained models are chosen."""
        return self.headline

    def selection_score(self) -> float:
        """That measure of this model, more is better: as the best epoch had it, or measured now.

        Raises
        ------
        EmptySplit
            Nothing to validate on.
        """
        name, history = f"valid_{self.selected_by}", getattr(self, "history_", ())
        seen = [float(record[name]) for record in history if name in record]
        return max(seen) if seen else self.score("valid")

    @property
    def compared_by(self) -> str:
        """The measure that :meth:`resampled` gives."""
        return self.headline

    def resampled(
        self, split: str = "valid", *, units: int | None = None, seed: int = 0
    ) -> npt.NDArray[np.float64]:
        """Return the headline measure of a split, then of resamples of its units, (1 + draws,).

        Units are what is independent: queries, drugs, users, tasks. The draws are the same for
        every model of the task, so that the difference of two results is paired. ``units``: how
        many are measured at most, drawn by the seed, where a method can measure fewer.

        Raises
        ------
        EmptySplit
            There is nothing to measure on.
        UsageError
            The method cannot be compared so.
        """
        self._require_fitted()
        raise UsageError(
            f"method {self.method!r} has no measures by unit", remedy="name another --method"
        )

    def description_bytes(self) -> int:
        """Stored bytes of what was learned: of its numbers, or of its rules as text."""
        self._require_fitted()
        return sum(array.nbytes for array in self._tensors().values())

    def explain(self, *answer: Any, **options: Any) -> Any:
        """Say why an answer gets its score: ``explain(head, relation, tail, seed=0)``.

        Raises
        ------
        UsageError
            The method gives no reasons.
        """
        self._require_fitted()
        raise UsageError(
            f"method {self.method!r} gives no reasons",
            remedy="use a run of redgnn, adaprop, rules, emergnn, walks or neighbours",
        )

    def as_known(
        self, head: str, relation: str | None, tail: str, notes: list[str]
    ) -> tuple[str, str | None, str]:
        """Return names as the data spell them; ``notes`` say where they were given otherwise."""
        return head, relation, tail

    @property
    def gives_reasons(self) -> bool:
        """Whether :meth:`explain` explains."""
        return type(self).explain is not Estimator.explain

    def knowledge(self, top: int = 100, *, quiet: bool = True) -> list[Any]:
        """What it has learned, as text-able objects, the strongest first; nothing by default."""
        self._require_fitted()
        return []

    def knowledge_table(self, top: int, *, quiet: bool = True) -> dict[str, Any]:
        """Return what knowledge.toml holds: by default the ``top`` rules that it has learned."""
        return {"rules": [str(rule) for rule in self.knowledge(top=top, quiet=quiet)]}

    # ---- persistence -------------------------------------------------------------------------

    def config(self) -> dict[str, Any]:
        """Return what config.toml holds: method, data by their hash, options of the task."""
        data = self.task_.data  # type: ignore[attr-defined]
        return {
            "method": self.method,
            "task": self.kind,
            "data": {"name": data.name, "source": data.source, "hash": data.content_hash},
            **self.task_.config(),
            "parameters": self.resolved_.model_dump(exclude_none=True, mode="json"),
        }

    @abstractmethod
    def _tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        """Named arrays of the model."""

    @abstractmethod
    def _restore(self, run: RunFolder, tensors: dict[str, npt.NDArray[Any]]) -> None:
        """Become fitted from what ``_tensors`` gave, with ``task_`` and ``resolved_`` set."""

    def write(self, run: RunFolder) -> None:
        """Write model and data into an open run folder."""
        self._require_fitted()
        with run.replaced("data") as folder:
            self.task_.save(folder)
        run.save_model(self._tensors())

    def save(self, path: Path | str) -> None:
        """Write a complete run folder: model, data, configuration.

        Raises
        ------
        UsageError
            Not fitted.
        RunExists
            The folder is not empty.
        """
        from parsimony.run.folder import RunFolder

        self._require_fitted()
        with RunFolder.create(Path(path), self.config()) as run:
            self.write(run)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a run folder.

        Raises
        ------
        MissingRun, CorruptRun, RunVersionError
            Not a run folder, a damaged one, or one of another version.
        UsageError
            A run of another method.
        """
        from parsimony.run.folder import CONFIG, MODEL, RunFolder
        from parsimony.run.restoring import restoring

        run = RunFolder.open(Path(path))
        run.require_config()
        if (run.config["method"], run.config["task"]) != (cls.method, cls.kind):
            raise UsageError(
                f"this run is of method {run.config['method']!r} for task {run.config['task']!r}, "
                f"not {cls.method!r} for {cls.kind!r}",
                remedy="read it with parsimony.load_run",
                where=str(run.path),
            )
        config, folder = run.path / CONFIG, run.path / "data"
        with restoring(config):
            self = cls(**of_run(run.config["parameters"], cls.Parameters.model_fields))
        with restoring(folder):
            task = cls.Task.load(folder, run.config)
            if task.data.content_hash != run.config["data"]["hash"]:  # type: ignore[attr-defined]
                raise ValueError("the data are not those whose hash config.toml holds")
        with restoring(config):
            self.prepare(cast(TaskT, task))
        with restoring(run.path / MODEL):
            self._restore(run, run.load_model())
        return self


def _as_book(knowledge: Sequence[Rule] | KnowledgeBook | None) -> KnowledgeBook | None:
    from parsimony.knowledge.book import KnowledgeBook

    if knowledge is None or isinstance(knowledge, KnowledgeBook):
        return knowledge
    return KnowledgeBook.of_rules(knowledge)


def _check_workers(workers: int, device: str, cls: type[Estimator[Any, Any]]) -> None:
    from parsimony.training.launcher import launched

    if not (cls.shares_batches or (cls.counts_in_shards and not launched())):
        raise InvalidParameter(
            f"method {cls.method!r} trains in one process",
            remedy="leave --workers out, or use rules, redgnn, adaprop or a method of vectors",
        )
    if isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= 64:
        raise InvalidParameter(f"workers is {workers!r}", remedy="give a number from 1 to 64")
    if device != "cpu":
        raise InvalidParameter(
            "several workers train on processors only", remedy="use device cpu, or one worker"
        )


def _check_device(device: str, cls: type[Estimator[Any, Any]]) -> None:
    if device == "cpu":
        return
    if device.partition(":")[0] not in cls.devices:
        raise InvalidParameter(
            f"method {cls.method!r} runs on {' or '.join(cls.devices)}. Got device {device!r}",
            remedy=f"use device {cls.devices[0]!r}",
        )
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise InvalidParameter(
            "torch sees no CUDA device here", remedy="use device cpu, or a CUDA build of torch"
        )


def _spent(run: RunFolder | None) -> dict[str, Any]:
    """What earlier parts of a run have cost: the larger of its checkpoint's and its report's."""
    if run is None:
        return {}
    kept = run.load_checkpoint()
    parts = [{} if kept is None else kept[0].get("cost", {}), run.read_json("ledger.json") or {}]
    return max(parts, key=lambda cost: float(cost.get("cpu_seconds", 0.0)))
