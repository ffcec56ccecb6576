"""What rules do on training questions: which lead to which candidates.

A training fact is asked about on a graph that does not hold it, so that no rule is judged by the
facts that it was mined from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from parsimony.graph import KnowledgeGraph
from parsimony.knowledge.rule_walks import build_walk_index
from parsimony.link.rules.scoring import RuleScorer
from parsimony.link.task import LinkTask, QuerySet
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng

__all__ = ["Evidence", "Question", "gather", "kept_apart", "training_parts", "true_questions"]

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
FACTS = 150  # drawn of each relation
PARTS = 8
FEW = 10  # validation facts of a relation
RIVALS, OTHERS = 20, 5  # wrong answers: those that the rules rank highest, and others by chance


@dataclass(frozen=True)
class Question:
    """A query (entity, relation, ?), its candidates, and how right each is, 1 in sum.

    ``score`` is what the rules together give each candidate, where that is asked for.
    """

    entity: int
    relation: int
    candidates: Ints
    target: Floats
    score: Floats | None = None


class Evidence(NamedTuple):
    """What the rules of one relation do on training questions.

    Attributes
    ----------
    fires : sparse (n_rows, n_rules)
        A row per candidate of a question: 1 where the rule leads to it.
    target : (n_rows,)
        How right each candidate is, 1 in sum over a question.
    ptr : (n_questions + 1,)
        The rows of each question.
    score : (n_rows,)
        What the rules together give each candidate; 0 where the questions do not say.
    """

    fires: Any
    target: Floats
    ptr: Longs
    score: Floats | None = None

    def softmax(self, score: Floats) -> tuple[Floats, Floats]:
        """Probabilities of a question's candidates, and the logarithm of its partition sum.

        ``score`` is (n_rows,); the sums are (n_questions,).
        """
        first, size = self.ptr[:-1], np.diff(self.ptr)
        top = np.maximum.reduceat(score, first)
        p = np.exp(score - np.repeat(top, size))
        total = np.add.reduceat(p, first)
        return p / np.repeat(total, size), np.log(total) + top


def training_parts(
    task: LinkTask, seed: int, *, facts: int = FACTS, apart: Flags | None = None
) -> list[QuerySet]:
    """Return queries about training facts, each on a graph that does not hold these facts.

    At most ``facts`` of a relation are drawn; they are left out in :data:`PARTS` parts. Where the
    protocol has training queries of its own, which no walk uses, those are drawn from. Of the
    relations ``apart`` the graph holds no other fact between the two entities asked about either.
    """
    fixed, random = task.training_queries, rng(seed, "distil")
    asked = task.data.train if fixed is None else fixed
    shuffled = asked[random.permutation(len(asked))]
    order = np.argsort(shuffled[:, 1], kind="stable")
    relation = shuffled[order, 1]
    nth = np.arange(len(order)) - np.searchsorted(relation, relation)
    drawn = shuffled[order[nth < facts]]
    drawn = drawn[random.permutation(len(drawn))]
    if fixed is not None:
        return [task.query_set(drawn, task.train_graph, task.training_answers)]
    none = np.zeros(task.n_relations, bool)
    parts = [part for part in np.array_split(drawn, PARTS) if len(part)]
    return [
        task.query_set(
            part, _without(task, part, none if apart is None else apart), task.training_answers
        )
        for part in parts
    ]


def kept_apart(task: LinkTask) -> Flags:
    """Say of which relations validation asks for pairs that no training fact joins.

    Of these, other facts join the two entities of validation facts less than half as often as those
    of training facts: the split was made so, and training questions have to be made alike. Of
    relations with few validation facts all relations together decide.
    """
    if task.training_queries is not None or not len(task.data.valid):
        return np.zeros(task.n_relations, bool)
    train, valid = task.data.train, task.data.valid
    pairs, count = np.unique(_pair(task, train), return_counts=True)
    shares = []
    for facts, least in ((train, 2), (valid, 1)):
        pair = _pair(task, facts)
        at = np.minimum(np.searchsorted(pairs, pair), len(pairs) - 1)
        joined = (pairs[at] == pair) & (count[at] >= least)
        of, n = (
            np.bincount(facts[:, 1], weights, task.n_relations)
            for weights in (joined, np.ones(len(facts)))
        )
        few = n < FEW
        of[few], n[few] = joined.sum(), len(facts)
        shares.append(of / n)
    found: Flags = shares[1] < shares[0] / 2
    return found


def _pair(task: LinkTask, facts: npt.NDArray[np.int32]) -> Longs:
    """A number for the two entities of each fact."""
    low, high = np.sort(facts[:, [0, 2]].astype(np.int64), axis=1).T
    found: Longs = low * task.data.n_entities + high
    return found


def _without(task: LinkTask, facts: npt.NDArray[np.int32], apart: Flags) -> KnowledgeGraph:
    """The training graph without some facts, however often each is stated."""
    data = task.data

    def key(rows: npt.NDArray[np.int32]) -> Longs:
        h, r, t = rows.astype(np.int64).T
        keys: Longs = (h * data.n_relations + r) * data.n_entities + t
        return keys

    left_out = np.isin(key(data.train), key(facts))
    left_out |= np.isin(_pair(task, data.train), _pair(task, facts[apart[facts[:, 1]]]))
    return KnowledgeGraph(
        data.train[~left_out], data.n_entities, data.n_relations, data.entities, data.relations
    )


def true_questions(
    queries: QuerySet, scorer: RuleScorer, progress: Progress, seed: int, over: Callable[[], bool]
) -> Iterator[Question]:
    """Ask for training facts: the answers that some rule leads to, and the strongest wrong ones."""
    random = rng(seed, "candidates")
    score = np.zeros(scorer.graph.n_entities)
    for i in range(len(queries)):
        if over():
            return
        x, r = int(queries.head[i]), int(queries.relation[i])
        answers = queries.answer[queries.answer_ptr[i] : queries.answer_ptr[i + 1]]
        known = queries.known[queries.known_ptr[i] : queries.known_ptr[i + 1]]
        nodes, strength = scorer.reached(x, r)
        right = np.intersect1d(answers, nodes)
        progress.advance(1)
        if not len(right):
            continue
        open_ = ~np.isin(nodes, known)
        rivals = nodes[open_][np.argsort(-strength[open_], kind="stable")[:RIVALS]]
        others = random.integers(scorer.graph.n_entities, size=OTHERS)
        wrong = np.setdiff1d(np.union1d(rivals, others), np.union1d(known, answers))
        if len(wrong):
            target = np.repeat([1 / len(right), 0.0], [len(right), len(wrong)])
            candidates = np.concatenate([right, wrong]).astype(np.int32)
            score[nodes] = strength
            of_candidates = score[candidates]
            score[nodes] = 0
            yield Question(x, r, candidates, target, of_candidates)


def gather(
    scorer: RuleScorer,
    parts: Iterable[QuerySet],
    ask: Callable[[QuerySet, RuleScorer], Iterator[Question]],
) -> dict[int, Evidence]:
    """Ask the questions of every part, and see which rules lead to which candidates.

    Parameters
    ----------
    scorer
        The rules, numbered as by its ``rules_of``.
    parts
        Queries, each part on the graph that is walked for it.
    ask
        The questions of a part; it is given the rules on the part's graph.

    Returns
    -------
    dict
        By relation, of those that are asked about and have rules.
    """
    n, column = scorer.index.n_relations, np.full(scorer.graph.n_entities, -1, np.int32)
    gathered: dict[int, _Gathered] = {}
    for part in parts:
        on = scorer.on(build_walk_index(part.graph))
        for question in ask(part, on):
            if scorer.rules_of(question.relation):
                of = gathered.setdefault(question.relation % n, _Gathered())
                of.add(question, *_firings(on, question, column))
    return {r: of.evidence(len(scorer.rules_of(r))) for r, of in gathered.items()}


def _firings(scorer: RuleScorer, question: Question, column: Ints) -> tuple[Ints, Ints]:
    """Return (row, rule) of every rule that leads to a candidate; ``column`` is scratch of -1."""
    rule, ptr, entity = scorer.fired(question.entity, question.relation)
    column[question.candidates] = np.arange(len(question.candidates), dtype=np.int32)
    rows = column[entity]
    column[question.candidates] = -1
    known = rows >= 0
    return rows[known], np.repeat(rule, np.diff(ptr))[known]


@dataclass
class _Gathered:
    """The questions about one relation, as they come."""

    sizes: list[int] = field(default_factory=list)
    targets: list[Floats] = field(default_factory=list)
    scores: list[Floats] = field(default_factory=list)
    rows: list[Longs] = field(default_factory=list)
    rules: list[Ints] = field(default_factory=list)
    n_rows: int = 0

    def add(self, question: Question, rows: Ints, rules: Ints) -> None:
        self.rows.append(rows.astype(np.int64) + self.n_rows)
        self.rules.append(rules)
        self.targets.append(question.target)
        none = np.zeros(len(question.candidates))
        self.scores.append(none if question.score is None else question.score)
        self.sizes.append(len(question.candidates))
        self.n_rows += len(question.candidates)

    def evidence(self, n_rules: int) -> Evidence:
        rows, rules = np.concatenate(self.rows), np.concatenate(self.rules)
        shape = self.n_rows, n_rules
        fires = sparse.csr_array((np.ones(len(rows)), (rows, rules)), shape=shape)
        ptr = np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64)
        return Evidence(fires, np.concatenate(self.targets), ptr, np.concatenate(self.scores))
