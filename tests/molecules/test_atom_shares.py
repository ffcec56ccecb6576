"""What atoms add to a score: with what is on no atom, exactly the score."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rdkit")
from hypothesis import given, settings
from hypothesis import strategies as st

from parsimony.chem.atom_shares import atom_shares, environments
from parsimony.chem.drawing import drawn
from parsimony.chem.fingerprints import morgan_fingerprints, tanimoto
from parsimony.chem.smiles import canonical
from parsimony.molecules.fingerprint_methods import _Kernel, _Linear
from parsimony.molecules.gaussian_process import KernelFeatures, Process

RUNS = Path(__file__).parents[1] / "fixtures" / "runs_0_1"
MOLECULES = [
    canonical(text)
    for text in (
        "CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C)C(=O)N2C", "OCCO", "C1CCCCC1", "c1ccncc1Cl",
        "[Na+].CC(=O)[O-]", "N#CCCBr", "CC(C)Cc1ccc(cc1)C(C)C(=O)O", "O", "FC(F)(F)C[C@H](N)C",
    )
]  # fmt: skip
BITS = morgan_fingerprints(MOLECULES, n_bits=2048)
SUPPORT, ALL = np.arange(4), np.arange(len(MOLECULES))
alphas = st.lists(st.floats(-3, 3), min_size=4, max_size=4).map(np.array)


def on_atoms(adapted) -> np.ndarray:
    shares = adapted.bit_shares(ALL)
    assert np.all(shares[BITS == 0] == 0)  # a fragment that is absent is on no atom
    return np.array([atom_shares(f, own).sum() for f, own in zip(MOLECULES, shares, strict=True)])


@settings(max_examples=15, deadline=None)
@given(alphas, st.floats(-1, 1), st.sampled_from([1.0, 2.0, 8.0, None]))
def test_the_shares_of_kernels_and_the_constant_are_the_score(alpha, offset, power):
    adapted = _Kernel(BITS, SUPPORT, alpha, offset, power or 1.0, linear=power is None)
    assert on_atoms(adapted) + offset == pytest.approx(adapted.score(ALL), abs=2e-6)


@settings(max_examples=10, deadline=None)
@given(alphas, st.floats(0.1, 2), st.integers(0, 9))
def test_the_shares_of_a_process_and_the_rest_of_its_kernel_are_the_score(alpha, weight, seed):
    random = np.random.default_rng(seed)
    mean, *rows = (random.standard_normal((len(ALL), n)).astype(np.float32) for n in (1, 5, 6, 7))
    of = KernelFeatures(mean[:, 0], rows[0], rows[1], BITS, rows[2])

    class Weights:
        logits, units, descriptors, fingerprints = 0.5, 1.5, 0.25, weight

    process = Process(of, SUPPORT, Weights())
    process.mean, process.alpha = 0.7, alpha
    rest = 0.7 * of.mean + sum(
        w * (part @ part[SUPPORT].T) @ alpha for w, part in zip((0.5, 1.5, 0.25), rows, strict=True)
    )
    assert on_atoms(process) + rest == pytest.approx(process.score(ALL), abs=2e-5)
    assert on_atoms(process) == pytest.approx(
        weight * tanimoto(BITS, BITS[SUPPORT]) @ alpha, abs=2e-5
    )
    Weights.fingerprints = 0.0
    assert process.bit_shares(ALL) is None  # nothing of its score is of fragments


def test_the_shares_of_logistic_regression_are_its_coefficients():
    linear = pytest.importorskip("sklearn.linear_model")
    model = linear.LogisticRegression(C=0.1).fit(BITS[:6], [0, 1, 0, 1, 1, 0])
    adapted = _Linear(BITS, model, 0)
    assert on_atoms(adapted) + model.intercept_[0] == pytest.approx(adapted.score(ALL), abs=1e-9)


def test_a_bit_is_on_the_atoms_that_set_it_and_on_no_others():
    form = canonical("OCCCl")
    found = environments(form, 2048)
    assert sorted(found) == np.flatnonzero(morgan_fingerprints([form], n_bits=2048)[0]).tolist()
    chlorine = form.upper().replace("CL", "X").index("X")
    single = [bit for bit, places in found.items() if places == [[chlorine]]]
    assert len(single) == 1  # itself, at radius 0
    only = np.zeros(2048)
    only[single] = 2.5
    assert atom_shares(form, only).tolist() == [2.5 * (i == chlorine) for i in range(4)]


def test_an_answer_has_them_however_the_molecule_is_written():
    from parsimony.methods import load_run

    run = load_run(RUNS / "tanimoto")
    asked = ("OCCCl", "ClCCO", "OCCC#N")
    found = run.adapt(["OCCCl", "OCCC#N"], [1, 0], asked, atoms=True)
    first, again, other = found["predictions"]
    assert first["atoms"] == again["atoms"] and first["atoms"]["smiles"] == canonical("OCCCl")
    assert sum(first["atoms"]["shares"]) == pytest.approx(first["score"], abs=1e-6)
    assert first["atoms"]["rest"] == pytest.approx(0, abs=1e-6) and found["beside"]
    assert min(other["atoms"]["shares"]) < 0 < max(first["atoms"]["shares"])
    plain = run.adapt(["OCCCl", "OCCC#N"], [1, 0], asked)
    assert "beside" not in plain and "atoms" not in plain["predictions"][0]


def test_a_method_without_such_a_sum_says_so():
    from parsimony.methods import load_run

    run = load_run(RUNS / "par")
    found = run.adapt(["OCCCl", "OCCC#N"], [1, 0], ["OCCC"], atoms=True)
    assert "atoms" not in found["predictions"][0]
    assert any("no sum over the atoms" in note for note in found["notes"])


def test_atoms_are_drawn_in_two_colours_and_small_shares_in_none():
    plain, coloured = drawn("OCCCl", 200, 150), drawn("OCCCl", 200, 150, [1, 0, 0.01, -1], 1.0)
    assert plain.count("<ellipse") == 0 and coloured.count("<ellipse") == 2
    assert drawn("C1", 200, 150) == ""
