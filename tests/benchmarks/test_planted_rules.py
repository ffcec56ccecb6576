"""Planted rules are found among noise and distractors, and state what holds elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


@pytest.fixture
def planted_rules(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    import planted_rules

    yield planted_rules
    for name in ("planted_rules", "common"):
        sys.modules.pop(name, None)


def test_planted_rules_are_found_and_hold(planted_rules):
    row = planted_rules.measure(0, 1500)
    assert row["recall"] >= 0.95
    assert row["precision"] >= 0.95
    assert row["off"] <= 0.03
    assert row["judged"] > 40
