"""What a few-shot method makes of a support: a model that scores molecules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.chem.atom_shares import atom_shares

__all__ = ["Adapted", "FloatArray", "IntArray", "LabelArray"]

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
LabelArray = npt.NDArray[np.int8]


class Adapted(ABC):
    """A model that has adapted to one support.

    Attributes
    ----------
    parameters : int
        Numbers that were fitted to the support, or computed from it for this task alone.
    beside : str
        What of a score is on no atom, where :meth:`atom_shares` has shares.
    spread : str
        How they are meant.
    no_atoms : str
        Why it has none.
    """

    parameters: int = 0
    beside: str = ""
    spread: str = "what a bit of the fingerprint adds is spread over the atoms that set it"
    no_atoms: str = "this method's score is no sum over the atoms of a molecule"

    @abstractmethod
    def score(self, molecules: IntArray) -> FloatArray:
        """Log-odds-like scores (n,) of molecules, by their rows in the features."""

    def weights(self, molecules: IntArray) -> FloatArray | None:
        """Weights (n, n_support) that each molecule's answer gives the supports.

        None where the method has none: then the supports' similarity is the reason.
        """
        return None

    def bit_shares(self, molecules: IntArray) -> FloatArray | None:
        """What each bit of its fingerprint adds to a molecule's score, (n, n_bits), in float64.

        They are exact: with what is on no atom (``beside``) they sum to the score. None where
        a score is no such sum.
        """
        return None

    def atom_shares(
        self, molecules: IntArray, forms: Sequence[str]
    ) -> list[npt.NDArray[np.float64]] | None:
        """What each atom of molecules adds to their scores, with what is ``beside`` all of them.

        Parameters
        ----------
        molecules : (n,)
        forms
            Their canonical SMILES, whose order of atoms the shares have.

        Returns
        -------
        list of arrays, shape (n_atoms,), or None
        """
        bits = self.bit_shares(molecules)
        return bits if bits is None else [*map(atom_shares, forms, bits)]
