"""What every method shares: the estimator contract and the register of methods.

An estimator's constructor stores typed, validated parameters; ``fit(task)`` learns attributes that
end in ``_`` and returns self; then ``score``, ``predict``, ``evaluate``, ``explain``,
``knowledge``, ``save``, ``load``.
"""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from parsimony.errors import InvalidParameter, UnknownParameter, UsageError

if TYPE_CHECKING:
    from parsimony.run.folder import RunFolder

#: method → the class that implements it; imported when first asked for.
_HOMES = {
    "redgnn": "parsimony.link.reasoning.redgnn:RedGNN",
    "adaprop": "parsimony.link.reasoning.adaprop:AdaProp",
    "rules": "parsimony.link.rules.method:RuleReasoner",
    "bilinear": "parsimony.link.embeddings.bilinear:Bilinear",
    "complex": "parsimony.link.embeddings.bilinear:ComplEx",
    "distmult": "parsimony.link.embeddings.bilinear:DistMult",
    "simple": "parsimony.link.embeddings.bilinear:SimplE",
    "analogy": "parsimony.link.embeddings.bilinear:Analogy",
    "transe": "parsimony.link.embeddings.geometric:TransE",
    "rotate": "parsimony.link.embeddings.geometric:RotatE",
    "neighbours": "parsimony.ddi.baselines.nearest_neighbours:Neighbours",
    "emergnn": "parsimony.ddi.emergnn.method:EmerGNN",
    "mlp": "parsimony.ddi.baselines.mlp:MLP",
    "prior": "parsimony.ddi.baselines.prior:Prior",
    "ensemble": "parsimony.ddi.ensemble:PairEnsemble",
    "walks": "parsimony.ddi.metapaths.method:Walks",
    "tanimoto": "parsimony.molecules.fingerprint_methods:Tanimoto",
    "fingerprint-ridge": "parsimony.molecules.fingerprint_methods:FingerprintRidge",
    "fingerprint-lr": "parsimony.molecules.fingerprint_methods:FingerprintLogistic",
    "fingerprint-rf": "parsimony.molecules.fingerprint_methods:FingerprintForest",
    "ridge": "parsimony.molecules.meta.closed_form:Ridge",
    "prototype": "parsimony.molecules.meta.closed_form:Prototype",
    "par": "parsimony.molecules.meta.par:PAR",
    "pacia": "parsimony.molecules.meta.pacia:PACIA",
    "multitask": "parsimony.molecules.multitask:MultiTask",
    "coldnas": "parsimony.ratings.coldnas:ColdNAS",
    "film": "parsimony.ratings.coldnas:FiLM",
    "means": "parsimony.ratings.baselines:Means",
    "popularity": "parsimony.ratings.baselines:Popularity",
    "evidence": "parsimony.ratings.baselines:EvidenceRegression",
    "ridge-head": "parsimony.ratings.baselines:RidgeHead",
}


class Parameters(BaseModel):
    """Declared parameters: types, limits, defaults and help in one place."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Estimator(ABC):
    """A method for one task.

    Parameters
    ----------
    **parameters
        Fields of the class's ``Parameters``; those left out come from the preset of a registered
        dataset, else from the default.

    Raises
    ------
    UnknownParameter
        A name that ``Parameters`` does not declare, with the nearest one that it does.
    InvalidParameter
        A value outside the declared limits.
    """

    method: ClassVar[str]
    #: the task that it learns: "link", "ddi", "molecules" or "coldstart"
    kind: ClassVar[str] = "link"
    Parameters: ClassVar[type[Parameters]]

    #: what was learned from, and the parameters with presets and defaults filled in
    task_: Any
    resolved_: Any
    #: why training ended: "epochs", "patience", "time budget", or "" for what is not iterated
    ended_: str = ""

    def __init__(self, **parameters: Any) -> None:
        self.parameters = self._validate(parameters)

    @classmethod
    def _validate(cls, values: dict[str, Any]) -> Any:
        fields = cls.Parameters.model_fields
        for name in values:
            if name not in fields:
                near = difflib.get_close_matches(name, fields, 1)
                raise UnknownParameter(
                    f"{cls.__name__} has no parameter {name!r}",
                    remedy=(f"did you mean {near[0]!r}? " if near else "")
                    + f"parameters: {', '.join(fields)}",
                )
        try:
            return cls.Parameters(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]) if first["loc"] else "?"
            raise InvalidParameter(
                f"the {name!r} parameter of {cls.__name__} is not valid: {first['msg']}. "
                f"Got {first['input']!r}",
                remedy=fields[name].description or "" if name in fields else "",
            ) from None

    def _require_fitted(self) -> None:
        if not hasattr(self, "task_"):
            raise UsageError(
                f"this {type(self).__name__} is not fitted",
                remedy="call fit(task), or load a run with parsimony.load_run",
            )

    @abstractmethod
    def fit(self, task: Any, **options: Any) -> Estimator:
        """Learn from a task."""

    @abstractmethod
    def evaluate(self, split: str = "test") -> dict[str, Any]:
        """Measure on a split."""

    @abstractmethod
    def knowledge(self, top: int = 100, *, quiet: bool = True) -> list[Any]:
        """What it has learned, as text-able objects, the strongest first."""

    def knowledge_table(self, top: int, *, quiet: bool = True) -> dict[str, Any]:
        """Return what knowledge.toml holds: by default the ``top`` rules that it has learned."""
        return {"rules": [str(rule) for rule in self.knowledge(top=top, quiet=quiet)]}

    def config(self) -> dict[str, Any]:
        """Return what config.toml holds: method, data by their hash, options of the task."""
        data = self.task_.data
        return {
            "method": self.method,
            "task": self.task_.name,
            "data": {"name": data.name, "source": data.source, "hash": data.content_hash},
            "options": self.task_.options.model_dump(exclude_none=True, mode="json"),
            "parameters": self.resolved_.model_dump(exclude_none=True, mode="json"),
        }

    @abstractmethod
    def write(self, run: RunFolder) -> None:
        """Write model and data into an open run folder."""

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
    @abstractmethod
    def load(cls, path: Path | str) -> Estimator:
        """Read a run folder."""


def resolve(method: str) -> type[Estimator]:
    """Return the estimator class of a method name.

    Raises
    ------
    UnknownParameter
        No such method; names the nearest.
    """
    if method not in _HOMES:
        near = difflib.get_close_matches(method, _HOMES, 1)
        raise UnknownParameter(
            f"unknown method {method!r}",
            remedy=(f"did you mean {near[0]!r}? " if near else "")
            + f"methods: {', '.join(_HOMES)}",
        )
    module, name = _HOMES[method].split(":")
    cls: type[Estimator] = getattr(import_module(module), name)
    return cls


def estimators() -> dict[str, type[Estimator]]:
    """All registered methods."""
    return {method: resolve(method) for method in _HOMES}


def load_run(path: Path | str) -> Estimator:
    """Read any run folder: the method stands in its config.toml.

    Raises
    ------
    MissingRun, CorruptRun, RunVersionError
        Not a run folder, a damaged one, or one of another version.
    """
    from parsimony.run.folder import RunFolder

    return resolve(str(RunFolder.open(path).config["method"])).load(path)
