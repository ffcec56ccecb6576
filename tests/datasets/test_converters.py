"""Converters of sources that no archive here holds: each on a small file of the source's form."""

from __future__ import annotations

import gzip
import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.datasets.source_layout import put, tar_gz, zipped

from parsimony import datasets
from parsimony.datasets import recipes
from parsimony.datasets.convert import CONVERTERS, converter, ogb, reading
from parsimony.datasets.convert.graphs import held_out
from parsimony.errors import CorruptArchive, FormatError

RNG = np.random.default_rng(0)


@pytest.fixture
def source(tmp_path, cache, monkeypatch):
    """A folder that stands for the public sources; takes the files of a recipe by name."""
    monkeypatch.setenv("PARSIMONY_OFFLINE", "0")
    monkeypatch.setenv("PARSIMONY_SOURCES", str(tmp_path / "by-hand"))

    def give(name, **files):
        for file, content in zip(recipes.recipe(name).files, files.values(), strict=True):
            put(tmp_path / "by-hand", file.url, content)
        return name

    return give


def without_checksums(monkeypatch):
    monkeypatch.setattr(
        "parsimony.datasets.fetching._verified", lambda file, path, fetched: "not compared"
    )


def test_every_word_has_its_function():
    words = {recipes.recipe(name).convert for name in recipes._written()} - {""}
    assert words == set(CONVERTERS)
    assert all(callable(converter(word)) for word in words)


HETIONET = {
    "nodes": b"id\tname\tkind\nGene::1\tA1\tGene\nGene::2\tB2\tGene\nCompound::D\tD\tCompound\n"
    b"Compound::E\tE\tCompound\n",
    "edges": gzip.compress(b"source\tmetaedge\ttarget\nCompound::D\tCbG\tGene::1\n"
                           b"Compound::D\tCrC\tCompound::E\nGene::1\tGiG\tGene::2\n"),
}  # fmt: skip


def test_hetionet_is_a_background_graph(source, monkeypatch):
    from parsimony.ddi.background import _hetionet, _resembling

    without_checksums(monkeypatch)
    got = datasets.get(source("hetionet", **HETIONET))
    assert "figures on it are not those of our tables" in got["source"]
    facts, named = _hetionet(Path(got["path"]))
    assert facts.rows() == [("Compound::D", "CbG", "Gene::1"), ("Gene::1", "GiG", "Gene::2")]
    assert len(named) == 4
    assert _resembling(Path(got["path"]))[0].rows() == [("Compound::D", "CrC", "Compound::E")]


def test_hetionet_as_facts(source, monkeypatch):
    without_checksums(monkeypatch)
    folder = Path(datasets.get(source("hetionet-facts", **HETIONET))["path"])
    # Every fact is the first of an entity or a relation, so none is held out.
    assert len((folder / "train.txt").read_text().splitlines()) == 3
    assert (folder / "entity_names.tsv").read_text().startswith("id\tname\nGene::1\tA1\n")


def test_held_out_facts_never_take_an_entity_away():
    import polars as pl

    ends = RNG.integers(0, 40, (400, 2))
    facts = pl.DataFrame({
        "head": ends[:, 0], "relation": RNG.integers(0, 5, 400), "tail": ends[:, 1],
    })  # fmt: skip
    split = held_out(facts)
    assert np.bincount(split).tolist() == [320, 40, 40]
    train = facts.filter(pl.Series(split == 0))
    for columns in (("head", "tail"), ("relation",)):
        there = set(train.select(columns).to_numpy().ravel())
        assert there == set(facts.select(columns).to_numpy().ravel())


def test_primekg_holds_every_edge_once(source):
    head = "relation,display_relation,x_index,x_id,x_type,x_name,x_source,y_index,y_id,y_type,y_name,y_source"  # noqa: E501
    rows = [
        'drug_protein,target,5,DB1,drug,"One, of it",DrugBank,7,11,gene/protein,P,NCBI',
        "protein_protein,ppi,7,11,gene/protein,P,NCBI,8,12,gene/protein,Q,NCBI",
        'drug_protein,target,7,11,gene/protein,P,NCBI,5,DB1,drug,"One, of it",DrugBank',
    ]
    got = datasets.get(source("primekg", kg="\n".join([head, *rows, ""]).encode()))
    assert (Path(got["path"]) / "train.txt").read_text().splitlines() == [
        "drug::DB1\tdrug_protein\tgene/protein::11",
        "gene/protein::11\tprotein_protein\tgene/protein::12",
    ]
    assert "drug::DB1\tOne, of it\n" in (Path(got["path"]) / "entity_names.tsv").read_text()


