"""What an answer about a drug can rest on: all that a run knows of the drug and its method reads.

The one place that says so: notes of a fit, of a query, of a screen and of a new drug, and the
reasons that name a structure or a likeness, are made here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from parsimony.ddi.data import DDIData

__all__ = ["ALIKE", "COMMON", "NEITHER", "Grounds", "structures"]

#: Tanimoto similarity of Morgan fingerprints below which two drugs are not called alike: of
#: drugs drawn from DrugBank fewer than one pair in two hundred exceeds it.
ALIKE = 0.3


COMMON = "how common the type is"
NEITHER = "neither drug's structure"  # the part of a score that both structures have elsewhere


class Grounds(NamedTuple):
    """What is known of a drug, as far as a method reads it; None for what it does not read.

    Attributes
    ----------
    label
        The drug's name.
    structure
        Whether it has a fingerprint.
    interactions, edges
        Known ones of the drug, and its facts in the background graph.
    """

    label: str
    structure: bool | None
    interactions: int | None
    edges: int | None

    @property
    def nothing(self) -> bool:
        """Whether nothing that the method reads is known of the drug."""
        return not (self.structure or self.interactions or self.edges)

    @property
    def others(self) -> dict[str, int]:
        """What the method reads beside structures, and how much of it there is."""
        counts = {"known interaction": self.interactions, "edge in the graph": self.edges}
        return {what: n for what, n in counts.items() if n is not None}

    def sentence(self, method: str) -> str:
        """Say what an answer rests on, where that is less than all that the method reads.

        "" where the drug has a structure, if one is read, and something else, if that is read.
        """
        known = [_count(n, what) for what, n in self.others.items() if n]
        if self.nothing:
            read = ["structure"] * (self.structure is not None)
            lacking = _together([f"no {what}" for what in [*read, *self.others]])
            return (
                f"{self.label} has {lacking}, and method {method} reads nothing else: the answer "
                "knows nothing of it, only of its partner and of how common the types are"
            )
        if self.structure and not known and self.edges is not None:
            lacking = " and ".join(f"no {what}" for what in reversed(self.others))
            return f"{self.label} has {lacking}: the answer rests on structure alone"
        if self.structure is False:
            return f"{self.label} has no structure: the answer rests on {' and '.join(known)} alone"
        return ""


def _together(words: list[str]) -> str:
    return ", ".join(words[:-1]) + " and " * (len(words) > 1) + words[-1]


def _count(n: int, what: str) -> str:
    noun, _, rest = what.partition(" in ")
    return f"{n:,} {noun}{'s' * (n != 1)}" + f" in {rest}" * bool(rest)


def structures(data: DDIData, bits: npt.NDArray[np.uint8], u: int, v: int) -> str:
    """Name the structures of a pair that there are: "both structures", one's, or "" for none."""
    having = [drug for drug in (u, v) if bits[drug].any()]
    if len(having) == 2:
        return "both structures"
    return f"the structure of {data.label(having[0])} alone" if having else ""
