"""Evidence struck out: exactly the answers of the run on the graph without it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from parsimony.ddi.striking import without as without_of_pairs
from parsimony.ddi.task import DDITask
from parsimony.errors import FormatError, UsageError
from parsimony.graph import KnowledgeGraph
from parsimony.knowledge.book import KnowledgeBook
from parsimony.knowledge.rules import parse_rule
from parsimony.link.blend import Blend
from parsimony.link.bringing_in import bring_in
from parsimony.link.counterfactual import counterfactual, standing
from parsimony.link.guidance.guided import Guided
from parsimony.link.question import Question
from parsimony.link.similar import fact_vectors
from parsimony.link.striking import without
from parsimony.link.task import LinkTask
from parsimony.link.walk_kinds import facts_between, walk_counts
from parsimony.methods import load_run
from parsimony.run.folder import RunFolder

RUNS = Path(__file__).resolve().parents[1] / "fixtures" / "runs_0_1"
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
TO = 1e-6


def again(model, task, name):
    """The same trained model on other data, as a run folder with them would be read."""
    other = type(model)(**model.resolved_.model_dump())
    other.prepare(task)
    run = RunFolder.open(RUNS / name)
    other._restore(run, run.load_model())
    return other


def smaller(task, gone):
    data = task.data
    kept = ~(data.train[:, None] == gone[None]).all(-1).any(1)
    return LinkTask(replace(data, train=data.train[kept]), task.protocol)


@pytest.mark.parametrize("name", ["redgnn", "adaprop", "rules"])
def test_links_are_those_of_the_smaller_graph(name):
    model = load_run(RUNS / name)
    gone = model.task_.data.train[[3, 77, 200]]
    asked = np.concatenate([gone[:, :2], gone[:, [2, 1]] + [0, model.task_.n_relations]])
    before = model.scores(asked)
    found = without(model, gone).scores(asked)
    oracle = again(model, smaller(model.task_, gone), name).scores(asked)
    assert np.array_equal(np.isfinite(found), np.isfinite(oracle))
    reached = np.isfinite(oracle)
    assert np.abs(found[reached] - oracle[reached]).max() < TO
    assert not np.allclose(before, found)
    assert np.array_equal(model.scores(asked), before)  # the run stays as it is
    twice = without(without(model, gone[:1]), gone[1:]).scores(asked)
    assert np.array_equal(twice, found)


def test_explanations_of_the_smaller_graph():
    model = load_run(RUNS / "redgnn")
    data, gone = model.task_.data, model.task_.data.train[[3, 77]]
    h, r, t = data.train[10].tolist()
    fact = data.entities.name(h), data.relations.name(r), data.entities.name(t)
    one = without(model, gone).explain(*fact)
    other = again(model, smaller(model.task_, gone), "redgnn").explain(*fact)
    assert one.score == pytest.approx(other.score, abs=TO)
    assert [path.steps for path in one.paths] == [path.steps for path in other.paths]


def test_a_blend_and_a_book_around_a_model():
    rules, walks = load_run(RUNS / "rules"), load_run(RUNS / "redgnn")
    gone = rules.task_.data.train[[3, 77]]
    asked = gone[:, :2]
    blend, _ = Blend.compared([rules, walks], units=20)
    book = KnowledgeBook.of_rules([parse_rule("cousin(X,Y) <- cousin(Y,X)")], "stated")
    guided = Guided.around(rules, book, knowledge_as="facts")
    found = without(blend, gone).scores(asked)
    parts = [without(m, gone).scores(asked) for m in (rules, walks)]
    from parsimony.link.blend import standardised

    mixed = blend.weight_ * standardised(parts[0]) + (1 - blend.weight_) * standardised(parts[1])
    assert np.abs(found - mixed).max() < TO
    # The stated fact goes, and what follows from its mirror image stays.
    less = smaller(rules.task_, gone)
    oracle = Guided.around(again(rules, less, "rules"), book, knowledge_as="facts").scores(asked)
    assert np.abs(without(guided, gone).scores(asked) - oracle).max() < TO


def test_nothing_is_kept_of_a_graph_that_was_struck():
    walks = load_run(RUNS / "redgnn")
    gone = walks.task_.data.train[[3, 77]]
    book = KnowledgeBook.of_rules([parse_rule("cousin(X,Y) <- cousin(Y,X)")], "stated")
    guided = Guided.around(walks, book, knowledge_as="facts")
    guided.scores(gone[:, :2])
    kept = set(guided.member_._propagations)
    without(guided, gone).scores(gone[:, :2])
    assert set(guided.member_._propagations) == kept


@pytest.mark.parametrize("name", ["walks", "emergnn"])
def test_pairs_are_those_of_the_smaller_graph(name):
    model = load_run(RUNS / name)
    task, data, graph = model.task_, model.task_.data, model.task_.background
    u, kind, v = data.pairs["train"][3].tolist()
    h, r, t = graph.triples[graph.triples[:, 0] == u][0].tolist()
    facts = [
        (data.drugs.name(u), f"type {data.types.name(kind)}", data.drugs.name(v)),
        (graph.entities.name(h), graph.relations.name(r), graph.entities.name(t)),
    ]
    pairs = {s: rows[~(rows == (u, kind, v)).all(1)] for s, rows in data.pairs.items()}
    kept = graph.triples[~(graph.triples == (h, r, t)).all(1)]
    less = DDITask(replace(data, pairs=pairs), task.options, replace(graph, triples=kept))
    asked = np.array([(u, other) for other in range(20) if other != u], np.int32)
    found = without_of_pairs(model, facts).predict_proba_leave_pair_out(asked)
    oracle = again(model, less, name).predict_proba_leave_pair_out(asked)
    assert np.abs(found - oracle).max() < TO
    assert not np.allclose(found, model.predict_proba_leave_pair_out(asked))
    with pytest.raises(FormatError, match="no fact"):
        without_of_pairs(model, [(facts[0][0], "alike 0 to 0.3", facts[0][2])])


def test_vectors_refuse():
    with pytest.raises(UsageError, match="vectors"):
        without(load_run(RUNS / "complex"), [(0, 0, 1)])


# ---- kinds of walks --------------------------------------------------------------------------


def slow_walks(triples, n, entity, steps):
    """Every walk of some steps, edge by edge."""
    walks = [((), entity)]
    for step in steps:
        walks = [
            ((*edges, (h, r, t)), t if step < n else h)
            for edges, at in walks
            for h, r, t in triples.tolist()
            if r == step % n and at == (h if step < n else t)
        ]
    return walks


def test_walks_are_those_of_the_plain_search():
    graph = load_run(RUNS / "rules").task_.test_graph
    triples, n = graph.triples, graph.n_relations
    entity, steps = int(triples[3, 0]), [int(triples[3, 1]), 2 + n, 0]
    walks = slow_walks(triples, n, entity, steps)
    expected = np.bincount([end for _, end in walks], minlength=graph.n_entities)
    assert expected.sum() and np.array_equal(walk_counts(graph, entity, steps), expected)
    answer = walks[0][1]
    used = sorted({edge for edges, end in walks if end == answer for edge in edges})
    assert facts_between(graph, entity, steps, answer).tolist() == list(map(list, used))


# ---- over HTTP -------------------------------------------------------------------------------


def test_strike_what_else_counterfactual(ask):
    head, relation, answer = "Victoria_of_Wales", "cousin", "Alexandra_of_Greece_1870"
    fact = {"head": head, "relation": relation, "tail": answer}
    why = ask("runs/rules/explain", fact)
    kind = why["kinds"][0]
    query = {"head": head, "relation": relation, "answer": answer}
    found = ask("runs/rules/strike", query | {"kinds": [kind["steps"]]})
    assert found["n_struck"] >= len(why["paths"][kind["paths"][0]]["steps"])
    assert found["answer"]["after"]["score"] < found["answer"]["before"]["score"]
    assert found["answer"]["before"]["score"] == pytest.approx(why["score"])
    one = ask("runs/rules/strike", query | {"facts": [found["struck"][0]]})
    assert one["struck"] == [found["struck"][0]] and one["before"] == found["before"]
    node = ask("runs/rules/strike", query | {"nodes": [head]})
    assert not [a for a in node["after"]["answers"] if a["score"]]
    none = ask("runs/rules/strike", query | {"facts": [[answer, "wife", head]]})
    assert none["n_struck"] == 0 and none["after"] == none["before"] and none["notes"]
    rule = ask("runs/rules/strike", query | {"rules": [kind["rule"]]})
    assert rule["answer"]["after"]["score"] < rule["answer"]["before"]["score"]
    other = ask("runs/rules/what-else", fact | {"steps": kind["steps"], "top": 3})
    assert other["answers"] and all(row["walks"] > 0 for row in other["answers"])
    ask("runs/rules/strike", {"head": head}, 400)
    ask("runs/rules/strike", query | {"kinds": [[]]}, 422)


def test_what_a_kind_leads_to_is_counted_without_the_answer_itself(ask):
    fact = {"head": "Victoria_of_Wales", "relation": "cousin", "tail": "Alexandra_of_Greece_1870"}
    other = ask("runs/rules/what-else", fact | {"steps": [["sister", "forward"]]})["answers"]
    assert len(other) > 1 and fact["tail"] not in {row["entity"] for row in other}
    some = fact | {"steps": [["sister", "forward"]], "top": len(other) - 1}
    note = f"{len(other) - 1} of {len(other)} answers are given"
    assert note in ask("runs/rules/what-else", some)["notes"]


def test_a_counterfactual_holds_and_none_of_it_can_be_left_out():
    model = load_run(RUNS / "adaprop")
    task = model.task_
    for fact in map(tuple, task.data.train.tolist()):
        found = counterfactual(model, fact, beyond=5, most=4)
        if len(found.facts) > 1:
            break
    else:
        pytest.fail("no answer is held up by several facts")
    question = Question.of(fact, "tail", task.n_relations)
    gone = standing(without(model, [fact, *found.facts]), question)
    assert gone == found.after and gone.rank > 5 >= found.before.rank
    for each in found.facts:
        rest = [other for other in found.facts if other != each]
        assert standing(without(model, [fact, *rest]), question).rank <= 5


def test_a_counterfactual_over_http(ask):
    fact = {"head": "Victoria_of_Wales", "relation": "cousin", "tail": "Maud_of_Wales"}
    found = ask("runs/redgnn/counterfactual", fact | {"beyond": 3, "most": 2, "among": ["sister"]})
    assert {step["fact"][1] for step in found["steps"]} <= {"sister"}
    assert "greedy" in found["method"] and found["found"] == bool(found["facts"])


def test_strike_out_of_pairs(ask):
    drugs = [row["name"] for row in ask("runs/walks/entities", limit=2)["entities"]]
    u, kind, v = ask("runs/walks/facts", entity=drugs[0])["facts"][0]
    body = {"head": drugs[0], "tail": drugs[1], "facts": [[u, kind, v]]}
    found = ask("runs/walks/strike", body)
    assert found["before"]["answers"] and found["after"]["answers"] and found["caution"]
    ask("runs/walks/strike", {"head": drugs[0], "tail": drugs[1], "nodes": [u]}, 400)


# ---- what would bring an answer in -----------------------------------------------------------


@pytest.mark.parametrize("run", ["redgnn", "rules"])
def test_facts_that_bring_an_answer_in_do_so_on_a_graph_that_has_them(run):
    """The set is scored as on a graph of its own, to 1e-6, and none of it can be left out."""
    model = load_run(RUNS / run)
    task = model.task_
    head, relation, _ = task.data.test[0].tolist()
    for e in range(task.data.n_entities):  # mostly no answers
        found = bring_in(model, fact := (head, relation, e), within=2, most=3)
        if found.facts:
            break
    else:
        pytest.fail("no answer could be brought in")
    assert found.before.rank > 2 >= found.after.rank
    question, graph = Question.of(fact, "tail", task.n_relations), task.test_graph
    kept = graph.triples[~(graph.triples == np.array(fact)).all(1)]

    def beside(facts):
        rows = np.concatenate([kept, np.array(facts, kept.dtype).reshape(-1, 3)])
        other = KnowledgeGraph(
            rows, graph.n_entities, graph.n_relations, graph.entities, graph.relations
        )
        return standing(model.on(other), question)

    assert beside([]).rank == found.before.rank
    after = beside(found.facts)
    assert after.rank == found.after.rank
    assert after.score == pytest.approx(found.after.score, abs=1e-6)
    stated = {*map(tuple, kept.tolist())}
    assert not stated & {*found.facts} and fact not in found.facts
    for each in found.facts:
        assert beside([other for other in found.facts if other != each]).rank > 2


def test_what_would_bring_in_over_http(ask):
    fact = {"head": "Victoria_of_Wales", "relation": "cousin", "tail": "Maud_of_Wales"}
    found = ask("runs/rules/bring-in", fact | {"within": 1, "most": 1, "among": ["sister"]})
    assert {step["fact"][1] for step in found["steps"]} <= {"sister"}
    assert "greedy" in found["method"] and found["found"] == bool(found["facts"])
    ask("runs/rules/bring-in", fact | {"among": ["nix"]}, 404)


# ---- without the model -----------------------------------------------------------------------


def test_similar_entities_by_facts_and_by_vectors(ask):
    for run, told in (("rules", "facts"), ("complex", "vectors")):
        found = ask(f"runs/{run}/similar", entity="victoria_of_wales", limit=3)
        values = [one["similarity"] for one in found["similar"]]
        assert found["entity"] == "Victoria_of_Wales" and told in found["measure"]
        assert len(values) == 3 and values == sorted(values, reverse=True) and values[0] <= 1
        assert "Victoria_of_Wales" not in {one["name"] for one in found["similar"]}


def test_similarity_by_facts_is_the_cosine_of_what_is_said():
    triples = np.array(
        [[0, 0, 3], [1, 0, 3], [0, 1, 4], [1, 1, 4], [1, 1, 4], [2, 0, 3], [2, 1, 5]]
    )
    table = fact_vectors(KnowledgeGraph(triples, 6, 2))
    like = (table @ table.T).toarray()
    assert like[0, 1] == pytest.approx(1)
    common, rare, other = np.log(6 / 3), np.log(6 / 2), np.log(6 / 1)
    assert like[0, 2] == pytest.approx(common**2 / np.hypot(common, rare) / np.hypot(common, other))
    assert like[0, 5] == 0
