"""A path is literal: brackets, stars and braces in a name are no pattern, for any verb."""

from __future__ import annotations

import json
import os
import shutil

import polars as pl
import pytest
from tests.ddi.small_pairs import families, write_ddi_folder
from tests.molecules import small_molecules
from tests.ratings import small_ratings
from typer.testing import CliRunner

from parsimony.cli import app
from parsimony.ddi import load_ddi
from parsimony.decoding.tables import read_table
from parsimony.graph import read_triples
from parsimony.molecules.table import load_molecules
from parsimony.molecules.user_tables import read_queries, read_support
from parsimony.ratings.table import load_ratings, read_items

#: a name, and what it would match as a pattern
NAMES = [
    ("facts[1]", "facts1"),
    ("facts*", "facts of another"),
    ("facts?", "facts2"),
    ("{facts,x}", "facts"),
    ("facts**", "facts3"),
    ("[!a]", "b"),
    ("~", "home"),
    ("a=1", "a"),
    ("s3:", "s3"),
    ("%41", "A"),
]
FACTS = "".join(f"a{i}\tr\ta{(i + 1) % 30}\na{i}\ts\ta{(i + 7) % 30}\n" for i in range(30))


def run(*words):
    result = CliRunner().invoke(app, [*map(str, words), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(params=NAMES, ids=[name for name, _ in NAMES])
def names(request, tmp_path, monkeypatch):
    """An odd name of a file or folder, and one that it could be taken for; relative paths."""
    monkeypatch.chdir(tmp_path)
    return request.param


def test_triples(names):
    odd, decoy = names
    for suffix in (".tsv", ".csv", ".txt", ".nt"):
        text, separator = "<a> <r> <b> .\n", " "
        if suffix != ".nt":
            separator = "," if suffix == ".csv" else "\t"
            text = f"a{separator}r{separator}b\n"
        for name, content in ((odd, text), (decoy, text * 3)):
            with open(name + suffix, "w") as stream:
                stream.write(content)
        assert len(read_triples(odd + suffix)) == 1
    one = pl.DataFrame({"h": ["a"], "r": ["r"], "t": ["b"]})
    with open(odd + ".parquet", "wb") as stream:
        one.write_parquet(stream)
    with open(decoy + ".parquet", "wb") as stream:
        pl.concat([one] * 3).write_parquet(stream)
    assert len(read_triples(odd + ".parquet")) == 1


def test_folders(names):
    odd, decoy = names
    for name, n in ((odd, 1), (decoy, 3)):
        os.mkdir(name)
        with open(f"{name}/facts.tsv", "w") as stream:
            stream.write("a\tr\tb\n" * n)
    assert len(read_triples(f"{odd}/facts.tsv")) == 1


def test_molecules_ratings_and_pairs(names, tmp_path):
    odd, decoy = names
    for name, rows in ((odd, 2), (decoy, 1)):
        text = "smiles,label\nCCO,1\nCCN,0\n"
        (tmp_path / f"{name}.csv").write_text("".join(text.splitlines(True)[: rows + 1]))
        text = "user,item,rating\nu,i,1\nv,j,2\nu,j,3\n"
        (tmp_path / f"{name}.tsv").write_text(
            "".join(text.replace(",", "\t").splitlines(True)[: rows + 2])
        )
    assert load_molecules(f"{odd}.csv").n_molecules == 2
    assert len(read_support(f"{odd}.csv").smiles) == 2
    assert len(read_queries(f"{odd}.csv").smiles) == 2
    assert len(load_ratings(f"{odd}.tsv").rating) == 3
    assert read_items(f"{odd}.tsv") == ["i", "j"]
    assert len(read_table(f"{odd}.csv", ("smiles",))) == 2
    write_ddi_folder(families(), tmp_path / odd)
    write_ddi_folder(families(11), tmp_path / decoy)
    assert load_ddi(f"./{odd}").n_drugs == 30


def test_a_graph_from_audit_to_predict(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("run[1]*?{a}", "dir[1]"):
        os.mkdir(folder)
    facts = "dir[1]/facts[1]*.tsv"
    with open(facts, "w") as stream:
        stream.write(FACTS)
    with open("dir[1]/facts1*.tsv", "w") as stream:
        stream.write("x\tr\ty\n")
    assert run("audit", facts)["counts"]["entities"] == 30
    run("fit", facts, "--method", "rules", "--out", "run[1]*?{a}/r[2]")
    os.mkdir("run[1]*?{a}/r2")
    with open("q[1].tsv", "w") as stream:
        stream.write("a0\tr\t?\n" * 3)
    with open("q1.tsv", "w") as stream:
        stream.write("a0\tr\t?\n")
    predict = ("predict", "run[1]*?{a}/r[2]", "--queries", "q[1].tsv", "--top", "2")
    for out in ("ans[1].parquet", "ans*.parquet", "ans?.parquet", "{a,b}/[x].parquet"):
        assert run(*predict, "--out", out)["queries"] == 3
        with open(out, "rb") as stream:
            assert pl.read_parquet(stream)["query"].unique().sort().to_list() == [0, 1, 2]
        assert not os.path.exists(f"{out}.parts")
    run("report", "run[1]*?{a}/r[2]", "--out", "page[1].html")
    assert os.path.exists("page[1].html")


def test_molecules_from_fit_to_adapt(tmp_path, monkeypatch):
    pytest.importorskip("rdkit")
    monkeypatch.chdir(tmp_path)
    small_molecules.write_csv(small_molecules.chains(), tmp_path / "m[1]")
    shutil.copytree("m[1]", "m1")
    run("fit", "m[1]", "--method", "tanimoto", "--out", "run[1]")
    for name, rows in (("sup[1].csv", "CCO,1\nCCN,0\n"), ("sup1.csv", "CCCl,1\nCCF,0\n")):
        with open(name, "w") as stream:
            stream.write("smiles,label\n" + rows)
    with open("new[1].csv", "w") as stream:
        stream.write("smiles\nCCCO\nCCCCO\n")
    with open("new1.csv", "w") as stream:
        stream.write("smiles\nC\n")
    wanted = ("--support", "sup[1].csv", "--predict", "new[1].csv", "--out", "all[1].csv")
    found = run("adapt", "run[1]", *wanted)
    assert len(found["predictions"]) == 2
    assert len(read_table("all[1].csv")) == 2


def test_ratings_from_fit_to_adapt(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkdir("shop[1]")
    small_ratings.write_csv(small_ratings.tastes(), tmp_path / "shop[1]" / "r[1].csv")
    with open("shop[1]/r1.csv", "w") as stream:
        stream.write("user,item,rating\na,b,1\n")
    run("fit", "shop[1]/r[1].csv", "--method", "means", "--out", "run[1]")
    for name, content in (("mine[1].csv", "item,rating\nitem 1,5\n"), ("mine1.csv", "x\n")):
        with open(name, "w") as stream:
            stream.write(content)
    with open("new[1].csv", "w") as stream:
        stream.write("item\nitem 2\nitem 3\n")
    found = run("adapt", "run[1]", "--support", "mine[1].csv", "--predict", "new[1].csv")
    assert len(found["predictions"]) == 2


def test_drug_pairs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_ddi_folder(families(), tmp_path / "pairs[1]")
    write_ddi_folder(families(11), tmp_path / "pairs1")
    found = run("fit", "./pairs[1]", "--method", "prior", "--out", "run[1]")
    assert found["method"] == "prior"
