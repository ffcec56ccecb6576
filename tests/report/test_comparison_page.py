"""The page of a comparison: self-contained, escaped, its charts inside their frames."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.report.test_pages import EVIL, Tags

from parsimony.pages.comparison_charts import Mark, letter, size_chart, strata_chart
from parsimony.report.compare import compare_runs, comparison_page

OLD = Path(__file__).parents[1] / "fixtures" / "runs_0_1"


def found(name: str, runs: int = 3) -> dict:
    """A comparison in which every name is the same."""
    values = [{"value": 0.1 * i, "interval": [0.1 * i, 0.1 * i + 0.05]} for i in range(runs)]
    letters = [letter(i) for i in range(runs)]
    return {
        "kind": "link", "data": {"name": name, "hash": "ab"}, "split": "test", "unit": "queries",
        "n": 12, "headline": "mrr", "best": letters[-1], "simplest": "A", "says": f"{name} is best",
        "runs": [
            {"letter": one, "run": name, "method": name, "description_bytes": 10 ** (i % 5),
             "parameters": None, "cpu_seconds": 3.0, "wall_seconds": None,
             "peak_memory_bytes": None, "values": {"mrr": values[i], name: values[i]}}
            for i, one in enumerate(letters)
        ],
        "differences": [{"better": "B", "worse": "A", "gain": {"mrr": values[1]}}],
        "strata": {"distance": [{"stratum": name, "n": 12, "values": values}],
                   name: [{"stratum": name, "n": 3, "values": [None] * runs}]},
        "relations": [{"relation": name, "n": 12, "values": [0.5] * runs,
                       "tail": [None] * runs, "head": [0.5] * runs}],
        "notes": [name],
    }  # fmt: skip


def test_names_never_become_markup():
    plain, evil = (Tags(comparison_page(found(name))) for name in ("plain", EVIL))
    assert evil.tags == plain.tags
    assert "img" not in evil.tags
    assert not evil.requests()


@pytest.mark.parametrize("runs", [2, 4, 30])
def test_every_run_has_a_letter_and_a_row(runs):
    page = comparison_page(found("plain", runs))
    assert [letter(i) for i in (0, 25, 26, 51, 52)] == ["A", "Z", "AA", "AZ", "BA"]
    marks = re.findall(r'<text class="mark"[^>]*>(\w+)</text>', page)
    # in the chart of sizes, and in the one stratum that has values
    assert marks == [letter(i) for i in range(runs)] * 2
    assert page.count('class="chosen"') == 1


def places(svg: str) -> tuple[list[float], list[float]]:
    found = re.findall(r'<circle class="\w+" cx="([-\d.]+)" cy="([-\d.]+)"', svg)
    return [float(x) for x, _ in found], [float(y) for _, y in found]


def test_marks_stand_where_their_values_are():
    rows = [("near", 5, [Mark("A", 0.0, 0, 0.1), Mark("B", 0.5, 0.4, 0.5)]), ("far", 5, [None])]
    xs, ys = places(strata_chart(rows, title="t", across="MRR", limit=0.5))
    assert xs == [104.0, 300.0] and ys[0] < ys[1]
    points = [(10, Mark("A", 0.1, 0.1, 0.2)), (1000, Mark("B", 0.3, 0.3, 0.4)), (0, None)]
    xs, ys = places(size_chart(points, title="t", up="MRR"))
    assert len(xs) == 2 and xs[0] < xs[1] and ys[0] > ys[1]
    assert all(0 <= x <= 360 for x in xs)
    assert len(places(size_chart([(0, Mark("", 0.5, 0.5, 0.5))], title="t", up=""))[0]) == 1


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_comparison_from_python():
    done = compare_runs([OLD / "rules", OLD / "transe"])
    page = comparison_page(done)
    assert "2 runs on royal_part" in page
    assert "Half-links seen" in page and "Distance between the ends" in page
    assert page.count("<svg") == 1 + len(done["strata"])
