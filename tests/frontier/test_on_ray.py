"""Runs of a frontier as jobs of Ray: the same rows, and gone on with after a kill."""

from __future__ import annotations

import pytest

from parsimony.frontier.frontier import run_frontier
from parsimony.frontier.request import FrontierRequest
from parsimony.run.engine import resolve_engine

# Ray's own code warns on import and leaves sockets to the collector.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
SAME = ("family", "size", "seed", "value", "value_valid", "parameters", "flops", "status", "trials")


class Stops:
    """Ray's engine, killed after the first run."""

    def __init__(self, engine):
        self.engine, self.slots = engine, engine.slots

    def run(self, function, jobs, go_on):
        for found in self.engine.run(function, jobs, go_on):
            yield found
            raise KeyboardInterrupt


def test_rows_are_the_same_on_ray_and_a_kill_loses_none(facts, tmp_path):
    pytest.importorskip("ray", reason="pip install 'parsimony-learning[dist]'")
    how = {"names": ("rules", "DistMult"), "sizes": 1, "seeds": 2, "trials": 0}
    here = run_frontier(FrontierRequest(str(facts), tmp_path / "here", **how))
    out = tmp_path / "ray"
    engine = resolve_engine("ray")
    try:
        with pytest.raises(KeyboardInterrupt):
            run_frontier(FrontierRequest(str(facts), out, engine=Stops(engine), **how))
        assert len((out / "search" / "trials.jsonl").read_text().splitlines()) >= 1
        there = run_frontier(FrontierRequest(str(facts), out, engine=engine, resume=True, **how))
    finally:
        engine.close()

    def figures(found):
        return sorted([row[name] for name in SAME] for row in found["rows"])

    assert figures(there) == figures(here)
    assert there["runs"] == here["runs"] and there["finished"]
    assert there["protocol"] == here["protocol"]
