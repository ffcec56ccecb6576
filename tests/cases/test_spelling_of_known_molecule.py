"""SIDER's molecules as its table writes them, and canonically: the same answers, and a fair AUC."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="molecules need the extra chem")
pytest.importorskip("torch")

from parsimony.methods import resolve
from parsimony.molecules.task import MoleculeTask
from parsimony.molecules.user_tables import read_queries, read_support

CASES = Path(os.environ.get("PARSIMONY_CASES", Path(__file__).parents[3] / "shared" / "cases"))
QUICK = {"encoder": "random", "layers": 1, "width": 16, "steps": 50, "validate_every": 25}

pytestmark = [pytest.mark.data, pytest.mark.slow]


@pytest.fixture(scope="module")
def sider(real_data, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARSIMONY_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("PARSIMONY_DATA", str(real_data))
        task = MoleculeTask.open("sider", {"episodes": 1})
        yield resolve("ridge")(**QUICK).fit(task)


def folder(name: str) -> Path:
    if not (CASES / name).is_dir():
        pytest.skip(f"no inputs in {CASES / name}: set PARSIMONY_CASES to their folder")
    return CASES / name


def test_both_spellings_have_the_same_answers(sider):
    found, data = {}, sider.task_.data
    for tag in ("as-in-table", "canonical"):
        inputs = folder("spelling-of-known-molecule")
        support = read_support(inputs / f"support-{tag}.csv")
        queries = read_queries(inputs / f"queries-{tag}.csv").smiles
        answers = sider.adapt(support.smiles, support.labels, queries)["predictions"]
        found[tag] = np.array([answer["probability"] for answer in answers])
    assert len(found["canonical"]) == 300
    assert np.array_equal(found["as-in-table"], found["canonical"])
    task = data.labels[:, data.test_tasks[0]]
    truth = np.array([task[data.row_of[form]] for form in map(_canonical, queries)])
    active, inactive = found["canonical"][truth == 1], found["canonical"][truth == 0]
    assert np.mean(active[:, None] > inactive) > 0.8, "measured labels are found: .870 in the case"


def _canonical(text: str) -> str:
    from rdkit import Chem

    return Chem.MolToSmiles(Chem.MolFromSmiles(text))
