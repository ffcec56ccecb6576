"""Method "rules": mine rules from the training facts, answer by them, say which ones.

Learning is counting; validation selects how confidences are smoothed and combined and how many
rules of a relation are used. The model is its rules: ``knowledge()`` returns them, ``fit(task,
knowledge=rules)`` takes edited ones back.
"""

from __future__ import annotations

import collections
import copy
import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from parsimony.base import Fitting, constructor
from parsimony.errors import EmptySplit, FormatError
from parsimony.explain import Explanation, Faithfulness
from parsimony.explain.parts import Side
from parsimony.graph import KnowledgeGraph
from parsimony.knowledge.rule_mining import mine_rules
from parsimony.knowledge.rule_walks import without_facts
from parsimony.knowledge.rules import Rule, format_rules, parse_rule
from parsimony.link.estimator import LinkEstimator
from parsimony.link.frequency import Frequencies
from parsimony.link.question import Question
from parsimony.link.rules.choices import comparable, plans_of, way, ways_to_combine
from parsimony.link.rules.clustering import PAIRS
from parsimony.link.rules.combining import (
    BEST_TWO,
    Combination,
    Plan,
    weighed,
)
from parsimony.link.rules.constants import known_here
from parsimony.link.rules.deleting import Deletions, scores_without
from parsimony.link.rules.grounding import groundings
from parsimony.link.rules.learned_weights import PENALTIES, learned_weights
from parsimony.link.rules.parameters import RuleReasonerParameters
from parsimony.link.rules.reasons import drawn, no_path
from parsimony.link.rules.scoring import RuleScorer, apply_rules
from parsimony.link.rules.selecting import (
    chosen_by_group,
    reciprocal_ranks,
    sides_and_halves,
    spread_sample,
)
from parsimony.link.rules.small_books import choose, small_books, unlimited
from parsimony.link.rules.storing import Ways, as_tensors, read_rules, read_ways
from parsimony.link.struck_graph import StruckGraph
from parsimony.link.task import QuerySet
from parsimony.metrics import Ranks
from parsimony.run.atomic import remove_folder, write_atomic
from parsimony.run.deadline import Deadline
from parsimony.run.engine import Engine, ProcessEngine
from parsimony.run.folder import RunFolder
from parsimony.run.progress import Progress
from parsimony.run.seeds import rng
from parsimony.run.shards import Shards
from parsimony.stopping import held, stopped

__all__ = ["RuleReasoner", "RuleReasonerParameters", "apply_rules"]

IntArray = npt.NDArray[np.int32]

GAIN = 1e-3  # that rules about an entity, or learned weights, which are many, have to bring in MRR
BY_RELATION = "those that the best way to combine them needs, by relation"
MINING = 0.6  # of the time to learn
SAMPLE = 100  # validation queries of each relation and side that the choices are measured on
LEARNING = 0.4  # of the time after mining, for weights of rules
MEASURING = 0.3  # of that time, to measure them
SHORTENING = 0.5  # of the time after mining, for small books where one is wanted


