"""The promises of an estimator, as checks: for authors of methods, and for our own tests.

>>> from parsimony.testing import Case, check_estimator  # doctest: +SKIP
>>> check_estimator(Case(MyMethod, task, folder, {"epochs": 2}))  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from parsimony.answers import Answers
from parsimony.base import Estimator, Parameters, Task
from parsimony.decoding.strict_json import json_text
from parsimony.errors import (
    CorruptRun,
    EmptySplit,
    InvalidParameter,
    ParsimonyError,
    RunExists,
    TrainingDiverged,
    UnknownParameter,
    UsageError,
)
from parsimony.methods import OURS, load_run, resolve
from parsimony.pipeline import fit
from parsimony.run.folder import RunFolder

__all__ = ["CHECKS", "BrokenPromise", "Case", "check_estimator"]

AnyEstimator = Estimator[Any, Any]


class BrokenPromise(AssertionError):
    """A method does not keep what the contract promises."""


@dataclass(frozen=True)
class Case:
    """A method, and what it is tried on.

    Parameters
    ----------
    cls
        The class.
    task
        Small, with validation and test; its data are what ``parsimony.fit`` takes.
    folder
        An empty folder for run folders.
    parameters
        That make it quick.
    query
        What ``explain`` is asked: head, relation and tail.
    ask
        Asks a fitted method something; returns :class:`parsimony.answers.Answers`.
    """

    cls: type[AnyEstimator]
    task: Task
    folder: Path
    parameters: Mapping[str, Any] = field(default_factory=dict)
    query: tuple[str, str | None, str] | None = None
    ask: Callable[[Any], Answers] | None = None

    def make(self, **more: Any) -> Any:
        """Return an unfitted estimator."""
        return self.cls(**{**self.parameters, **more})

    @cached_property
    def fitted(self) -> Any:
        """The estimator, fitted once."""
        return self.make().fit(self.task)

    @property
    def iterated(self) -> bool:
        """Whether it learns in steps."""
        return bool(self.fitted.ended_)

    def run(self, name: str, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Fit into a run folder, as the command line does; returns estimator and summary."""
        options = {"parameters": self.settings(), **options}
        data = self.task.data  # type: ignore[attr-defined]
        return fit(data, self.cls.method, out=self.folder / name, **options)

    def settings(self) -> dict[str, Any]:
        """Parameters and options of the task, as ``--set`` mixes them."""
        return {**self.task.config().get("options", {}), **self.parameters}


def check_estimator(case: Case) -> None:
    """Run all checks.

    Raises
    ------
    BrokenPromise
        The first promise that is not kept, in words.
    """
    for check in CHECKS:
        check(case)


def _require(kept: bool, promise: str) -> None:
    if not kept:
        raise BrokenPromise(promise)


@contextlib.contextmanager
def _raises(kind: type[ParsimonyError], what: str, says: str = "") -> Iterator[None]:
    try:
        yield
    except kind as error:
        told = f"{error.message} {error.remedy} {error.where}"
        _require(says in told, f"{what}: the error says {says!r}. It says: {told}")
    else:
        raise BrokenPromise(f"{what} is a {kind.__name__}")


# ---- the class -------------------------------------------------------------------------------


def declares_itself(case: Case) -> None:
    """Name, problem, task, headline, help of every parameter."""
    cls = case.cls
    _require(resolve(cls.method) is cls, "it is registered under its own name")
    _require(cls.kind in OURS, f"kind is one of {', '.join(OURS)}")
    _require(issubclass(cls.Task, Task), "Task is what it learns")
    _require(issubclass(cls.Parameters, Parameters), "Parameters declares its parameters")
    _require(bool(cls.headline), "headline names the measure that score returns")
    _require(bool(inspect.getdoc(cls)), "the class has a docstring")
    for name, parameter in cls.Parameters.model_fields.items():
        _require(bool(parameter.description), f"parameter {name!r} has a description")


def shows_its_signature(case: Case) -> None:
    """``inspect.signature`` and an editor show the parameters."""
    shown = list(inspect.signature(case.cls).parameters)
    _require(shown == list(case.cls.Parameters.model_fields), "the constructor shows its fields")


