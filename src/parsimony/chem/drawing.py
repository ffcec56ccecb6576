"""Molecules drawn by RDKit as SVG, their atoms coloured where they have shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from parsimony.chem.smiles import molecule_of

__all__ = ["drawn"]

#: of atoms that raise a score, and of those that lower it; told apart by readers who see no red
_RAISES, _LOWERS = (0.93, 0.56, 0.20), (0.33, 0.58, 0.83)
_FAINT = 0.04  # of the greatest share: atoms below are not coloured


def drawn(
    smiles: str, width: int, height: int, shares: Sequence[float] | None = None,
    greatest: float = 1.0,
) -> str:  # fmt: skip
    """Draw a molecule as one SVG element; "" where it cannot be read.

    Parameters
    ----------
    width, height
        In pixels.
    shares
        Of the atoms, in the order of ``smiles``: those above 0 become orange, those below blue.
    greatest
        The size of a share that has the full colour.
    """
    from rdkit.Chem import rdDepictor
    from rdkit.Chem.Draw import rdMolDraw2D

    molecule = molecule_of(smiles)
    if molecule is None:
        return ""
    rdDepictor.Compute2DCoords(molecule)
    drawing: Any = rdMolDraw2D.MolDraw2DSVG(width, height)
    options = drawing.drawOptions()
    options.clearBackground = False
    colours = _colours(shares or (), greatest, molecule.GetNumAtoms())
    rdMolDraw2D.PrepareAndDrawMolecule(
        drawing, molecule, highlightAtoms=list(colours), highlightAtomColors=colours,
        highlightAtomRadii=dict.fromkeys(colours, 0.42), highlightBonds=[],
    )  # fmt: skip
    drawing.FinishDrawing()
    text: str = drawing.GetDrawingText()
    # RDKit writes the element itself; of the input it repeats atoms and bonds alone.
    return text[text.index("<svg") :].replace("<!-- END OF HEADER -->", "")


def _colours(
    shares: Sequence[float], greatest: float, n_atoms: int
) -> dict[int, tuple[float, ...]]:
    """The colour of every atom that has a share: the greater, the further from white."""
    found = {}
    for atom, share in enumerate(shares[:n_atoms]):
        depth = min(abs(share) / greatest, 1.0) if greatest > 0 else 0.0
        if depth >= _FAINT:
            full = _RAISES if share > 0 else _LOWERS
            found[atom] = tuple(1 - depth * (1 - part) for part in full)
    return found
