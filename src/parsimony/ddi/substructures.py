"""Structure as knowledge: drug –has→ substructure, so that a formula alone gives a drug edges.

The substructures are RDKit's functional groups and ring systems with a name, such as sulfonamide or
piperazine (``rdkit.Chem.Fragments``); one that a single drug has joins nothing and is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from parsimony.chem.smiles import molecule_of, require_forms

__all__ = ["HAS", "substructures"]

HAS = "has"


def substructures(smiles: Sequence[str], names: Sequence[str]) -> list[tuple[int, str, str]]:
    """Return (molecule, name, what it is) for every named substructure that several of them have.

    Parameters
    ----------
    smiles
        One molecule each; "" has none.
    names
        Of the molecules, for the error message.

    Raises
    ------
    FormatError
        RDKit cannot parse a SMILES.
    MissingExtra
        RDKit is not installed.
    """
    forms = require_forms(smiles, names, blank=True)
    from rdkit.Chem import Fragments

    counters = {
        name.removeprefix("fr_"): getattr(Fragments, name)
        for name in dir(Fragments)
        if name.startswith("fr_")
    }
    found = []
    for i, form in enumerate(forms):
        if form:
            molecule = molecule_of(form)
            found += [(i, name) for name, count in counters.items() if count(molecule)]
    shared = Counter(name for _, name in found)
    words = {name: _words(counter.__doc__) for name, counter in counters.items()}
    return [(i, name, words[name]) for i, name in found if shared[name] > 1]


def _words(doc: str | None) -> str:
    return (doc or "").strip().removeprefix("Number of ").rstrip(".")
