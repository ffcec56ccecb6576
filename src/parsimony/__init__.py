"""Parsimony: from a graph to answers with reasons.

>>> import parsimony
>>> model, summary = parsimony.fit("royal", "redgnn", epochs=3)  # doctest: +SKIP
>>> print(model.predict("Leopold_I_of_Belgium", "uncle")["answers"][0])  # doctest: +SKIP

Every name below is imported when it is first used, so that ``import parsimony`` costs nothing.
"""

from __future__ import annotations

from parsimony.lazy import TYPE_CHECKING, lazy
from parsimony.version import __version__

if TYPE_CHECKING:
    from parsimony import datasets, errors
    from parsimony.answers import Answers, Measures
    from parsimony.base import Estimator, Parameters, Task
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
    from parsimony.methods import estimators, load_run, register, resolve
    from parsimony.problems import load, open_task
    from parsimony.search.fitting import fit

#: public name → the module that defines it ("" for a module of the package)
_HOME = {
    "AdaProp": "link.reasoning.adaprop",
    "Analogy": "link.embeddings.bilinear",
    "Answers": "answers",
    "Bilinear": "link.embeddings.bilinear",
    "ComplEx": "link.embeddings.bilinear",
    "DistMult": "link.embeddings.bilinear",
    "Estimator": "base",
    "Explanation": "explain",
    "KnowledgeGraph": "graph",
    "LinkData": "link.data",
    "LinkTask": "link.task",
    "Measures": "answers",
    "Parameters": "base",
    "ParsimonyError": "errors",
    "RedGNN": "link.reasoning.redgnn",
    "RotatE": "link.embeddings.geometric",
    "Rule": "knowledge",
    "RuleReasoner": "link.rules.method",
    "SimplE": "link.embeddings.bilinear",
    "Task": "base",
    "TransE": "link.embeddings.geometric",
    "Vocabulary": "graph",
    "apply_rules": "link.rules.method",
    "audit": "link.audit",
    "datasets": "",
    "errors": "",
    "estimators": "methods",
    "fit": "search.fitting",
    "format_rules": "knowledge",
    "load": "problems",
    "load_run": "methods",
    "mine_rules": "knowledge",
    "open_task": "problems",
    "read_rules": "knowledge",
    "register": "methods",
    "resolve": "methods",
}

__all__ = [
    "AdaProp",
    "Analogy",
    "Answers",
    "Bilinear",
    "ComplEx",
    "DistMult",
    "Estimator",
    "Explanation",
    "KnowledgeGraph",
    "LinkData",
    "LinkTask",
    "Measures",
    "Parameters",
    "ParsimonyError",
    "RedGNN",
    "RotatE",
    "Rule",
    "RuleReasoner",
    "SimplE",
    "Task",
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
    "load",
    "load_run",
    "mine_rules",
    "open_task",
    "read_rules",
    "register",
    "resolve",
]

__getattr__ = lazy(__name__, _HOME)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