def saved(new=True, **arrays):
    out = io.BytesIO()
    torch.save(arrays, out, pickle_protocol=4, _use_new_zipfile_serialization=new)
    return out.getvalue()


def csv_gz(*rows):
    return gzip.compress("".join(f"{row}\n" for row in rows).encode())


def test_ogb_biokg(source):
    split = {"head": np.array([0]), "relation": np.array([1]), "tail": np.array([1]),
             "head_type": ["drug"], "tail_type": ["protein"]}  # fmt: skip
    members = {f"biokg/split/random/{s}.pt": saved(**split) for s in ("train", "valid", "test")}
    for kind in ("disease", "drug", "function", "protein", "sideeffect"):
        members[f"biokg/mapping/{kind}_entidx2entid.csv.gz"] = csv_gz(
            "ent idx,ent id", "1,q", "0,p"
        )
    members["biokg/mapping/relidx2relname.csv.gz"] = csv_gz("rel idx,rel name", "0,a", "1,b")
    data = datasets.load(source("ogbl-biokg", zip=zipped(members)))
    assert set(data.entities.names) == {"drug::p", "protein::q"}
    assert list(data.relations.names) == ["b"]


def test_ogb_wikikg2_and_code_in_it(source, tmp_path):
    split = {k: np.array([0]) for k in ("head", "relation", "tail")}
    members = {
        f"wikikg-v2/split/time/{s}.pt": saved(s != "test", **split)
        for s in ("train", "valid", "test")
    }
    members["wikikg-v2/mapping/nodeidx2entityid.csv.gz"] = csv_gz("node idx,entity id", "0,Q31")
    members["wikikg-v2/mapping/reltype2relid.csv.gz"] = csv_gz("reltype,rel id", "0,P31")
    evil = {**members, "wikikg-v2/split/time/test.pt": saved(head=tmp_path)}  # an object of a class
    with pytest.raises(CorruptArchive, match="more than arrays"):
        datasets.get(source("ogbl-wikikg2", zip=zipped(evil)))
    for record in tmp_path.rglob("sources.json"):
        record.unlink()
    data = datasets.load(source("ogbl-wikikg2", zip=zipped(members)))
    assert list(data.entities.names) == ["Q31"]


@pytest.mark.parametrize(
    "content",
    [b"no gzip", csv_gz("a,b", "0,Q31")[:-9], b""],
    ids=["no gzip", "cut off", "empty"],  # what is packed tells the second in which it was
)
def test_a_damaged_member_is_no_full_disk(source, content):
    members = {
        "wikikg-v2/mapping/nodeidx2entityid.csv.gz": content,
        "wikikg-v2/mapping/reltype2relid.csv.gz": csv_gz("reltype,rel id", "0,P31"),
    }
    with pytest.raises((CorruptArchive, FormatError)):
        datasets.get(source("ogbl-wikikg2", zip=zipped(members)))


def test_a_member_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_MOST", 1000)
    (tmp_path / "a.zip").write_bytes(zipped({"a/b.csv.gz": gzip.compress(bytes(2000))}))
    with pytest.raises(CorruptArchive, match="more than 1,000 bytes"):
        reading.unpacked(tmp_path / "a.zip", "b.csv.gz")


@pytest.mark.parametrize("content", [b"\x80\x02h\x07.", b"\x80\x02K\x01.", b"\x80\x021."])
def test_a_pickle_that_is_damaged_is_said_to_be(tmp_path, content):
    (tmp_path / "a.zip").write_bytes(zipped({"b.pt": zipped({"b/data.pkl": content})}))
    with pytest.raises(CorruptArchive, match="more than arrays"):
        ogb._arrays(tmp_path / "a.zip", "b.pt")