def only_stores_parameters(case: Case) -> None:
    """The constructor does nothing else, and what it stored cannot be changed behind its back."""
    made = case.make()
    learned = [name for name in vars(made) if name.endswith("_")]
    _require(not learned, f"the constructor learns nothing. It has {learned}")
    for name, value in case.parameters.items():
        _require(getattr(made.parameters, name) == value, f"parameter {name!r} is stored")
    with contextlib.suppress(ValueError):
        setattr(made.parameters, next(iter(case.cls.Parameters.model_fields)), None)
        raise BrokenPromise("parameters are frozen")


def refuses_wrong_parameters(case: Case) -> None:
    """Unknown names with a suggestion, values outside their limits by name."""
    cls = case.cls
    for name in cls.Parameters.model_fields:
        with _raises(UnknownParameter, f"parameter {name}s", name):
            cls(**{f"{name}s": 1})
    for name, value in _invalid_values(cls):
        with _raises(InvalidParameter, f"{name}={value!r}", repr(name)):
            cls(**{name: value})


def _invalid_values(cls: type[AnyEstimator]) -> Iterator[tuple[str, Any]]:
    """One value outside each declared limit, and one of a wrong type for each parameter."""
    for name, parameter in cls.Parameters.model_fields.items():
        yield name, object()
        for limit in parameter.metadata:
            for bound, beyond in (("ge", -1), ("gt", 0), ("le", 1), ("lt", 0)):
                if (value := getattr(limit, bound, None)) is not None:
                    wrong = value + beyond
                    # A limit so large that one more is the same number is doubled.
                    yield name, 2 * value if beyond and wrong == value else wrong
        if "float" in str(parameter.annotation):
            yield name, float("nan")


def keeps_scikit_learns_parameters(case: Case) -> None:
    """``get_params``, ``set_params``, ``clone`` and ``repr`` mean what they mean there."""
    made = case.make()
    params = made.get_params()
    _require(list(params) == list(case.cls.Parameters.model_fields), "get_params returns all")
    _require(made.clone().get_params() == params, "a clone has the same parameters")
    _require(made.clone() is not made, "a clone is another object")
    for name, value in case.parameters.items():
        other = case.cls()
        _require(other.set_params(**{name: value}) is other, "set_params returns self")
        _require(other.get_params()[name] == value, f"set_params sets {name!r}")
    with _raises(UnknownParameter, "set_params(no_such=1)"):
        made.set_params(no_such=1)
    _require(repr(case.cls()) == f"{case.cls.__name__}()", "repr shows what differs alone")
    _require(made._repr_html_().startswith("<"), "notebooks get a table")


# ---- before and at fit -----------------------------------------------------------------------


def refuses_use_before_fit(case: Case) -> None:
    """A clear error, and nothing written."""
    made, path = case.make(), case.folder / "unfitted"
    uses: dict[str, Callable[[], Any]] = {
        "evaluate": lambda: made.evaluate(),
        "score": lambda: made.score(),
        "knowledge": lambda: made.knowledge(),
        "save": lambda: made.save(path),
    }
    if case.query is not None:
        query = case.query
        uses["explain"] = lambda: made.explain(*query)
    if case.ask is not None:
        ask = case.ask
        uses["predict"] = lambda: ask(made)
    for name, use in uses.items():
        with _raises(UsageError, f"{name} before fit", "fit"):
            use()
    _require(not path.exists(), "nothing is written before fit")


def refuses_wrong_calls_of_fit(case: Case) -> None:
    """Unknown keywords with a suggestion, devices it cannot use, other problems' tasks."""
    with _raises(UnknownParameter, "fit(time_budgt=1)", "time_budget"):
        case.make().fit(case.task, time_budgt=1)
    with _raises(InvalidParameter, "fit(device='tpu')", "tpu"):
        case.make().fit(case.task, device="tpu")
    with _raises(UsageError, "fit of another kind of task"):
        case.make().fit(object())


