"""What a run that adapts is asked: a new assay from a few molecules, a new user from ratings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from parsimony.errors import FormatError
from parsimony.web.served import Answer, Questions
from parsimony.web.waiting import Ticket

__all__ = ["Assays", "Users"]


class Assays(Questions):
    """A run that adapts to labelled molecules."""

    can = ("adapt",)
    long: ClassVar[frozenset[str]] = frozenset({"adapt"})
    caution: ClassVar[str] = (
        "For research: probabilities from a handful of molecules are for ranking, not for "
        "decisions."
    )

    def counts(self) -> Answer:
        """Tasks that it was trained on."""
        return {"train_tasks": len(self.model.task_.data.train_tasks)}

    def calibration(self) -> str:
        """What an answer says of its own probabilities."""
        return "Each answer says on what its probabilities were calibrated, if they were."

    def adapt(self, asked: Answer, ticket: Ticket) -> Answer:
        """Adapt to molecules with labels 0 or 1, and predict others, both by SMILES.

        Raises
        ------
        FormatError
            A molecule without SMILES or label, or one that cannot be read.
        """
        for k, row in enumerate(asked["support"], start=1):
            if row.get("smiles") is None or row.get("label") is None:
                raise FormatError(
                    "a labelled molecule has smiles and label",
                    remedy='{"smiles": "CCO", "label": 1}', where=f"support[{k}]",
                )  # fmt: skip
        support = [row["smiles"] for row in asked["support"]]
        found: Answer = self.model.adapt(
            support, [row["label"] for row in asked["support"]], asked["predict"],
            prevalence=asked.get("prevalence"), top=asked.get("top", 3),
            atoms=asked.get("atoms", False),
        )  # fmt: skip
        for row, smiles in zip(found["predictions"], asked["predict"], strict=True):
            row["id"] = smiles
            for reason in row["reasons"]:
                reason["id"] = support[reason.pop("support")]
        return {**found, "caution": self.caution}


class Users(Questions):
    """A run that adapts to a user's ratings."""

    can = ("adapt",)
    long: ClassVar[frozenset[str]] = frozenset({"adapt"})

    def counts(self) -> Answer:
        """Items, and their scale."""
        data = self.model.task_.data
        return {"n_items": len(data.items), "scale": list(data.scale)}

    def calibration(self) -> str:
        """Ratings are no probabilities."""
        return "Predictions are ratings in units of the training data, not probabilities."

    def names(self) -> Sequence[str]:
        """The items."""
        found: Sequence[str] = self.model.task_.data.items
        return found

    def weights(self) -> npt.NDArray[np.number]:
        """As none is known better than another, 0."""
        return np.zeros(len(self.names()))

    def adapt(self, asked: Answer, ticket: Ticket) -> Answer:
        """Predict the ratings of a user who has rated some items.

        Raises
        ------
        FormatError
            A row without item or rating, or an item rated twice.
        """
        rows: list[dict[str, Any]] = asked["support"]
        for k, row in enumerate(rows, start=1):
            if row.get("item") is None or row.get("rating") is None:
                raise FormatError(
                    "a rated item has item and rating", remedy='{"item": "a", "rating": 4}',
                    where=f"support[{k}]",
                )  # fmt: skip
        twice = [item for item, n in Counter(row["item"] for row in rows).items() if n > 1]
        if twice:
            raise FormatError(f"{twice[0]!r} is rated twice", remedy="keep one of its ratings")
        given = {row["item"]: row["rating"] for row in rows}
        found: Answer = self.model.adapt(given, asked["predict"])
        return found
