"""A molecule twice in the support: reasons go on naming the molecules that they mean."""

from __future__ import annotations

import csv
import json

import pytest
from tests.molecules.small_molecules import chains, write_csv
from typer.testing import CliRunner

from parsimony.cli import app

Chem = pytest.importorskip("rdkit.Chem")
from rdkit.Chem import DataStructs, rdFingerprintGenerator  # noqa: E402

SUPPORT = {
    "ethanol": ("CCO", 1), "phenol": ("Oc1ccccc1", 1), "ethanol-again": ("OCC", 1),
    "hexane": ("CCCCCC", 0), "octane": ("CCCCCCCC", 0),
}  # fmt: skip
QUERIES = {"heptane": "CCCCCCC", "cresol": "Cc1ccc(O)cc1"}


def similarity(a: str, b: str) -> float:
    """Tanimoto similarity by RDKit alone."""
    make = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024).GetFingerprint
    return DataStructs.TanimotoSimilarity(*(make(Chem.MolFromSmiles(text)) for text in (a, b)))


def test_reasons_name_their_molecules(tmp_path, monkeypatch, cache):
    monkeypatch.chdir(tmp_path)
    with open("s.csv", "w", newline="") as stream:
        rows = [(name, *what) for name, what in SUPPORT.items()]
        csv.writer(stream).writerows([("id", "smiles", "label"), *rows])
    with open("q.csv", "w", newline="") as stream:
        csv.writer(stream).writerows([("id", "smiles"), *QUERIES.items()])
    write_csv(chains(), tmp_path / "data")

    def typed(*words: str):
        found = CliRunner().invoke(app, [*words, "--json", "--quiet"])
        assert found.exit_code == 0, found.output
        return json.loads(found.stdout)

    typed("fit", "data/chains.csv", "--task", "molecules", "--method", "fingerprint-ridge",
          "--out", "run", "--set", "shots=[5,1]", "--set", "episodes=1")  # fmt: skip
    words = ("adapt", "run", "--support", "s.csv", "--predict", "q.csv", "--top", "9")
    result = typed(*words, "--out", "t.csv", "--html", "t.html")
    for answer in result["predictions"]:
        assert {reason["id"] for reason in answer["reasons"]} == set(SUPPORT) - {"ethanol-again"}
        for reason in answer["reasons"]:
            assert (reason["smiles"], reason["label"]) == SUPPORT[reason["id"]]
            expected = similarity(reason["smiles"], answer["smiles"])
            assert reason["similarity"] == pytest.approx(expected, abs=1e-6)
    found = {(a["id"], r["id"]): r["similarity"] for a in result["predictions"]
             for r in a["reasons"]}  # fmt: skip
    assert found["heptane", "hexane"] == pytest.approx(0.875)
    assert found["heptane", "octane"] == pytest.approx(1.0)
    assert found["cresol", "phenol"] == pytest.approx(0.41, abs=0.005)
    with open("t.csv", newline="") as stream:
        first = next(csv.DictReader(stream))
    named = [reason["id"] for reason in result["predictions"][0]["reasons"]]
    assert [part.split(" ")[0] for part in first["supports"].split("; ")] == named
    assert any("duplicate rows 3" in note for note in result["notes"])
