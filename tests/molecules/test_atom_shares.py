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
    assert any("no sum over atoms" in note for note in found["notes"])


def test_atoms_are_drawn_in_two_colours_and_small_shares_in_none():
    plain, coloured = drawn("OCCCl", 200, 150), drawn("OCCCl", 200, 150, [1, 0, 0.01, -1], 1.0)
    assert plain.count("<ellipse") == 0 and coloured.count("<ellipse") == 2
    assert drawn("C1", 200, 150) == ""


def test_of_ridge_on_the_encoder_the_atoms_make_the_part_of_the_embedding():
    """It is what a score loses where a molecule has no embedding."""
    import torch

    from parsimony.chem.graphs import molecule_graphs
    from parsimony.molecules.encoder.gin import GIN
    from parsimony.molecules.meta.atom_states import embedding_shares
    from parsimony.molecules.meta.closed_form import PrototypeNetwork, RidgeNetwork
    from parsimony.molecules.meta.inputs import PLAIN, MetaFeatures

    random = np.random.default_rng(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder, network = GIN(2, 16).eval(), RidgeNetwork().eval()
        other = PrototypeNetwork(16, 3, 4, 0.0)
    forms = [canonical(smiles) for smiles in ("CCO", "OCCCl", "c1ccccc1O", "CC(=O)N", "C")]
    graphs = molecule_graphs(forms)
    raw = encoder.embed(graphs).numpy()
    moments = np.stack([raw.mean(0), np.maximum(raw.std(0), 1e-4)]).astype(np.float32)
    e = (raw - moments[0]) / moments[1]
    described, *profile = (
        torch.from_numpy(random.normal(size=(5, n)).astype(np.float32)) for n in (PLAIN, 3, 3, 3)
    )

    def features(embedding):
        return MetaFeatures(torch.from_numpy(embedding), described, *profile, graphs)

    rows = np.arange(5)
    state = network.adapt(features(e).inputs(rows[None, :4]), torch.tensor([[0.0, 1.0, 1.0, 0.0]]))
    direction = network.by_embedding(state).numpy()
    with torch.no_grad():
        with_it, without = (
            network.score(state, features(x).inputs(rows[None]))[0].numpy() for x in (e, 0 * e)
        )
    shares = embedding_shares(encoder, graphs, moments, 100.0, direction)
    assert [len(each) for each in shares] == [3, 4, 7, 4, 1]
    assert [each.sum() for each in shares] == pytest.approx(with_it - without, abs=1e-5)
    # What is cut off is on no atom.
    bound = np.abs(e[0]).max() * 0.9
    cut = embedding_shares(encoder, graphs, moments, bound, direction)
    kept = np.abs(e[0]) < bound
    assert not kept.all()
    assert cut[0].sum() == pytest.approx((e[0] * direction)[kept].sum(), abs=1e-5)
    assert other.by_embedding(None) is None
