"""The verb on a small graph: protocol, resumption, refusal, result and page."""

from __future__ import annotations

import csv
import json
import time
from dataclasses import replace

import pytest
from tests.frontier.planted import planted_rows
from typer.testing import CliRunner

from parsimony.cli import app
from parsimony.errors import CorruptRun, LedgerMismatch, UnknownParameter, UsageError
from parsimony.frontier import warming
from parsimony.frontier.analysis import analyse
from parsimony.frontier.axes import require_axis
from parsimony.frontier.families import Size, families
from parsimony.frontier.frontier import run_frontier
from parsimony.frontier.planning import planned
from parsimony.frontier.protocol import PROTOCOL, read_protocol
from parsimony.frontier.request import FrontierRequest
from parsimony.frontier.row import Row, Subject, Tuned
from parsimony.frontier.running import run_size
from parsimony.frontier.runs import Job, Runs, in_turn, run_job, time_of
from parsimony.frontier.warming import is_shaped
from parsimony.frontier.words import times_text, verdict
from parsimony.run.deadline import Deadline
from parsimony.run.engine import LocalEngine
from parsimony.search.trials import read_trials


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
    if "budget" in how:
        how["budget"] = Deadline(how["budget"])
    return FrontierRequest(str(facts), out, **how)


def test_frontier_is_killed_and_goes_on_and_ends_with_a_page(facts, tmp_path):
    out = tmp_path / "f"
    with pytest.raises(KeyboardInterrupt):
        run_frontier(request(facts, out, trials=1, engine=Stops(1)))
    written = (out / PROTOCOL).read_text()
    (first,) = read_trials(out / "search")
    how = {"trials": 1, "resume": True, "command": "parsimony frontier facts.tsv"}
    found = run_frontier(request(facts, out, **how))
    assert "no size was tuned: every method ran with its defaults" in found["notes"]
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
        run_frontier(request(facts, out, **how, axis="bits"))
    path = out / PROTOCOL
    path.write_text(written.replace("trials = 1", "trials = 9"))
    with pytest.raises(CorruptRun, match="changed after it was written"):
        run_frontier(request(facts, out, resume=True))


