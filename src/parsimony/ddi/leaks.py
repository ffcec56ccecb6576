"""Leaks of drug pairs: evaluated pairs whose answer training or the selection has seen.

Drugs are compared as molecules: two ids with one structure or one external id are the same drug.
A pair leaks where its two drugs stand together in train (or, of the test, in validation) with the
same type; and where a drug that a setting calls new is a known one under another id.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.ddi.data import DDIData
from parsimony.ddi.task import DDITask
from parsimony.errors import MissingExtra

__all__ = ["Leaks", "find_leaks", "molecules"]

IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Leaks:
    """How many of a split's rows leak.

    Attributes
    ----------
    split
        As the data name it: "test_S0".
    rows
        Evaluated rows (drug1, type, drug2).
    in_train, together_in_train
        Rows that stand in train, in either order; rows whose drugs stand together in train.
    in_valid
        Rows of the test that stand in validation, which selects the model.
    known_molecule
        Rows with a drug that should be new, and is a drug with known interactions by another id.
    unknown_drug
        Rows of S0 with a drug that has no known interaction.
    repeated
        Rows that stand in the split before, and so are counted twice.
    """

    split: str
    rows: int
    in_train: int
    together_in_train: int
    in_valid: int
    known_molecule: int
    unknown_drug: int
    repeated: int

    def as_dict(self) -> dict[str, Any]:
        """Return the counts by name."""
        return asdict(self)

    def notes(self) -> list[str]:
        """Say what there is, as a user should know it; nothing where nothing leaks."""
        other = self.together_in_train - self.in_train
        said = {
            "stand in train too, so that a model has seen the answers": self.in_train,
            "have drugs that stand together in train with another type": other,
            "stand in validation too, which selects the model": self.in_valid,
            "have a drug that should be new, and is a known one under another id (the same "
            "structure or external id)": self.known_molecule,
            "have a drug without a known interaction, unlike S0": self.unknown_drug,
            "are repeated and count twice": self.repeated,
        }
        warned = (self.in_train, self.in_valid, self.known_molecule)
        return [
            f"{'warning: ' * (count in warned)}{count:,} of {self.rows:,} rows of {self.split} "
            f"{what}"
            for what, count in said.items()
            if count
        ]


def find_leaks(task: DDITask, split: str) -> Leaks:
    """Compare the rows of a split with train, with validation, and with one another.

    Raises
    ------
    InvalidParameter, EmptySplit
        As :meth:`~parsimony.ddi.task.DDITask.pairs`.
    """
    rows, data = task.pairs(split), task.data
    same = molecules(data)
    turned = np.sort if data.multilabel else np.asarray

    def codes(triples: IntArray, kind: bool) -> npt.NDArray[np.int64]:
        drugs = np.sort(same[triples[:, [0, 2]]], axis=1)
        pair = drugs[:, 0] * data.n_drugs + drugs[:, 1]
        return pair * data.n_types + triples[:, 1] if kind else pair

    def among(other: IntArray, kind: bool) -> npt.NDArray[np.bool_]:
        return np.isin(codes(rows, kind), codes(other, kind))

    train = data.pairs["train"]
    valid = task.pairs("valid") if split == "test" and task.has("valid") else train[:0]
    known = task.known(split)
    own = np.zeros(data.n_drugs, bool)
    own[known[:, [0, 2]]] = True
    seen = np.zeros(data.n_drugs, bool)
    seen[same[own]] = True
    emerging = task.setting != "S0"
    renamed, unknown = ~own & seen[same] & emerging, ~own & ~np.bool_(emerging)
    together = among(train, kind=False)
    drugs = turned(rows[:, [0, 2]])
    exact = np.column_stack([drugs, rows[:, 1]])
    return Leaks(
        task.name_of(split),
        len(rows),
        int(among(train, kind=True).sum()),
        int(together.sum()),
        int(among(valid, kind=True).sum()),
        int(renamed[rows[:, [0, 2]]].any(1).sum()),
        int(unknown[rows[:, [0, 2]]].any(1).sum()),
        len(rows) - len(np.unique(exact, axis=0)),
    )


@lru_cache(maxsize=2)
def molecules(data: DDIData) -> npt.NDArray[np.int64]:
    """Give every drug the number of the first one with its structure or its external id."""
    first = np.arange(data.n_drugs)
    for keys in (_structures(data), data.external_ids):
        of: dict[str, int] = {}
        for drug, key in enumerate(keys):
            if key:
                root = int(first[drug])
                known = of.setdefault(key, root)
                first[first == root] = known
    return first


def _structures(data: DDIData) -> list[str]:
    """One spelling for every structure: canonical where RDKit is installed, else as given."""
    spelled: Callable[[str], str | None]
    try:
        from parsimony.chem.smiles import canonical

        canonical("C")
        spelled = canonical
    except (ImportError, MissingExtra):
        spelled = str
    return [(spelled(text) or text) if text else "" for text in data.smiles]
