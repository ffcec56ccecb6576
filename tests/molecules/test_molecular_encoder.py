"""Graphs of molecules and the GIN encoder against its plain twin, values and gradients."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rdkit")
torch = pytest.importorskip("torch")

from parsimony.chem.graphs import (  # noqa: E402
    SELF_LOOP,
    MoleculeGraphs,
    molecule_graphs,
)
from parsimony.errors import FormatError  # noqa: E402
from parsimony.molecules.encoder.atom_classes import atom_classes  # noqa: E402
from parsimony.molecules.encoder.gin import GIN, MoleculeBatch, gin_reference  # noqa: E402

SMILES = (
    "CCO", "c1ccccc1", "F/C=C/F", "C[C@H](N)C(=O)O", "[Na+].[Cl-]", "C", "N#Cc1ccc(Cl)cc1",
    "CC(=O)Oc1ccccc1C(=O)O",
)  # fmt: skip


@pytest.fixture
def graphs(tmp_path, monkeypatch):
    monkeypatch.setenv("PARSIMONY_CACHE", str(tmp_path))
    return molecule_graphs(SMILES)


def test_atoms_and_bonds_are_the_molecules(graphs):
    assert np.diff(graphs.atoms).tolist() == [3, 6, 4, 6, 2, 1, 9, 13]
    assert graphs.element[:3].tolist() == [6, 6, 8]
    counts = np.diff(graphs.bonds)
    assert counts[:3].tolist() == [1, 2, 1]  # C–C–O
    assert counts[graphs.atoms[4] : graphs.atoms[6]].tolist() == [0, 0, 0]  # ions, methane
    benzene = slice(graphs.atoms[1], graphs.atoms[2])
    assert (graphs.bond_counts[benzene, 3] == 2).all()  # two aromatic bonds an atom
    assert (graphs.bond_counts[:, SELF_LOOP] == 1).all()
    difluoroethene = slice(graphs.bonds[graphs.atoms[2]], graphs.bonds[graphs.atoms[3]])
    assert set(graphs.direction[difluoroethene]) - {0}  # E/Z is kept
    assert graphs.chirality[graphs.atoms[3] + 1] in (1, 2)  # of alanine


def test_graphs_are_kept_and_damage_is_repaired(graphs, tmp_path):
    kept = next((tmp_path / "graphs").iterdir())
    whole = kept.read_bytes()
    kept.write_bytes(b"damaged")
    repaired = molecule_graphs(SMILES)
    assert np.array_equal(repaired.element, graphs.element)
    assert kept.read_bytes() == whole
    assert [p.name for p in (tmp_path / "graphs").iterdir()] == [kept.name]  # nothing half-written


def test_unreadable_smiles_are_named(graphs):
    with pytest.raises(FormatError, match="aspirin"):
        molecule_graphs(["C", "C1CC"], ["methane", "aspirin"])


def test_taking_and_joining_keep_the_molecules(graphs):
    order = np.array([7, 2, 2, 0])
    taken, joined = (
        graphs.take(order),
        MoleculeGraphs.join([graphs.take([7]), graphs.take([2, 2, 0])]),
    )
    for name in ("atoms", "element", "bonds", "neighbour", "bond_type", "direction"):
        assert np.array_equal(getattr(taken, name), getattr(joined, name)), name
    assert np.array_equal(taken.bond_counts, joined.bond_counts)


@pytest.mark.parametrize("training", [False, True])
def test_encoder_equals_its_plain_twin(graphs, training):
    torch.manual_seed(0)
    gin = GIN(layers=3, width=16, dropout=0.0).double()
    gin.train(training)
    ours = gin(MoleculeBatch(graphs))
    weight = torch.randn_like(ours)
    (ours * weight).sum().backward()
    gradients = {k: p.grad.clone() for k, p in gin.named_parameters()}
    gin.zero_grad()
    plain = gin_reference(gin, graphs)
    (plain * weight).sum().backward()
    torch.testing.assert_close(ours, plain, rtol=1e-10, atol=1e-10)
    for name, parameter in gin.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad, rtol=1e-8, atol=1e-8)


def test_classes_are_those_of_the_colours(graphs):
    twice = graphs.take([0, 1, 2, 3, 4, 5, 6, 7, 7, 3])
    source, colour = twice.source, list(zip(twice.element, twice.chirality, strict=True))
    first, *after = atom_classes(twice, 3)
    assert len(first.atom) == len(set(colour))
    for seen in after:
        colour = [
            (colour[i], tuple(twice.bond_counts[i]), tuple(sorted(map(str, around))))
            for i in range(len(colour))
            for around in [[colour[j] for j in source[twice.bonds[i] : twice.bonds[i + 1]]]]
        ]
        # One class a colour, one colour a class.
        pairs = set(zip(colour, seen.of_atom.tolist(), strict=True))
        assert len(pairs) == len(set(colour)) == len(seen.atom)
        assert np.array_equal(seen.of_atom[seen.atom], np.arange(len(seen.atom)))
    benzene = slice(twice.atoms[1], twice.atoms[2])
    assert len(set(after[-1].of_atom[benzene])) == 1


def test_an_embedding_does_not_depend_on_its_neighbours_in_the_batch(graphs):
    torch.manual_seed(0)
    gin = GIN(layers=2, width=8)
    together = gin.embed(graphs)
    alone = gin.embed(graphs.take([4]))
    torch.testing.assert_close(together[4:5], alone)
    assert torch.equal(gin.embed(graphs, size=3), together)
