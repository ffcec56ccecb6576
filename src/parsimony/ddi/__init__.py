"""Drug-drug interactions: pairs, their background graph, and methods for emerging drugs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony.ddi.baselines.mlp import MLP
    from parsimony.ddi.baselines.nearest_neighbours import Neighbours
    from parsimony.ddi.baselines.prior import Prior
    from parsimony.ddi.data import DDIData
    from parsimony.ddi.emergnn.method import EmerGNN
    from parsimony.ddi.ensemble import PairEnsemble
    from parsimony.ddi.estimator import PairEstimator
    from parsimony.ddi.folder import load_ddi
    from parsimony.ddi.metapaths.method import Walks
    from parsimony.ddi.screening import screen
    from parsimony.ddi.task import DDIOptions, DDITask

__all__ = [
    "MLP",
    "DDIData",
    "DDIOptions",
    "DDITask",
    "EmerGNN",
    "Neighbours",
    "PairEnsemble",
    "PairEstimator",
    "Prior",
    "Walks",
    "load_ddi",
    "screen",
]

__getattr__ = lazy(
    __name__,
    {
        "MLP": "baselines.mlp",
        "DDIData": "data",
        "DDIOptions": "task",
        "DDITask": "task",
        "EmerGNN": "emergnn.method",
        "Neighbours": "baselines.nearest_neighbours",
        "PairEnsemble": "ensemble",
        "PairEstimator": "estimator",
        "Prior": "baselines.prior",
        "Walks": "metapaths.method",
        "load_ddi": "folder",
        "screen": "screening",
    },
)
