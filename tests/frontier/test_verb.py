"""The verb on a small graph: protocol, resumption, refusal, result and page."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import pytest
from tests.frontier.planted import planted_rows

from parsimony.errors import CorruptRun, LedgerMismatch, UnknownParameter, UsageError
from parsimony.frontier.analysis import analyse
from parsimony.frontier.axes import require_axis
from parsimony.frontier.frontier import FrontierRequest, planned, run_frontier
from parsimony.frontier.protocol import PROTOCOL, read_protocol
from parsimony.frontier.words import verdict
from parsimony.run.engine import LocalEngine
from parsimony.search.trials import read_trials


@pytest.fixture(scope="module")
def facts(tmp_path_factory) -> Path:
    """Families of four: who is whose child, and whose grandchild."""
    lines = []
    for k in range(24):
        lines += [f"a{k}\tchild\tb{k}", f"b{k}\tchild\tc{k}", f"a{k}\tgrandchild\tc{k}",
                  f"b{k}\tspouse\td{k}", f"a{k}\tchild\td{k}"]  # fmt: skip
    random.Random(0).shuffle(lines)
    path = tmp_path_factory.mktemp("data") / "facts.tsv"
    path.write_text("\n".join(lines) + "\n")
    return path


class Stops(LocalEngine):
    """An engine that is killed after so many runs."""

    def __init__(self, after):
        self.after = after

    def run(self, function, jobs, go_on):
        for n, found in super().run(function, jobs, go_on):
            yield n, found
            self.after -= 1
            if not self.after:
                raise KeyboardInterrupt


def request(facts, out, **more):
    how = {"names": ("rules", "DistMult"), "sizes": 1, "seeds": 2, "trials": 0} | more
    return FrontierRequest(str(facts), out, **how)


def test_frontier_is_killed_and_goes_on_and_ends_with_a_page(facts, tmp_path):
    out = tmp_path / "f"
    with pytest.raises(KeyboardInterrupt):
        run_frontier(request(facts, out, engine=Stops(1)))
    written = (out / PROTOCOL).read_text()
    (first,) = read_trials(out / "search")
    found = run_frontier(request(facts, out, resume=True, command="parsimony frontier facts.tsv"))
    assert (out / PROTOCOL).read_text() == written
    trials = read_trials(out / "search")
    assert trials[0] == first and len(trials) == 4
    assert found["runs"] == {"planned": 4, "done": 4, "failed": 0, "out of time": 0, "not run": 0}
    assert found["verdict"] in ("knowledge", "scaled", "open") and found["sentence"]
    assert json.loads((out / "frontier.json").read_text())["protocol"] == read_protocol(out).hash
    table = list(csv.DictReader((out / "frontier.csv").read_text().splitlines()))
    assert {row["family"] for row in table} == {"rules", "DistMult"}
    page = (out / "frontier.html").read_text()
    assert "frontier.toml" in page and "parsimony frontier facts.tsv" in page
    assert (out / "frontier.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (out / "frontier.svg").read_bytes()
    with pytest.raises(LedgerMismatch, match="axis"):
        run_frontier(request(facts, out, resume=True, axis="bits"))
    path = out / PROTOCOL
    path.write_text(written.replace("trials = 0", "trials = 9"))
    with pytest.raises(CorruptRun, match="changed after it was written"):
        run_frontier(request(facts, out, resume=True))


def test_budget_that_is_over_leaves_runs_that_are_told(facts, tmp_path):
    found = run_frontier(request(facts, tmp_path / "f", budget=1e-6))
    assert found["runs"]["not run"] == 4 and not found["finished"]
    assert "no run was finished" in found["sentence"]
    assert any("4 of 4 runs were not made" in note for note in found["notes"])
    assert (tmp_path / "f" / "frontier.html").exists() and found["figure"] is None


def test_plan_of_labels_leaves_out_the_extremes_and_one_side_is_refused(facts, tmp_path):
    plan = planned(request(facts, tmp_path, axis="labels", sizes=2, seeds=2, trials=3))
    (symbols,) = (f for f in plan.families if f.name == "DistMult")
    assert symbols.sizes[0].label != "d=4" and len(symbols.sizes) == 2
    assert plan.protocol.headline_share == 0.1
    assert plan.n_runs == 2 * 2 * 5 * 2 and plan.n_trainings == 2 * 2 * 5 * (2 + 3)
    with pytest.raises(UsageError, match="two sides"):
        planned(request(facts, tmp_path, names=("rules",)))
    with pytest.raises(UnknownParameter, match="DistMul"):
        planned(request(facts, tmp_path, names=("DistMul",)))
    with pytest.raises(UnknownParameter, match="axis"):
        require_axis("parameter")


@pytest.mark.parametrize(("knowledge", "side"), [(2.0, "knowledge"), (0.002, "scaled")])
def test_verdict_is_that_of_planted_rows(tmp_path, knowledge, side):
    found = analyse(planted_rows(tmp_path, knowledge=knowledge), "parameters", draws=200)
    assert [each.measure.key for each in found] == ["parameters", "parameters_without_tables"]
    told, sentence = verdict(found[0], "mrr")
    assert told == side, sentence
    begins = {"knowledge": "Knowledge wins", "scaled": "Scaling up wins"}[side]
    assert sentence.startswith(begins)
    (of_loss, _) = analyse(
        planted_rows(tmp_path / "loss", seeds=1), "parameters", loss=True, draws=50
    )
    assert of_loss.curves["ComplEx"].laws is not None
