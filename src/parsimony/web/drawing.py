"""Molecules drawn by RDKit."""

from __future__ import annotations

from typing import Any

from parsimony.chem.smiles import canonical, reason_unreadable
from parsimony.errors import FormatError

__all__ = ["molecule_svg"]


def molecule_svg(smiles: str, width: int = 320, height: int = 220) -> str:
    """Draw a molecule as SVG.

    Parameters
    ----------
    width, height
        In pixels.

    Raises
    ------
    FormatError
        A SMILES that cannot be read, with its position.
    MissingExtra
        RDKit is not installed.
    """
    if canonical(smiles) is None:
        raise FormatError(reason_unreadable(smiles), remedy="correct the SMILES")
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    drawing = rdMolDraw2D.MolDraw2DSVG(width, height)
    options: Any = drawing.drawOptions()
    options.clearBackground = False
    rdMolDraw2D.PrepareAndDrawMolecule(drawing, Chem.MolFromSmiles(smiles))
    drawing.FinishDrawing()
    svg: str = drawing.GetDrawingText()
    return svg
