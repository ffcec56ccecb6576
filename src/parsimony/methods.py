"""The register of methods: ours in one place, and those that other packages add.

A method joins by the decorator :func:`register`, or by an entry point of its package::

    [project.entry-points."parsimony.methods"]
    my-method = "my_package.module:MyMethod"
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from parsimony.errors import CorruptRun, UnknownParameter, UsageError, suggest

if TYPE_CHECKING:
    from parsimony.base import Estimator

__all__ = ["OURS", "estimators", "load_run", "names", "register", "resolve"]

AnyEstimator: TypeAlias = "Estimator[Any, Any]"
E = TypeVar("E", bound="type[AnyEstimator]")

#: kind of problem → our methods → the class that implements each; imported when first asked for
OURS = {
    "link": {
        "degree": "parsimony.link.degree:Degree",
        "redgnn": "parsimony.link.reasoning.redgnn:RedGNN",
        "adaprop": "parsimony.link.reasoning.adaprop:AdaProp",
        "rules": "parsimony.link.rules.method:RuleReasoner",
        "bilinear": "parsimony.link.embeddings.bilinear:Bilinear",
        "complex": "parsimony.link.embeddings.bilinear:ComplEx",
        "distmult": "parsimony.link.embeddings.bilinear:DistMult",
        "simple": "parsimony.link.embeddings.bilinear:SimplE",
        "analogy": "parsimony.link.embeddings.bilinear:Analogy",
        "blend": "parsimony.link.blend:Blend",
        "guided": "parsimony.link.guidance.guided:Guided",
        "transe": "parsimony.link.embeddings.geometric:TransE",
        "rotate": "parsimony.link.embeddings.geometric:RotatE",
    },
    "ddi": {
        "neighbours": "parsimony.ddi.baselines.nearest_neighbours:Neighbours",
        "emergnn": "parsimony.ddi.emergnn.method:EmerGNN",
        "mlp": "parsimony.ddi.baselines.mlp:MLP",
        "prior": "parsimony.ddi.baselines.prior:Prior",
        "ensemble": "parsimony.ddi.ensemble:PairEnsemble",
        "walks": "parsimony.ddi.metapaths.method:Walks",
    },
    "molecules": {
        "tanimoto": "parsimony.molecules.fingerprint_methods:Tanimoto",
        "fingerprint-ridge": "parsimony.molecules.fingerprint_methods:FingerprintRidge",
        "fingerprint-lr": "parsimony.molecules.fingerprint_methods:FingerprintLogistic",
        "fingerprint-rf": "parsimony.molecules.fingerprint_methods:FingerprintForest",
        "ridge": "parsimony.molecules.meta.closed_form:Ridge",
        "prototype": "parsimony.molecules.meta.closed_form:Prototype",
        "par": "parsimony.molecules.meta.par:PAR",
        "pacia": "parsimony.molecules.meta.pacia:PACIA",
        "multitask": "parsimony.molecules.multitask:MultiTask",
    },
    "coldstart": {
        "coldnas": "parsimony.ratings.coldnas:ColdNAS",
        "film": "parsimony.ratings.coldnas:FiLM",
        "means": "parsimony.ratings.baselines:Means",
        "popularity": "parsimony.ratings.baselines:Popularity",
        "evidence": "parsimony.ratings.baselines:EvidenceRegression",
        "ridge-head": "parsimony.ratings.baselines:RidgeHead",
        "fm": "parsimony.ratings.factorisation:FactorisationMachine",
        "rating-mlp": "parsimony.ratings.factorisation:RatingMLP",
    },
}
_HOMES = {name: home for methods in OURS.values() for name, home in methods.items()}
_joined: dict[str, type[AnyEstimator]] = {}


def register(cls: E) -> E:
    """Add a method to the register under its ``method``; a decorator of its class.

    Raises
    ------
    UsageError
        No name, or one that another class has.
    """
    name = getattr(cls, "method", "")
    if not name or _joined.get(name, cls) is not cls or name in _HOMES:
        raise UsageError(
            f"{cls.__name__} cannot join the register as {name!r}",
            remedy="give its class attribute `method` a name of its own",
        )
    _joined[name] = cls
    return cls


@cache
def _entry_points() -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group="parsimony.methods")}


def names(kind: str | None = None) -> list[str]:
    """All methods, or those of one kind of problem; ours first."""
    ours = _HOMES if kind is None else OURS.get(kind, {})
    others = [name for name in {**_joined, **_entry_points()} if name not in _HOMES]
    return [*ours, *(name for name in others if kind in (None, resolve(name).kind))]


def resolve(method: str) -> type[AnyEstimator]:
    """Return the estimator class of a method name.

    Raises
    ------
    UnknownParameter
        No such method; names the nearest.
    """
    if method in _joined:
        return _joined[method]
    home = _HOMES.get(method) or _entry_points().get(method)
    if home is None:
        known = names()
        near = suggest(method, known)
        raise UnknownParameter(
            f"unknown method {method!r}",
            remedy=f"{near} " * bool(near) + f"methods: {', '.join(known)}",
        )
    module, _, name = home.partition(":")
    cls: type[AnyEstimator] = getattr(import_module(module), name)
    return cls


def estimators() -> dict[str, type[AnyEstimator]]:
    """All registered methods with their classes."""
    return {method: resolve(method) for method in names()}


def load_run(path: Path | str) -> AnyEstimator:
    """Read any run folder: the method stands in its config.toml.

    Raises
    ------
    MissingRun, CorruptRun, RunVersionError
        Not a run folder, a damaged one, or one of another version.
    """
    from parsimony.run.folder import CONFIG, RunFolder

    run = RunFolder.open(path)
    run.require_config()
    try:
        cls = resolve(run.config["method"])
    except UnknownParameter as error:
        raise CorruptRun(
            error.message,
            remedy="install the package that adds this method, or restore the folder",
            where=str(run.path / CONFIG),
        ) from None
    return cls.load(path)
