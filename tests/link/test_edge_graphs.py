"""Graphs at the edge of what can be learned: a right answer, or a typed error before training."""

from __future__ import annotations

import numpy as np
import pytest

from parsimony.errors import EmptySplit
from parsimony.graph import Vocabulary
from parsimony.link.data import LinkData
from parsimony.link.loading import load
from parsimony.link.task import LinkTask
from parsimony.methods import OURS, load_run, resolve

METHODS = list(OURS["link"])
WALKERS = ("redgnn", "adaprop", "rules")
SMALL = {
    "epochs": 1, "dim": 4, "threads": 1, "n_layers": 2, "top_k": 2, "min_support": 1,
    "negatives": 2,
}  # fmt: skip
LINE = [(0, 0, 1), (1, 0, 2), (2, 0, 3), (3, 0, 0)]


def data(train, valid, test, n_entities=4, n_relations=1, name="made", **more):
    parts = [np.array(part, np.int32).reshape(-1, 3) for part in (train, valid, test)]
    entities = Vocabulary([f"{name[0]}{i}" for i in range(n_entities)])
    relations = Vocabulary([f"r{i}" for i in range(n_relations)], "relation")
    return LinkData(name, entities, relations, *parts, **more)


GRAPHS = {
    "one fact": data([(0, 0, 1)], [], [(1, 0, 0)], 2),
    "one loop": data([(0, 0, 0)], [(0, 0, 0)], [(0, 0, 0)], 1),
    "loops": data([(i, 0, i) for i in range(4)], [(0, 0, 1)], [(1, 0, 1)]),
    "no validation": data(LINE, [], [(0, 0, 2)]),
    "a relation of test alone": data(LINE, [(0, 0, 2)], [(1, 1, 3)], n_relations=2),
    "an entity of test alone": data(LINE, [(0, 0, 2)], [(1, 0, 4), (4, 0, 4)], 5),
    "nothing is unknown": data(
        [(0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 0, 1)], [(0, 0, 1)], [(1, 0, 1)], 2
    ),
    "repeated": data(LINE * 3, [(0, 0, 2)] * 2, [(1, 0, 3)] * 5),
}
TEST_GRAPHS = {
    "an entity of test alone, inductive": data(
        [(0, 0, 1)], [(1, 0, 0)], [(2, 0, 2)], 3, name="ind"
    ),
    "only test facts, inductive": data([], [], [(0, 0, 1)], 2, name="ind"),
}


def fitted(method, task, **more):
    cls = resolve(method)
    known = cls.Parameters.model_fields
    return cls(**{k: v for k, v in (SMALL | more).items() if k in known}).fit(task)


def check(model, task, folder):
    data = task.test_data
    if not len(task.queries("test")):
        return
    measured = model.evaluate("test")
    n = len(np.unique(task._asked("test")[2], axis=0))
    assert measured["n_queries"] == 2 * n
    assert 0 < measured["metrics"]["mrr"] <= 1
    assert any("rest on" in note for note in measured["notes"])
    head, relation, tail = (int(i) for i in task._asked("test")[2][0])
    names = data.entities.name(head), data.relations.name(relation), data.entities.name(tail)
    found = model.predict(*names[:2], candidates=list(data.entities))
    assert all(np.isfinite(a["probability"]) for a in found["answers"])
    told = model.explain(*names)
    bare = {i for i in (head, tail) if not (task.test_graph.triples[:, [0, 2]] == i).any()}
    for i in bare:
        assert any(data.entities.name(i) in note and "no training fact" in note
                   for note in told.notes)  # fmt: skip
    model.save(folder / "run")
    again = load_run(folder / "run")
    assert again.evaluate("test")["metrics"] == measured["metrics"]


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("method", METHODS)
def test_a_right_answer(method, name, tmp_path):
    task = LinkTask(GRAPHS[name])
    check(fitted(method, task), task, tmp_path)


@pytest.mark.parametrize("name", TEST_GRAPHS)
@pytest.mark.parametrize("protocol", ["redgnn", "grail"])
@pytest.mark.parametrize("method", WALKERS)
def test_a_right_answer_about_another_graph(method, protocol, name, tmp_path):
    whole = data(LINE, [(0, 0, 2)], [(1, 0, 3)], inductive=TEST_GRAPHS[name])
    task = LinkTask(whole, protocol)
    check(fitted(method, task, protocol=protocol), task, tmp_path)


@pytest.mark.parametrize("method", ["redgnn", "adaprop"])
def test_an_inductive_pair_without_training_queries_is_refused(method):
    other = data(LINE, [], [(0, 0, 2)], name="ind")
    task = LinkTask(data(LINE, [], [(1, 0, 3)], inductive=other))
    with pytest.raises(EmptySplit, match="valid"):
        fitted(method, task)


def test_literals_left_out_are_told_to_the_end(tmp_path):
    path = tmp_path / "graph.nt"
    lines = [f"<e{i}> <r> <e{(i + k) % 12}> .\n" for i in range(12) for k in (1, 2, 5)]
    path.write_text("".join(lines) + '<e0> <age> "4" .\n')
    task = LinkTask(load(path))
    model = fitted("rules", task)
    left_out = "1 statement with a literal left out: no entities"
    assert left_out in task.notes
    assert left_out in model.evaluate("test")["notes"]
    assert left_out in model.predict("e0", "r")["notes"]


def test_what_is_unknown_is_told():
    task = LinkTask(GRAPHS["an entity of test alone"])
    for method, says in (("transe", "its vector was never trained"), ("rules", "no walk leads")):
        model = fitted(method, task)
        for notes in (
            model.predict("m4", "r0")["notes"],
            model.explain("m1", "r0", "m4").notes,
            model.explain("m1", "r0", "m4").to_dict()["notes"],
        ):
            assert any("m4 has no training fact" in note and says in note for note in notes)
        (of_split,) = [n for n in model.evaluate("test")["notes"] if "about an entity" in n]
        assert of_split.startswith("warning: 4 of 4 queries")
    task = LinkTask(GRAPHS["a relation of test alone"])
    for method in ("transe", "rules"):
        notes = fitted(method, task).predict("m1", "r1")["notes"]
        assert any("r1 has no training fact" in note for note in notes)
