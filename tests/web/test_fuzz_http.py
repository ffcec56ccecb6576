"""Random requests end in an answer or an error, never in a 500 (10,000 in benchmarks)."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from fuzz_http import ask_all


def test_random_requests(client):
    statuses, failed = ask_all(client, ["redgnn", "rules", "walks", "tanimoto"], 150, seed=5)
    assert not failed
    assert statuses[200] > 10 and statuses[404] > 10 and statuses[422] > 10
