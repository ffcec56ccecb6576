"""parsimony pretrain, as it is typed."""

from __future__ import annotations

import pytest

pytest.importorskip("rdkit", reason="molecules need the extra chem")


@pytest.mark.slow
@pytest.mark.data
def test_an_encoder_is_made_and_used(typed, tmp_path):
    words = ["--set", "max_molecules=40", "--set", "layers=1", "--set", "width=8", "--epochs", "1"]
    done = typed("pretrain", "molecules", "--out", "encoder", *words, "--json").json
    assert 40 < done["molecules"] <= 160
    assert {"bits", "descriptors", "masked"} == set(done["losses"])
    again = typed("pretrain", "molecules", "--out", "encoder", *words, "--json").json
    assert again == done  # nothing is trained twice
    path = tmp_path / "encoder"
    small = ["--set", "layers=1", "--set", "width=8", "--set", "steps=2", "--set", "episodes=1"]
    fitted = typed(
        "fit", "sider", "--method", "prototype", "--set", f"encoder={path}", *small, "--json"
    ).json
    assert fitted["method"] == "prototype"


def test_wrong_words_are_refused(typed):
    assert "molecules" in typed("pretrain", "molecule", code=2).err
    assert "layers" in typed("pretrain", "molecules", "--set", "layer=2", code=2).err
