"""compare: runs on the same data, question by question."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from parsimony.methods import load_run
from parsimony.run.seal import seal

OLD = Path(__file__).parents[1] / "fixtures" / "runs_0_1"
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # names of old runs
KINDS = {
    "link": ("transe", "rules"),
    "ddi": ("neighbours", "walks"),
    "coldstart": ("means", "coldnas"),
    "molecules": ("tanimoto", "multitask"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_runs_of_every_kind(typed, kind, tmp_path):
    if kind == "molecules":
        pytest.importorskip("rdkit")
    names = KINDS[kind]
    words = ["compare", *(OLD / name for name in names), "--out", "page.html"]
    done = typed(*words, "--json").json
    assert [row["method"] for row in done["runs"]] == list(names)
    assert [row["letter"] for row in done["runs"]] == ["A", "B"]
    assert len(done["differences"]) == 1
    values = {row["letter"]: row["values"] for row in done["runs"]}
    for pair in done["differences"]:
        assert pair["gain"][done["headline"]]["value"] >= 0
        for name, gain in pair["gain"].items():
            better, worse = (values[pair[key]][name]["value"] for key in ("better", "worse"))
            gap = worse - better if name in ("mse", "mae") else better - worse
            assert gain["value"] == pytest.approx(gap, abs=1e-9)
            assert gain["interval"][0] <= gain["interval"][1]
    for row, name in zip(done["runs"], names, strict=True):
        measured = load_run(OLD / name).evaluate("test")["metrics"]
        for measure, value in row["values"].items():
            assert value["value"] == pytest.approx(measured[measure])
    page = (tmp_path / "page.html").read_text()
    assert done["says"] in page.replace("&#39;", "'")
    assert all(f"<b>{name}</b>" in page for name in names)
    assert "<script" in page and 'src="' not in page
    text = typed(*words[:-2]).out
    assert done["says"] in text


def test_the_paired_interval_is_that_of_the_differences(typed):
    done = typed("compare", OLD / "redgnn", OLD / "complex", "--split", "valid", "--json").json
    one, other = (load_run(OLD / name).ranks("valid") for name in ("redgnn", "complex"))
    gaps = 1 / one.ranks() - 1 / other.ranks()
    (pair,) = done["differences"]
    sign = 1 if pair["better"] == "A" else -1
    low, high = pair["gain"]["mrr"]["interval"]
    error = gaps.std() / np.sqrt(len(gaps))
    assert pair["gain"]["mrr"]["value"] == pytest.approx(sign * gaps.mean())
    assert low == pytest.approx(sign * gaps.mean() - 1.96 * error, abs=0.3 * error)
    assert high == pytest.approx(sign * gaps.mean() + 1.96 * error, abs=0.3 * error)


def test_strata_and_relations_side_by_side(typed):
    runs = [OLD / "rules", OLD / "redgnn"]
    done = typed("compare", *runs, "--json").json
    for i, run in enumerate(runs):
        alone = typed("evaluate", run, "--json").json
        for kind, rows in done["strata"].items():
            assert [row["values"][i]["value"] for row in rows] == pytest.approx(
                [row["mrr"] for row in alone["strata"][kind]]
            )
            assert [row["n"] for row in rows] == [r["n_queries"] for r in alone["strata"][kind]]
        for row, own in zip(done["relations"], alone["per_relation"], strict=True):
            assert (row["relation"], row["n"]) == (own["relation"], own["n_queries"])
            assert (row["tail"][i], row["head"][i]) == (own["mrr_tail"], own["mrr_head"])


def test_the_simplest_that_is_not_worse(typed):
    done = typed("compare", OLD / "redgnn", OLD / "complex", "--json").json
    (pair,) = done["differences"]
    assert pair["better"] == "A" and pair["gain"]["mrr"]["interval"][0] < 0
    assert (done["best"], done["simplest"]) == ("A", "B")
    assert re.match(r"B \(complex, 1\.12 kB\) is the simplest that is not worse", done["says"])
    done = typed("compare", OLD / "rules", OLD / "transe", "--json").json
    assert (done["best"], done["simplest"]) == ("A", "A")
    assert "nearest smaller run, B (transe, 1.12 kB), is worse by" in done["says"]
    # Of two runs with equal answers and descriptions the cheaper one, here the first.
    done = typed("compare", OLD / "transe", OLD / "transe", "--json").json
    assert (done["best"], done["simplest"]) == ("A", "A")
    assert done["differences"][0]["gain"]["mrr"] == {"value": 0.0, "interval": [0.0, 0.0]}


def test_what_cannot_be_compared(typed, tmp_path):
    def told(*words):
        return typed("compare", *words, "--json", code=2).error["message"]

    assert "nothing to be compared with" in told(OLD / "redgnn")
    assert "different problems" in told(OLD / "redgnn", OLD / "means")
    assert "no such run folder" in told(OLD / "redgnn", "none")
    assert "split must be" in told(OLD / "redgnn", OLD / "rules", "--split", "train")
    for name, old, new, says in (
        ("redgnn", r'hash = "\w', 'hash = "0', "different data"),
        ("tanimoto", r"episodes = \d+", "episodes = 3", "different questions"),
    ):
        own = shutil.copytree(OLD / name, tmp_path / name)
        config = (own / "config.toml").read_text()
        (own / "config.toml").write_text(re.sub(old, new, config))
        seal(own)
        assert says in told(own, OLD / name)
