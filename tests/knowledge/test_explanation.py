"""Explanation: text, JSON, layers, DOT."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsimony.explain import EvidenceEdge, Explanation, Faithfulness, Path, Step
from parsimony.explain.layout import layered_graph
from parsimony.knowledge import parse_rule

EVIL = "</script><img src=x onerror=alert(1)>"


def uncle(**changes) -> Explanation:
    """Edward is an uncle of William through his sister, or through his mother's daughter."""
    content = {
        "query": ("edward", "uncle", "william"),
        "score": 8.31,
        "paths": (
            Path(0.6, (Step("edward", "brother", "vicky"), Step("vicky", "mother", "william"))),
            Path(
                0.1,
                (
                    Step("victoria", "mother", "edward", "inverse"),
                    Step("victoria", "mother", "vicky"),
                    Step("vicky", "mother", "william"),
                ),
            ),
        ),
        "rules": (parse_rule("0.93  412/443  uncle(X,Y) <- brother(X,A), mother(A,Y)"),),
        "subgraph": (
            EvidenceEdge(1, "edward", "brother", "vicky", "forward", 0.9),
            EvidenceEdge(1, "victoria", "mother", "edward", "inverse", 0.3),
            EvidenceEdge(2, "victoria", "mother", "vicky", "forward", 0.4),
            EvidenceEdge(2, "vicky", "mother", "william", "forward", 0.8),
            EvidenceEdge(3, "vicky", "mother", "william", "forward", 0.7),
        ),
        "faithfulness": Faithfulness(6.0, 0.5, 2, 20),
        "probability": 0.97,
        "rank": 1.0,
        "labels": {"edward": "Edward VII", "vicky": "Victoria, Princess Royal"},
        "model": "redgnn",
        "known": "test",
    }
    return Explanation(**{**content, **changes})


def test_text_names_paths_rules_and_faithfulness():
    text = uncle().text()
    assert "Edward VII —brother→ Victoria, Princess Royal —mother→ william" in text
    assert "Edward VII ←mother— victoria —mother→" in text
    assert "0.93  412/443  uncle(X,Y) <- brother(X,A), mother(A,Y)" in text
    assert "(2 edges) lowers the score by 6, 12 times as much" in text


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (Faithfulness(6.0, 0.0, 2, 20), "random edges does not lower it"),
        (Faithfulness(-0.5, 0.1, 4, 20), "these paths do not explain it"),
        (Faithfulness(1.0, 0.5, 1, 20), "(1 edge) lowers"),
    ],
)
def test_faithfulness_is_said_as_it_is(measured, said):
    assert said in uncle(faithfulness=measured).text()


def test_no_path_is_said():
    assert "no path" in uncle(paths=(), rules=(), subgraph=()).text()


def test_json_is_the_documented_schema():
    content = json.loads(uncle().to_json())
    numbers = ["side", "question", "score", "probability", "rank"]
    assert list(content) == ["query", *numbers, "paths", "rules", "faithfulness", "notes"]
    assert content["query"] == {"head": "edward", "relation": "uncle", "tail": "william"}
    assert content["paths"][1]["steps"][0] == ["victoria", "mother", "edward", "inverse"]
    assert content["faithfulness"] == {
        "deleted_drop": 6.0, "random_drop": 0.5, "verdict": "stands out",
    }  # fmt: skip
    assert content["rules"][0]["support"] == 412


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"faithfulness": None, "probability": None, "rank": None},
        {"side": "head", "faithfulness": Faithfulness.of(6.0, 0.5, 3, 20, 2)},
        {"paths": (), "no_path": "no walk at all joins them", "notes": ("a note",)},
    ],
)
def test_full_dict_round_trips(changes):
    explanation = uncle(**changes)
    assert Explanation.from_dict(json.loads(explanation.to_json(full=True))) == explanation


def test_numbers_that_json_lacks_become_null():
    content = json.loads(uncle(score=math.nan, faithfulness=Faithfulness(math.inf, 0)).to_json())
    assert content["score"] is None
    assert content["faithfulness"]["deleted_drop"] is None


def test_layers_run_from_head_to_answer():
    graph = layered_graph(uncle())
    (head,) = [n for n in graph.nodes if n.role == "head"]
    (answer,) = [n for n in graph.nodes if n.role == "answer"]
    assert (head.column, answer.column, graph.n_columns) == (0, 3, 4)
    column = {node.id: node.column for node in graph.nodes}
    assert all(column[edge.source] < column[edge.target] for edge in graph.edges)
    # The walk of two steps ends early: its last edge reaches the answer past one column.
    (long,) = [edge for edge in graph.edges if edge.via]
    assert long.fact == ("vicky", "mother", "william")
    assert not any(edge.idle for edge in graph.edges)
    assert graph.caption == "All 5 evidence edges."


