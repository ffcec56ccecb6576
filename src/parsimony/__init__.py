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
    from parsimony.errors import ParsimonyError
    from parsimony.explain import Explanation
    from parsimony.graph import KnowledgeGraph, Vocabulary
    from parsimony.knowledge import Rule, format_rules, mine_rules, read_rules
    from parsimony.link.audit import audit
    from parsimony.link.data import LinkData
    from parsimony.link.embeddings.bilinear import Analogy, Bilinear, ComplEx, DistMult, SimplE
    from parsimony.link.embeddings.geometric import RotatE, TransE
    from parsimony.link.reasoning.adaprop import AdaProp
    from parsimony.link.reasoning.redgnn import RedGNN
    from parsimony.link.rules.method import RuleReasoner, apply_rules
    from parsimony.link.task import LinkTask
    from parsimony.pipeline import fit

__version__ = "0.1.0"

#: public name → the module that defines it ("" for a module of the package)
_HOME = {
    "AdaProp": "link.reasoning.adaprop",
    "Analogy": "link.embeddings.bilinear",
    "Bilinear": "link.embeddings.bilinear",
    "ComplEx": "link.embeddings.bilinear",
    "DistMult": "link.embeddings.bilinear",
    "Estimator": "base",
    "Explanation": "explain",
    "KnowledgeGraph": "graph",
    "LinkData": "link.data",
    "LinkTask": "link.task",
    "ParsimonyError": "errors",
    "RedGNN": "link.reasoning.redgnn",
    "RotatE": "link.embeddings.geometric",
    "Rule": "knowledge",
    "RuleReasoner": "link.rules.method",
    "SimplE": "link.embeddings.bilinear",
    "TransE": "link.embeddings.geometric",
    "Vocabulary": "graph",
    "apply_rules": "link.rules.method",
    "audit": "link.audit",
    "datasets": "",
    "errors": "",
    "estimators": "base",
    "fit": "pipeline",
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
