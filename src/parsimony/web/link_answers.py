"""What a run of link prediction is asked first: entities, relations, facts, and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from parsimony.knowledge.sources import mine_types
from parsimony.web.known_facts import KnownFacts
from parsimony.web.served import Answer, Questions
from parsimony.web.waiting import Ticket

__all__ = ["LinkAnswers"]

_EXPLAINED = 5  # facts at most, until one has evidence to be deleted
_WARMED = 20  # relations: one may have no rules, so that nothing is compiled


class LinkAnswers(Questions):
    """A run that ranks entities."""

    # ---- the data ----------------------------------------------------------------------------

    def counts(self) -> Answer:
        """Entities, relations, facts by split."""
        data = self.model.task_.data
        splits = {split: len(getattr(data, split)) for split in ("train", "valid", "test")}
        return {"n_entities": data.n_entities, "n_relations": data.n_relations, **splits}

    def calibration(self) -> str:
        """Of most methods a softmax, of rules their confidence."""
        if self.model.method == "rules":
            return "Probabilities are the rules' confidences, counted on the training facts."
        return "Probabilities are the softmax of the scores over all entities, uncalibrated."

    @cached_property
    def _data(self) -> Any:
        return self.model.task_.test_data

    def names(self) -> Sequence[str]:
        """All entities."""
        found: Sequence[str] = self._data.entities.names
        return found

    @cached_property
    def _labels(self) -> Sequence[str]:
        names = self._data.entity_names
        return self.names() if names is None else [names.get(n, n) for n in self.names()]

    def labels(self) -> Sequence[str]:
        """Readable names."""
        return self._labels

    def weights(self) -> npt.NDArray[np.number]:
        """Facts of each."""
        found: npt.NDArray[np.number] = self.model.task_.test_graph.degrees
        return found

    @cached_property
    def _types(self) -> Mapping[str, Sequence[str]]:
        stated = (self.run.read_toml("knowledge.toml") or {}).get("types", {})
        return stated or mine_types(self.model.task_.test_graph)[0]

    def types(self) -> Mapping[str, Sequence[str]]:
        """Those of the run's book, else those that the facts state."""
        return self._types

    @cached_property
    def known(self) -> KnownFacts:
        """Which split states a fact."""
        return KnownFacts(self._data)

    def relations(self, entity: str | None) -> Answer:
        """All relations with the number of their facts; an entity's own come first."""
        data, triples = self._data, self.model.task_.test_graph.triples
        n = data.n_relations
        facts = np.bincount(triples[:, 1], minlength=n)
        rows = [{"name": data.relations.name(r), "facts": int(facts[r])} for r in range(n)]
        if entity is not None:
            e = data.entities.index(entity, notes=[])
            for name, column in (("as_head", 0), ("as_tail", 2)):
                own = np.bincount(triples[triples[:, column] == e, 1], minlength=n)
                for row, count in zip(rows, own.tolist(), strict=True):
                    row[name] = count
        rows.sort(key=lambda r: (-(r.get("as_head", 0) + r.get("as_tail", 0)), -r["facts"]))
        return {"relations": rows}

    def facts(self, entity: str, limit: int) -> Answer:
        """The training facts of an entity."""
        e = self._data.entities.index(entity, notes=[])
        triples = self.model.task_.test_graph.triples
        own = triples[(triples[:, 0] == e) | (triples[:, 2] == e)]
        return {"facts": [self._named(*row) for row in own[:limit].tolist()], "total": len(own)}

    def _named(self, h: int, r: int, t: int) -> list[str]:
        entities, relations = self._data.entities, self._data.relations
        return [entities.name(h), relations.name(r), entities.name(t)]

    def warm(self) -> None:
        """Predict a training fact of each of some relations, and explain one that has evidence."""
        triples = self.model.task_.test_graph.triples
        first = np.unique(triples[:, 1], return_index=True)[1][:_WARMED]
        for fact in triples[first].tolist():
            h, r, _ = self._named(*fact)
            self.predict({"head": h, "relation": r}, Ticket(600.0, None))
        for fact in triples[first[:_EXPLAINED]].tolist() if "explain" in self.can else ():
            if self.model.explain(*self._named(*fact)).faithfulness is not None:
                break

    # ---- answers -----------------------------------------------------------------------------

    def predict(self, asked: Answer, ticket: Ticket) -> Answer:
        """The best answers, and ``about``: label, types and split of each."""
        return self._predicted(self.model, asked)

    def _predicted(self, model: Any, asked: Answer) -> Answer:
        top, candidates = asked.get("top", 10), asked.get("candidates")
        if (kind := asked.get("type")) is not None:
            of_type = self.of_type(kind).tolist()
            if candidates is None:
                candidates = [self.names()[e] for e in of_type]
            else:
                index, allowed = self._data.entities.index, {*of_type}
                candidates = [name for name in candidates if index(name, notes=[]) in allowed]
        found = model.predict(
            asked.get("head"), asked["relation"], asked.get("tail"),
            top=top, candidates=candidates, drop_known=asked.get("drop_known", False),
        )  # fmt: skip
        if kind is not None and asked.get("candidates") is None:
            reached = model._reached(np.array([a["score"] for a in found["answers"]]))
            found["answers"] = [a for a, is_ in zip(found["answers"], reached, strict=True) if is_]
        return {**found, "about": self._about(found)}

    def _about(self, found: Answer) -> Answer:
        query, data = found["query"], self._data
        end = "head" if "head" in query else "tail"
        asked, r = data.entities.index(query[end]), data.relations.index(query["relation"])
        ids = [data.entities.index(row["entity"]) for row in found["answers"]]
        splits = self.known.splits(
            np.array([(asked, r, e) if end == "head" else (e, r, asked) for e in ids], np.int64)
        )
        names, labels, types = self.names(), self.labels(), self.types()
        return {
            names[e]: {"label": labels[e], "types": list(types.get(names[e], ())), "known": split}
            for e, split in [*zip(ids, splits, strict=True), (asked, "no")]
        }