def test_pruning_keeps_whole_routes_and_counts():
    graph = layered_graph(uncle(), limit=2)
    assert {edge.fact for edge in graph.edges} == {
        ("edward", "brother", "vicky"),
        ("vicky", "mother", "william"),
    }
    assert graph.caption.startswith("2 of 5 evidence edges")
    assert all(edge.paths == (0,) for edge in graph.edges)


def test_named_paths_are_drawn_before_stronger_edges():
    rival = (
        EvidenceEdge(1, "edward", "uncle", "henry", "forward", 1.0),
        EvidenceEdge(2, "henry", "brother", "william", "forward", 1.0),
    )
    graph = layered_graph(uncle(subgraph=(*uncle().subgraph, *rival)), limit=5)
    assert {i for edge in graph.edges for i in edge.paths} == {0, 1}
    assert "henry" not in {node.name for node in graph.nodes}


def test_waiting_for_a_layer_is_contracted():
    edges = (
        EvidenceEdge(2, "edward", "brother", "vicky", "forward", 0.9),
        EvidenceEdge(4, "vicky", "mother", "william", "forward", 0.8),
        EvidenceEdge(5, "x", "mother", "y", "forward", 0.8),
    )
    graph = layered_graph(uncle(subgraph=edges))
    assert [node.name for node in graph.nodes] == ["edward", "vicky", "william"]
    assert not any(edge.idle or edge.via for edge in graph.edges)


def test_waiting_at_the_answer_is_drawn_where_another_walk_goes_on():
    edges = (
        EvidenceEdge(1, "edward", "uncle", "william", "forward", 0.9),
        EvidenceEdge(2, "william", "brother", "henry", "forward", 0.8),
        EvidenceEdge(3, "henry", "brother", "william", "forward", 0.8),
    )
    graph = layered_graph(uncle(subgraph=edges, paths=()))
    assert [edge.fact[0] for edge in graph.edges if edge.idle] == ["william"]
    assert graph.n_shown == graph.n_edges == 3


def test_edges_on_no_route_are_left_out():
    stray = EvidenceEdge(2, "x", "mother", "y", "forward", 1.0)
    graph = layered_graph(uncle(subgraph=(*uncle().subgraph, stray)))
    assert graph.caption.startswith("5 of 6 evidence edges")


def test_paths_are_drawn_where_there_is_no_subgraph():
    assert layered_graph(uncle(subgraph=())).n_edges == 5
    empty = layered_graph(uncle(subgraph=(), paths=()))
    assert len(empty.nodes) == 2 and not empty.edges


NAMES = st.sampled_from(["a", "b", "c", "d"])
EDGES = st.builds(
    EvidenceEdge,
    st.integers(1, 4),
    NAMES,
    st.sampled_from(["r", "s"]),
    NAMES,
    st.sampled_from(["forward", "inverse"]),
    st.sampled_from([0.0, 0.1, 0.5, 1.0]),
)


@given(st.lists(EDGES, max_size=20, unique=True), st.integers(1, 12))
def test_any_subgraph_can_be_laid_out(edges, limit):
    graph = layered_graph(Explanation(("a", "r", "d"), 1.0, subgraph=tuple(edges)), limit=limit)
    column = {node.id: node.column for node in graph.nodes}
    assert graph.n_shown <= limit
    assert len({(node.column, node.row) for node in graph.nodes}) == len(graph.nodes)
    for edge in graph.edges:
        passed = [spot[0] for spot in edge.via]
        assert passed == list(range(column[edge.source] + 1, column[edge.target]))
    assert sum(node.role == "head" for node in graph.nodes) == 1
    assert sum(node.role == "answer" for node in graph.nodes) == 1


@pytest.mark.parametrize("name", [EVIL, 'quo"te\\', "tab\there\nand & <b>", "\\N \\G \x00", "日本"])
def test_dot_holds_any_name(name):
    edge = EvidenceEdge(1, name, name, "b", "forward", 0.5)
    text = Explanation((name, "r", "b"), 1.0, subgraph=(edge,)).dot()
    assert text.count("\n") == len(text.splitlines())
    assert "->" in text and "\x00" not in text
    if shutil.which("dot"):
        subprocess.run(["dot", "-Tsvg"], input=text.encode(), check=True, capture_output=True)


