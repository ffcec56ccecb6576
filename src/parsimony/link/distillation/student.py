"""From a fitted model to a weighted rule book of chosen size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.errors import EmptySplit, InvalidParameter, UsageError
from parsimony.graph import KnowledgeGraph
from parsimony.knowledge import Rule, mine_rules, parse_rule
from parsimony.knowledge.rule_branches import Branch, encode_branch, entity_ids
from parsimony.knowledge.rule_counts import encode_rule, relation_names
from parsimony.link.distillation.fidelity import Fidelity, HeldOut
from parsimony.link.distillation.questions import asked_questions
from parsimony.link.distillation.weights import Weighing
from parsimony.link.estimator import LinkEstimator
from parsimony.link.rules.combining import LEAST, weighed
from parsimony.link.rules.evidence import gather, training_parts
from parsimony.link.rules.scoring import RuleScorer
from parsimony.link.task import LinkTask
from parsimony.run.deadline import Deadline
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng

__all__ = ["Distilled", "distil", "mined_candidates"]

Floats = npt.NDArray[np.float64]
PER_RELATION = 400  # mined candidates of a relation
OF_MODEL = 10_000  # rules read out of the model
STEPS, REFIT, HURRIED = 150, 40, 10  # of the solver; HURRIED where the time is over
#: parts of the time: mining; of what is left then asking training questions, and held-out ones
MINING, ASKING, HELD_OUT = 0.2, 0.4, 0.25
SHRINK = 1.6  # from one size to the next
SIZES = 14
KNEE = 0.99  # of the best agreement: the fewest rules that reach it


@dataclass(frozen=True)
class Distilled:
    """A book and how faithful it is.

    Attributes
    ----------
    rules
        Confidences are 1 - exp(-weight); support and body count are those of the training facts.
        To be combined by noisy-or.
    fidelity
        Of the book, on validation.
    curve
        Of books of other sizes, ascending.
    model_mrr
        Filtered, of the model on the same questions.
    candidates, questions
        How many rules were weighed, on how many training questions.
    held_out
        Validation facts and sides that fidelity was measured on.
    notes
        What was sampled or chosen.
    """

    rules: tuple[Rule, ...]
    fidelity: Fidelity
    curve: tuple[Fidelity, ...]
    model_mrr: float
    candidates: int
    questions: int
    held_out: int
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """All but the rules, JSON-able."""
        return {
            "fidelity": asdict(self.fidelity),
            "curve": [asdict(point) for point in self.curve],
            "model_mrr": self.model_mrr,
            "candidates": self.candidates,
            "questions": self.questions,
            "held_out": self.held_out,
        }


def distil(
    model: LinkEstimator[Any],
    *,
    rules: int | None = None,
    candidates: Iterable[Rule] = (),
    mine: bool = True,
    held_out: int = 1000,
    deadline: Deadline | None = None,
    seed: int = 0,
    quiet: bool = True,
) -> Distilled:
    """Fit the weights of rules to the scores of a model.

    Candidates are the path rules mined from the training facts and those read out of the model.
    The rules of a relation are weighed on training facts, which are taken out of the graph that
    model and rules walk (:mod:`parsimony.link.distillation.weights`). From the whole book down,
    the rules whose absence costs least are dropped and the others weighed again; each size is
    measured on validation.

    Parameters
    ----------
    model
        Any fitted link estimator.
    rules
        Most rules of the book, ≥ 1. By default the fewest whose top-1 agreement is at least
        99 % of the best on the curve.
    candidates
        More rules to weigh.
    mine
        Whether rules are mined to be candidates.
    deadline
        Until when: fewer questions are asked and fewer sizes tried where it is near, and a note
        says so.
    held_out
        Most validation queries that fidelity is measured on.
    seed
        Of what is drawn.
    quiet
        Show no progress.

    Raises
    ------
    InvalidParameter
        ``rules`` or ``held_out`` below 1.
    EmptySplit
        No validation facts.
    UsageError
        Rules explain nothing of what the model answers.
    """
    for name, value in (("rules", 1 if rules is None else rules), ("held_out", held_out)):
        if value < 1:
            raise InvalidParameter(f"{name} is {value}", remedy="use 1 or more")
    task = model.task_
    if not task.count("valid"):
        raise EmptySplit(
            f"{task.data.name} has no validation facts to measure the book on",
            remedy="split some facts off into valid.txt and fit again",
        )
    until = deadline or Deadline()
    book, notes = _candidates(model, candidates, until.part(MINING), mine=mine, quiet=quiet)
    weighed = _Weighed(model, book, seed=seed, deadline=until.part(ASKING), quiet=quiet)
    if weighed.asked < weighed.whole:
        notes.append(
            f"the rules are weighed on {weighed.asked:,} of {weighed.whole:,} training queries: "
            "the time was over"
        )
    if not weighed.evidence:
        raise UsageError(
            f"no rule leads to what method {model.method} answers: there is nothing to distil",
            remedy="fit a method that walks the graph, or data whose relations depend on another",
        )
    held = HeldOut(
        model,
        task.queries("valid"),
        most=held_out,
        seed=seed,
        quiet=quiet,
        deadline=until.part(HELD_OUT),
    )
    if held.whole > len(held.queries):
        notes.append(
            f"fidelity is measured on {len(held.queries):,} of {held.whole:,} validation queries, "
            f"drawn with seed {seed}"
        )
    books: dict[int, tuple[Rule, ...]] = {}
    points: list[Fidelity] = []
    weights = weighed.fit(until)
    sizes = _sizes(sum(int((w > LEAST).sum()) for w in weights.values()), rules)
    with Progress(len(sizes), "distilling", quiet=quiet) as progress:
        for i, size in enumerate(sizes):
            if points and until.passed():
                notes.append(f"the time was over after {i} of {len(sizes)} sizes")
                break
            if i:
                weights = weighed.shrink(weights, size)
            made = weighed.book(weights)
            if made and len(made) not in books:
                books[len(made)] = made
                points.append(held.measure(made))
            progress.advance(1)
    points.sort(key=lambda point: point.rules)
    chosen = _knee(points) if rules is None else _within(points, rules)
    return Distilled(
        books[chosen.rules], chosen, tuple(points), held.ranks.metrics()["mrr"], len(book),
        weighed.questions, len(held.ranks), tuple(notes),
    )  # fmt: skip


def _candidates(
    model: LinkEstimator[Any], more: Iterable[Rule], deadline: Deadline, *, mine: bool, quiet: bool
) -> tuple[list[Rule], list[str]]:
    """The rules to weigh, of rules that walk alike one, and notes."""
    graph, notes = model.task_.train_graph, list[str]()
    mined = mined_candidates(model.task_, deadline, notes) if mine else []
    own: list[Any]
    if deadline.limited:
        told = model.knowledge_table(OF_MODEL, quiet=quiet, deadline=deadline)
        own = [parse_rule(line) for line in told.get("rules", ())]
    else:
        own = [r for r in model.knowledge(top=OF_MODEL, quiet=quiet) if isinstance(r, Rule)]
    encoder = _Encoder(graph)
    found: dict[_Encoded, Rule] = {}
    for rule in (*more, *own, *mined):
        try:
            found.setdefault(encoder(rule), rule)
        except InvalidParameter:  # its body is no path between its variables
            continue
    return [rule for rule in found.values() if not rule.is_trivial], notes


def mined_candidates(task: LinkTask, deadline: Deadline, notes: list[str]) -> list[Rule]:
    """Mine rules to be weighed: many of each relation, also those with little evidence."""
    return mine_rules(
        task.train_graph, min_support=2, min_confidence=0.01, per_relation=PER_RELATION,
        constants=not task.inductive, seconds=deadline.left() if deadline.limited else None,
        notes=notes,
    )  # fmt: skip


_Encoded = Branch | tuple[int, tuple[int, ...]]


class _Encoder:
    """Rules by ids: head and path, or what is about an entity."""

    def __init__(self, graph: KnowledgeGraph) -> None:
        self.relations = {name: i for i, name in enumerate(relation_names(graph))}
        self.entities = entity_ids(graph)

    def __call__(self, rule: Rule) -> _Encoded:
        if rule.names_entity:
            return encode_branch(rule, self.relations, self.entities)
        return encode_rule(rule, self.relations)


def _sizes(whole: int, wanted: int | None) -> list[int]:
    """Sizes of books from the whole one down."""
    sizes = {max(1, round(whole / SHRINK**k)) for k in range(SIZES)}
    if wanted is not None:
        sizes.add(min(wanted, whole))
    return sorted(sizes, reverse=True)


def _knee(points: Sequence[Fidelity]) -> Fidelity:
    """The smallest book that agrees nearly as often as any."""
    enough = KNEE * max(point.top1 for point in points)
    return next(point for point in points if point.top1 >= enough)


def _within(points: Sequence[Fidelity], most: int) -> Fidelity:
    """The largest book of at most so many rules."""
    return max((p for p in points if p.rules <= most), key=lambda p: p.rules, default=points[0])


class _Weighed:
    """Candidate rules by relation, with what they do on the training questions."""

    def __init__(
        self,
        model: LinkEstimator[Any],
        rules: Sequence[Rule],
        *,
        seed: int,
        deadline: Deadline,
        quiet: bool,
    ) -> None:
        scorer = RuleScorer(rules, model.task_.train_graph, aggregation="noisy-or")
        parts = training_parts(model.task_, seed)
        if deadline.limited:  # so that any first part is a sample
            parts = [part.take(rng(seed, "part").permutation(len(part))) for part in parts]
        self.whole = sum(map(len, parts))
        with Progress(self.whole, "asking the model", quiet=quiet) as progress:
            found = gather(
                scorer,
                takewhile(lambda _: not (progress.done and deadline.passed()), parts),
                lambda part, on: asked_questions(model, part, on, progress, seed, deadline.passed),
            )
            self.asked = progress.done
        self.questions = sum(len(of.ptr) - 1 for of in found.values())
        self.evidence = {r: Weighing(*of) for r, of in found.items()}
        self.rules = {r: scorer.rules_of(r) for r in found}

    def fit(self, deadline: Deadline) -> dict[int, Floats]:
        """Weights of all rules of every relation; rougher ones once the deadline has passed."""
        return {
            r: of.fit(
                np.full(of.fires.shape[1], 0.1), np.arange(of.fires.shape[1]),
                HURRIED if deadline.passed() else STEPS,
            )
            for r, of in self.evidence.items()
        }  # fmt: skip

    def shrink(self, weights: dict[int, Floats], size: int) -> dict[int, Floats]:
        """Keep the rules whose absence costs most, and weigh them again."""
        costs = {r: of.losses(weights[r]) for r, of in self.evidence.items()}
        ranked = sorted(
            ((-costs[r][k], r, int(k)) for r in costs for k in np.flatnonzero(weights[r] > LEAST)),
        )[:size]
        kept: dict[int, list[int]] = {r: [] for r in costs}
        for _, r, k in ranked:
            kept[r].append(k)
        return {
            r: of.fit(weights[r], np.array(sorted(kept[r]), np.intp), REFIT)
            for r, of in self.evidence.items()
        }

    def book(self, weights: dict[int, Floats]) -> tuple[Rule, ...]:
        """The rules that weigh something, most confident first."""
        return tuple(weighed((self.rules[r], w) for r, w in weights.items()))
