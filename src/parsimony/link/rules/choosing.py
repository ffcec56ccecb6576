"""What validation chooses of mined rules: how they are combined, which are used, a small book."""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.errors import EmptySplit
from parsimony.knowledge.rules import Rule
from parsimony.link.frequency import Frequencies
from parsimony.link.rules.choices import comparable, plans_of, way, ways_to_combine
from parsimony.link.rules.clustering import PAIRS
from parsimony.link.rules.combining import Combination, Plan, weighed
from parsimony.link.rules.learned_weights import PENALTIES, learned_weights
from parsimony.link.rules.parameters import RuleReasonerParameters
from parsimony.link.rules.scoring import RuleScorer
from parsimony.link.rules.selecting import (
    chosen_by_group,
    reciprocal_ranks,
    sides_and_halves,
    spread_sample,
)
from parsimony.link.rules.small_books import choose, small_books, unlimited
from parsimony.link.rules.ways import Ways
from parsimony.link.task import LinkTask, QuerySet
from parsimony.run.deadline import Deadline
from parsimony.run.progress import Progress

__all__ = ["Choosing"]

GAIN = 1e-3  # that rules about an entity, or learned weights, which are many, have to bring in MRR
BY_RELATION = "those that the best way to combine them needs, by relation"
SAMPLE = 100  # validation queries of each relation and side that the choices are measured on
LEARNING = 0.4  # of the time after mining, for weights of rules
MEASURING = 0.3  # of that time, to measure them


