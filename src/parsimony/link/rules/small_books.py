"""Small rule books: MRR against number of rules, and the book at the knee.

The rules of every relation are weighed by a linear program at falling prices of complexity
(:mod:`parsimony.link.rules.linear_program`): each price gives a book, the next one a larger. All
are measured on the same validation queries as the whole book. Where the program has no use for
further rules, the most confident ones of every relation follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from parsimony.link.rules.combining import LEAST, Combination, Plan
from parsimony.link.rules.evidence import gather, kept_apart, training_parts, true_questions
from parsimony.link.rules.linear_program import Pairs, pairs_of, weights_at
from parsimony.link.rules.scoring import RuleScorer
from parsimony.link.task import LinkTask
from parsimony.run.deadline import Deadline
from parsimony.run.progress import Progress
from parsimony.stopping import stopped

__all__ = ["Book", "choose", "small_books", "unlimited"]

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
FACTS = 100  # training facts of each relation that are asked about
CHEAPER = 0.5  # from one price to the next
LOWEST = 0.05  # price: twenty atoms have to win one answer
HALVINGS = 5  # of prices, between which a book of a wanted size is looked for
LARGEST = 0.3  # of the whole book: no larger one is looked for
GATHERING, MEASURING = 0.4, 0.3  # of the time that is left
TIES = 0.01  # of -log(1 - confidence), as the weight of rules that only break ties
KEPT = 0.95  # of the whole book's MRR, by the book that is taken


@dataclass(frozen=True)
class Book:
    """Weighted rules.

    Attributes
    ----------
    weights
        By relation, an entry per rule; those of the others are 0.
    price
        Of complexity.
    mrr
        On validation.
    added_up
        Whether the weights are added up; else the confidences are combined as in the whole book.
    """

    weights: dict[int, Floats]
    price: float
    mrr: float = 0.0
    added_up: bool = False

    @property
    def rules(self) -> int:
        """How many weigh something."""
        return sum(int((w > 0).sum()) for w in self.weights.values())


def small_books(
    scorer: RuleScorer,
    task: LinkTask,
    rank: Callable[[Callable[[int], list[Plan]]], npt.NDArray[np.float64]],
    *,
    most: int | None,
    deadline: Deadline,
    seed: int,
    quiet: bool,
) -> tuple[list[Book], float]:
    """Weigh the rules of a book at falling prices, and measure what each price leaves.

    Parameters
    ----------
    scorer
        The whole book on the training graph.
    task
    rank
        From the plans of a query relation, as many for each, to the MRR of each on validation.
    most
        Rules of a book that is wanted: then also the largest of no more is looked for.
    deadline
        After it no further price is tried.
    seed
        Of what is drawn.
    quiet
        Show no progress.

    Returns
    -------
    books
        By number of rules, ascending; of those of one size the best.
    whole
        MRR of the whole book.
    """
    pairs = _asked(scorer, task, deadline.part(GATHERING), seed, quiet=quiet)
    path = _Path(pairs)
    with Progress(path.n_prices, "weighing rules", quiet=quiet) as progress:
        limit = deadline.part(1 - MEASURING)
        for _ in range(path.n_prices):
            if limit.passed() or stopped() or path.step() > LARGEST * len(scorer.rules):
                break
            progress.advance(1)
        if most is not None:
            path.approach(most, lambda: limit.passed() or stopped())

    found = [*path.books, *_filled(scorer, path.books[-1] if path.books else path.none)]

    def plans(relation: int) -> list[Plan]:
        combination = scorer.combination(relation)
        whole, every = (scorer.plan(relation, c) for c in (combination, unlimited(combination)))
        none = np.zeros(len(whole.weight))
        head, made = relation % task.n_relations, [whole]
        for book in found:
            weights = book.weights.get(head, none)
            made.append(every._replace(order=every.order[weights[every.order] > 0]))
            order = np.flatnonzero(weights).astype(np.int32)
            made.append(Plan(order, weights, np.arange(len(weights), dtype=np.int32), False))
        return made

    whole, *mrr = rank(plans).tolist()
    best: dict[int, Book] = {}
    for i, value in enumerate(mrr):
        book = found[i // 2]
        if book.rules and value > best.get(book.rules, book).mrr:
            best[book.rules] = replace(book, mrr=value, added_up=bool(i % 2))
    return [best[size] for size in sorted(best)], whole


def _filled(scorer: RuleScorer, book: Book) -> Iterator[Book]:
    """Add to a book 1, 2, 4 … of the most confident rules of every relation.

    Of rules that say the same, as the whole book takes it, the best come before any second ones. In
    a sum of weights those that the linear program does without break ties.
    """
    n, most, last = scorer.index.n_relations, 1, book.rules
    plans = [scorer.plan(r, unlimited(scorer.combination(r))) for r in range(n)]
    ranked = [plan.order[np.argsort(-plan.weight[plan.order], kind="stable")] for plan in plans]
    for r, (plan, by) in enumerate(zip(plans, ranked, strict=True)):
        again = np.ones(len(by), bool)
        again[np.unique(plan.cluster[by], return_index=True)[1]] = False
        ranked[r] = by[np.argsort(again, kind="stable")]
    while last <= LARGEST * len(scorer.rules):
        weights = {}
        for r, (plan, by) in enumerate(zip(plans, ranked, strict=True)):
            more = np.zeros(len(plan.weight))
            more[by[:most]] = np.maximum(TIES * plan.weight[by[:most]], 2 * LEAST)
            weights[r] = np.maximum(more, book.weights.get(r, 0.0))
        filled = Book(weights, book.price)
        if filled.rules == last and most > max(map(len, ranked)):
            return
        yield filled
        last, most = filled.rules, 2 * most


def unlimited(combination: Combination) -> Combination:
    """Return how the rules of a small book are combined: all of them."""
    return combination._replace(max_rules=None, max_atoms=None)


def _asked(
    scorer: RuleScorer, task: LinkTask, deadline: Deadline, seed: int, *, quiet: bool
) -> dict[int, Pairs]:
    """Ask for training facts; return right answers against wrong ones, by relation."""
    parts = training_parts(task, seed, facts=FACTS, apart=kept_apart(task))
    with Progress(sum(map(len, parts)), "asking for known facts", quiet=quiet) as progress:
        over = lambda: deadline.passed() or stopped()  # noqa: E731
        evidence = gather(
            scorer, parts, lambda part, on: true_questions(part, on, progress, seed, over)
        )
    n_facts = np.bincount(task.data.train[:, 1], minlength=task.n_relations)
    return {
        r: pairs_of(
            of, np.array([1.0 + len(rule.body) for rule in scorer.rules_of(r)]), 2.0 * n_facts[r]
        )
        for r, of in evidence.items()
    }


class _Path:
    """Books at falling prices; each search begins with the rules of the last."""

    def __init__(self, pairs: dict[int, Pairs]) -> None:
        self.pairs, self.books = pairs, list[Book]()
        self.price = max((of.dearest for of in pairs.values()), default=0.0)
        self.none = Book({}, self.price)
        falls = np.log(max(self.price / LOWEST, 1.0)) / -np.log(CHEAPER)
        self.n_prices = int(np.ceil(falls))

    def step(self) -> int:
        """Try the next price; return how many rules weigh something."""
        self.price *= CHEAPER
        return self._at(self.price)

    def _at(self, price: float) -> int:
        last = self.books[-1].weights if self.books else {}
        weights = {}
        for r, of in self.pairs.items():
            start = np.flatnonzero(last[r]) if r in last else np.zeros(0, np.intp)
            found = weights_at(of, price, start)
            weights[r] = np.where(found > LEAST, found, 0.0)
        self.books.append(Book(weights, price))
        return self.books[-1].rules

    def approach(self, most: int, over: Callable[[], bool]) -> None:
        """Try prices between that of the largest book of at most so many rules and the next."""
        large = [book.price for book in self.books if book.rules > most]
        if not large:
            return
        low = max(large)
        high = min(book.price for book in (self.none, *self.books) if book.price > low)
        for _ in range(HALVINGS):
            if over():
                return
            middle = float(np.sqrt(high * low))
            high, low = (middle, low) if self._at(middle) <= most else (high, middle)


def choose(books: Sequence[Book], whole: float, most: int | None) -> Book:
    """Return the best book of at most so many rules, the smallest where none is so small.

    Without a limit it is the smallest that keeps 95 % of the whole one's MRR or, where none does,
    of the best small one's: what is lost then is lost to size alone, and a note says how much.
    """
    if most is not None:
        return max((b for b in books if b.rules <= most), key=lambda b: b.mrr, default=books[0])
    within_reach = min(whole, max(book.mrr for book in books))
    return next(book for book in books if book.mrr >= KEPT * within_reach)
