"""What a run of link prediction is asked beside answers: reasons, and what hangs on which facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from parsimony.errors import UsageError
from parsimony.explain import Explanation
from parsimony.explain.page import browser_view
from parsimony.knowledge import Rule
from parsimony.link.bringing_in import METHOD as BRINGING_IN
from parsimony.link.bringing_in import bring_in
from parsimony.link.counterfactual import by_names, counterfactual, standing
from parsimony.link.question import Question
from parsimony.link.second_opinion import SecondOpinion
from parsimony.link.second_opinion import by_names as opinion_by_names
from parsimony.link.similar import fact_vectors, similarities
from parsimony.link.striking import graph_rows, without
from parsimony.link.walk_kinds import (
    Kind,
    as_steps,
    facts_between,
    kind_of,
    kind_text,
    reversed_kind,
    walk_counts,
)
from parsimony.run.folder import RunFolder
from parsimony.web.link_answers import LinkAnswers
from parsimony.web.rule_lists import rule_list
from parsimony.web.served import Answer
from parsimony.web.waiting import Ticket

__all__ = ["Links"]

_LISTED = 200  # facts struck out that are listed
STRIKING = (
    "exact: the same weights, or the same rules with their confidences, on the graph without these "
    "facts; nothing is learned again"
)


class Links(LinkAnswers):
    """A run that ranks entities, and explains its answers if its method does."""

    long: ClassVar[frozenset[str]] = frozenset(
        {"strike", "what-else", "counterfactual", "bring-in", "second-opinion", "rules"}
    )
    steps: ClassVar[frozenset[str]] = frozenset({"explain", "similar"})

    def __init__(self, model: Any, run: RunFolder) -> None:
        super().__init__(model, run)
        walks = not model.by_vectors
        self.can = (
            "predict",
            *["explain"] * model.gives_reasons,
            "second-opinion",
            "similar",
            *["strike", "what-else"] * walks,
            *["counterfactual", "bring-in"]
            * (walks and model.gives_reasons and model.method != "degree"),
            *["rules", "book"] * (not hasattr(model, "vectors")),
        )

    # ---- reasons -----------------------------------------------------------------------------

    def explain(self, asked: Answer, ticket: Ticket) -> Answer:
        """The explanation, its paths by kind, and which split states each of their edges."""
        notes: list[str] = []
        fact = self.model.as_known(asked["head"], asked.get("relation"), asked["tail"], notes)
        side = asked.get("side")
        chosen = {"side": side} if side is not None else {}
        found: Explanation = self.model.explain(*fact, seed=asked.get("seed", 0), **chosen)
        found = replace(found, notes=(*notes, *found.notes))
        steps = dict.fromkeys(
            (s.head, s.relation, s.tail) for path in found.paths for s in path.steps
        )
        data = self._data
        rows = [
            (data.entities.index(h), data.relations.index(r), data.entities.index(t))
            for h, r, t in steps
        ]
        splits = self.known.splits(np.array(rows, np.int64).reshape(-1, 3))
        edges = [
            {"fact": list(step), "stated": "inferred by the book" if split == "no" else split}
            for step, split in zip(steps, splits, strict=True)
        ]
        full = asked.get("full", True)
        shown = {**found.to_dict(full=full), "kinds": _kinds(found), "edges": edges}
        return {**shown, "view": browser_view(found)} if full else shown

    # ---- without some evidence ---------------------------------------------------------------

    def strike(self, asked: Answer, ticket: Ticket) -> Answer:
        """Answers on the graph and without some of its facts, side by side."""
        data, n = self._data, self.model.task_.n_relations
        if asked.get("relation") is None:
            raise UsageError("no relation is named", remedy='give "relation"')
        entity, relation = self.model.encode(
            {k: asked[k] for k in ("head", "relation", "tail") if asked.get(k) is not None}, []
        )
        answer = asked.get("answer")
        target = None if answer is None else data.entities.index(answer, notes=[])
        gone = self._struck(asked, entity, target)
        model = self._without_rules(asked.get("rules", []))
        ticket.check()
        after = without(model, gone)
        question = {k: asked.get(k) for k in ("head", "relation", "tail", "top")}
        result: Answer = {"before": self._predicted(self.model, question)}
        ticket.check()
        result["after"] = self._predicted(after, question)
        result["answer"], notes = None, list[str]()
        if target is not None:
            ticket.check()
            asking = Question(entity, relation, target)
            head, tail = (target, entity) if relation >= n else (entity, target)
            own = np.array([[head, relation % n, tail]])
            if len(graph_rows(self.model.task_.test_graph.triples, own)):
                notes.append(
                    "the fact itself is left out where its rank is given: it is no reason for "
                    "itself"
                )
            result["answer"] = {
                "entity": self.names()[target],
                "before": vars(standing(without(self.model, own), asking)),
                "after": vars(standing(without(model, np.concatenate([gone, own])), asking)),
            }
        listed = [self._named(*row) for row in gone[:_LISTED].tolist()]
        if len(gone) > _LISTED:
            notes.append(f"{_LISTED} of {len(gone):,} facts struck out are listed")
        if not len(gone) and model is self.model:
            notes.append("nothing was struck out: no fact of the graph is meant")
        return {**result, "struck": listed, "n_struck": len(gone), "method": STRIKING,
                "notes": notes}  # fmt: skip

    def _struck(self, asked: Answer, entity: int, target: int | None) -> npt.NDArray[np.int64]:
        """The facts of the graph that a question strikes out, (n, 3)."""
        data, triples = self._data, self.model.task_.test_graph.triples
        notes: list[str] = []
        gone = np.zeros(len(triples), bool)
        for name in asked.get("nodes", ()):
            e = data.entities.index(name, notes=notes)
            gone |= (triples[:, 0] == e) | (triples[:, 2] == e)
        for name in asked.get("relations", ()):
            gone |= triples[:, 1] == data.relations.index(name, notes=notes)
        rows = [triples[gone].astype(np.int64)]
        for h, r, t in asked.get("facts", ()):
            fact = (
                data.entities.index(h, notes=notes), data.relations.index(r, notes=notes),
                data.entities.index(t, notes=notes),
            )  # fmt: skip
            rows.append(np.array([fact], np.int64))
        for kind in asked.get("kinds", ()):
            if target is None:
                raise UsageError("a kind of path leads to an answer", remedy='give "answer"')
            steps = as_steps(kind, data.relations)
            graph = self.model.task_.test_graph
            rows.append(facts_between(graph, entity, steps, target).astype(np.int64))
        return graph_rows(triples, np.unique(np.concatenate(rows), axis=0))

    def _without_rules(self, texts: Sequence[str]) -> Any:
        """The run without some of its rules, where it is made of rules."""
        if not texts:
            return self.model
        less = getattr(self.model, "without_rules", None)
        if less is None:
            raise UsageError(
                f"method {self.model.method!r} is not made of rules: none can be struck out",
                remedy="strike out the kind of path instead",
            )
        return less(texts)

    def what_else(self, asked: Answer, ticket: Ticket) -> Answer:
        """What a kind of path leads to from the same entity, and from where to the same answer."""
        data, task = self._data, self.model.task_
        fact = tuple(self.model.encode_fact(asked["head"], asked["relation"], asked["tail"]))
        question = Question.of(fact, asked.get("side", "tail"), task.n_relations)
        kind: Kind = tuple(map(tuple, asked["steps"]))
        steps = as_steps(kind, data.relations)
        back = as_steps(reversed_kind(kind), data.relations)
        top, graph = asked.get("top", 20), task.test_graph
        ticket.check()
        onward = walk_counts(graph, question.entity, steps)
        ticket.check()
        backward = walk_counts(graph, question.answer, back)
        r, turned = fact[1], asked.get("side", "tail") == "head"

        onward[question.answer] = backward[question.entity] = 0

        def items(count: npt.NDArray[np.float64], answers: bool) -> list[Answer]:
            best = np.argsort(-count, kind="stable")[:top]
            best = best[count[best] > 0]
            other = question.entity if answers else question.answer
            rows = [(other, r, e) if answers != turned else (e, r, other) for e in best.tolist()]
            splits = self.known.splits(np.array(rows, np.int64).reshape(-1, 3))
            return [
                {"entity": self.names()[e], "label": self.labels()[e], "walks": int(count[e]),
                 "known": split}
                for e, split in zip(best.tolist(), splits, strict=True)
            ]  # fmt: skip

        many = [int((c > 0).sum()) for c in (onward, backward)]
        notes = [
            f"{top:,} of {n:,} {what} are given"
            for n, what in zip(many, ("answers", "entities"), strict=True)
            if n > top
        ]
        return {
            "text": kind_text(kind),
            "answers": items(onward, True),
            "entities": items(backward, False),
            "notes": notes,
        }

    def counterfactual(self, asked: Answer, ticket: Ticket) -> Answer:
        """The few facts that hold up an answer."""
        fact = self.model.encode_fact(asked["head"], asked["relation"], asked["tail"])
        among = asked.get("among")
        relations = self._data.relations
        found = counterfactual(
            self.model, fact, side=asked.get("side", "tail"), beyond=asked.get("beyond", 10),
            most=asked.get("most", 10), check=ticket.check,
            among=None if among is None else [relations.index(r) for r in among],
        )  # fmt: skip
        return by_names(found, self.model)

    def bring_in(self, asked: Answer, ticket: Ticket) -> Answer:
        """The few facts that would bring a wanted answer among the first ones."""
        fact = self.model.encode_fact(asked["head"], asked["relation"], asked["tail"])
        among = asked.get("among")
        relations = self._data.relations
        found = bring_in(
            self.model, fact, side=asked.get("side", "tail"), within=asked.get("within", 10),
            most=asked.get("most", 5),
            among=None if among is None else [relations.index(r) for r in among],
        )  # fmt: skip
        return by_names(found, self.model, BRINGING_IN)

    # ---- without the model -------------------------------------------------------------------

    @cached_property
    def _second(self) -> SecondOpinion:
        return SecondOpinion(self.model.task_.test_graph)

    def second_opinion(self, asked: Answer, ticket: Ticket) -> Answer:
        """Which kinds of paths join both ends more often than degrees explain."""
        fact = self.model.encode_fact(asked["head"], asked["relation"], asked["tail"])
        n, graph = self.model.task_.n_relations, self.model.task_.test_graph
        question = Question.of(fact, asked.get("side", "tail"), n)
        found = self._second.on(question, seed=asked.get("seed", 0))
        return opinion_by_names(found, graph, top=asked.get("top", 20))

    @cached_property
    def _similarities(self) -> tuple[Any, str]:
        return similarities(self.model, lambda: fact_vectors(self.model.task_.test_graph))

    def similar(self, asked: Answer, ticket: Ticket) -> Answer:
        """Entities like another one, the most similar first."""
        e = self._data.entities.index(asked["entity"], notes=[])
        measure, told = self._similarities
        value, top = measure(e), asked.get("limit", 10)
        value[e] = 0
        best = np.argsort(-value, kind="stable")[:top]
        names, labels, types = self.names(), self.labels(), self.types()
        return {
            "entity": names[e],
            "similar": [
                {"name": names[i], "label": labels[i], "types": list(types.get(names[i], ())),
                 "similarity": float(value[i])}
                for i in best.tolist() if value[i] > 0
            ],
            "measure": told,
            "notes": [],
        }  # fmt: skip

    def rules(self, asked: Answer, ticket: Ticket) -> Answer:
        """The rules of the run."""
        return rule_list(self.model, self.run, asked)


def _kinds(found: Explanation) -> list[Answer]:
    """The paths of an explanation by their kind, with the rule of each where it was counted."""
    groups: dict[Kind, list[int]] = {}
    for i, path in enumerate(found.paths):
        groups.setdefault(kind_of(path.steps), []).append(i)
    counted = {rule.clause: rule for rule in found.rules}
    kinds = []
    for kind, paths in groups.items():
        row: Answer = {"steps": [list(step) for step in kind], "text": kind_text(kind),
                       "paths": paths}  # fmt: skip
        turned = reversed_kind(kind) if found.side == "head" else kind
        body = [(name, way == "inverse") for name, way in turned]
        rule = counted.get(Rule.from_path(found.query[1], body).clause) if body else None
        if rule is not None:
            row |= {"rule": str(rule), "support": rule.support, "confidence": rule.confidence}
        kinds.append(row)
    return kinds
