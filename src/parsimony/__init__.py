"""Parsimony: from a graph to answers with reasons.

>>> import parsimony
>>> model, summary = parsimony.fit("royal", "redgnn", epochs=3)  # doctest: +SKIP
>>> print(model.predict("Leopold_I_of_Belgium", "uncle")["answers"][0])  # doctest: +SKIP

Every name below is imported when it is first used, so that ``import parsimony`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsimony.lazy import lazy

if TYPE_CHECKING:
    from parsimony import datasets, errors
    from parsimony.base import Estimator, estimators, load_run, resolve
    from parsimony.datasets import LinkData
    from parsimony.embed.bilinear import Analogy, Bilinear, ComplEx, DistMult, SimplE
    from parsimony.embed.geometric import RotatE, TransE
    from parsimony.errors import ParsimonyError
    from parsimony.fitting import fit
    from parsimony.graph import KnowledgeGraph, Vocabulary
    from parsimony.knowledge import Explanation, Rule, format_rules, mine_rules, read_rules
    from parsimony.reason.adaprop import AdaProp
    from parsimony.reason.redgnn import RedGNN
    from parsimony.reason.rules import RuleReasoner, apply_rules
    from parsimony.tasks.audit import audit
    from parsimony.tasks.link import LinkTask

__version__ = "0.1.0"

#: public name → the module that defines it ("" for a module of the package)
_HOME = {
    "AdaProp": "reason.adaprop",
    "Analogy": "embed.bilinear",
    "Bilinear": "embed.bilinear",
    "ComplEx": "embed.bilinear",
    "DistMult": "embed.bilinear",
    "Estimator": "base",
    "Explanation": "knowledge",
    "KnowledgeGraph": "graph",
    "LinkData": "datasets",
    "LinkTask": "tasks.link",
    "ParsimonyError": "errors",
    "RedGNN": "reason.redgnn",
    "RotatE": "embed.geometric",
    "Rule": "knowledge",
    "RuleReasoner": "reason.rules",
    "SimplE": "embed.bilinear",
    "TransE": "embed.geometric",
    "Vocabulary": "graph",
    "apply_rules": "reason.rules",
    "audit": "tasks.audit",
    "datasets": "",
    "errors": "",
    "estimators": "base",
    "fit": "fitting",
    "format_rules": "knowledge",
    "load_run": "base",
    "mine_rules": "knowledge",
    "read_rules": "knowledge",
    "resolve": "base",
}

__all__ = [
    "AdaProp",
    "Analogy",
    "Bilinear",
    "ComplEx",
    "DistMult",
    "Estimator",
    "Explanation",
    "KnowledgeGraph",
    "LinkData",
    "LinkTask",
    "ParsimonyError",
    "RedGNN",
    "RotatE",
    "Rule",
    "RuleReasoner",
    "SimplE",
    "TransE",
    "Vocabulary",
    "__version__",
    "apply_rules",
    "audit",
    "datasets",
    "errors",
    "estimators",
    "fit",
    "format_rules",
    "load_run",
    "mine_rules",
    "read_rules",
    "resolve",
]

__getattr__ = lazy(__name__, _HOME)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