def learns(case: Case) -> None:
    """``fit`` returns self, and what it learned ends in an underscore."""
    made = case.make()
    _require(made.fit(case.task) is made, "fit returns self")
    _require(made.task_ is case.task, "task_ is what it learned from")
    _require(isinstance(made.resolved_, case.cls.Parameters), "resolved_ are parameters")
    _require(isinstance(made.history_, list), "history_ is a list of records")
    _require(made.best_epoch_ >= 0 and made.seconds_ >= 0, "best_epoch_ and seconds_ are counts")
    cost = made.cost_.as_dict()
    _require(cost["parameters"] == made.parameters_count_, "the cost report counts parameters")
    _require(cost["labels"] == case.task.n_labels, "the cost report counts labels")
    json_text(made.config())


def diverges_in_so_many_words(case: Case) -> None:
    """An absurd learning rate is refused, ends in TrainingDiverged, or in possible measures."""
    if "lr" not in case.cls.Parameters.model_fields:
        return
    with contextlib.suppress(TrainingDiverged, InvalidParameter), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NumPy says that it overflows
        case.make(lr=1e20).fit(case.task).evaluate("test")


def is_deterministic(case: Case) -> None:
    """The same seed gives the same numbers, and global randomness stays as it was."""
    import torch

    np.random.seed(3)
    before = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # type: ignore[index]
    again = case.make().fit(case.task)
    after = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # type: ignore[index]
    _require(before == after, "fitting leaves global random states alone")
    _require(again.best_epoch_ == case.fitted.best_epoch_, "the same epoch is the best")
    metrics = again.evaluate("test")["metrics"]
    _require(metrics == case.fitted.evaluate("test")["metrics"], "the same seed, the same metrics")


def ends_within_its_budget(case: Case) -> None:
    """A training ends with the step in which its time budget ends, and has a usable model."""
    if not case.iterated:
        return
    from parsimony.training import trainer

    budget, steps = 3, 0
    taken = trainer.Trainer._taken

    def counted(self: Any, step: Any) -> None:
        nonlocal steps
        steps += 1
        taken(self, step)

    # The clock counts steps: each takes a second.
    with (
        mock.patch.object(trainer.Trainer, "_taken", counted),
        mock.patch.object(trainer, "clock", lambda: float(steps)),
    ):
        made = case.make(**_longer(case.cls)).fit(case.task, time_budget=float(budget))
    _require(steps <= budget + 1, f"a budget of {budget} steps ends by step {steps}")
    _require(made.ended_ == "time budget", "ended_ says why")
    made.evaluate("test")


def _longer(cls: type[AnyEstimator]) -> dict[str, int]:
    return {name: 40 for name in ("epochs", "steps") if name in cls.Parameters.model_fields}


# ---- answers ---------------------------------------------------------------------------------


def measures(case: Case) -> None:
    """``evaluate`` and ``score`` agree; measures are finite; an unknown split is refused."""
    result = case.fitted.evaluate("test")
    _require(result["split"] == "test", "the result names its split")
    for name, value in result["metrics"].items():
        _require(bool(np.isfinite(value)), f"{name} is finite")
    _require(case.fitted.score("test") == result["metrics"][case.fitted.headline], "score")
    _require(result._repr_html_().startswith("<table"), "notebooks get a table of measures")
    with _raises(InvalidParameter, "an unknown split"):
        case.fitted.evaluate("tset")


def answers(case: Case) -> None:
    """What it answers is a table."""
    if case.ask is None:
        return
    found = case.ask(case.fitted)
    _require(isinstance(found, Answers), "answers are Answers")
    _require(len(found.to_polars()) == len(found.rows) > 0, "answers convert to Polars")
    _require(found.to_numpy().shape == (len(found.rows), len(found.columns)), "and to NumPy")
    json_text(found)


def explains(case: Case) -> None:
    """An explanation renders in every form; a method without reasons says so."""
    if case.query is None:
        return
    if not case.fitted.gives_reasons:
        with _raises(UsageError, "explain"):
            case.fitted.explain(*case.query)
        return
    found = case.fitted.explain(*case.query)
    for form in (found.text(), found.dot(), found.html(), found._repr_html_()):
        _require(bool(form), "an explanation renders as text, DOT and HTML")
    json_text(found.to_dict())


