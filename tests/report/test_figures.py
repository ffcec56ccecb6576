"""Figures by Matplotlib: files that open, names that cannot break them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from parsimony.errors import InvalidParameter
from parsimony.explain import EvidenceEdge, Explanation, Faithfulness, Path, Step
from parsimony.explain.figures import explanation_figure, learning_curve
from parsimony.knowledge import Symbol
from parsimony.report import symbol_figure

HISTORY = [{"epoch": i, "loss": 4.0 / i, "valid_mrr": 0.2 * i} for i in (1, 2, 3)]


def explanation(name: str = "a") -> Explanation:
    edges = (
        EvidenceEdge(1, name, "r", "b", "forward", 0.9),
        EvidenceEdge(1, name, "s", "b", "forward", 0.5),
        EvidenceEdge(2, "d", "r", "b", "inverse", 0.8),
        EvidenceEdge(1, name, "t", "c", "forward", 0.2),
        EvidenceEdge(3, "c", "t", "d", "forward", 0.2),
    )
    return Explanation((name, "r", "d"), 1.0, subgraph=edges)


def test_png(tmp_path):
    path = explanation_figure(explanation(), tmp_path / "why.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert learning_curve(HISTORY, tmp_path / "curve.png").stat().st_size > 1000


@pytest.mark.parametrize("name", ["a", "$\\frac{1$ <b>&", "a" * 200])
def test_svg_is_well_formed_and_reproducible(name, tmp_path):
    first = explanation_figure(explanation(name), tmp_path / "one.svg").read_bytes()
    assert first == explanation_figure(explanation(name), tmp_path / "two.svg").read_bytes()
    ElementTree.fromstring(first)


@pytest.mark.parametrize("random_drop", [0.1, 0.95, None])
def test_evidence_that_does_not_pass_is_drawn_in_another_colour(random_drop, tmp_path):
    measured = Faithfulness(1.0, random_drop, 1, 20)
    told = replace(
        explanation(),
        paths=(Path(0.9, (Step("a", "r", "b"),)),),
        faithfulness=measured,
    )
    svg = explanation_figure(told, tmp_path / "why.svg").read_text()
    assert ("#b3261e" in svg) == ("deletion test does not confirm" in svg) == (not measured.passes)
    # The rim of the first entity is blue in either case.
    assert svg.count("#2a5d8f") > 1 if measured.passes else svg.count("#2a5d8f") == 1


def test_no_path_is_written_below_the_two_ends(tmp_path):
    told = Explanation(("a", "r", "d"), 1.0, no_path="no walk at all joins them")
    svg = explanation_figure(told, tmp_path / "why.svg").read_text()
    assert "No path: no walk at all joins them." in svg


def test_one_series_is_enough(tmp_path):
    assert learning_curve([{"epoch": 1, "valid_mrr": 0.5}], tmp_path / "curve.svg").exists()


def test_wrong_inputs_are_named(tmp_path):
    with pytest.raises(InvalidParameter, match=r"\.gifx"):
        explanation_figure(explanation(), tmp_path / "why.gifx")
    with pytest.raises(InvalidParameter, match="neither"):
        learning_curve([{"epoch": 1}], tmp_path / "curve.png")


def test_nothing_heavy_is_imported_early():
    code = (
        "import sys, parsimony.report, parsimony.explain.explanation;"
        "print({'matplotlib', 'jinja2', 'torch', 'numba'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_symbols(tmp_path):
    one = symbol_figure(Symbol.parse("ComplEx"), tmp_path / "one.svg")
    tree = ElementTree.fromstring(one.read_bytes())
    words = ["".join(text.itertext()).strip() for text in tree.iter() if text.tag.endswith("text")]
    assert "ComplEx" in words
    assert {"1", "2", "3", "4", "−3", "−4"} <= set(words)
    assert symbol_figure(Symbol.named(), tmp_path / "all.png").stat().st_size > 10_000
    assert symbol_figure({"$x_": Symbol([[0] * 4] * 4)}, tmp_path / "odd.pdf").exists()
    with pytest.raises(InvalidParameter):
        symbol_figure({}, tmp_path / "none.png")
    with pytest.raises(InvalidParameter):
        symbol_figure(Symbol.parse("CP"), tmp_path / "a.docx")
