"""A graph store from the command line: written, audited, learned from, asked, explained."""

from __future__ import annotations

import pytest

from parsimony import datasets


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    """The facts of royal in one file."""
    data = datasets.load("royal")
    path = tmp_path_factory.mktemp("facts") / "royal.tsv"
    names = data.entities.name, data.relations.name, data.entities.name
    rows = [
        "\t".join(name(int(i)) for name, i in zip(names, row, strict=True)) + "\n"
        for split in ("train", "valid", "test")
        for row in data.triples(split)
    ]
    path.write_text("".join(rows))
    return path


@pytest.fixture(scope="module")
def store(facts):
    from parsimony.link.ingesting import ingest

    return ingest([facts], facts.parent / "store", seed=1)["store"]


def test_ingest(typed, facts, tmp_path):
    out = tmp_path / "store"
    done = typed("ingest", facts, "--out", out, "--seed", "1", "--memory", "1G", "--json").json
    assert done["entities"] == 237
    assert "split 80/10/10 with seed 1" in done["notes"][0]
    assert sum(done["facts"].values()) > 900
    assert typed("ingest", facts, "--out", out, code=2).err.count("something already") == 1
    shown = typed("ingest", facts, facts, "--out", tmp_path / "twice")
    assert "237 entities" in shown.out
    assert "repeated rows dropped" in shown.err
    error = typed(
        "ingest", facts, "--out", tmp_path / "no", "--memory", "3", "--json", code=2
    ).error
    assert "--memory" in error["message"]


@pytest.mark.parametrize(
    "method", ["degree", "rules", "complex", pytest.param("redgnn", marks=pytest.mark.slow)]
)
def test_learned_from_the_store_as_from_the_file(typed, facts, store, tmp_path, method):
    short = {
        "degree": (), "rules": ("--set", "max_length=2"),
        "complex": ("--set", "epochs=2", "--set", "dim=8"),
        "redgnn": ("--set", "epochs=1", "--set", "dim=4", "--set", "n_layers=2",
                   "--set", "threads=1"),
    }[method]  # fmt: skip
    runs = {}
    for name, data in (("file", facts), ("store", store)):
        run = tmp_path / name
        typed("fit", data, "--method", method, *short, "--seed", "1", "--out", run, "--quiet")
        measured = typed("evaluate", run, "--json").json
        asked = "--head", "Leopold_I_of_Belgium", "--relation", "uncle", "--json"
        answers = typed("predict", run, *asked).json["answers"]
        runs[name] = measured["metrics"], answers, (run / "model.safetensors").read_bytes()
    assert runs["file"] == runs["store"]
    fact = "--head", "Leopold_I_of_Belgium", "--relation", "uncle"
    best = answers[0]["entity"]
    assert typed("explain", run, *fact, "--tail", best, "--json").json["query"]
    if method == "rules":
        assert typed("rules", run, "--json").json["rules"]
    assert (run / "data" / "train.npy").stat().st_nlink > 1


def test_what_was_changed_in_a_store_is_found_by_audit(typed, facts, tmp_path):
    typed("ingest", facts, "--out", tmp_path / "store")
    file = tmp_path / "store" / "entities.text.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    error = typed("audit", tmp_path / "store", "--json", code=2).error
    assert error["type"] == "ChecksumMismatch"
    assert "ingest the facts again" in error["remedy"]