def tells_its_knowledge(case: Case) -> None:
    """Knowledge is text, and knowledge.toml can hold it."""
    _require(isinstance(case.fitted.knowledge(top=5), list), "knowledge is a list")
    for entry in case.fitted.knowledge(top=5):
        _require(bool(str(entry)), "an entry is text")
    _require(isinstance(case.fitted.knowledge_table(5), dict), "knowledge.toml is a table")


# ---- run folders -----------------------------------------------------------------------------


def loads_as_saved(case: Case) -> None:
    """A loaded run measures the same, and saves the same again."""
    case.fitted.save(case.folder / "saved")
    loaded = load_run(case.folder / "saved")
    _require(type(loaded) is case.cls, "load_run returns the method")
    _require(loaded.config() == case.fitted.config(), "the configuration is the same")
    metrics = case.fitted.evaluate("test")["metrics"]
    _require(loaded.evaluate("test")["metrics"] == metrics, "a loaded run measures the same")
    _require(loaded.parameters_count_ == case.fitted.parameters_count_, "it counts its parameters")
    loaded.save(case.folder / "again")
    again = load_run(case.folder / "again").evaluate("test")["metrics"]
    _require(again == metrics, "a run that is loaded and saved is the same run")


def refuses_damaged_and_occupied_folders(case: Case) -> None:
    """A changed byte is found, and a folder that holds files is left alone."""
    path = case.folder / "damaged"
    case.fitted.save(path)
    with _raises(RunExists, "saving into an occupied folder"):
        case.fitted.save(path)
    for name in ("model.safetensors", "config.toml"):
        whole = (path / name).read_bytes()
        (path / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with _raises(CorruptRun, f"a changed byte in {name}", name):
            load_run(path)
        (path / name).write_bytes(whole)
    load_run(path)


def writes_a_run_folder_that_tells_all(case: Case) -> None:
    """The folder of a fit: its files, its measures without times, its summary."""
    model, summary = case.run("run")
    wanted = {
        "run", "method", "parameters", "epochs", "best_epoch", "ended", "valid", "seconds",
        "notes", "time_budget", "total_seconds", "description_bytes",
    }  # fmt: skip
    _require(set(summary) == wanted, f"the summary holds {', '.join(sorted(wanted))}")
    run = RunFolder.open(case.folder / "run")
    kept = run.read_json("metrics.json")
    for split in kept:
        with contextlib.suppress(EmptySplit):
            found = model.evaluate(split)["metrics"]
            _require(kept[split]["metrics"] == found, "metrics.json holds what it measures")
    _require(not any("seconds" in measured for measured in kept.values()), "without wall time")
    _require(run.read_json("ledger.json")["parameters"] == summary["parameters"], "ledger.json")
    for name in ("model.safetensors", "checksums.json", "knowledge.toml", "data"):
        _require((run.path / name).exists(), f"{name} is written")


def costs_only_grow(case: Case) -> None:
    """A resumed run counts what its earlier parts have cost, and goes on."""
    _, first = case.run("resumed", time_budget=1e-9)
    before = RunFolder.open(case.folder / "resumed").read_json("ledger.json")
    _, second = case.run("resumed", resume=True)
    after = RunFolder.open(case.folder / "resumed").read_json("ledger.json")
    for name in ("cpu_seconds", "wall_seconds", "flops", "peak_memory_bytes"):
        _require(after[name] >= before[name], f"{name} only grows: {before[name]}, {after[name]}")
    if case.iterated:
        _require(first["ended"] == "time budget", "a budget of nothing ends the training")
        _require(second["epochs"] >= first["epochs"], "a resumed run goes on")
        _require(second["ended"] != "time budget", "without a budget it ends for another reason")


#: all promises, in the order in which they are checked
CHECKS: tuple[Callable[[Case], None], ...] = (
    declares_itself,
    shows_its_signature,
    only_stores_parameters,
    refuses_wrong_parameters,
    keeps_scikit_learns_parameters,
    refuses_use_before_fit,
    refuses_wrong_calls_of_fit,
    learns,
    diverges_in_so_many_words,
    is_deterministic,
    ends_within_its_budget,
    measures,
    answers,
    explains,
    tells_its_knowledge,
    loads_as_saved,
    refuses_damaged_and_occupied_folders,
    writes_a_run_folder_that_tells_all,
    costs_only_grow,
)
