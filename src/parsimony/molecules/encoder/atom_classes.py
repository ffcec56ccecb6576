"""Classes of atoms with equal states after a layer, so that each is computed once.

After l rounds of messages the state of an atom depends on its element, its chirality, its bonds
and, l rounds deep, those of its neighbours: on its class of Weisfeiler–Leman refinement. Where
nothing is drawn and nothing is normalised over the batch, atoms of a class have equal states,
whichever molecules they are in.

A class is known by a 64-bit hash of what the round has seen: two different ones among n atoms get
the same with probability n² / 2⁶⁵, less than 1e-10 for 50,000 atoms. Hashes do not depend on the
batch, so the order of a sum over neighbours, which follows them, does not either.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.chem.graphs import BONDS, CHIRALITIES, MoleculeGraphs, offsets, ranges

__all__ = ["AtomClasses", "atom_classes"]

IntArray = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


class AtomClasses(NamedTuple):
    """The classes of a batch's atoms after a round.

    Attributes
    ----------
    atom : (n_classes,)
        One atom of each.
    of_atom : (n_atoms,)
        The class of each atom.
    indptr, listed : (n_classes + 1,), (m,)
        Of what classes *before* the round that atom and its neighbours are; empty before the first.
    """

    atom: IntArray
    of_atom: IntArray
    indptr: IntArray
    listed: IntArray


def atom_classes(
    graphs: MoleculeGraphs, rounds: int, apart: IntArray | None = None
) -> Iterator[AtomClasses]:
    """Yield the classes before the first round, and those after each.

    Parameters
    ----------
    graphs
    rounds
    apart : (n_atoms,)
        Atoms of different numbers are of different classes.
    """
    source, bonds = graphs.source, graphs.bonds
    seen = _mixed(graphs.element.astype(np.uint64) * CHIRALITIES + graphs.chirality)
    if apart is not None:
        seen = _mixed(seen + apart.astype(np.uint64))
    bonded = _mixed(graphs.bond_counts @ _mixed(np.arange(1, BONDS + 1, dtype=np.uint64)))
    none = np.zeros(0, np.int64)
    known = _classes(seen)
    yield AtomClasses(*known, none, none)
    for _ in range(rounds):
        before = known[1]
        # Sums do not depend on the order of the neighbours.
        around = np.concatenate([np.zeros(1, np.uint64), np.cumsum(_mixed(~seen)[source])])
        seen = _mixed(_mixed(seen) + around[bonds[1:]] - around[bonds[:-1]] + bonded)
        known = _classes(seen)
        yield AtomClasses(*known, *_around(graphs, source, known[0], before))


def _classes(seen: Hashes) -> tuple[IntArray, IntArray]:
    _, atom, of_atom = np.unique(seen, return_index=True, return_inverse=True)
    return atom, of_atom


def _around(
    graphs: MoleculeGraphs, source: IntArray, atom: IntArray, before: IntArray
) -> tuple[IntArray, IntArray]:
    """For some atoms, the earlier classes of each and of its neighbours, sorted."""
    begin, end = graphs.bonds[atom], graphs.bonds[atom + 1]
    rows = np.concatenate([np.arange(len(atom)), np.repeat(np.arange(len(atom)), end - begin)])
    classes = before[np.concatenate([atom, source[ranges(begin, end)]])]
    n = before.max(initial=0) + 1
    return offsets(end - begin + 1), np.sort(rows * n + classes) % n


def _mixed(x: npt.NDArray[np.unsignedinteger]) -> Hashes:
    """SplitMix64's finaliser (G. Steele et al., OOPSLA 2014): every bit depends on every bit."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Hashes = x ^ (x >> np.uint64(31))
    return mixed
