"""Few-shot molecular property prediction: methods that adapt to a task from a handful of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.molecules.data import MoleculeData
    from parsimony.molecules.encoder.pretraining import pretrain
    from parsimony.molecules.estimator import FewShotEstimator
    from parsimony.molecules.fingerprint_methods import (
        FingerprintForest,
        FingerprintLogistic,
        FingerprintRidge,
        Tanimoto,
    )
    from parsimony.molecules.meta.closed_form import Prototype, Ridge
    from parsimony.molecules.meta.pacia import PACIA
    from parsimony.molecules.meta.par import PAR
    from parsimony.molecules.multitask import MultiTask
    from parsimony.molecules.table import load_molecules
    from parsimony.molecules.task import MoleculeOptions, MoleculeTask

__all__ = [
    "PACIA",
    "PAR",
    "FewShotEstimator",
    "FingerprintForest",
    "FingerprintLogistic",
    "FingerprintRidge",
    "MoleculeData",
    "MoleculeOptions",
    "MoleculeTask",
    "MultiTask",
    "Prototype",
    "Ridge",
    "Tanimoto",
    "load_molecules",
    "pretrain",
]

__getattr__ = lazy(
    __name__,
    {
        "PACIA": "meta.pacia",
        "PAR": "meta.par",
        "FewShotEstimator": "estimator",
        "FingerprintForest": "fingerprint_methods",
        "FingerprintLogistic": "fingerprint_methods",
        "FingerprintRidge": "fingerprint_methods",
        "MoleculeData": "data",
        "MoleculeOptions": "task",
        "MoleculeTask": "task",
        "MultiTask": "multitask",
        "Prototype": "meta.closed_form",
        "Ridge": "meta.closed_form",
        "Tanimoto": "fingerprint_methods",
        "load_molecules": "table",
        "pretrain": "encoder.pretraining",
    },
)
