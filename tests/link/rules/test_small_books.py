"""Small books: the linear program against brute force, the book against what was measured."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from benchmarks.small_data import write_royal_part
from scipy import sparse

import parsimony
from parsimony import datasets
from parsimony.errors import EmptySplit, InvalidParameter
from parsimony.knowledge.book import KnowledgeBook
from parsimony.knowledge.rule_mining import mine_rules
from parsimony.knowledge.rule_walks import build_walk_index
from parsimony.knowledge.rules import parse_rule
from parsimony.link.rules.evidence import Evidence, Question, gather, kept_apart, training_parts
from parsimony.link.rules.linear_program import Pairs, pairs_of, weights_at
from parsimony.link.rules.method import RuleReasoner
from parsimony.link.rules.scoring import RuleScorer
from parsimony.link.rules.small_books import Book, choose
from parsimony.link.task import LinkTask

FAST = {
    "aggregation": "noisy-or",
    "smoothing": 5,
    "max_rules": 20,
    "constants": False,
    "max_length": 2,
}


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    part = write_royal_part(tmp_path_factory.mktemp("royal") / "part")
    return LinkTask(datasets.load(part))


@pytest.fixture(scope="module")
def small(task):
    return RuleReasoner(**FAST, small="knee").fit(task)


def random_pairs(seed, n_rules=3, n_pairs=8):
    random = np.random.default_rng(seed)
    difference = random.choice([-1, 0, 0, 1, 1], size=(n_pairs, n_rules)).astype(float)
    often, complexity = random.integers(1, 4, n_pairs), random.integers(2, 5, n_rules)
    return Pairs(sparse.csr_array(difference), often.astype(float), complexity.astype(float))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("price", [0.3, 1.0])
def test_the_solution_is_the_best_of_all_books(seed, price):
    """Of all books on a grid none is better, and none of its complexity has less loss."""
    pairs = random_pairs(seed)
    found = weights_at(pairs, price, np.zeros(0, np.intp))
    bound = pairs.complexity @ found
    grid = [np.array(w) for w in product(np.arange(7) / 6, repeat=3)]
    values = [pairs.loss(w) + price * pairs.complexity @ w for w in grid]
    own = pairs.loss(found) + price * bound
    assert own <= min(values) + 1e-7
    within = [pairs.loss(w) for w in grid if pairs.complexity @ w <= bound + 1e-9]
    assert pairs.loss(found) <= min(within) + 1e-7
    if np.allclose(found * 6, np.round(found * 6)):  # a book of the grid: the best one
        assert own == pytest.approx(min(values))
    if np.isin(found, (0, 1)).all():  # then a set of rules, none of which is better
        subsets = [np.array(w, float) for w in product((0, 1), repeat=3)]
        best = min(pairs.loss(w) + price * pairs.complexity @ w for w in subsets)
        assert own == pytest.approx(best)


def test_rules_join_until_none_is_worth_it(monkeypatch):
    pairs = random_pairs(3, n_rules=40, n_pairs=60)
    whole = weights_at(pairs, 0.5, np.arange(40))
    monkeypatch.setattr("parsimony.link.rules.linear_program.JOINING", 2)
    found = weights_at(pairs, 0.5, np.zeros(0, np.intp))
    one, other = (pairs.loss(w) + 0.5 * pairs.complexity @ w for w in (whole, found))
    assert one == pytest.approx(other)
    assert not weights_at(pairs, pairs.dearest, np.zeros(0, np.intp)).any()
    assert weights_at(pairs, 0.9 * pairs.dearest, np.zeros(0, np.intp)).any()


def test_pairs_are_those_of_every_question():
    fires = np.array([[1, 0], [0, 0], [0, 1], [1, 1], [0, 1]], float)
    evidence = Evidence(sparse.csr_array(fires), np.array([1, 0, 0, 1, 0.0]), np.array([0, 3, 5]))
    pairs = pairs_of(evidence, np.ones(2), answers=6)
    found = dict(zip(map(tuple, pairs.difference.toarray().tolist()), pairs.often, strict=True))
    assert found == {(1, 0): pytest.approx(4.5), (1, -1): pytest.approx(1.5)}
    assert pairs.loss(np.array([0.5, 0])) == pytest.approx(3)


@pytest.mark.parametrize("back", [False, True])
def test_evidence_is_what_each_rule_alone_reaches(task, small, back):
    """The oracle walks with one rule at a time."""
    graph, n = task.train_graph, task.n_relations
    head = max(small.rules_, key=lambda rule: rule.support).head.relation
    rules = [rule for rule in small.rules_ if rule.head.relation == head]
    scorer, relation = RuleScorer(rules, graph), task.data.relations.index(head) + n * back
    random, part = np.random.default_rng(0), training_parts(task, 0)[0]
    some = [random.permutation(graph.n_entities)[:30].astype(np.int32) for _ in range(20)]
    asked = [Question(i, relation, each, np.ones(30)) for i, each in enumerate(some)]
    fires = gather(scorer, [part], lambda *_: iter(asked))[relation % n].fires.toarray()
    index = build_walk_index(part.graph)
    assert fires.any()
    for k, rule in enumerate(scorer.rules_of(relation)):
        alone = RuleScorer([rule], graph).on(index)
        rows = [alone.score(q.entity, q.relation)[0][q.candidates] > 0 for q in asked]
        np.testing.assert_array_equal(fires[:, k] > 0, np.concatenate(rows))


def test_a_small_book_ranks_as_it_was_measured(task, small):
    books = [entry for entry in small.history_ if "book_mrr" in entry]
    chosen = next(entry for entry in books if entry["chosen"])
    assert chosen["rules"] == len(small.rules_) < small_of_all(small)
    assert [book["rules"] for book in books] == sorted({book["rules"] for book in books})
    assert small.evaluate("valid")["metrics"]["mrr"] == pytest.approx(chosen["book_mrr"], abs=1e-6)
    assert any("a small book: " in note for note in small.notes_)


def small_of_all(model):
    note = next(note for note in model.notes_ if note.startswith("a small book"))
    return int(note.split(" of ")[1].split()[0].replace(",", ""))


@pytest.mark.parametrize("added_up", [False, True])
def test_either_kind_of_book_is_kept_by_a_run(task, tmp_path, monkeypatch, added_up):
    def one_kind(books, *_):
        return replace(books[2], added_up=added_up)

    monkeypatch.setattr("parsimony.link.rules.choosing.choose", one_kind)
    model = RuleReasoner(**FAST, small="knee").fit(task)
    model.save(tmp_path / "run")
    loaded = RuleReasoner.load(tmp_path / "run")
    assert loaded.rules_ == model.rules_
    queries = task.data.valid[:5, :2]
    np.testing.assert_array_equal(loaded.scores(queries), model.scores(queries))
    counted = all(r.confidence == r.support / r.body_count for r in model.rules_)
    assert counted is not added_up


def test_at_most_so_many_rules(task):
    assert 1 <= len(RuleReasoner(**FAST, small=12).fit(task).rules_) <= 12
    for wrong in (0, -1, "elbow"):
        with pytest.raises(InvalidParameter, match="small"):
            RuleReasoner(small=wrong)


def test_a_given_book_is_shortened_alike(task):
    """fit --knowledge BOOK --set small=knee: no rule is mined, few of those given are left."""
    mined = mine_rules(task.train_graph, max_length=2, min_support=10)
    given = KnowledgeBook.of_rules(parse_rule(rule.clause) for rule in mined[:60])
    model = RuleReasoner(**FAST, small="knee").fit(task, knowledge=given)
    clauses = {rule.clause for rule in model.rules_}
    assert clauses < {rule.clause for rule in given.rules}
    assert small_of_all(model) <= 60
    assert all(rule.is_counted for rule in model.rules_)


def test_which_book_is_chosen():
    def book(rules, mrr):
        return Book({0: np.ones(rules)}, 1.0, mrr)

    books = [book(1, 0.1), book(3, 0.7), book(9, 0.8), book(30, 0.81)]
    assert choose(books, 0.7, None).rules == 3
    assert choose(books, 0.84, None).rules == 9
    assert choose(books, 2.0, None).rules == 9, "of what a small one can reach"
    assert choose(books, 1.0, 20).rules == 9
    assert choose(books[1:], 1.0, 2).rules == 3


def test_questions_are_made_as_the_split_is(task):
    """Royal keeps both directions of a cousin in one split: so do its training questions."""
    apart, cousin = kept_apart(task), task.data.relations.index("cousin")
    assert apart[cousin]
    for part in training_parts(task, 0, apart=apart):
        facts = {tuple(row) for row in part.graph.triples.tolist()}
        asked = zip(np.repeat(part.head, np.diff(part.answer_ptr)), part.answer_relation,
                    part.answer, strict=True)  # fmt: skip
        for x, r, y in asked:
            if r % task.n_relations == cousin:
                assert not facts & {(x, cousin, y), (y, cousin, x)}


def test_without_validation_facts_it_says_so(task):
    data = replace(task.data, valid=np.empty((0, 3), np.int32), registered=False)
    with pytest.raises(EmptySplit, match="small books"):
        RuleReasoner(**FAST, small="knee").fit(LinkTask(data))


def test_the_page_shows_what_small_books_keep(tmp_path):
    from parsimony.report.run import run_info, run_page

    part, run = write_royal_part(tmp_path / "part"), tmp_path / "run"
    parsimony.fit(part, "rules", out=run, parameters={**FAST, "small": 12})
    page = run_page(run_info(run))
    assert "Validation MRR of small books by number of rules" in page
