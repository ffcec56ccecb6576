"""What a fitted method takes: numbers, bits, and the graph that it walks.

**Numbers.** Those that were trained, or of a closed form the settings that it chose; a rule counts
its symbols (the relation of its head, those of its body, entities that it names) and two counts, of
the pairs that it predicts and of those that are true. A *table* has a row for each entity (drug,
item).

**Floating-point operations** are those of training, with its looks at validation where the method
counts them: a multiplication and an addition are two.

==============  ====================================================================================
embeddings      6 n m d for a batch of n queries against m candidates in d numbers: three products
                of (n × d) by (d × m), for scores, the gradient of the queries and that of the
                candidates; 2 n N d for a ranking of n queries among N entities
reasoners       2 [n_s d a + n_r d² + n_k 3 d² + n_o 3 d² + |E| (2 d + a)] for a step of n_s source
                rows, n_r reached, n_k kept and n_o old ones and |E| edges, with a numbers of
                attention; three times that with the backward pass (docs/methods/redgnn.md, eq. 2–6)
MLPs            6 per weight and example: 2 forward, 4 backward (J. Kaplan et al., arXiv 2001.08361,
                section 2.1)
other networks  counted by ``torch.utils.flop_counter`` at the first step, and so many per example
                after it (:class:`parsimony.training.network.NetworkLearner`): of products of
                matrices, without what is done number by number
==============  ====================================================================================

What is counted rather than multiplied (rules, fingerprints, walks) has no such figure; nor has
EmerGNN, whose flow runs in kernels of its own that count nothing.

**Bits.** A trained number takes 8 or 16, and each array 32 more for the scale of its 8-bit numbers;
rules, symbols and formulas are text, compressed by zlib. What a method walks or looks up when it
answers (facts, interactions, labels of other assays, ratings of others) is charged apart.
"""

from __future__ import annotations

import lzma
import zlib
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.base import Estimator, Task
from parsimony.ddi.estimator import PairEstimator
from parsimony.knowledge.rules import Constant, Rule, format_rules
from parsimony.link.estimator import LinkEstimator
from parsimony.link.task import LinkTask
from parsimony.molecules.estimator import FewShotEstimator
from parsimony.ratings.estimator import RatingEstimator

__all__ = ["bits", "compressed_bits", "counted_flops", "graph_bits", "numbers", "triples_bits"]

AnyEstimator = Estimator[Any, Any]
SCALE = 32  # bits of the scale of an array of 8-bit numbers
_COUNTS = 2  # numbers of a rule beside its symbols
#: methods whose counted operations leave out what they mostly do
_UNCOUNTED = ("emergnn",)
#: methods for ratings that read a user's own ratings alone
_BY_VECTORS = ("fm", "rating-mlp")
#: arrays with a row for each entity, by the ends of their names
_TABLES = {
    "complex": ("entity",), "distmult": ("entity",), "bilinear": ("entity",),
    "simple": ("entity",), "analogy": ("entity",), "transe": ("entity",), "rotate": ("entity",),
    "mlp": ("vectors",), "emergnn": ("fingerprints.vectors",), "ridge-head": ("vectors",),
    "coldnas": ("items.own.weight",), "film": ("items.own.weight",),
    "fm": ("asked.weight", "rated.weight", "asked_bias.weight", "rated_bias.weight"),
    "rating-mlp": ("asked.weight", "rated.weight", "asked_bias.weight", "rated_bias.weight"),
}  # fmt: skip


def numbers(estimator: AnyEstimator) -> tuple[int, int]:
    """Trained numbers of a fitted method, and those that are in no table of entities."""
    if rules := _rules(estimator):
        whole = sum(_symbols(rule) + _COUNTS for rule in rules)
        return whole, whole
    whole = int(estimator.parameters_count_) or _settled(estimator)
    ends = _TABLES.get(estimator.method, ())
    tables = sum(
        array.size for name, array in estimator._tensors().items() if ends and name.endswith(ends)
    )
    return whole, max(whole - tables, 0)


def counted_flops(estimator: AnyEstimator, counted: float) -> float | None:
    """Operations of learning as the ledger has them; None where they are not counted."""
    return counted if counted > 0 and estimator.method not in _UNCOUNTED else None