class RuleReasoner(LinkEstimator[RuleReasonerParameters]):
    """Path rules and rules about an entity with exact evidence, combined by noisy-or or maximum.

    Attributes
    ----------
    rules_
        Those used, most confident first.
    """

    method: ClassVar[str] = "rules"
    paper: ClassVar[str] = "after AMIE, WWW 2013, and AnyBURL, IJCAI 2019"
    takes_knowledge: ClassVar[bool] = True
    counts_in_shards: ClassVar[bool] = True
    finishing: ClassVar[float] = 0.25
    Parameters = RuleReasonerParameters
    __init__ = constructor(RuleReasonerParameters)

    rules_: list[Rule]
    combinations_: dict[int, Combination]  # of each query relation

    def _setup(self) -> None:
        self._scorers: dict[str, RuleScorer] = {}

    def _fit(self, fitting: Fitting) -> None:
        """Mine on the training facts, or take the rules given, and select on validation.

        After three fifths of the budget no further relation is mined. The choices are measured on
        as many validation queries as the rest allows, all on the same.
        """
        budget, given = Deadline(fitting.time_budget), self.resolved_
        mining = budget.part(MINING)
        graph = self.task_.train_graph
        if fitting.knowledge is not None:
            rules = RuleScorer(fitting.knowledge.rules, graph).rules
        else:
            with held(), _shards_of(fitting) as (engine, shards):
                rules = mine_rules(
                    graph,
                    max_length=given.max_length,
                    min_support=given.min_support,
                    min_confidence=given.min_confidence,
                    per_relation=given.per_relation,
                    constants=given.constants is not False and not self.task_.inductive,
                    stop=stopped,
                    seconds=mining.left() if mining.limited else None,
                    notes=self.notes_,
                    engine=engine,
                    shards=shards,
                    quiet=fitting.quiet,
                )
        choosing = budget.part(1 - SHORTENING) if given.small else budget
        self._select(rules, choosing, fitting, whole_book=fitting.knowledge is not None)
        if given.small and self.rules_:
            self._shorten(None if given.small == "knee" else given.small, budget, fitting)
        if not self.rules_:
            self.notes_.append("warning: no rule was found: every answer scores alike")
        if stopped() or mining.passed() or budget.passed():
            self.ended_ = "interrupted" if stopped() else "time budget"
        self.parameters_count_ = self._numbers()

    def _numbers(self) -> int:
        """How many confidences and learned weights are used."""
        return len(self.rules_) + sum(int((w > 0).sum()) for w in self._learned.values())

    def _select(
        self, rules: list[Rule], deadline: Deadline, fitting: Fitting, *, whole_book: bool
    ) -> None:
        """Choose on validation how the rules of each relation and side are combined."""
        n, given = self.task_.n_relations, self.resolved_
        learn = given.learn_weights
        if learn is None:  # who says how rules are combined wants no more, nor who gives rules
            learn = given.aggregation is None and not whole_book
        whole, deadline = deadline, deadline.part(1 - LEARNING) if learn else deadline
        choices = ways_to_combine(given, rules, whole_book=whole_book)
        thresholds = sorted({c.threshold for c in choices if c.threshold})
        scorer = RuleScorer(rules, self.task_.train_graph, thresholds=thresholds)
        if thresholds and given.aggregation is None:
            within = comparable(scorer, n, deadline)
            if not any(scorer.rules_of(r) for r in within):
                choices = [c for c in choices if not c.threshold]
                thresholds = []
                self.training_notes_ += [
                    "the time is too short to tell which rules say the same: no clusters were tried"
                ] * bool(rules)
            elif len(within) < n:
                scorer.keep_apart({*range(n)} - {*within})
                self.training_notes_.append(
                    f"the time is too short to tell which rules of {n - len(within):,} of {n:,} "
                    "relations say the same: no clusters of them were tried"
                )
        try:
            valid = self.task_.queries("valid") if learn or len(choices) > 1 else None
        except EmptySplit:  # nothing to select on: the first choice
            valid = None
        chosen: npt.NDArray[np.integer] = np.zeros(2 * n, np.int64)
        overall = 0
        plans: dict[int, list[Plan]] = {}
        if valid is not None:
            asked = spread_sample(valid, SAMPLE, given.seed)
            on = scorer  # the plans' numbers of rules hold elsewhere too: path rules come first
            if valid.graph.content_hash != scorer.graph.content_hash:
                on = RuleScorer([r for r in scorer.rules if not r.names_entity], valid.graph)

            def of_relation(relation: int) -> list[Plan]:
                if relation not in plans:
                    plans[relation] = plans_of(scorer, relation, choices)
                return plans[relation]

            with Progress(len(asked), "selecting", quiet=fitting.quiet) as progress:
                reciprocal, done = reciprocal_ranks(
                    on, asked, of_relation, progress, deadline, unreached=self._rest(on)
                )
            group, half = sides_and_halves(asked, done)
            worth = reciprocal - GAIN * np.array([choice.constants for choice in choices])
            chosen = chosen_by_group(worth, group, 2 * n, half)
            overall = int(worth.mean(axis=0).argmax())
            measured = [*reciprocal.mean(axis=0).tolist()]
            measured.append(float(reciprocal[np.arange(len(group)), chosen[group]].mean()))
            for i, mrr in enumerate(measured):
                how = choices[i]._asdict() if i < len(choices) else {"aggregation": "per relation"}
                entry = {"epoch": i, "valid_mrr": mrr, **how}
                self.history_.append(entry)
                if fitting.run is not None:
                    fitting.run.log(**{k: v for k, v in entry.items() if v is not None})
            self.best_epoch_ = int(np.argmax(measured))
            self._say_how(chosen, overall, choices, group, measured)
            if done < len(valid):
                self.training_notes_.append(
                    f"how to combine rules was chosen on {done:,} of {len(valid):,} validation "
                    f"queries, at most {SAMPLE} of a relation and side (seed {given.seed})"
                )
        best = choices[overall]
        values = {"aggregation": best.aggregation, "smoothing": best.smoothing,
                  "max_rules": best.max_rules}  # fmt: skip
        if best.threshold:
            values["threshold"] = best.threshold
        if any(rule.names_entity for rule in rules) and given.constants is None:
            values["constants"] = any(choices[i].constants for i in chosen)
        self.resolved_ = given.model_copy(update=values)
        self.combinations_ = {r: choices[int(chosen[r])] for r in range(2 * n)}
        kept: set[Rule] = set()
        for r, combination in self.combinations_.items():
            own, plan = scorer.rules_of(r), plans.get(r, [])
            order = (plan[int(chosen[r])] if plan else scorer.plan(r, combination)).order
            kept.update(own[i] for i in order.tolist())
        self.rules_ = [rule for rule in dict.fromkeys(scorer.rules) if rule in kept]
        self._thresholds = thresholds
        self._labels: dict[Rule, npt.NDArray[np.int32]] = {}
        self._penalties: list[float] = []
        self._learned: dict[Rule, npt.NDArray[np.float64]] = {}
        if learn and valid is not None and rules:
            self._learn_weights(scorer, on, asked.take(np.arange(done)), whole, fitting)
        if any(c.aggregation == "clusters" for c in self.combinations_.values()):
            for r in range(n):
                labels = scorer.labels(r)
                self._labels |= dict(zip(scorer.rules_of(r), labels, strict=True))
        if scorer.clustered_on_some:
            self.training_notes_.append(
                f"of {len(scorer.clustered_on_some):,} of {n:,} relations the overlap of rules was "
                f"measured on about {PAIRS:,} of the pairs that they predict, drawn with seed 0"
            )
        if len(self.rules_) < len(rules):
            self.notes_.append(
                f"{len(self.rules_):,} of {len(rules):,} rules are used, {BY_RELATION}"
            )

    def _learn_weights(
        self, scorer: RuleScorer, on: RuleScorer, asked: QuerySet, deadline: Deadline,
        fitting: Fitting,
    ) -> None:  # fmt: skip
        """Learn weights to add to what is chosen, where validation says that they help."""
        n, seed = self.task_.n_relations, self.resolved_.seed
        combined = scorer.combined_by(self.combinations_)
        found, questions = learned_weights(
            combined, self.task_, deadline.part(1 - MEASURING), seed=seed, quiet=fitting.quiet
        )
        learned = {
            rule: weights
            for r, of in found.items()
            for rule, weights in zip(combined.rules_of(r), of, strict=True)
        }
        weighed = combined.combined_by(self.combinations_, learned, PENALTIES)

        def plans(relation: int) -> list[Plan]:
            chosen = self.combinations_[relation]
            return [weighed.plan(relation, chosen._replace(penalty=p)) for p in (0.0, *PENALTIES)]

        with Progress(len(asked), "selecting", quiet=fitting.quiet) as progress:
            reciprocal, done = reciprocal_ranks(
                on, asked, functools.cache(plans), progress, deadline, unreached=self._rest(on)
            )
        group, half = sides_and_halves(asked, done)
        asked_for = bool(self.resolved_.learn_weights)  # then none at all is no choice
        chosen = chosen_by_group(reciprocal[:, asked_for:], group, 2 * n, half) + asked_for
        for r, choice in enumerate(chosen.tolist()):
            if choice and not (r % n in found and found[r % n][:, choice - 1].any()):
                chosen[r] = 0
        sides = np.unique(group)
        with_, without = (reciprocal[np.arange(len(group)), c].mean() for c in (chosen[group], 0))
        if not asked_for and with_ - without < GAIN:
            self.training_notes_.append(
                f"weights of rules were learned on {questions:,} questions about training facts: "
                f"validation MRR {with_:.3f}, without {without:.3f}, so that none is added"
            )
            return
        for r, choice in enumerate(chosen.tolist()):
            if choice:
                penalty = PENALTIES[choice - 1]
                self.combinations_[r] = self.combinations_[r]._replace(penalty=penalty)
        for r in found:
            used = np.isin(np.arange(len(PENALTIES)), chosen[[r, r + n]] - 1)
            for rule in combined.rules_of(r):
                if (weights := learned[rule] * used).any():
                    self._learned[rule] = weights
        self._penalties = [*PENALTIES] if self._learned else []
        entry = {"epoch": len(self.history_), "valid_mrr": float(with_)}
        self.history_.append({**entry, "aggregation": "per relation, with learned weights"})
        if fitting.run is not None:
            fitting.run.log(**self.history_[-1])
        self.best_epoch_ = int(np.argmax([entry["valid_mrr"] for entry in self.history_]))
        self.training_notes_.append(
            f"weights of rules were learned on {questions:,} questions about training facts, and "
            f"are added for {np.count_nonzero(chosen[sides]):,} of {len(sides):,} relations and "
            f"sides: validation MRR {with_:.3f}, without {without:.3f}"
        )

    def _say_how(
        self, chosen: npt.NDArray[np.integer], overall: int, choices: Sequence[Combination],
        group: npt.NDArray[np.integer], measured: Sequence[float],
    ) -> None:  # fmt: skip
        """Note how rules are combined, and what choosing by relation brought."""
        sides = np.unique(group)
        ways = collections.Counter(way(choices[int(chosen[r])]) for r in sides)
        told = ", ".join(f"{each} ({count})" for each, count in ways.most_common())
        if np.all(chosen[sides] == overall):
            self.training_notes_.append(f"rules are combined by {way(choices[overall])}")
            return
        self.training_notes_.append(
            f"rules are combined by relation and side: {told}; validation MRR "
            f"{measured[-1]:.3f}, by {way(choices[overall])} for all {measured[overall]:.3f}"
        )

    def _shorten(self, most: int | None, deadline: Deadline, fitting: Fitting) -> None:
        """Replace the rules by few, weighed together; what books of other sizes keep is logged."""
        try:
            valid = self.task_.queries("valid")
        except EmptySplit:
            raise EmptySplit(
                f"{self.task_.data.name} has no validation facts to measure small books on",
                remedy="split some facts off into valid.txt and fit again",
            ) from None
        seed, n = self.resolved_.seed, self.task_.n_relations
        asked = spread_sample(valid, SAMPLE, seed)
        scorer, on = self.scorer(self.task_.train_graph), self.scorer(valid.graph)

        def rank(plans: Callable[[int], list[Plan]]) -> npt.NDArray[np.float64]:
            with Progress(len(asked), "measuring small books", quiet=fitting.quiet) as progress:
                reciprocal, done = reciprocal_ranks(
                    on, asked, functools.cache(plans), progress, deadline, unreached=self._rest(on)
                )
            group = np.repeat(asked.relation[:done], np.diff(asked.answer_ptr[: done + 1]))
            every, seen = (np.bincount(g, minlength=2 * n) for g in (valid.answer_relation, group))
            stands_for = every[group] / seen[group]
            mrr: npt.NDArray[np.float64] = stands_for @ reciprocal / stands_for.sum()
            return mrr

        books, whole = small_books(
            scorer, self.task_, rank, most=most, deadline=deadline, seed=seed, quiet=fitting.quiet
        )
        if not books:
            self.training_notes_.append(
                "warning: no small book was found: no rule leads to a training fact, or the time "
                "was too short"
            )
            return
        book, n_rules = choose(books, whole, most), len(self.rules_)
        for other in books:
            entry = {"epoch": len(self.history_), "rules": other.rules, "book_mrr": other.mrr}
            self.history_.append({**entry, "chosen": other is book})
            if fitting.run is not None:
                fitting.run.log(**self.history_[-1])
        front = ", ".join(f"{each.rules:,} → {each.mrr:.3f}" for each in books)
        self.notes_ = [note for note in self.notes_ if not note.endswith(BY_RELATION)]
        weights = "; their confidences are weights" if book.added_up else ""
        self.notes_.append(
            f"a small book: {book.rules:,} of {n_rules:,} rules keep {book.mrr / whole:.1%} of the "
            f"validation MRR, {book.mrr:.3f} of {whole:.3f}{weights}"
        )
        self.training_notes_.append(f"small books, rules → validation MRR: {front}")
        changed: dict[str, Any] = {"max_rules": None}
        if book.added_up:
            self.rules_ = weighed((scorer.rules_of(r), w) for r, w in book.weights.items())
            self.combinations_ = dict.fromkeys(range(2 * n), Combination("noisy-or"))
            changed |= {"aggregation": "noisy-or", "smoothing": 0.0, "threshold": None}
            self._thresholds, self._labels, self._penalties, self._learned = [], {}, [], {}
        else:
            own = ((scorer.rules_of(r), w) for r, w in book.weights.items())
            kept = {rules[k] for rules, w in own for k in np.flatnonzero(w).tolist()}
            self.rules_ = [rule for rule in self.rules_ if rule in kept]
            self.combinations_ = {r: unlimited(c) for r, c in self.combinations_.items()}
        self.resolved_ = self.resolved_.model_copy(update=changed)
        self._scorers.clear()

    def knowledge(self, top: int | None = None, *, quiet: bool = True) -> list[Rule]:
        """Return the rules, most confident first, with the evidence of the training facts."""
        self._require_fitted()
        return self.rules_[:top]

    def without_rules(self, texts: Sequence[str]) -> Self:
        """The same method without some of its rules, given as text; evidence is not compared.

        Raises
        ------
        FormatError
            A text that is no rule, or none of these.
        """
        gone = {parse_rule(text).clause for text in texts}
        if lacking := sorted(gone - {rule.clause for rule in self.rules_}):
            raise FormatError(
                f"no such rule is used: {lacking[0]}", remedy="name rules as the run lists them"
            )
        again = copy.copy(self)
        again.rules_ = [rule for rule in self.rules_ if rule.clause not in gone]
        again._scorers = {}
        return again

    # ---- scoring -----------------------------------------------------------------------------

    def scorer(self, graph: KnowledgeGraph) -> RuleScorer:
        """Return the rules ready to answer on a graph (made once)."""
        key = graph.content_hash
        if key not in self._scorers:
            self._scorers[key] = self._scorer(graph)
        return self._scorers[key]

    def on(self, graph: KnowledgeGraph) -> Self:
        """The rules, with the confidences that they have, on another graph."""
        again = super().on(graph)
        again._scorers = dict(self._scorers)
        return again

    def _scorer(self, graph: KnowledgeGraph) -> RuleScorer:
        if isinstance(graph, StruckGraph):
            whole = self.scorer(graph.whole)
            return whole.on(without_facts(whole.index, map(tuple, graph.struck.tolist())))
        rules = known_here(self.rules_, graph)
        return RuleScorer(
            rules, graph, combinations=self.combinations_,
            labels=self._labels or None, thresholds=self._thresholds,
            learned=self._learned, penalties=self._penalties,
        )  # fmt: skip

    def probability(self, row: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Probability that each entity is an answer, by the rules' confidences; not exclusive."""
        score = np.maximum(row, 0.0).astype(np.float64)
        old = self.combinations_[0].aggregation == BEST_TWO
        probability: npt.NDArray[np.float64] = score if old else -np.expm1(-score)
        return probability

    def _rank(self, queries: QuerySet, progress: Progress) -> Ranks:
        return self._ranks_of(self.scorer(queries.graph), queries, progress)

    def _ranks_of(self, scorer: RuleScorer, queries: QuerySet, progress: Progress) -> Ranks:
        greater, equal = scorer.rank(queries, unreached=self._rest(scorer), progress=progress)
        relation, n = queries.answer_relation, self.task_.n_relations
        return Ranks(greater, equal, relation % n, relation // n)

    def _score(
        self, head: IntArray, relation: IntArray, graph: KnowledgeGraph | None = None
    ) -> npt.NDArray[np.float32]:
        scorer = self.scorer(graph or self.task_.test_graph)
        scores = scorer.score(head, relation)
        for row, r in zip(scores, np.atleast_1d(relation).tolist(), strict=True):
            self._fill(row, r, scorer)
        return scores

    def _fill(self, row: npt.NDArray[np.float32], relation: int, scorer: RuleScorer) -> None:
        """Write the scores of what no rule reaches into a row that is 0 there."""
        if self.resolved_.unreached == "frequency":
            scorer.frequencies.fill(row, relation)
        else:
            row[row == 0] = self._unreached

    def _rest(self, scorer: RuleScorer) -> float | Frequencies:
        """What ranks entities that no rule reaches."""
        return scorer.frequencies if self.resolved_.unreached == "frequency" else self._unreached

    # ---- reasons -----------------------------------------------------------------------------

    def explain(
        self,
        head: str,
        relation: str,
        tail: str,
        *,
        side: Side = "tail",
        n_paths: int = 5,
        draws: int = 20,
        seed: int = 0,
    ) -> Explanation:
        """Say which rules lead to the answer, by which facts, and what deleting them does.

        The explained fact is taken out of the graph first, if it is there. Faithfulness compares
        deleting the named facts with deleting as many, drawn with ``seed``, that any rule walked
        for this query.

        Parameters
        ----------
        side
            "tail" explains the answer to (head, relation, ?), "head" that to (?, relation, tail).

        Returns
        -------
        Explanation

        Raises
        ------
        UnknownEntity, UnknownRelation
        InvalidParameter
            Another ``side``.
        """
        self._require_fitted()
        data = self.task_.test_data
        fact = self.encode_fact(head, relation, tail)
        question = Question.of(fact, side, self.task_.n_relations)
        scorer = self.scorer(self.task_.test_graph)
        asked = question.entity, question.relation
        without = Deletions(scorer.index, [fact])
        without.add([])
        followed, walked = without.follow(scorer, *asked)
        nodes, scores = scorer.combined(followed.under(0), question.relation)
        row = np.zeros(scorer.graph.n_entities, np.float32)
        row[nodes] = scores
        self._fill(row, question.relation, scorer)
        leading = followed.rules_to(0, question.answer).tolist()
        found = groundings(
            scorer, *fact, n_rules=n_paths, backwards=side == "head", leading=leading
        )
        evidence = sorted({edge[:3] for g in found for walk in g.walks for edge in walk})
        faithfulness = None
        if evidence and draws:
            random, n = rng(seed, "faithfulness", *question), min(len(evidence), len(walked))
            drawn_at = [random.choice(len(walked), n, replace=False) for _ in range(draws)]
            others = [[*map(without.fact, walked[at].tolist())] for at in drawn_at]
            left = scores_without(scorer, question, [fact], [evidence, *others])
            deleted, *drops = (float(row[question.answer] - score) for score in left)
            faithfulness = Faithfulness.of(
                deleted, float(np.mean(drops)), len(evidence), draws, len(walked) - len(evidence)
            )
        paths, subgraph = drawn(found, data, backwards=side == "head")
        mentioned = {head, tail} | {name for e in subgraph for name in (e.head, e.tail)}
        return Explanation(
            query=(head, relation, tail),
            score=float(row[question.answer]),
            paths=paths,
            rules=tuple(g.rule for g in found),
            subgraph=subgraph,
            faithfulness=faithfulness,
            probability=float(self.probability(row)[question.answer]),
            rank=question.rank(row, self.task_),
            labels={name: data.label(name) for name in sorted(mentioned)},
            model=self.method,
            known=self.task_.split_of(*fact) or "no",
            side=side,
            no_path=""
            if paths
            else no_path(question, fact, self.task_, self.rules_, self.resolved_.max_length),
            path_order="By weight, the confidence of the rule.",
            notes=(*self.notes_, *self._doubts([fact[0], fact[2]], fact[1])),
        )

    # ---- persistence -------------------------------------------------------------------------

    def write(self, run: RunFolder) -> None:
        """Write model, data and the rules as text into an open run folder."""
        super().write(run)
        write_atomic(run.path / "rules.txt", format_rules(self.rules_))

    def description_bytes(self) -> int:
        """Bytes of the rules as text, and of learned weights in half precision."""
        self._require_fitted()
        weights = self._numbers() - len(self.rules_)
        return len(format_rules(self.rules_).encode()) + 2 * weights

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        graph = self.task_.train_graph
        ways = Ways(
            self.combinations_, self._thresholds, self._labels, self._penalties, self._learned
        )
        return as_tensors(self.rules_, ways, graph)

    def _restore(self, run: RunFolder, tensors: dict[str, npt.NDArray[Any]]) -> None:
        graph = self.task_.train_graph
        self.rules_ = read_rules(tensors, graph)
        ways = read_ways(tensors, self.rules_, graph)
        self.combinations_, self._thresholds, self._labels, self._penalties, self._learned = ways
        if "combination" not in tensors:  # before 0.2: one way for all relations
            one = self.combinations_[0]
            aggregation = "max" if one.aggregation == BEST_TWO else one.aggregation
            values = {"aggregation": aggregation, "smoothing": one.smoothing}
            self.resolved_ = self._validate(self.resolved_.model_dump() | values)
        self.parameters_count_ = self._numbers()


@contextmanager
def _shards_of(fitting: Fitting) -> Iterator[tuple[Engine | None, Shards]]:
    """Where to count, and where in the run finished shards are kept until all is counted."""
    engine = fitting.engine or (ProcessEngine(fitting.workers) if fitting.workers > 1 else None)
    folder = None if fitting.run is None else fitting.run.path / "shards"
    if engine is not None and folder is not None:
        folder.mkdir(exist_ok=True)
    try:
        yield engine, Shards(folder)
    finally:
        if engine is not None and engine is not fitting.engine:
            engine.close()
    if folder is not None:  # also where a run that was begun with an engine ends without one
        remove_folder(folder)
