"""Rules that are mined in shards are those of one process, whatever happens meanwhile."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.knowledge.rule_oracle import graphs

from parsimony.graph import KnowledgeGraph
from parsimony.knowledge import rule_bodies, rule_branch_mining, rule_paths, rule_plan, rule_shards
from parsimony.knowledge.rule_mining import mine_rules
from parsimony.run.engine import LocalEngine, ProcessEngine
from parsimony.run.shards import Shards


def small_shards(patch, bound):
    """Cut so that a few facts fill a range and a shard, and hubs are shared out."""
    patch.setattr(rule_paths, "RANGE", bound)
    patch.setattr(rule_shards, "SHARD", bound)
    patch.setattr(rule_shards, "EDGES", bound)
    patch.setattr(rule_branch_mining, "_ROOM", 2 * rule_branch_mining.PER_CONSTANT)


def mined(graph, **options):
    notes: list[str] = []
    rules = mine_rules(graph, min_support=1, notes=notes, **options)
    return [(str(rule), rule.support, rule.body_count) for rule in rules], notes


@settings(deadline=None, max_examples=15)
@given(
    graphs(max_entities=6, max_relations=2, max_facts=20),
    st.sampled_from([None, 2, 3]),
    st.sampled_from([3.0, 1e9]),
    st.floats(0, 400),
    st.booleans(),
)
def test_shards_change_nothing(graph, max_length, bound, budget, constants):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rule_plan, "BUDGET", budget)
        patch.setattr(rule_bodies, "_FEW", 0)  # the cheaper direction, always
        options = {"max_length": max_length, "constants": constants, "min_confidence": 0}
        expected = mined(graph, **options)
        small_shards(patch, bound)
        assert mined(graph, engine=LocalEngine(), **options) == expected


def drawn(n=300, seed=0):
    """Random facts, and a hub that every entity belongs to."""
    rng = np.random.default_rng(seed)
    facts = np.stack([rng.integers(0, m, n) for m in (60, 3, 60)], axis=1)
    hub = np.stack([np.arange(60), np.full(60, 3), np.full(60, 60)], axis=1)
    return KnowledgeGraph(np.concatenate([facts, hub]).astype(np.int32), 61, 4)


class Dies:
    """An engine whose process is lost after some shards."""

    slots = 1

    def __init__(self, after):
        self.left, self.done = after, 0

    def run(self, function, jobs, go_on):
        for found in LocalEngine().run(function, jobs, go_on):
            if not self.left:
                raise KeyboardInterrupt
            self.left, self.done = self.left - 1, self.done + 1
            yield found


def test_what_was_counted_is_not_counted_again(monkeypatch, tmp_path):
    small_shards(monkeypatch, 300.0)
    graph = drawn()
    whole = Dies(10**9)
    expected = mined(graph, engine=whole, constants=True)
    assert expected == mined(graph, constants=True)
    left = [2, 7, 10**9]
    engines = [Dies(after) for after in left]
    for engine in engines[:-1]:
        with pytest.raises(KeyboardInterrupt):
            mined(graph, engine=engine, shards=Shards(tmp_path), constants=True)
    damaged = min(tmp_path.iterdir())
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert mined(graph, engine=engines[-1], shards=Shards(tmp_path), constants=True) == expected
    assert sum(engine.done for engine in engines) == whole.done + 1  # the damaged one, twice


def test_processes_mine_the_same_rules(monkeypatch):
    small_shards(monkeypatch, 1000.0)
    graph = drawn()
    engine = ProcessEngine(2)
    try:
        assert mined(graph, engine=engine) == mined(graph)
    finally:
        engine.close()


def test_a_time_budget_is_kept(monkeypatch):
    small_shards(monkeypatch, 300.0)
    rules, _ = mined(drawn(), engine=LocalEngine(), seconds=600.0)
    assert rules == mined(drawn(), seconds=600.0)[0]
    none, notes = mined(drawn(), engine=LocalEngine(), seconds=0.0)
    assert any("the time ended" in note for note in notes)
    assert len(none) < len(rules)