def test_dry_run_says_what_runs_take_and_writes_nothing(facts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["--family", "rules", "--family", "DistMult", "--sizes", "1", "--dry-run", "--json"]
    done = CliRunner().invoke(app, ["frontier", str(facts), *words])
    found = json.loads(done.stdout)
    assert found["expected"].keys() == {"rules", "DistMult"} and found["seconds"] > 0
    assert (found["runs"], found["seeds"], found["trials"]) == (6, 3, 4)
    assert "estimated time" in done.stderr and "a run" in done.stderr
    assert not list(tmp_path.iterdir())


def test_budget_that_is_over_leaves_runs_that_are_told(facts, tmp_path):
    found = run_frontier(request(facts, tmp_path / "f", budget=1e-6))
    assert found["runs"]["not run"] == 4 and not found["finished"]
    assert "no run was finished" in found["sentence"]
    assert any("4 of 4 runs were not made" in note for note in found["notes"])
    assert (tmp_path / "f" / "frontier.html").exists() and found["figure"] is None


def test_plan_of_a_short_budget_is_measured_and_goes_on_as_it_began(facts, tmp_path, monkeypatch):
    monkeypatch.setattr(warming, "_warmed", {})
    how = {"names": None, "sizes": None, "seeds": None, "trials": None}
    short = planned(request(facts, tmp_path / "f", budget=60.0, **how))
    assert {family.side for family in short.families} == {"knowledge", "scaled"}
    assert not any(is_shaped(size) for family in short.families for size in family.sizes)
    assert "families RED-GNN" in short.left_out and short.protocol.expected
    told = " ".join(short.lines(Deadline(60.0)))
    assert "a run)" in told and ("estimated time" in told) == (short.seconds is not None)
    found = run_frontier(request(facts, tmp_path / "f", budget=1e-6, **how), short)
    assert short.left_out in found["notes"] and found["runs"]["not run"] == short.n_runs
    more = planned(request(facts, tmp_path / "f", budget=7200.0, resume=True, **how))
    assert more.protocol.hash == short.protocol.hash and more.left_out == short.left_out
    assert more.protocol.expected == short.protocol.expected
    whole = planned(request(facts, tmp_path / "g", **how))
    assert not whole.left_out and len(whole.families) == 9 and whole.seconds is None
    assert whole.n_runs == 3 * sum(len(family.sizes) for family in families("link", sizes=8))


def test_a_graph_of_new_entities_leaves_out_who_has_vectors_for_the_old_ones(tmp_path):
    for name, who in (("pair", "ab"), ("pair_ind", "xy")):
        folder = tmp_path / name
        folder.mkdir()
        for split, n in (("train", 12), ("valid", 4), ("test", 4)):
            lines = [f"{who[0]}{k}\tlikes\t{who[1]}{(k * k + n) % 12}" for k in range(n)]
            (folder / f"{split}.txt").write_text("\n".join(lines) + "\n")
    how = {"names": None, "sizes": None}
    plan = planned(request(tmp_path / "pair", tmp_path / "f", **how))
    assert [f.name for f in plan.families] == ["rules", "RED-GNN", "AdaProp", "message passing"]
    assert plan.left_out.startswith("no vectors for the entities of the test graph: chosen symbol")
    with pytest.raises(UsageError, match=r"left out \(no vectors for"):
        planned(request(tmp_path / "pair", tmp_path / "f"))


def test_budget_counts_from_when_the_command_began(facts, tmp_path):
    """Imports, reading and planning are of it: what they took is not given to runs again."""
    late = Deadline(60.0, began=time.perf_counter() - 59.0)
    found = run_frontier(FrontierRequest(
        str(facts), tmp_path / "f", names=("rules", "DistMult"), sizes=1, seeds=2, trials=0,
        budget=late,
    ))  # fmt: skip
    assert found["runs"]["not run"] == 4 and found["seconds"] > 59


@pytest.mark.parametrize("kind", ["link", "ddi", "molecules", "coldstart"])
def test_families_come_in_turn_from_both_sides_and_those_that_compile_last(kind):
    order = in_turn(families(kind))
    assert {family.side for family in order[:2]} == {"knowledge", "scaled"}
    late = [any(is_shaped(size) for size in family.sizes) for family in order]
    assert late == sorted(late)


def test_nothing_is_compiled_that_the_budget_has_no_time_for(facts, tmp_path, monkeypatch):
    (reasoner,) = (family for family in families("link") if family.name == "RED-GNN")
    job = Job(reasoner, Size("d = 5", "redgnn", {"dim": 5}, 1.0), 1.0, 0)
    how = {"subject": Subject(str(facts), "link"), "trials": 0}
    row = run_job(job, tmp_path, time.time() + 2, 1.0, 1.0, 0.0, 1.0, None, **how)
    assert row.status == "out of time" and "compile" in row.why and not row.seconds
    row = run_job(job, tmp_path, time.time() + 60, 1.0, 1.0, 100.0, 1.0, None, **how)
    assert row.status == "out of time" and "it takes some 100 s" in row.why and not row.seconds
    monkeypatch.setattr(warming, "_warmed", {("rules", "link", ()): 200.0})  # a busy machine
    assert not warming.warm(Size("d = 4", "distmult", {"dim": 4}, 1.0), "link", 40.0)
    assert warming.warm(Size("1", "rules", {"per_relation": 1}, 1.0), "link", 1.0)


def test_short_runs_get_their_time_however_long_others_take():
    """Runs of 2 s before one of 5 hours, in half an hour: the clock ends the long one alone."""
    weights, now = [2.0] * 40 + [18_000.0], 1800.0
    for i, takes in enumerate(weights):
        got = time_of(now, max(1.0, sum(weights[i:]) / takes), takes, len(weights) - i)
        assert got >= takes if takes == 2.0 else got == now
        now -= min(takes, got)


def test_what_a_run_took_is_what_the_next_seed_gets(facts, tmp_path):
    plan = planned(request(facts, tmp_path))
    with Runs(tmp_path, plan.protocol, plan.families, Deadline(100.0), resume=False) as runs:
        first, second = (job for job in runs.jobs if job.family.name == "DistMult")
        guessed = runs._weight(second)
        row = Row(first.family.name, "scaled", first.size.label, "distmult", {}, 0, 1.0, "mrr")
        for status, took in (("done", 50.0), ("out of time", 100.0)):
            runs.rows[first.key] = replace(row, seconds=50.0, status=status)
            assert guessed < runs._weight(second) == took


def test_a_run_that_was_cut_goes_on_with_another_number_of_cores(facts, tmp_path, monkeypatch):
    (family,) = (family for family in families("link") if family.name == "DistMult")
    size = Size("d = 4", "distmult", {"dim": 4, "epochs": 3}, 1.0)
    how = {"share": 1.0, "seed": 0, "folder": tmp_path, "tuned": Tuned()}
    for cores, seconds, status in ((2, 1e-3, "out of time"), (1, None, "done")):
        monkeypatch.setattr("parsimony.link.embeddings.estimator.usable_cores", lambda n=cores: n)
        row = run_size(family, size, Subject(str(facts), "link"), seconds=seconds, **how)
        assert (row.status, row.why.startswith("cannot")) == (status, False), row.why


def test_plan_of_labels_leaves_out_the_extremes_and_one_side_is_refused(facts, tmp_path):
    plan = planned(request(facts, tmp_path, axis="labels", sizes=2, seeds=2, trials=3))
    (symbols,) = (f for f in plan.families if f.name == "DistMult")
    assert symbols.sizes[0].label != "d = 4" and len(symbols.sizes) == 2
    assert plan.protocol.headline_share == 0.1
    assert plan.n_runs == 2 * 2 * 5 * 2 and plan.n_trainings == 2 * 2 * 5 * (2 + 3)
    with pytest.raises(UsageError, match="two sides"):
        planned(request(facts, tmp_path, names=("rules",)))
    with pytest.raises(UnknownParameter, match="DistMul"):
        planned(request(facts, tmp_path, names=("DistMul",)))
    with pytest.raises(UnknownParameter, match="axis"):
        require_axis("parameter")


@pytest.mark.parametrize(
    ("knowledge", "side", "begins"),
    [
        (2.0, "knowledge", "Knowledge wins: RED-GNN"), (0.002, "scaled", "Scaling up wins"),
        (1.0, "knowledge", "Knowledge wins: it needs less for the same accuracy."),
    ],
)  # fmt: skip
def test_verdict_is_that_of_planted_rows(tmp_path, knowledge, side, begins):
    found = analyse(planted_rows(tmp_path, knowledge=knowledge), "parameters", draws=200)
    assert [each.measure.key for each in found] == ["parameters", "parameters_without_tables"]
    told, sentence = verdict(found[0], "mrr")
    assert told == side, sentence
    assert sentence.startswith(begins)
    (of_loss, _) = analyse(
        planted_rows(tmp_path / "loss", seeds=1), "parameters", loss=True, draws=50
    )
    assert of_loss.curves["ComplEx"].laws is not None


def test_one_seed_without_an_interval_is_no_verdict(tmp_path):
    rows = [
        (replace(row, values=None), folder)
        for row, folder in planted_rows(tmp_path, knowledge=2.0, seeds=1)
    ]
    told, sentence = verdict(analyse(rows, "parameters", draws=50)[0], "macro_f1")
    assert told == "open" and "no interval is known" in sentence and "(95 %" not in sentence[:200]


@pytest.mark.parametrize(("kept", "side"), [(3, "open"), (8, "knowledge")])
def test_a_family_that_was_not_scaled_far_does_not_lose(tmp_path, kept, side):
    """Its three smallest sizes are worse, the last of them is the best: no verdict."""
    rows = [
        (row, folder)
        for row, folder in planted_rows(tmp_path, knowledge=2.0)
        if row.side == "knowledge" or row.parameters <= 100 * 4 * 2 ** (kept - 1)
    ]
    told, sentence = verdict(analyse(rows, "parameters", draws=200)[0], "mrr")
    assert told == side
    assert ("larger ones may do better" in sentence) == (side == "open")


@pytest.mark.parametrize(("sizes", "side"), [(1, "open"), (2, "knowledge")])
def test_a_family_that_learned_from_few_labels_at_one_size_does_not_lose(tmp_path, sizes, side):
    """Whoever is given sixteen units and 86 classes is no rival."""
    rows = []
    for row, folder in planted_rows(tmp_path, knowledge=2.0):
        k = [f"d = {4 * 2**i}" for i in range(8)].index(row.size)
        share = (k + 1) / (4 if row.side == "knowledge" else 8)
        size = f"d = {4 + k % sizes}" if row.side == "scaled" else "d = 4"
        rows.append((replace(row, size=size, labels_share=share, labels=int(1e4 * share)), folder))
    told, sentence = verdict(analyse(rows, "labels", draws=200, headline_share=1.0)[0], "mrr")
    assert told == side
    assert ("ComplEx was run at one size (d = 4): others may do better" in sentence) == (sizes == 1)


@pytest.mark.parametrize(
    ("ratio", "words"),
    [(1.04, "1.04 times as many"), (3.21, "3.2 times as many"), (99.7, "100 times as many"),
     (8219.4, "8,219 times as many"), (0.01, "100 times fewer"), (0.96, "1.04 times fewer")],
)  # fmt: skip
def test_multiples_are_plain_numbers(ratio, words):
    assert times_text(ratio) == words
