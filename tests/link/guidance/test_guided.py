"""A book around a method: what follows, what is possible, what weighs in, what is walked."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import parsimony
from parsimony.graph import KnowledgeGraph
from parsimony.graph.vocabulary import Vocabulary
from parsimony.knowledge.axioms import parse_axiom
from parsimony.knowledge.book import Entry, KnowledgeBook
from parsimony.knowledge.rules import parse_rule
from parsimony.link.data import LinkData
from parsimony.link.guidance.applied import AppliedBook
from parsimony.link.guidance.completion import Inference, complete, complete_reference
from parsimony.link.guidance.guided import Guided
from parsimony.link.guidance.mask import Mask
from parsimony.link.guidance.prior import shrunk_choice
from parsimony.link.left_out import LeftOut
from parsimony.link.task import LinkTask


def book(*lines, types=None):
    items = [parse_rule(t) if "<-" in t else parse_axiom(t) for t in lines]
    return KnowledgeBook(tuple(Entry(item) for item in items), types or {})


def triples(seed, n=12, r=3, facts=30):
    drawn = np.random.default_rng(seed)
    rows = np.stack([drawn.integers(k, size=facts) for k in (n, r, n)], 1)
    return np.unique(rows, axis=0).astype(np.int32)


@pytest.fixture(scope="module")
def task():
    rows = triples(3, facts=60)
    rows = rows[np.random.default_rng(0).permutation(len(rows))].tolist()
    train, valid, test = (np.array(part, np.int32) for part in (rows[12:], rows[:6], rows[6:12]))
    entities = Vocabulary([f"m{i}" for i in range(12)], "entity")
    relations = Vocabulary([f"r{i}" for i in range(3)], "relation")
    return LinkTask(LinkData("small", entities, relations, train, valid, test))


@pytest.mark.parametrize("seed", range(5))
def test_completion_agrees_with_plain_loops(seed):
    rows = triples(seed)
    inferences = [
        Inference(0, (3,), "symmetric(r0)"),
        Inference(1, (0,), "subrelation(r0, r1)"),
        Inference(2, (2, 2), "transitive(r2)"),
        Inference(1, (2, 4), "rule"),
    ]
    done = complete(KnowledgeGraph(rows, 12, 3), inferences)
    stated = {*map(tuple, rows.tolist())}
    assert {*map(tuple, done.graph.triples.tolist())} == complete_reference(stated, 3, inferences)
    np.testing.assert_array_equal(done.graph.triples[: len(rows)], rows)
    active = (np.random.default_rng(seed).random(len(done.graph)) < 0.5).astype(np.uint8)
    held = done.graph.triples[done.entailed(active) == 1]
    left = {*map(tuple, rows[active[: len(rows)] == 1].tolist())}
    assert {*map(tuple, held.tolist())} <= {*map(tuple, done.graph.triples.tolist())}
    assert complete_reference(left, 3, inferences) <= {*map(tuple, held.tolist())}


def test_only_training_facts_are_premises(task):
    guided = Guided(member={"method": "degree"}, knowledge_as="facts")
    guided.fit(task, knowledge=book("symmetric(r0)"))
    done = guided._applied.walked_task.completion
    train = {*map(tuple, task.data.train.tolist())}
    for h, r, t in done.graph.triples[done.n_stated :].tolist():
        assert r == 0 and (t, r, h) in train
        assert done.origin(h, r, t)[0] == "symmetric(r0)"


def test_mask_of_types_and_values():
    graph = KnowledgeGraph(np.array([[0, 0, 1], [2, 1, 3]], np.int32), 5, 2)
    axioms = [("range", ("r0", "T")), ("functional", ("r1",))]
    names = [f"m{i}" for i in range(5)]
    mask = Mask(axioms, {"m1": ["T"], "m4": ["U"]}, graph, names, ["r0", "r1"])
    asked = np.array([0, 2, 3], np.int32), np.array([0, 1, 3], np.int32)
    expected = [[1, 1, 1, 1, 0], [0, 0, 0, 1, 0], [1, 1, 1, 1, 1]]
    np.testing.assert_array_equal(mask.possible(*asked), np.array(expected, bool))
    # A known value rules the others out, but not where the fact itself is asked, as in training.
    expected[1] = [1, 1, 1, 1, 1]
    anew = mask.possible(*asked, asked_anew=True)
    np.testing.assert_array_equal(anew, np.array(expected, bool))


def test_what_the_loss_leaves_out_is_known_or_impossible(task):
    drawn = np.random.default_rng(0).random((12, 6, 12)) < 0.5
    left_out = LeftOut(task.training_answers, lambda head, relation: drawn[head, relation])
    asked = np.arange(12, dtype=np.int32), np.arange(12, dtype=np.int32) % 6
    ptr, found = left_out(*asked)
    for i, (e, r) in enumerate(zip(*asked, strict=True)):
        facts = {*map(tuple, task.data.train.tolist())}
        known = {t for t in range(12) if ((e, r, t) if r < 3 else (t, r - 3, e)) in facts}
        wanted = known | {*np.flatnonzero(~drawn[e, r]).tolist()}
        assert found[ptr[i] : ptr[i + 1]].tolist() == sorted(wanted)


@pytest.mark.parametrize("method", ["redgnn", "transe"])
def test_a_masked_loss_trains_another_model_and_leaves_the_task(task, method):
    member = {"method": method, "dim": 4, "epochs": 1, "threads": 1}
    known = book("range(r1, T)", types={f"m{i}": ("UT"[i % 2],) for i in range(12)})
    plain, masked = (
        Guided(member=member, knowledge_as=uses).fit(task, knowledge=known)
        for uses in ("mask", "mask,loss")
    )
    assert "loss: impossible answers are left out of it" in masked.notes_
    ours, theirs = (model.member_._tensors() for model in (plain, masked))
    assert not all(np.array_equal(ours[name], theirs[name]) for name in ours)
    assert task.possible is None and masked.member_.task_.possible is not None


def test_weights_of_few_answers_are_drawn_to_those_of_all():
    table = np.array([[0.5] * 21, [0.9] * 20 + [0.4]])
    group = np.array([0] * 20 + [1], np.int32)
    assert shrunk_choice(table, group, 2, None).tolist() == [1, 1]
    assert shrunk_choice(table, group, 2, 10.0).tolist() == [1, 1]
    assert shrunk_choice(table, group, 2, 0.01).tolist() == [1, 0]


RULES = ("0.90  18/20  r0(X,Y) <- r1(X,A), r2(A,Y)", "0.50  5/10  r1(X,Y) <- r0(Y,X)")


@pytest.mark.parametrize("relation", [0, 1, 2])
def test_weights_are_learned_on_what_the_rules_conclude_alone(task, relation):
    """Others are ranked alike whatever a rule weighs, and would take the time of those."""
    rule = f"r{relation}(X,Y) <- r{(relation + 1) % 3}(Y,X)"
    guided = Guided(member={"method": "degree"}, knowledge_as="prior")
    guided.fit(task, knowledge=book(rule))
    queries = task.queries("valid")
    n = int((queries.relation % 3 == relation).sum())
    (note,) = (note for note in guided.notes_ if note.startswith(("prior: weights", "warning: no")))
    assert f"learned on {n} queries (of relations that rules conclude)" in note if n else (
        "no validation facts of the relations that rules conclude" in note
    )


@pytest.mark.parametrize("method", ["redgnn", "complex"])
def test_saved_with_its_book_and_read_back(task, tmp_path, method):
    known = book(*RULES, "symmetric(r0)", "range(r1, T)", types={"m1": ("T",), "m2": ("U",)})
    uses = ("facts", "prior", "mask")
    guided = Guided(
        member={"method": method, "dim": 4, "epochs": 1, "threads": 1}, knowledge_as=uses
    )
    guided.fit(task, knowledge=known)
    assert guided.uses_ == ("facts", "prior", "mask")
    guided.save(tmp_path / "run")
    again = parsimony.load_run(tmp_path / "run")
    np.testing.assert_array_equal(again.ranks().ranks(), guided.ranks().ranks())
    assert 0 < guided.evaluate()["metrics"]["sem@10"] <= 1
    assert again.predict("m0", "r0")["answers"] == guided.predict("m0", "r0")["answers"]


def test_a_mask_that_forbids_right_answers_is_left_out_unless_asked_for(task):
    valid = task.data.valid[task.data.valid[:, 1] == task.data.valid[0, 1]]
    relation, member = f"r{valid[0, 1]}", {"method": "complex", "epochs": 1, "threads": 1}
    right = {f"m{i}": ("T",) for i in range(12)}
    wrong = {f"m{i}": ("U" if i in valid[:, 2] else "T",) for i in range(12)}
    for types, kept in ((right, True), (wrong, False)):
        known = book(f"range({relation}, T)", types=types)
        guided = Guided(member=member).fit(task, knowledge=known)
        assert ("mask" in guided.uses_) == kept
        assert any("the mask is left out" in note for note in guided.notes_) != kept
    forced = Guided(member=member, knowledge_as="mask")
    assert forced.fit(task, knowledge=book(f"range({relation}, T)", types=wrong)).uses_ == ("mask",)


def test_forgetting_an_entry_changes_the_answers_that_rest_on_it(task):
    guided = Guided(member={"method": "complex", "epochs": 1, "threads": 1}, knowledge_as="prior")
    guided.fit(task, knowledge=book(*RULES))
    guided.prior_.weight[:] = 1.0
    fewer = Guided.around(guided, book(RULES[0]))
    every = np.stack(np.meshgrid(np.arange(12), np.arange(6)), -1).reshape(-1, 2)
    before, after = guided.scores(every), fewer.scores(every)
    rested = guided.prior_.scorer(task.train_graph).score(*every.T) > 0
    rested &= (every[:, 1] % 3 == 1)[:, None]
    assert rested.any()
    np.testing.assert_array_equal(before != after, rested)


def test_restricted_walks_are_those_of_the_smaller_graph(task):
    guided = Guided(member={"method": "redgnn", "dim": 4, "epochs": 1, "threads": 1})
    guided.set_params(knowledge_as="restriction").fit(task, knowledge=book(*RULES))
    facts = task.train_graph.triples
    part = KnowledgeGraph(facts[np.isin(facts[:, 1], [1, 2])], 12, 3)
    asked = np.arange(12, dtype=np.int32), np.zeros(12, np.int32)
    np.testing.assert_array_equal(guided._score(*asked), guided.member_._score(*asked, part))
    assert guided.compare_walks(task.queries("test"))["edges restricted"] > 0


def test_an_entry_that_becomes_too_much_infers_nothing(monkeypatch):
    """It is left out in a later round: what it inferred before goes, too, or has no origin."""
    monkeypatch.setattr("parsimony.link.guidance.completion.MOST_PER_FACT", 0.04)
    rows = np.array([*((i, 0, i + 1) for i in range(30)), (0, 1, 5)], np.int32)
    inferences = [Inference(0, (0, 0), "transitive(r0)"), Inference(1, (3,), "symmetric(r1)")]
    done = complete(KnowledgeGraph(rows, 31, 2), inferences)
    assert done.left_out == ("transitive(r0)",)
    assert [*map(tuple, done.graph.triples[done.n_stated :].tolist())] == [(5, 1, 0)]
    assert done.origin(5, 1, 0)[0] == "symmetric(r1)"


def test_the_mask_of_the_training_graph_knows_its_own_entities(task):
    """Also where the graph walked at test time has as many."""
    first, relations = task.data, task.data.relations
    others = Vocabulary([f"n{i}" for i in range(12)], "entity")
    other = LinkData("other", others, relations, triples(5), first.valid, first.test)
    both = LinkTask(dataclasses.replace(first, inductive=other))
    known = book("range(r0, T)", types={f"m{i}": ("UT"[i % 2],) for i in range(12)})
    applied = AppliedBook(known, both, wanted=("mask", "loss"), sure=0.95)
    asked = np.zeros(1, np.int32), np.zeros(1, np.int32)
    mask = applied.mask(both.train_graph)
    assert mask.possible(*asked)[0].tolist() == [bool(i % 2) for i in range(12)]