class Choosing:
    """The choices that are made of rules, and what is said of them.

    Parameters
    ----------
    task
        What is learned.
    given
        The parameters; what they leave open is chosen and filled in.
    rules
        Mined, or of a book.
    rest
        What ranks entities that no rule of a scorer reaches.
    log
        Takes each record of what was measured.
    quiet
        Show no progress.

    Attributes
    ----------
    rules
        Those that are used.
    ways
        How they are combined.
    notes, training_notes
        What is said of the model, and of how it was made.
    history
        A record of everything that was measured on validation.
    """

    def __init__(
        self, task: LinkTask, given: RuleReasonerParameters, rules: list[Rule], *,
        rest: Callable[[RuleScorer], float | Frequencies], log: Callable[..., None], quiet: bool,
    ) -> None:  # fmt: skip
        self.task, self.given, self.rules = task, given, rules
        self._rest, self._record, self.quiet = rest, log, quiet
        self.combinations: dict[int, Combination] = {}
        self.thresholds: list[float] = []
        self.labels: dict[Rule, npt.NDArray[np.int32]] = {}
        self.penalties: list[float] = []
        self.learned: dict[Rule, npt.NDArray[np.float64]] = {}
        self.notes: list[str] = []
        self.training_notes: list[str] = []
        self.history: list[dict[str, Any]] = []

    @property
    def ways(self) -> Ways:
        """How the rules are combined."""
        return Ways(self.combinations, self.thresholds, self.labels, self.penalties, self.learned)

    @property
    def best(self) -> int:
        """The record with the highest MRR on validation."""
        return int(np.argmax([entry.get("valid_mrr", 0.0) for entry in self.history] or [0.0]))

    def _log(self, **measured: Any) -> None:
        entry = {"epoch": len(self.history), **measured}
        self.history.append(entry)
        self._record(**{name: value for name, value in entry.items() if value is not None})

    def select(self, deadline: Deadline, *, whole_book: bool) -> None:
        """Choose on validation how the rules of each relation and side are combined."""
        n, given, rules = self.task.n_relations, self.given, self.rules
        learn = given.learn_weights
        if learn is None:  # who says how rules are combined wants no more, nor who gives rules
            learn = given.aggregation is None and not whole_book
        whole, deadline = deadline, deadline.part(1 - LEARNING) if learn else deadline
        choices = ways_to_combine(given, rules, whole_book=whole_book)
        thresholds = sorted({c.threshold for c in choices if c.threshold})
        scorer = RuleScorer(rules, self.task.train_graph, thresholds=thresholds)
        if thresholds and given.aggregation is None:
            within = comparable(scorer, n, deadline)
            if not any(scorer.rules_of(r) for r in within):
                choices = [c for c in choices if not c.threshold]
                thresholds = []
                self.training_notes += [
                    "the time is too short to tell which rules say the same: no clusters were tried"
                ] * bool(rules)
            elif len(within) < n:
                scorer.keep_apart({*range(n)} - {*within})
                self.training_notes.append(
                    f"the time is too short to tell which rules of {n - len(within):,} of {n:,} "
                    "relations say the same: no clusters of them were tried"
                )
        try:
            valid = self.task.queries("valid") if learn or len(choices) > 1 else None
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

            with Progress(len(asked), "selecting", quiet=self.quiet) as progress:
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
                self._log(valid_mrr=mrr, **how)
            self._say_how(chosen, overall, choices, group, measured)
            if done < len(valid):
                self.training_notes.append(
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
        self.given = given.model_copy(update=values)
        self.combinations = {r: choices[int(chosen[r])] for r in range(2 * n)}
        kept: set[Rule] = set()
        for r, combination in self.combinations.items():
            own, plan = scorer.rules_of(r), plans.get(r, [])
            order = (plan[int(chosen[r])] if plan else scorer.plan(r, combination)).order
            kept.update(own[i] for i in order.tolist())
        self.rules = [rule for rule in dict.fromkeys(scorer.rules) if rule in kept]
        self.thresholds = thresholds
        if learn and valid is not None and rules:
            self._learn_weights(scorer, on, asked.take(np.arange(done)), whole)
        if any(c.aggregation == "clusters" for c in self.combinations.values()):
            for r in range(n):
                labels = scorer.labels(r)
                self.labels |= dict(zip(scorer.rules_of(r), labels, strict=True))
        if scorer.clustered_on_some:
            self.training_notes.append(
                f"of {len(scorer.clustered_on_some):,} of {n:,} relations the overlap of rules was "
                f"measured on about {PAIRS:,} of the pairs that they predict, drawn with seed 0"
            )
        if len(self.rules) < len(rules):
            self.notes.append(
                f"{len(self.rules):,} of {len(rules):,} rules are used, {BY_RELATION}"
            )

    def _learn_weights(
        self, scorer: RuleScorer, on: RuleScorer, asked: QuerySet, deadline: Deadline
    ) -> None:
        """Learn weights to add to what is chosen, where validation says that they help."""
        n, seed = self.task.n_relations, self.given.seed
        combined = scorer.combined_by(self.combinations)
        found, questions = learned_weights(
            combined, self.task, deadline.part(1 - MEASURING), seed=seed, quiet=self.quiet
        )
        learned = {
            rule: weights
            for r, of in found.items()
            for rule, weights in zip(combined.rules_of(r), of, strict=True)
        }
        weighed = combined.combined_by(self.combinations, learned, PENALTIES)

        def plans(relation: int) -> list[Plan]:
            chosen = self.combinations[relation]
            return [weighed.plan(relation, chosen._replace(penalty=p)) for p in (0.0, *PENALTIES)]

        with Progress(len(asked), "selecting", quiet=self.quiet) as progress:
            reciprocal, done = reciprocal_ranks(
                on, asked, functools.cache(plans), progress, deadline, unreached=self._rest(on)
            )
        group, half = sides_and_halves(asked, done)
        asked_for = bool(self.given.learn_weights)  # then none at all is no choice
        chosen = chosen_by_group(reciprocal[:, asked_for:], group, 2 * n, half) + asked_for
        for r, choice in enumerate(chosen.tolist()):
            if choice and not (r % n in found and found[r % n][:, choice - 1].any()):
                chosen[r] = 0
        sides = np.unique(group)
        with_, without = (reciprocal[np.arange(len(group)), c].mean() for c in (chosen[group], 0))
        if not asked_for and with_ - without < GAIN:
            self.training_notes.append(
                f"weights of rules were learned on {questions:,} questions about training facts: "
                f"validation MRR {with_:.3f}, without {without:.3f}, so that none is added"
            )
            return
        for r, choice in enumerate(chosen.tolist()):
            if choice:
                penalty = PENALTIES[choice - 1]
                self.combinations[r] = self.combinations[r]._replace(penalty=penalty)
        for r in found:
            used = np.isin(np.arange(len(PENALTIES)), chosen[[r, r + n]] - 1)
            for rule in combined.rules_of(r):
                if (weights := learned[rule] * used).any():
                    self.learned[rule] = weights
        self.penalties = [*PENALTIES] if self.learned else []
        self._log(valid_mrr=float(with_), aggregation="per relation, with learned weights")
        self.training_notes.append(
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
            self.training_notes.append(f"rules are combined by {way(choices[overall])}")
            return
        self.training_notes.append(
            f"rules are combined by relation and side: {told}; validation MRR "
            f"{measured[-1]:.3f}, by {way(choices[overall])} for all {measured[overall]:.3f}"
        )

    def shorten(self, most: int | None, deadline: Deadline) -> None:
        """Replace the rules by few, weighed together; what books of other sizes keep is logged."""
        try:
            valid = self.task.queries("valid")
        except EmptySplit:
            raise EmptySplit(
                f"{self.task.data.name} has no validation facts to measure small books on",
                remedy="split some facts off into valid.txt and fit again",
            ) from None
        seed, n = self.given.seed, self.task.n_relations
        asked = spread_sample(valid, SAMPLE, seed)
        scorer, on = (self.ways.scorer(self.rules, g) for g in (self.task.train_graph, valid.graph))

        def rank(plans: Callable[[int], list[Plan]]) -> npt.NDArray[np.float64]:
            with Progress(len(asked), "measuring small books", quiet=self.quiet) as progress:
                reciprocal, done = reciprocal_ranks(
                    on, asked, functools.cache(plans), progress, deadline, unreached=self._rest(on)
                )
            group = np.repeat(asked.relation[:done], np.diff(asked.answer_ptr[: done + 1]))
            every, seen = (np.bincount(g, minlength=2 * n) for g in (valid.answer_relation, group))
            stands_for = every[group] / seen[group]
            mrr: npt.NDArray[np.float64] = stands_for @ reciprocal / stands_for.sum()
            return mrr

        books, whole = small_books(
            scorer, self.task, rank, most=most, deadline=deadline, seed=seed, quiet=self.quiet
        )
        if not books:
            self.training_notes.append(
                "warning: no small book was found: no rule leads to a training fact, or the time "
                "was too short"
            )
            return
        book, n_rules = choose(books, whole, most), len(self.rules)
        for other in books:
            self._log(rules=other.rules, book_mrr=other.mrr, chosen=other is book)
        front = ", ".join(f"{each.rules:,} → {each.mrr:.3f}" for each in books)
        self.notes = [note for note in self.notes if not note.endswith(BY_RELATION)]
        weights = "; their confidences are weights" if book.added_up else ""
        self.notes.append(
            f"a small book: {book.rules:,} of {n_rules:,} rules keep {book.mrr / whole:.1%} of the "
            f"validation MRR, {book.mrr:.3f} of {whole:.3f}{weights}"
        )
        self.training_notes.append(f"small books, rules → validation MRR: {front}")
        changed: dict[str, Any] = {"max_rules": None}
        if book.added_up:
            self.rules = weighed((scorer.rules_of(r), w) for r, w in book.weights.items())
            self.combinations = dict.fromkeys(range(2 * n), Combination("noisy-or"))
            changed |= {"aggregation": "noisy-or", "smoothing": 0.0, "threshold": None}
            self.thresholds, self.labels, self.penalties, self.learned = [], {}, [], {}
        else:
            own = ((scorer.rules_of(r), w) for r, w in book.weights.items())
            kept = {rules[k] for rules, w in own for k in np.flatnonzero(w).tolist()}
            self.rules = [rule for rule in self.rules if rule in kept]
            self.combinations = {r: unlimited(c) for r, c in self.combinations.items()}
        self.given = self.given.model_copy(update=changed)
