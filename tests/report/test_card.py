"""Model cards: of every kind of run, from its folder alone, names of data as text."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from parsimony.cli import app
from parsimony.methods import load_run
from parsimony.problems import PROBLEMS
from parsimony.report.card import _text, run_card
from parsimony.run.folder import RunFolder

OLD = Path(__file__).parents[1] / "fixtures" / "runs_0_1"
SECTIONS = [f"## {word}" for word in
            ("Model", "Use", "Data", "Training", "Measured", "Cost", "To use it")]  # fmt: skip

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # names of old runs


def rows(text, section):
    part = text.split(f"\n{section}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    return {row[0] if len(row) < 4 else (row[0], row[1]): row for row in cells}


@pytest.mark.parametrize("name", ["redgnn", "rules", "walks", "means", "tanimoto"])
def test_a_card_says_what_the_folder_says(name):
    text = run_card(OLD / name)
    assert [line for line in text.splitlines() if line in SECTIONS] == SECTIONS
    metrics = json.loads((OLD / name / "metrics.json").read_text())["test"]["metrics"]
    measured = rows(text, "## Measured")
    for measure, value in metrics.items():
        assert measured["test", measure][2] == f"{value:.3f}"
    assert json.loads((OLD / name / "ledger.json").read_text())["hardware"] in text


def test_a_drug_card_warns_and_has_groups():
    text = run_card(OLD / "walks")
    assert "For research, not for clinical use." in text
    group = json.loads((OLD / "walks" / "metrics.json").read_text())["test"]["strata"]
    first = next(iter(group))
    assert f"| {first} | {group[first]['n']} | {group[first]['macro_f1']:.3f} |" in text


def test_the_worst_relations_are_named_first():
    text = run_card(OLD / "redgnn")
    assert rows(text, "### The five worst relations")["cousin"][2] == "0.330"


def test_every_problem_says_what_its_runs_are_for():
    for problem in PROBLEMS.values():
        words = problem.part("report")
        assert words.USE.endswith(".") and all(line.endswith(".") for line in words.NOT_FOR)


def test_names_are_no_markup():
    assert _text("<b>a|b\n`c`\x1b[0m") == "&lt;b&gt;a\\|b \\`c\\`\\\\x1b\\[0m"


def test_the_verb_prints_or_writes_it(tmp_path):
    run = tmp_path / "run"
    shutil.copytree(OLD / "rules", run)
    printed = CliRunner().invoke(app, ["card", str(run)])
    assert printed.exit_code == 0 and printed.stdout == run_card(run)
    done = CliRunner().invoke(app, ["card", str(run), "--out", str(tmp_path / "c.md"), "--json"])
    assert json.loads(done.stdout)["bytes"] == (tmp_path / "c.md").stat().st_size
    assert (tmp_path / "c.md").read_text() == run_card(run, estimator=load_run(run))


def test_a_card_of_validation_alone_says_so(tmp_path):
    run = tmp_path / "my run"
    shutil.copytree(OLD / "redgnn", run)
    metrics = json.loads((run / "metrics.json").read_text())
    del metrics["test"]
    name = next(iter(metrics["valid"]["metrics"]))
    metrics["valid"]["metrics"][name] = None
    RunFolder.open(run).amend("metrics.json", metrics)
    text = run_card(run)
    assert "questions of validation" in text and "of the test" not in text
    assert rows(text, "## Measured")["validation", name][2] == "–"
    assert "parsimony report 'my run'" in text