def test_a_pickle_that_names_code_runs_none(tmp_path):
    """Protocol 0, by hand: os.mkdir(made)."""
    made = tmp_path / "made"
    content = f"cos\nmkdir\n(V{made}\ntR.".encode()
    (tmp_path / "a.zip").write_bytes(zipped({"b.pt": zipped({"b/data.pkl": content})}))
    with pytest.raises(CorruptArchive, match="more than arrays"):
        ogb._arrays(tmp_path / "a.zip", "b.pt")
    assert not made.exists()
    pickle.loads(content)
    assert made.exists(), "the file would have run it"


def test_tdc_tables(source):
    drugs = [f"D{n}" for n in range(20)]
    rows = [f"{a}\t{b}\t{1 + (i + j) % 2}\tkind {1 + (i + j) % 2}\tC\tCC"
            for i, a in enumerate(drugs) for j, b in enumerate(drugs) if a < b]  # fmt: skip
    table = ["ID1\tID2\tY\tMap\tX1\tX2", *rows]
    name = source("tdc-drugbank", tab="\n".join([*table, ""]).encode())
    datasets.get(name, agreed=True)
    data = datasets.load(name)
    assert set(data.pairs) == {
        "train",
        *(f"{p}_S{n}" for p in ("valid", "test") for n in (0, 1, 2)),
    }
    known = set(data.pairs["train"][:, [0, 2]].ravel())
    assert not known & set(data.pairs["test_S2"][:, [0, 2]].ravel())
    assert data.templates == ("kind 1", "kind 2")


def test_tdc_twosides_has_several_effects_a_pair(source):
    drugs = [f"CID{n}" for n in range(20)]
    rows = [f"{a}\t{b}\t{n}\teffect {n}\tC\tCC"
            for a in drugs for b in drugs if a < b for n in (0, 3)]  # fmt: skip
    head = "ID1\tID2\tY\tSide Effect Name\tX1\tX2"
    data = datasets.load(source("tdc-twosides", tab="\n".join([head, *rows, ""]).encode()))
    assert data.multilabel and data.templates[1] == "#Drug1 and #Drug2 together: effect 3"


def test_movielens_100k_and_1m(source, monkeypatch):
    without_checksums(monkeypatch)
    users, items = range(1, 11), range(1, 40)
    rated = [(u, i, 1 + (u * i) % 5) for u in users for i in items]
    small = {
        "ml-100k/u.data": "".join(f"{u}\t{i}\t{r}\t88\n" for u, i, r in rated),
        "ml-100k/u.user": "".join(f"{u}|24|M|writer|94043\n" for u in users),
        "ml-100k/u.genre": "unknown|0\nAction|1\n\n",
        "ml-100k/u.item": "".join(f"{i}|Fil\xe9m {i}|01||http|0|1\n" for i in items),
    }
    packed = zipped({file: text.encode("latin-1") for file, text in small.items()})
    first = datasets.load(source("movielens-100k", zip=packed))
    large = {
        "ml-1m/ratings.dat": "".join(f"{u}::{i}::{r}::88\n" for u, i, r in rated),
        "ml-1m/users.dat": "".join(f"{u}::M::24::writer::94043\n" for u in users),
        "ml-1m/movies.dat": "".join(f"{i}::Film {i}::Action\n" for i in items),
    }
    second = datasets.load(source("movielens-1m", zip=zipped(large)))
    assert (first.name, second.name) == ("movielens-100k", "movielens-1m")
    assert first.item_features.names == second.item_features.names == ("genre Action",)
    assert (first.rating == second.rating).all()


def test_codex_needs_no_more_than_its_three_files(source):
    files = {k: b"Q1\tP1\tQ2\n" for k in ("train", "valid", "test")}
    assert datasets.load(source("codex-s", **files)).n_entities == 2


def test_molecules_once_each(source):
    table = "NR-AR,mol_id,smiles\n0,T1,CC\n1,T2,CC\n,T3,C\n"
    folder = Path(datasets.get(source("tox21", gz=gzip.compress(table.encode())))["path"])
    assert (folder / "tox21.csv").read_text() == "smiles,NR-AR\nCC,1\nC,\n"
    assert json.loads((folder / "task_splits.json").read_text())["tox21"]["train_tasks"] == [0]


def test_an_archive_of_tar_is_read_too(source):
    files = {f"YAGO3-10/{s}.txt": b"a\tb\tc\n" for s in ("train", "valid", "test")}
    assert datasets.load(source("yago3-10", gz=tar_gz(files))).n_entities == 2
