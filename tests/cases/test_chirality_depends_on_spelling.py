"""Seven spellings each of chiral, double-bonded and flat molecules: one answer each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.molecules.small_molecules import chains

pytest.importorskip("rdkit", reason="molecules need the extra chem")
pytest.importorskip("torch")

from parsimony.methods import resolve
from parsimony.molecules.task import MoleculeTask
from parsimony.molecules.user_tables import read_queries

CASES = Path(os.environ.get("PARSIMONY_CASES", Path(__file__).parents[3] / "shared" / "cases"))
QUICK = {"encoder": "random", "layers": 2, "width": 16, "steps": 4, "validate_every": 2}

pytestmark = pytest.mark.usefixtures("cache")


def test_every_spelling_has_one_answer():
    path = CASES / "chirality-depends-on-spelling" / "queries.csv"
    if not path.is_file():
        pytest.skip(f"no inputs in {path.parent}: set PARSIMONY_CASES to their folder")
    model = resolve("ridge")(**QUICK).fit(MoleculeTask.open(chains(), {"episodes": 1, "shots": 5}))
    queries = read_queries(path)
    answers = model.adapt(["OCCC", "ClCCC"], [1, 0], queries.smiles)["predictions"]
    of: dict[str, set[float]] = {}
    for name, answer in zip(queries.ids, answers, strict=True):
        of.setdefault(name, set()).add(answer["probability"])
    assert len(of) == 75
    assert {name for name, values in of.items() if len(values) > 1} == set()