def bits(estimator: AnyEstimator) -> tuple[float, float]:
    """Stored size with 8 and with 16 bits a number, the knowledge as compressed text."""
    text = "\n".join(map(str, _knowledge(estimator)))
    told = compressed_bits(text.encode()) if text else 0.0
    if _rules(estimator):
        return told, told
    whole = numbers(estimator)[0]
    arrays = sum(array.dtype.kind == "f" for array in estimator._tensors().values())
    return 8.0 * whole + SCALE * min(arrays, whole) + told, 16.0 * whole + told


def _rules(estimator: AnyEstimator) -> list[Rule]:
    return list(getattr(estimator, "rules_", ()))


def _settled(estimator: AnyEstimator) -> int:
    """Settings that were left open and chosen on validation: all that a closed form learns."""
    given, found = estimator.parameters, estimator.resolved_
    return sum(
        getattr(given, name) is None and getattr(found, name) is not None
        for name in type(found).model_fields
    )


def _symbols(rule: Rule) -> int:
    """Relations and entities of a rule."""
    atoms = (rule.head, *rule.body)
    named = {term for atom in atoms for term in atom.terms if isinstance(term, Constant)}
    return len(atoms) + len(named)


def _knowledge(estimator: AnyEstimator) -> list[Any]:
    """What is text: rules with their evidence, or a symbol or formula that was chosen."""
    if rules := _rules(estimator):
        return [format_rules(rules)]
    if estimator.method in ("bilinear", "coldnas"):
        return estimator.knowledge(quiet=True)
    return []


def compressed_bits(text: bytes) -> float:
    """Bits of a text, compressed."""
    return 8.0 * len(zlib.compress(text, 9))


def triples_bits(triples: npt.NDArray[np.integer[Any]]) -> float:
    """Bits of facts (n, 3), which are a set: sorted, as differences, compressed."""
    if not len(triples):
        return 0.0
    rows = triples[np.lexsort((triples[:, 2], triples[:, 0], triples[:, 1]))].astype("<i4")
    columns = [np.diff(rows[:, 1], prepend=0), np.diff(rows[:, 0], prepend=0), rows[:, 2]]
    planes = np.stack(columns).astype("<i4").view(np.uint8).reshape(3, len(rows), 4)
    return 8.0 * len(lzma.compress(planes.transpose(0, 2, 1).tobytes(), preset=6))


def graph_bits(estimator: AnyEstimator, task: Task) -> float:
    """Compressed size of what a fitted method walks or looks up when it answers.

    ``task`` is the one whose graph is walked where facts are predicted: that with all labels where
    the graph was kept, else the method's own.
    """
    if isinstance(estimator, LinkEstimator):
        if estimator.by_vectors:
            return 0.0
        assert isinstance(task, LinkTask)
        graph = task.test_graph
        return _once(graph.content_hash, graph.triples.tobytes(), 3)
    if isinstance(estimator, PairEstimator):
        found = 0.0
        if estimator.relational:
            facts = estimator.task_.visible("test")
            found += _once("facts", np.ascontiguousarray(facts).tobytes(), 3)
        if estimator.graphical:
            background = estimator.task_.background.triples
            found += _once("background", np.ascontiguousarray(background).tobytes(), 3)
        return found
    if isinstance(estimator, FewShotEstimator):
        reads = getattr(estimator.resolved_, "profile", False)
        labels = estimator.task_.visible_labels[:, estimator.task_.data.train_tasks]
        return compressed_bits(np.ascontiguousarray(labels).tobytes()) if reads else 0.0
    assert isinstance(estimator, RatingEstimator)
    if estimator.method in _BY_VECTORS or not getattr(estimator.resolved_, "evidence", True):
        return 0.0
    task = estimator.task_
    known = [getattr(task.data, name)[task.known] for name in ("user", "item", "rating")]
    return sum(8.0 * len(lzma.compress(part.tobytes(), preset=6)) for part in known)


@lru_cache(maxsize=8)
def _once(of: str, raw: bytes, width: int) -> float:
    """Of facts that many runs share."""
    return triples_bits(np.frombuffer(raw, np.int32).reshape(-1, width))
