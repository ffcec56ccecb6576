"""What a run of drug pairs is asked: how two interact, all partners of one, a drug that is new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from parsimony.chem.fingerprints import BITS, morgan_fingerprints
from parsimony.ddi.add_drug import fact_sentences, new_drug_notes, with_drug
from parsimony.ddi.caution import CAUTION
from parsimony.ddi.drug_file import NewDrug, StatedFact
from parsimony.ddi.screening import screen
from parsimony.ddi.striking import without
from parsimony.errors import FormatError, UsageError
from parsimony.explain import Explanation
from parsimony.explain.page import browser_view
from parsimony.link.walk_kinds import kind_of, kind_text
from parsimony.run.folder import RunFolder
from parsimony.web.served import Answer, Questions
from parsimony.web.waiting import Ticket

__all__ = ["Pairs"]

STRIKING = (
    "exact: the same weights on the graph and the known interactions without these facts; nothing "
    "is learned again"
)
_LISTS = ("enzymes", "targets", "transporters")


class Pairs(Questions):
    """A run about interactions of drugs."""

    long: ClassVar[frozenset[str]] = frozenset({"partners", "strike", "add-drug"})
    caution: ClassVar[str] = CAUTION

    def __init__(self, model: Any, run: RunFolder) -> None:
        super().__init__(model, run)
        reads = model.graphical or model.relational
        self.can = (
            "pair",
            "partners",
            *["explain"] * model.gives_reasons,
            *["strike"] * reads,
            "add-drug",
        )

    def counts(self) -> Answer:
        """Drugs, types of interaction, pairs by split."""
        data = self._data
        pairs = {split: len(rows) for split, rows in data.pairs.items()}
        return {"n_drugs": data.n_drugs, "n_types": data.n_types, **pairs}

    def calibration(self) -> str:
        """On what the probabilities were calibrated."""
        learned = self.model.calibration
        if self._data.multilabel:
            return "Each probability stands alone, uncalibrated: that the effect is reported."
        if learned is None:
            return "Probabilities are uncalibrated."
        return (
            f"Probabilities are calibrated on {learned.n_pairs:,} validation pairs of "
            f"{learned.setting}."
        )

    @property
    def _data(self) -> Any:
        return self.model.task_.data

    def names(self) -> Sequence[str]:
        """Ids of the drugs."""
        found: Sequence[str] = self._data.drugs.names
        return found

    @cached_property
    def _labels(self) -> list[str]:
        return [self._data.label(i) for i in range(self._data.n_drugs)]

    def labels(self) -> Sequence[str]:
        """Their names."""
        return self._labels

    def other_names(self) -> list[Sequence[str]]:
        """Ids in other databases."""
        return [self._data.external_ids]

    def weights(self) -> npt.NDArray[np.number]:
        """Known interactions of each."""
        rows = self._data.pairs.get("train", np.empty((0, 3), np.int32))
        found: npt.NDArray[np.number] = np.bincount(
            rows[:, [0, 2]].ravel(), minlength=self._data.n_drugs
        )
        return found

    def relations(self, entity: str | None) -> Answer:
        """The types of interaction with their sentences."""
        data = self._data
        rows = data.pairs.get("train", np.empty((0, 3), np.int32))
        counts = np.bincount(rows[:, 1], minlength=data.n_types)
        found = [
            {"name": data.types.name(k), "facts": int(counts[k]), "sentence": data.templates[k]}
            for k in range(data.n_types)
        ]
        return {"relations": sorted(found, key=lambda row: -row["facts"])}

    def facts(self, entity: str, limit: int) -> Answer:
        """The known interactions of a drug in training."""
        data = self._data
        drug, rows = data.drug(entity), data.pairs.get("train", np.empty((0, 3), np.int32))
        own = rows[(rows[:, [0, 2]] == drug).any(1)]
        return {
            "facts": [
                [data.label(u), data.types.name(t), data.label(v)]
                for u, t, v in own[:limit].tolist()
            ],
            "total": len(own),
        }

    def warm(self) -> None:
        """Predict and explain a pair of the training."""
        u, t, v = next(iter(self._data.pairs.values()))[0].tolist()
        names = self._data.drugs.names
        self.model.predict(names[u], names[v])
        if "explain" in self.can:
            self.model.explain(names[u], self._data.types.name(t), names[v])

    # ---- questions ---------------------------------------------------------------------------

    def pair(self, asked: Answer, ticket: Ticket) -> Answer:
        """How two drugs interact, in both orders."""
        drugs = asked["drugs"]
        if len(drugs) != 2:
            raise UsageError(f"a pair needs two drugs. Got {len(drugs)}", remedy="name two drugs")
        found: Answer = self.model.predict(drugs[0], drugs[1], top=asked.get("top", 5))
        return {**found, "caution": CAUTION}

    def partners(self, asked: Answer, ticket: Ticket) -> Answer:
        """All partners of a drug, the most probable interaction first."""
        top = asked.get("top", 20)
        found = screen(
            self.model, asked["drug"], top=top, drop_known=asked.get("drop_known", False)
        )
        whole = found["partners"] if asked.get("all") else found["partners"][:top]
        return {**found, "partners": whole, "total": len(found["partners"]), "caution": CAUTION}

    def explain(self, asked: Answer, ticket: Ticket) -> Answer:
        """Why an interaction gets its probability."""
        if asked.get("side") is not None:
            raise UsageError(
                f"method {self.model.method!r} is asked about both ends together, not about one "
                "side",
                remedy="leave out the side",
            )
        notes: list[str] = []
        pair = self.model.as_known(asked["head"], asked.get("relation"), asked["tail"], notes)
        found: Explanation = self.model.explain(*pair, seed=asked.get("seed", 0))
        found = replace(found, notes=(*notes, *found.notes))
        groups: dict[Any, list[int]] = {}
        for i, path in enumerate(found.paths):
            groups.setdefault(kind_of(path.steps), []).append(i)
        kinds = [
            {"steps": [list(step) for step in kind], "text": kind_text(kind), "paths": paths}
            for kind, paths in groups.items()
        ]
        full = asked.get("full", True)
        shown = {**found.to_dict(full=full), "kinds": kinds, "edges": [], "caution": CAUTION}
        return {**shown, "view": browser_view(found)} if full else shown

    def strike(self, asked: Answer, ticket: Ticket) -> Answer:
        """How two drugs interact, with and without some facts; ``head``, ``tail`` are the two."""
        head, tail, facts = asked.get("head"), asked.get("tail"), asked.get("facts", [])
        if (
            head is None
            or tail is None
            or any(asked.get(key) for key in ("nodes", "relations", "kinds", "rules"))
        ):
            raise UsageError(
                "of a run of pairs facts are struck out, for two drugs",
                remedy='give "head", "tail" and "facts"',
            )
        question = {"drugs": [head, tail], "top": asked.get("top", 5)}
        before = self.pair(question, ticket)
        ticket.check()
        less = without(self.model, [(h, r, t) for h, r, t in facts])
        ticket.check()
        after = less.predict(head, tail, top=question["top"])
        return {"before": before, "after": {**after, "caution": CAUTION}, "answer": None,
                "struck": facts, "n_struck": len(facts), "method": STRIKING, "notes": [],
                "caution": CAUTION}  # fmt: skip

    def add_drug(self, asked: Answer, ticket: Ticket) -> Answer:
        """The partners of a drug that is not in the data; the run stays as it is."""
        drug, top = _new_drug(asked), asked.get("top", 20)
        wider = with_drug(self.model, drug)
        ticket.check()
        found = screen(wider, drug.name, top=top)
        found["facts"] = fact_sentences(wider)
        found["notes"] += new_drug_notes(wider, drug)
        total = len(found["partners"])
        return {**found, "partners": found["partners"][:top], "total": total, "caution": CAUTION}


def _new_drug(asked: Mapping[str, Any]) -> NewDrug:
    """The drug that a question describes, as :func:`read_new_drug` reads a file."""
    name, smiles = asked["name"].strip(), asked.get("smiles", "").strip()
    if not name or any(ord(c) < 32 or ord(c) == 127 for c in name):
        raise FormatError("the drug has no name of letters", remedy='name = "the new drug"')
    bits = np.zeros(BITS, np.uint8) if not smiles else morgan_fingerprints([smiles], [name])[0]
    facts = [StatedFact(key, each) for key in _LISTS for each in asked.get(key, ())]
    facts += [StatedFact(relation, entity) for relation, entity in asked.get("facts", ())]
    return NewDrug(name, smiles, bits, tuple(dict.fromkeys(facts)))
