"""Molecules as graphs of atoms and bonds, packed and cached.

Atoms carry their element and chirality, bonds their type and direction: the features of W. Hu et
al., Strategies for Pre-training Graph Neural Networks (ICLR 2020), as in PAR and PACIA. RDKit tells
chirality (clockwise or not) and direction by the order of the atoms in the text, so they are read
from the canonical SMILES: two spellings of a molecule have the same graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.chem.cache import cached
from parsimony.chem.smiles import molecule_of, require_forms
from parsimony.run.progress import Progress

__all__ = ["BONDS", "ELEMENTS", "MoleculeGraphs", "molecule_graphs", "offsets", "ranges"]

#: ids of elements: the atomic number, and one for a masked atom
ELEMENTS = 120
MASKED = 119
CHIRALITIES = 4
#: ids of bond types (single, double, triple, aromatic, self-loop, other) and directions
TYPES, SELF_LOOP, OTHER, DIRECTIONS = 6, 4, 5, 3
BONDS = TYPES + DIRECTIONS
_VERSION = 2


@dataclass(frozen=True, eq=False)
class MoleculeGraphs:
    """Graphs of n molecules with N atoms and M directed bonds in all.

    Attributes
    ----------
    atoms : int64 array, shape (n + 1,)
        Where the atoms of each molecule begin.
    element, chirality : uint8 arrays, shape (N,)
    bonds : int64 array, shape (N + 1,)
        Where the bonds of each atom begin; each bond is listed with both of its atoms.
    neighbour : int32 array, shape (M,)
        The other atom, counted from the first one of the molecule.
    bond_type, direction : uint8 arrays, shape (M,)
    """

    atoms: npt.NDArray[np.int64]
    element: npt.NDArray[np.uint8]
    chirality: npt.NDArray[np.uint8]
    bonds: npt.NDArray[np.int64]
    neighbour: npt.NDArray[np.int32]
    bond_type: npt.NDArray[np.uint8]
    direction: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        """The number of molecules."""
        return len(self.atoms) - 1

    @cached_property
    def bond_counts(self) -> npt.NDArray[np.uint8]:
        """How often each bond type and direction meets an atom, (N, 9), its self-loop included.

        A sum of bond embeddings over the neighbours is this times the table of embeddings.
        """
        n = len(self.element)
        atom = np.repeat(np.arange(n), np.diff(self.bonds))
        counts = np.zeros((n, BONDS), np.uint8)
        np.add.at(counts, (atom, self.bond_type), 1)
        np.add.at(counts, (atom, TYPES + self.direction.astype(np.int64)), 1)
        counts[:, SELF_LOOP] += 1
        counts[:, TYPES] += 1
        return counts

    def take(self, molecules: npt.NDArray[np.integer[Any]]) -> MoleculeGraphs:
        """Return the graphs of some molecules, in their order; one may be repeated."""
        rows = np.asarray(molecules, np.int64)
        atom = ranges(self.atoms[rows], self.atoms[rows + 1])
        bond = ranges(self.bonds[self.atoms[rows]], self.bonds[self.atoms[rows + 1]])
        taken = MoleculeGraphs(
            offsets(self.atoms[rows + 1] - self.atoms[rows]),
            self.element[atom],
            self.chirality[atom],
            offsets(self.bonds[atom + 1] - self.bonds[atom]),
            self.neighbour[bond],
            self.bond_type[bond],
            self.direction[bond],
        )
        taken.__dict__["bond_counts"] = self.bond_counts[atom]
        return taken

    @property
    def source(self) -> npt.NDArray[np.int64]:
        """The other atom of every bond, counted over all molecules (M,)."""
        first = np.repeat(self.atoms[:-1], np.diff(self.atoms))
        return np.asarray(self.neighbour + np.repeat(first, np.diff(self.bonds)), np.int64)

    @classmethod
    def join(cls, parts: Sequence[MoleculeGraphs]) -> MoleculeGraphs:
        """Put the molecules of several collections behind one another."""
        arrays: dict[str, Any] = {
            field.name: (
                offsets(np.concatenate([np.diff(getattr(part, field.name)) for part in parts]))
                if field.name in ("atoms", "bonds")
                else np.concatenate([getattr(part, field.name) for part in parts])
            )
            for field in fields(cls)
        }
        return cls(**arrays)


def molecule_graphs(
    smiles: Sequence[str], names: Sequence[str] | None = None, *, quiet: bool = True
) -> MoleculeGraphs:
    """Graphs of molecules, computed once and cached.

    Parameters
    ----------
    smiles
        One molecule each.
    names
        Of the molecules, for the error message.

    Raises
    ------
    FormatError
        A SMILES that RDKit cannot read, with its message.
    MissingExtra
        RDKit is not installed.
    """
    forms = require_forms(smiles, names)
    return MoleculeGraphs(**cached("graphs", _VERSION, forms, lambda: _compute(forms, quiet)))


def _compute(forms: Sequence[str], quiet: bool) -> dict[str, npt.NDArray[Any]]:
    n_atoms: list[int] = []
    element: list[int] = []
    chirality: list[int] = []
    degree: list[int] = []
    bonds: list[tuple[int, int, int]] = []
    with Progress(len(forms), "graphs of molecules", quiet=quiet) as progress:
        for form in forms:
            molecule = molecule_of(form)
            atoms = molecule.GetAtoms()
            n_atoms.append(len(atoms))
            around: list[list[tuple[int, int, int]]] = [[] for _ in range(len(atoms))]
            for bond in molecule.GetBonds():
                a, b = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
                kind = _BOND_TYPES.get(int(bond.GetBondType()), OTHER)
                way = _DIRECTIONS.get(int(bond.GetBondDir()), 0)
                around[a].append((b, kind, way))
                around[b].append((a, kind, way))
            for atom, own in zip(atoms, around, strict=True):
                element.append(min(atom.GetAtomicNum(), MASKED - 1))
                chirality.append(min(int(atom.GetChiralTag()), CHIRALITIES - 1))
                degree.append(len(own))
                bonds += own
            progress.advance()
    packed = np.array(bonds, np.int32).reshape(-1, 3)
    return {
        "atoms": offsets(np.array(n_atoms, np.int64)),
        "element": np.array(element, np.uint8),
        "chirality": np.array(chirality, np.uint8),
        "bonds": offsets(np.array(degree, np.int64)),
        "neighbour": packed[:, 0].copy(),
        "bond_type": packed[:, 1].astype(np.uint8),
        "direction": packed[:, 2].astype(np.uint8),
    }


# RDKit's numbers of single, double, triple and aromatic, and of bonds that point up and down.
_BOND_TYPES = {1: 0, 2: 1, 3: 2, 12: 3}
_DIRECTIONS = {4: 1, 3: 2}


def offsets(counts: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int64]:
    """Where each of several parts of given lengths begins, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def ranges(begin: npt.NDArray[np.int64], end: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The integers of all ranges, one range behind the other."""
    length = end - begin
    at = np.repeat(begin - offsets(length)[:-1], length)
    return np.asarray(at + np.arange(len(at)), np.int64)
