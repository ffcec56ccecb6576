"""Molecules drawn for the pages."""

from __future__ import annotations

from parsimony.chem.drawing import drawn
from parsimony.chem.smiles import canonical, reason_unreadable
from parsimony.errors import FormatError

__all__ = ["molecule_svg"]


def molecule_svg(smiles: str, shares: str = "", width: int = 320, height: int = 220) -> str:
    """Draw a molecule as SVG.

    Parameters
    ----------
    shares
        Numbers from -1 to 1 by comma, of the atoms in the order of ``smiles``, which are coloured
        by them.
    width, height
        In pixels.

    Raises
    ------
    FormatError
        A SMILES that cannot be read, with its position, or a share that is no number.
    MissingExtra
        RDKit is not installed.
    """
    if canonical(smiles) is None:
        raise FormatError(reason_unreadable(smiles), remedy="correct the SMILES")
    try:
        given = [float(share) for share in shares.split(",")] if shares else []
    except ValueError:
        raise FormatError("a share is no number", remedy="write 0.5,-0.25,0") from None
    return drawn(smiles, width, height, given)
