"""No figure of the results is typed by hand, and the README keeps to two screens."""

from __future__ import annotations

import json
import re
from pathlib import Path

from scripts.results_page import PAGE, RESULTS, link_rows, page

ROOT = Path(__file__).resolve().parents[1]


def test_the_results_are_those_of_the_records():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python scripts/results_page.py"


def test_a_changed_record_changes_the_page(tmp_path, monkeypatch):
    for path in RESULTS.glob("family-*.json"):
        text = path.read_text().replace('"mrr": 0.98', '"mrr": 0.12')
        (tmp_path / path.name).write_text(text)
    monkeypatch.setattr("scripts.results_page.RESULTS", tmp_path)
    rows = {(row[0], row[1]): row for row in link_rows()}
    assert rows["family", "`redgnn`"][2].startswith(".12")
    assert "✗" in rows["family", "`redgnn`"][3]
    assert rows["wn18rr", "`redgnn`"][2] == "not run"


def test_the_headline_is_what_the_frontier_says():
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    (name,) = re.findall(r"\(benchmarks/results/frontier/([\w-]+)\.svg\)", readme)
    found = json.loads((RESULTS / "frontier" / f"{name}.json").read_bytes())
    assert found["sentence"] in readme and found["runs"]["done"] == found["runs"]["planned"]
    # One trial is that of the defaults, and tunes nothing.
    assert max(row["trials"] for row in found["rows"]) > 1 or "size tuned" not in readme


def test_the_readme_fits_two_screens():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    assert max(map(len, lines)) <= 130
    # Measured figures stand in docs/results.md.
    assert not [line for line in lines if re.search(r"(?<![\w.])\.\d{3}\b", line)]
