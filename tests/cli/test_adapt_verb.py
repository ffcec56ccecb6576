"""Few-shot molecules, as a user types them."""

from __future__ import annotations

import shutil

import polars as pl
import pytest
from tests.molecules.small_molecules import chains, write_csv
from typer.testing import CliRunner

from parsimony.cli import adapting, app

pytest.importorskip("rdkit", reason="molecules need the extra chem")

QUICK = ["--method", "tanimoto", "--set", "shots=[5, 1]", "--set", "episodes=2", "--set", "power=2"]
SUPPORT = "id,smiles,label\nm1,OCCC,1\nm2,OCCCCC,1\nm3,CCCC,0\nm4,ClCCC,0\n"
QUERIES = "ID,smiles\nq1,OCCCC\nq2,ClCCCC\nq3,CCCO\n"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PARSIMONY_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A run for all tests."""
    folder = tmp_path_factory.mktemp("molecules")
    write_csv(chains(), folder / "mine")
    words = ["fit", folder / "mine", *QUICK, "--out", folder / "run", "--quiet"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARSIMONY_CACHE", str(folder / "cache"))
        done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return folder / "run"


@pytest.fixture
def run(typed, fitted, tmp_path):
    shutil.copytree(fitted, tmp_path / "run")
    (tmp_path / "support.csv").write_text(SUPPORT)
    (tmp_path / "more.csv").write_text(QUERIES)
    return "run"


def ask(typed, *words, code=0):
    return typed(
        "adapt", "run", "--support", "support.csv", "--predict", "more.csv", *words, code=code
    )


def test_a_table_of_molecules_is_known_by_its_columns(typed, tmp_path):
    path = write_csv(chains(), tmp_path / "mine")
    done = typed("fit", path, *QUICK, "--json").json
    assert done["method"] == "tanimoto"
    assert done["run"] == "runs/chains-tanimoto-0"
    assert set(done["valid"]) == {"roc_auc", "roc_auc@5", "roc_auc@1"}
    assert typed("fit", path, "--method", "redgnn", "--json", code=2).error["remedy"]
    wrong = typed("fit", path, "--method", "tanimoto", "--set", "shot=3", "--json", code=2).error
    assert "shot" in wrong["message"]


def test_evaluate(typed, run):
    result = typed("evaluate", run, "--json").json
    assert result["metrics"]["roc_auc@5"] > 0.75
    readable = typed("evaluate", run, "--split", "valid").out
    assert "5-shot" in readable
    assert "std over episodes" in readable


def test_adapt(typed, run, tmp_path):
    result = ask(typed, "--top", 2, "--json").json
    assert {"predictions", "adapted_parameters", "seconds"} <= set(result)
    first, second, third = result["predictions"]
    assert [first["id"], second["id"], third["id"]] == ["q1", "q2", "q3"]
    assert first["probability"] > second["probability"]
    assert first["reasons"][0]["id"] in ("m1", "m2")
    assert third["known"] == 1
    assert [len(p["reasons"]) for p in result["predictions"]] == [2, 2, 2]
    readable = ask(typed, "--out", "all.csv", "--html", "why.html")
    assert "m1 active, similarity" in readable.out
    assert "calibrated on" in readable.out
    table = pl.read_csv(tmp_path / "all.csv")
    assert table["id"].to_list() == ["q1", "q2", "q3"]
    page = (tmp_path / "why.html").read_text()
    assert page.count("<svg") - page.count('<svg class="bar"') == 3 + 3 * 3 + 4, (
        "molecules, their reasons, the support"
    )
    assert "http://www.w3.org/2000/svg" in page
    assert "measured, in the support" in page


def test_many_tasks_are_adapted_to(typed, run, monkeypatch, tmp_path):
    for folder, content in (("given", SUPPORT), ("asked", QUERIES)):
        (tmp_path / folder).mkdir()
        for name in ("one", "two"):
            (tmp_path / folder / f"{name}.csv").write_text(content)
    words = ["adapt", "run", "--support", "given", "--predict", "asked", "--out", "all.csv"]
    with monkeypatch.context() as patch:
        patch.setattr(adapting, "join_shards", lambda *_: 1 / 0)  # it ends before they are joined
        assert typed(*words, code=None).code
    for folder in ("given", "asked"):
        (tmp_path / folder / "two.csv").rename(tmp_path / folder / "three.csv")
    assert "tasks differ" in typed(*words, "--json", code=2).error["message"]
    for folder in ("given", "asked"):
        (tmp_path / folder / "three.csv").rename(tmp_path / folder / "two.csv")
    done = typed(*words, "--json").json
    assert (done["tasks"], done["predictions"], done["resumed"]) == (2, 6, 2)
    alone = ask(typed, "--out", "one.csv", "--json").json["notes"]
    assert alone and done["notes"] == [f"2 of 2 tasks: {'; '.join(alone)}"]
    table = pl.read_csv(tmp_path / "all.csv")
    for name in ("one", "two"):
        own = table.filter(pl.col("task") == name).drop("task", "notes")
        assert own.equals(pl.read_csv(tmp_path / "one.csv"))
    (tmp_path / "asked" / "two.csv").unlink()
    words[-1] = "more.csv"
    assert "two" in typed(*words, "--json", code=2).error["message"]


def test_a_higher_share_is_asked_for(typed, run):
    low, high = (
        ask(typed, "--prevalence", share, "--json").json["predictions"][0]["probability"]
        for share in (0.1, 0.7)
    )
    assert low < high
    assert "prevalence" in ask(typed, "--prevalence", 2, "--json", code=2).error["message"]


@pytest.mark.parametrize(
    ("file", "text", "kind", "says", "line"),
    [
        ("support", "smiles,label\nCCO,1\nCCCO,1\n", "InvalidParameter", "only active ones", None),
        ("support", "smiles,label\nCCO,1\nCC(C,0\n", "FormatError", "CC(C", 3),
        ("support", "smiles,label\nCCO,1\nCCx,0\n", "FormatError", "position 3", 3),
        ("support", "smiles,label\nCCO,1\nCCC,3\n", "FormatError", "'3' is neither 0 nor 1", 3),
        ("support", "smiles,label\nCCO,1\nCCC,\n", "FormatError", "neither 0 nor 1", 3),
        ("support", "smiles,active\nCCO,1\n", "FormatError", "no column 'label'", 1),
        ("support", "", "EmptySplit", "empty", ""),
        ("support", "smiles,label\n", "EmptySplit", "no row", ""),
        ("more", "structure\nCCO\n", "FormatError", "no column 'smiles'", 1),
        ("more", "smiles\nCCO\nC1CC\n", "FormatError", "position 2", 3),
        ("more", "", "EmptySplit", "empty", ""),
    ],
)
def test_wrong_files_are_refused(typed, run, tmp_path, file, text, kind, says, line):
    (tmp_path / f"{file}.csv").write_text(text)
    error = ask(typed, "--json", code=2).error
    assert error["type"] == kind
    assert says in error["message"]
    assert error["remedy"]
    if line is not None:
        assert error["where"] == f"{file}.csv" + (f":{line}" if line else "")


def test_molecules_to_predict_that_cannot_be_read_are_skipped_if_asked(typed, run, tmp_path):
    (tmp_path / "more.csv").write_text("smiles\nCCO\nC1CC\nCCN\n")
    result = ask(typed, "--bad-smiles", "skip", "--json").json
    assert [p["id"] for p in result["predictions"]] == ["1", "3"]
    assert result["notes"][0].startswith("left out: line 3")
    assert ask(typed, "--bad-smiles", "keep", "--json", code=2).error["type"] == "UnknownParameter"


def test_another_tasks_run_is_refused(typed, trained, run):
    asked = ["--support", "support.csv", "--predict", "more.csv", "--json"]
    assert "molecules" in typed("adapt", trained, *asked, code=2).error["message"]
    for verb in (["report", run], ["explain", run, "--head", "a", "--tail", "b"]):
        assert "parsimony adapt" in typed(*verb, "--json", code=2).error["remedy"]
    assert "parsimony adapt" in typed("predict", run, "--head", "a", "--relation", "b", "--json",
                                      code=2).error["remedy"]  # fmt: skip
