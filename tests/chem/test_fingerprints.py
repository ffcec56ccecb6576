"""Fingerprints, their cache, and what is said about a wrong SMILES."""

from __future__ import annotations

import numpy as np
import pytest

from parsimony.chem import fingerprints
from parsimony.chem.fingerprints import morgan_fingerprints, tanimoto
from parsimony.errors import FormatError

pytestmark = pytest.mark.usefixtures("cache")

pytest.importorskip("rdkit", reason="fingerprints need the extra chem")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PARSIMONY_CACHE", str(tmp_path / "cache"))


def test_they_are_computed_once(monkeypatch):
    smiles = ["CCO", "", "c1ccccc1O"]
    first = morgan_fingerprints(smiles)
    assert first.shape == (3, 1024)
    assert first[1].sum() == 0
    assert first[0].sum() == 6, "three atoms with their first neighbourhoods"
    monkeypatch.setattr(fingerprints, "_compute", None)
    np.testing.assert_array_equal(morgan_fingerprints(smiles), first)


def test_similarity_is_shared_over_all_bits():
    bits = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]], np.uint8)
    np.testing.assert_allclose(tanimoto(bits, bits), [[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    ("smiles", "says"),
    [
        ("C1CC(C)(C", "extra open parentheses while parsing: C1CC(C)(C; check for mistakes around"),
        ("CC(C)(C)(C)C", "Explicit valence for atom # 1 C, 5, is greater than permitted"),
        (
            "[13CH3]C2CC%11CC2",
            "unclosed ring for input: '[13CH3]C2CC%11CC2'; ring opened at position 12",
        ),
        ("Cx", "syntax error while parsing: Cx; check for mistakes around position 2"),
    ],
)
def test_a_wrong_smiles_is_named_with_its_position(capfd, smiles, says):
    with pytest.raises(FormatError, match="of 'mine' cannot be read") as caught:
        morgan_fingerprints(["CC", smiles], ["yours", "mine"])
    assert f"{smiles!r}: {says}" in str(caught.value)
    assert "Parse Error" not in str(caught.value)
    assert capfd.readouterr().err == ""
