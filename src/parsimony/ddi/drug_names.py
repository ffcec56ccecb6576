"""Which drug a name means, and how a drug is called: the one place where drugs have names.

A drug goes by its id, its external id and its name. All three are compared without outer spaces,
without case, and in Unicode's compatibility form (NFKC), so that "WARFARIN ", "warfarin" and its
full-width letters are one spelling. A spelling that several drugs go by names none of them: it is
an error that lists them.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence

from parsimony.errors import FormatError, UnknownDrug

__all__ = ["DrugNames", "folded"]

_LISTED = 5  # drugs that an error lists


def folded(text: str) -> str:
    """Return a spelling without outer spaces and case, in the form NFKC."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", plain).strip()


class DrugNames:
    """The names of all drugs.

    Parameters
    ----------
    ids, external_ids, names : sequence of str
        Of every drug; ids are unique, the others "" where unknown.
    """

    def __init__(
        self, ids: Sequence[str], external_ids: Sequence[str], names: Sequence[str]
    ) -> None:
        self._ids = ids
        self._drugs: dict[str, set[int]] = defaultdict(set)
        for column in (ids, external_ids, names):
            for drug, text in enumerate(column):
                if text.strip():
                    self._drugs[folded(text)].add(drug)
        self.labels = tuple(map(self._label, range(len(ids)), ids, names))

    def _label(self, drug: int, own: str, name: str) -> str:
        """The name, or the id where there is none; with the id where others go by it as well."""
        label = name if name.strip() else own
        while set(self.among(label)) - {drug}:
            label = f"{label} ({own})"
        self._drugs[folded(label)].add(drug)
        return label

    def among(self, name: str) -> tuple[int, ...]:
        """Return the numbers of all drugs that go by a name."""
        return tuple(sorted(self._drugs.get(folded(name), ())))

    def find(self, name: str) -> int:
        """Return the number of the one drug that goes by a name.

        Raises
        ------
        UnknownDrug
            None does; a name of near spelling is suggested.
        FormatError
            Several do; their ids are listed.
        """
        found = self.among(name)
        if len(found) == 1:
            return found[0]
        if not found:
            raise UnknownDrug.of(name, self.labels)
        ids = ", ".join(self._ids[drug] for drug in found[:_LISTED])
        spelled = " or ".join(repr(self.address(drug)) for drug in found[:_LISTED])
        raise FormatError(
            f"{name!r} names {len(found)} drugs, with the ids {ids}", remedy=f"give {spelled}"
        )

    def address(self, drug: int) -> str:
        """Return a name that :meth:`find` takes for this drug alone: its id where that is one."""
        own = self._ids[drug]
        return own if self.among(own) == (drug,) else self.labels[drug]

    def notes(self) -> list[str]:
        """Say which spellings name several drugs."""
        return [
            f"warning: {text!r} names {len(drugs)} drugs, with the ids "
            f"{', '.join(self._ids[drug] for drug in drugs[:_LISTED])}: asked by it is an error"
            for text, drugs in list(self.shared().items())[:_LISTED]
        ]

    def shared(self) -> dict[str, tuple[int, ...]]:
        """Return the spellings that several drugs go by, with their drugs."""
        return {text: tuple(sorted(drugs)) for text, drugs in self._drugs.items() if len(drugs) > 1}