def test_dot_marks_inverse_steps():
    lines = [line for line in uncle().dot().splitlines() if "dir=back" in line]
    assert len(lines) == 1 and "dashed" in lines[0]


@pytest.mark.parametrize(
    ("known", "says"),
    [
        ("train", "a fact of the train split, hidden for this query"),
        ("test", "a fact of the test split"),
        ("no", "not among the known facts"),
    ],
)
def test_the_split_that_states_the_answer_is_named(known, says):
    assert says in uncle(known=known).text()


@pytest.mark.parametrize(
    ("n_others", "says"), [(0, "followed no other edge"), (1, "followed only 1 edge beside these")]
)
def test_evidence_that_is_nearly_everything_is_not_compared(n_others, says):
    measured = Faithfulness.of(6.0, 0.5, 2, 20, n_others)
    assert measured.random_drop is None and measured.draws == 0
    text = uncle(faithfulness=measured).text()
    assert says in text and "times as much" not in text
    assert Faithfulness.of(6.0, 0.5, 2, 20, 2).random_drop == 0.5


def verdict_in_words(text: str) -> str:
    """What a reader takes from the sentence, whatever the number behind it."""
    for words, verdict in (
        ("these paths do not explain it", "no effect"),
        ("this is no test of these paths", "not compared"),
        ("No random deletion was drawn", "not compared"),
        ("does not rest on these paths in particular", "as random"),
    ):
        if words in text:
            return verdict
    assert "times as much" in text or "does not lower it" in text
    return "stands out"


DROPS = st.floats(-10, 10) | st.sampled_from([0.0, 1.0, 0.9, 1e-12])


@settings(max_examples=60, deadline=None)
@given(DROPS, st.none() | DROPS, st.integers(1, 40), st.none() | st.integers(0, 60))
def test_sentence_json_bars_and_colour_agree(deleted, random, n_deleted, n_others):
    measured = Faithfulness(deleted, random, n_deleted, 20, n_others)
    told = uncle(faithfulness=measured)
    said = verdict_in_words(told.text())
    assert json.loads(told.to_json())["faithfulness"]["verdict"] == said == measured.verdict
    page = told.html()
    assert f'data-verdict="{said}"' in page
    assert ('<div class="doubt"' in page) == (said != "stands out") == (not told.passes)
    bars = page[page.index('<div class="bars"') :]
    widths = [float(w) for w in re.findall(r'rect width="([\d.]+)%', bars[: bars.index("</div>")])]
    assert ("not drawn" in page) == (random is None) == (len(widths) == 1)
    if said == "no effect":
        assert widths[0] == 0
    elif said == "not compared":
        assert widths == [100]
    elif said == "as random":
        assert widths[1] >= 90
    else:
        assert widths[0] == 100 and widths[1] <= 90


def test_a_question_for_the_head_runs_from_the_tail():
    told = uncle(side="head", paths=tuple(
        Path(path.weight, tuple(
            replace(step, direction="inverse" if step.direction == "forward" else "forward")
            for step in reversed(path.steps)
        ))
        for path in uncle().paths
    ), subgraph=())  # fmt: skip
    sentence = (
        "Asked for the head, (?, uncle, william): score, probability, rank and deletion test are "
        "those of Edward VII as the answer; its rivals are all entities but the other known "
        "answers."
    )
    assert sentence in told.text()
    assert json.loads(told.to_json())["question"] == sentence
    assert f"<p>{sentence}</p>" in told.html()
    assert "william ←mother— Victoria, Princess Royal ←brother— Edward VII" in told.text()
    graph = layered_graph(told)
    role = {node.role: node for node in graph.nodes}
    assert (role["head"].name, role["answer"].name) == ("william", "edward")
    assert role["head"].column == 0 and role["answer"].column == graph.n_columns - 1
    assert "Asked for" not in uncle().text()


def test_why_there_is_no_path_is_said_in_every_form():
    why = "no walk of ≤ 2 steps joins them; the shortest has 3: train with n_layers=3"
    told = uncle(paths=(), rules=(), subgraph=(), faithfulness=None, no_path=why, path_order="x")
    assert f"  none: {why}\n" in told.text()
    assert json.loads(told.to_json())["notes"] == [why]
    page = told.html()
    assert f"<p>None: {why}.</p>" in page
    assert "<figure>" not in page and "data-explanation>" not in page
    assert why in told.dot()


def test_the_order_of_the_paths_is_told():
    assert "  First this." in uncle(path_order="First this.").text().splitlines()
    assert "First this." not in uncle(path_order="First this.", paths=()).text()
