"""The method "rules" on the embedded royal graph: fit, read, edit, give back, save, explain."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from parsimony import datasets
from parsimony.errors import InvalidParameter, UnknownParameter, UnknownRelation
from parsimony.knowledge.rule_counts import count_rules
from parsimony.knowledge.rule_mining import mine_rules
from parsimony.knowledge.rules import format_rules, parse_rule, parse_rules
from parsimony.link.rules.method import RuleReasoner
from parsimony.link.rules.scoring import RuleScorer
from parsimony.link.task import LinkTask
from parsimony.run.engine import LocalEngine
from parsimony.run.folder import RunFolder


@pytest.fixture(scope="module")
def task():
    return LinkTask(datasets.load("royal"))


@pytest.fixture(scope="module")
def reasoner(task):
    return RuleReasoner().fit(task)


def test_rediscovers_the_rules_of_kinship(task):
    found = {rule.clause for rule in mine_rules(task.train_graph, max_length=2, min_confidence=0.5)}
    for clause in (
        "uncle(X,Y) <- brother(X,A), father(A,Y)",
        "aunt(X,Y) <- sister(X,A), mother(A,Y)",
        "grandfather(X,Y) <- father(X,A), mother(A,Y)",
        "cousin(X,Y) <- uncle(A,X), father(A,Y)",
        "wife(X,Y) <- husband(Y,X)",
        "mother(X,Y) <- wife(X,A), father(A,Y)",
    ):
        assert clause in found


def test_answers_what_it_was_not_told(reasoner):
    result = reasoner.evaluate("test")
    assert result["policy"] == "realistic"
    assert result["metrics"]["mrr"] > 0.97
    best = reasoner.predict(tail="Wilhelm_II_of_Germany", relation="uncle", top=3)["answers"]
    assert best[0]["entity"] in uncles_of(reasoner.task_, "Wilhelm_II_of_Germany")


def uncles_of(task, name):
    data = task.data
    facts = np.concatenate([data.train, data.valid, data.test])
    of = (facts[:, 1] == data.relations.index("uncle")) & (facts[:, 2] == data.entities.index(name))
    return [data.entities.name(int(i)) for i in facts[of, 0]]


def test_selected_on_validation_only(reasoner):
    scores = [entry["valid_mrr"] for entry in reasoner.history_]
    assert reasoner.best_epoch_ == scores.index(max(scores))
    assert reasoner.resolved_.aggregation in ("max", "noisy-or", "clusters")
    valid = reasoner.evaluate("valid")["metrics"]["mrr"]
    assert valid == pytest.approx(max(scores))
    assert reasoner.parameters_count_ == reasoner.cost_.parameters
    weights = sum(np.count_nonzero(each) for each in reasoner.ways_.learned.values())
    assert reasoner.parameters_count_ == len(reasoner.rules_) + weights


def test_learns_from_the_training_facts_only(task):
    # Selection itself is left out: its filter holds the facts of all splits (design, ranking).
    parameters = {"aggregation": "max", "smoothing": 5, "max_rules": 100, "constants": True,
                  "max_length": 2}  # fmt: skip
    less = dataclasses.replace(task.data, valid=task.data.valid[:1], test=task.data.test[:1])
    rules = RuleReasoner(**parameters).fit(task).rules_
    in_shards = RuleReasoner(**parameters).fit(LinkTask(less), engine=LocalEngine())
    assert in_shards.rules_ == rules


def test_edited_rules_are_taken_back(task, reasoner):
    text = format_rules(reasoner.knowledge())
    rules = parse_rules(text, relations=task.data.relations)
    assert rules == reasoner.rules_
    query = [[task.data.entities.index("Wilhelm_II_of_Germany"), 11 + 6]]  # ? is his uncle
    same = RuleReasoner(aggregation="max", smoothing=0).fit(task, knowledge=rules)
    assert (same.scores(np.array(query)) > 0).any()
    without = [rule for rule in rules if rule.head.relation != "uncle"]
    less = RuleReasoner(aggregation="max", smoothing=0).fit(task, knowledge=without)
    assert not (less.scores(np.array(query)) > 0).any()
    one = parse_rule("uncle(X,Y) <- brother(X,A), mother(A,Y)")
    more = RuleReasoner(aggregation="max", smoothing=0).fit(task, knowledge=[*without, one])
    uncles = np.flatnonzero(more.scores(np.array(query))[0] > 0)
    named = {task.data.entities.name(int(i)) for i in uncles}
    assert named == {
        "Edward_VII_of_the_United_Kingdom",
        "Alfred_of_Saxe-Coburg_and_Gotha",
        "Arthur_Duke_of_Connaught",
        "Leopold_Duke_of_Albany",
    }
    assert more.knowledge()[-1] == count_rules([one], task.train_graph)[0]


def test_save_and_load(reasoner, tmp_path):
    reasoner.save(tmp_path / "run")
    loaded = RuleReasoner.load(tmp_path / "run")
    assert loaded.rules_ == reasoner.rules_
    assert parse_rules((tmp_path / "run/rules.txt").read_text()) == reasoner.rules_
    queries = np.array([[0, 6], [5, 17], [100, 8]])
    np.testing.assert_array_equal(loaded.scores(queries), reasoner.scores(queries))


def test_scorers_on_other_facts_have_room_for_every_body(task):
    """They share bodies; a second one must not walk a long body in the scratch of none."""
    body = parse_rule("uncle(X,Y) <- brother(X,A), father(A,Y)")
    whole = RuleScorer([body], task.train_graph)
    relation = task.data.relations.index("uncle")
    first, second = whole.on(whole.index), whole.on(whole.index)
    found = first.score(0, relation), second.score(0, relation)
    assert len(second._levels) == len(first._levels) == 3
    np.testing.assert_array_equal(*found)


def test_explain(reasoner):
    pytest.importorskip("parsimony.explain.explanation")
    data = reasoner.task_.data
    h, _, t = data.test[data.test[:, 1] == data.relations.index("uncle")][0]
    query = data.entities.name(int(h)), "uncle", data.entities.name(int(t))
    told = reasoner.explain(*query)
    assert told.query == query and told.known and told.rank < 2
    assert told.rules and all(rule.head.relation == "uncle" for rule in told.rules)
    facts = {tuple(row) for row in data.train.tolist()}
    for path in told.paths:
        here = query[0]
        for step in path.steps:
            names = step.head, step.tail
            start, after = names if step.direction == "forward" else names[::-1]
            assert start == here
            here = after
            assert (
                data.entities.index(step.head),
                data.relations.index(step.relation),
                data.entities.index(step.tail),
            ) in facts
        assert here == query[2]
    assert told.faithfulness.deleted_drop > 2 * told.faithfulness.random_drop
    # A fact of the training graph is not explained by itself.
    known = reasoner.explain(
        "Edward_VII_of_the_United_Kingdom", "brother", "Arthur_Duke_of_Connaught", draws=0
    )
    assert known.known and known.faithfulness is None
    own = known.query
    assert all((s.head, s.relation, s.tail) != own for path in known.paths for s in path.steps)


def test_shards_of_a_run_that_ends_in_one_process_are_removed(task, tmp_path):
    reasoner = RuleReasoner(max_length=1)
    with RunFolder.create(tmp_path / "run", reasoner.prepare(task)) as run:
        (run.path / "shards").mkdir()  # of several processes that were killed
        reasoner.fit(task, run=run)
        assert not (run.path / "shards").exists()


def test_wrong_use(task):
    with pytest.raises(UnknownParameter, match="min_suport"):
        RuleReasoner(min_suport=3)
    with pytest.raises(InvalidParameter, match="max_length"):
        RuleReasoner(max_length=9)
    with pytest.raises(UnknownRelation, match="did you mean 'uncle'"):
        RuleReasoner().fit(task, knowledge=[parse_rule("uncl(X,Y) <- brother(X,Y)")])


def test_the_budget_ends_mining_and_selection(task):
    hasty = RuleReasoner().fit(task, time_budget=0.0)
    assert hasty.ended_ == "time budget"
    paths = [rule for rule in hasty.rules_ if not rule.names_entity]
    assert len({rule.head.relation for rule in paths}) == 1


def test_a_replaced_name_is_accepted_with_a_warning():
    with pytest.warns(FutureWarning, match="max_rules"):
        assert RuleReasoner(speaking=7).get_params()["max_rules"] == 7
